"""Many commands one after the other, each in a process of its own that has guild imported already.

Starting Python takes most of the time of a command; where one rule is held against every command that would be all of
the time of a test.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.cli_kit import COMMAND, PATIENCE, Result

if TYPE_CHECKING:
    from tests.cli_kit import Guild

_SERVER = """\
import gc, json, os, sys, tempfile
from guild_ledger.main import claim_packages
claim_packages()
import click, orjson
import commands.model_check, commands.positions, commands.shells, ledger.opening
import projections.candidates, projections.expression_sql, projections.index, projections.selection
from commands.main import guild, main

def load(group):
    for name in group.list_commands(context := click.Context(group)):
        if isinstance(command := group.get_command(context, name), click.Group):
            load(command)

load(guild)
gc.freeze()

def run(argv):
    files = [tempfile.TemporaryFile() for _ in range(2)]
    if not os.fork():
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, file in enumerate(files, 1):
            os.dup2(file.fileno(), number)
        sys.argv = ["guild", *argv]
        main()
    code = os.waitstatus_to_exitcode(os.wait()[1])
    for file in files:
        file.seek(0)
    return [code, *(file.read().decode() for file in files)]

json.dump([run(argv) for argv in json.load(sys.stdin)], sys.stdout)
"""


def many(guild: Guild, lines: Sequence[Sequence[str]]) -> list[Result]:
    """Run the command lines in their order, with nothing to read; none may show a traceback."""
    done = subprocess.run(
        [COMMAND[0], "-c", _SERVER],
        input=json.dumps([list(line) for line in lines]),
        cwd=guild.cwd,
        env=guild.environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE * 3,
    )
    results = [Result(*result) for result in json.loads(done.stdout)]
    for result in results:
        assert "Traceback (most recent call last)" not in result.err, result
        assert "not foreseen" not in result.err, result
    return results
