"""The full-screen table in a real terminal, beside ten runs that go on in another one."""

from __future__ import annotations

import os
import shlex
import signal
from pathlib import Path

from tests.cli_kit import COMMAND, Guild, make_project
from tests.tmux_kit import PROMPT, Terminal, terminal

MODELS = """\
- model: demo
  operations:
    train:
      exec: sh {script} ${{rate}}
      flags:
        rate: {{default: 1}}
      output-scalars: {{loss: 'loss: (\\value)'}}
"""

SCRIPT = """\
while [ ! -e {go} ]; do sleep 0.05; done
echo loss: 0.$1
"""


def count(lines: list[str], word: str) -> int:
    """Return in how many lines a word stands."""
    return sum(word in line.split() for line in lines)


def last_words(lines: list[str], word: str) -> list[str]:
    """Return the last word of each line in which a word stands."""
    return [line.split()[-1] for line in lines if word in line.split()]


def test_ten_runs_are_watched_sorted_filtered_deleted_and_brought_back(tmp_path: Path) -> None:
    """Two at a time in one terminal, seen live in another, which is left as it was found, also by a signal."""
    script, go = tmp_path / "work.sh", tmp_path / "go"
    script.write_text(SCRIPT.format(go=go))
    guild = Guild(tmp_path / "home", make_project(tmp_path / "project", MODELS.format(script=script)))
    with terminal(guild.cwd, guild.environment()) as one:
        for pane in (one, other := one.second()):
            pane.type(f'cd {guild.cwd}; guild() {{ {shlex.join(COMMAND)} "$@"; }}; clear')
            pane.wait(lambda lines: [line for line in lines if line] == [PROMPT])
        before = one.modes()
        one.type("guild compare --all")
        one.wait_for("No runs yet")
        other.type("guild run train -j 2 'rate=[11,12,13,14,15,16,17,18,19,21]' -y")
        one.wait(lambda lines: count(lines, "running") == 2 and count(lines, "staged") == 8)
        go.touch()
        one.wait(lambda lines: count(lines, "completed") == 10)
        _sort_and_filter(one)
        _delete_and_bring_back(one, guild)
        one.press("q")
        left = one.wait_for_prompt()
        assert any(line.startswith("To print this table: guild compare --all --table") for line in left)
        assert one.modes() == before
        _interrupt(one, before)
        _end_by_signal(one, before)


def _sort_and_filter(one: Terminal) -> None:
    one.press("C-Right", "s")
    losses = [f"0.{rate}" for rate in (*range(11, 20), 21)]
    one.wait(lambda lines: any("loss ▲" in line for line in lines) and last_words(lines, "completed") == losses)
    one.press("f")
    one.wait_for("filter:")
    one.type("loss > and")
    one.wait_for("^")
    one.press("C-k")  # the cursor is where it is wrong
    one.type("0.18")
    one.wait(lambda lines: "2 runs" in lines[0] and count(lines, "completed") == 2)


def _delete_and_bring_back(one: Terminal, guild: Guild) -> None:
    one.press("d")
    one.wait_for("Delete these runs? (y/N)")
    one.press("y")
    one.wait_for("Deleted 1 run(s)")
    assert len(guild.ids()) == 9
    one.press("z")
    one.wait_for("restored 1 run(s)")
    assert len(guild.ids()) == 10


def _interrupt(one: Terminal, before: str) -> None:
    """Leave with Ctrl-C, also from a page: as `q` does, but for the exit code."""
    for page in ("", "?"):
        one.type("clear; guild compare")
        one.wait_for("10 runs")
        if page:
            one.press(page)
            one.wait_for("Keys")
        one.press("C-c")
        assert any(line.startswith("To print this table: guild compare --table") for line in one.wait_for_prompt())
        one.type("echo code $?")
        one.wait_for("code 130")
        assert one.modes() == before


def _end_by_signal(one: Terminal, before: str) -> None:
    """End the table from outside: the terminal is as it was all the same."""
    one.type("clear; guild compare")
    one.wait_for("10 runs")
    one.resize(60, 12)
    one.wait_for("? Help")
    children = Path(f"/proc/{one.is_told('pane_pid')}/task/{one.is_told('pane_pid')}/children")
    os.kill(int(children.read_text().split()[0]), signal.SIGTERM)
    one.wait_for_prompt()
    one.type("echo code $?")
    one.wait_for("code 143")
    assert one.modes() == before
