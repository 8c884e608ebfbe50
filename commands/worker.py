"""A worker of a batch: reads ids of staged runs, carries each out, and answers with what became of it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from artifacts.home import Home
from commands.app import App
from commands.run_again import Stager
from commands.run_one import carried_out
from commands.run_options import RunOptions
from ledger.errors import GuildError

if TYPE_CHECKING:
    from ledger.ids import RunId


def main() -> None:
    """Work until there is nothing more to read; the argument is what the parent says of options and home, as JSON."""
    import orjson

    known = orjson.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    # Nothing that is printed by mistake may be taken for an answer.
    os.dup2(2, 1)
    app = App(known["directory"], None, Home(known["home"]), known["argv"])
    options = known["options"]
    options = RunOptions(**{**options, "tags": tuple(options["tags"]), "start": tuple(options["start"])})
    stager = Stager(app, options)
    try:
        for line in sys.stdin:
            answers.write(orjson.dumps(_carried_out(app, stager, line.strip())) + b"\n")
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(0)  # asked to stop between two trials, or nobody is there to hear of this one, which is recorded
    app.close()


def _carried_out(app: App, stager: Stager, text: str) -> dict[str, str]:
    from artifacts.home import check_run_id

    run_id: RunId = check_run_id(text)
    name = run_id[:8]
    try:
        ending = carried_out(app, stager.plan(run_id))
    except GuildError as error:
        return {"outcome": "failed", "message": f"run {name}: {error.message}"}
    if ending.failure:
        return {"outcome": "failed", "message": f"run {name} failed: {ending.failure}"}
    if ending.stopped_by and not ending.timed_out:
        return {"outcome": "stopped"}
    return {"outcome": "completed" if ending.exit_status == 0 and not ending.timed_out else "failed"}
