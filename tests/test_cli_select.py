"""`guild select` from outside: one id for a pipe, the best by a scalar, and the list to pick from on a terminal."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import termios
import time

import pytest

from tests.cli_kit import LOCAL_SCOPE, PATIENCE, Guild, report
from tests.lab_kit import (
    guild_fixture,  # noqa: F401 - a fixture
    ids_fixture,  # noqa: F401 - a fixture
)

UP, DOWN, ENTER, ESCAPE = "\x1b[A", "\x1b[B", "\r", "\x1b"


def test_the_latest_run_that_matches_is_printed(guild: Guild, ids: list[str]) -> None:
    """One full id and nothing else on stdout; by filters, index, or beginning of an id."""
    assert guild("select") == (0, f"{ids[0]}\n", LOCAL_SCOPE)
    assert guild.ok("select", "-E") == f"{ids[4]}\n"
    assert guild.ok("select", "--op", "svm", "1") == f"{ids[3]}\n"
    assert guild.ok("select", ids[2][:6], "--short") == f"{ids[2][:8]}\n"
    assert [run["id"] for run in guild.json("select", "1")] == [ids[1]]
    assert guild.ok("runs", "info", guild.ok("select", "-E").strip()).startswith(f"id: {ids[4]}")


def test_each_run_that_matches_is_printed(guild: Guild, ids: list[str]) -> None:
    """`--each` prints one id a line, of a range too; nothing when nothing matches."""
    assert guild.ok("select", "--each").split() == ids
    assert guild.ok("select", "--each", "1:2", "--short").split() == [run_id[:8] for run_id in ids[1:3]]
    assert guild.ok("select", "--each", "-R") == ""


def test_the_best_run_by_a_scalar_is_printed(guild: Guild, ids: list[str]) -> None:
    """By the last value, among the runs that match; of equal ones the latest; runs without it do not count."""
    report(guild, ids[1], loss=0.5, acc=0.9)
    report(guild, ids[2], loss=0.25)
    report(guild, ids[3], loss=0.25, acc=float("nan"))
    report(guild, ids[4], loss=float("inf"))
    assert guild.ok("select", "--min", "loss").strip() == ids[2]
    assert guild.ok("select", "--max", "loss").strip() == ids[4]
    assert guild.ok("select", "--max", "loss", "-C").strip() == ids[1]
    assert guild.ok("select", "--min", "acc").strip() == ids[1]
    report(guild, ids[3], loss=0.125)
    assert guild.ok("select", "--min", "loss", "--short").strip() == ids[3][:8]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["99"], 1, "could not find a run matching '99'"),
        (["0:1"], 1, "matches multiple runs"),
        (["-R"], 1, "no run matches"),
        (["--min", "lss"], 1, "no run has a scalar 'lss' (did you mean 'loss'?)"),
        (["--min", "loss", "-T"], 1, "no run has a scalar 'loss'"),
        (["--min", "a", "--max", "b"], 2, "only one of RUN, --min, --max and --each"),
        (["0", "--min", "a"], 2, "only one of RUN, --min, --max and --each"),
        (["--each", "--max", "a"], 2, "only one of RUN, --min, --max and --each"),
    ],
)
def test_what_names_no_run_prints_nothing(
    guild: Guild, ids: list[str], args: list[str], code: int, message: str
) -> None:
    """A pipe gets nothing, and the message says why."""
    report(guild, ids[0], loss=0.5)
    told = guild("select", *args)
    assert (told.code, told.out) == (code, "")
    assert message in told.err


class Person:
    """Somebody at a terminal with `guild select`; stdout goes into a pipe, as in `$(guild select)`."""

    def __init__(self, guild: Guild, *args: str) -> None:
        self.ours, self.theirs = pty.openpty()
        self.before = termios.tcgetattr(self.theirs)
        self.seen = ""
        self.process = guild.with_env(TERM="xterm").start(
            "select", *args, stdin=self.theirs, stderr=self.theirs, stdout=subprocess.PIPE
        )

    def sees(self, pattern: str) -> None:
        """Wait until something is shown after what was seen before."""
        end = time.monotonic() + PATIENCE
        while not (match := re.search(pattern, self.seen, re.DOTALL)):
            assert time.monotonic() < end, self.seen
            self.seen += os.read(self.ours, 4096).decode("utf-8", "replace")
        self.seen = self.seen[match.end() :]

    def types(self, text: str) -> None:
        """Press keys."""
        os.write(self.ours, text.encode())

    def ends(self) -> tuple[int, str]:
        """Wait for the end; return code and stdout. The terminal must be as it was."""
        out, _ = self.process.communicate(timeout=PATIENCE)
        assert termios.tcgetattr(self.theirs) == self.before
        os.close(self.ours)
        os.close(self.theirs)
        return self.process.returncode, out.decode()


def test_a_run_is_picked_with_the_arrows(guild: Guild, ids: list[str]) -> None:
    """The list is on stderr, the cursor on the latest run, and the id that was picked on stdout."""
    person = Person(guild)
    person.sees("5 of 5 runs; Enter takes, Esc leaves: ")
    person.types(UP + DOWN + DOWN + DOWN + UP + ENTER)
    assert person.ends() == (0, f"{ids[2]}\n")


def test_a_run_is_found_by_typing(guild: Guild, ids: list[str]) -> None:
    """Words of operation, label, status or id leave the runs that have them all; a number is the run with it."""
    person = Person(guild)
    person.sees("5 of 5 runs")
    person.types("error BADx")
    person.sees("0 of 5 runs")
    person.types(f"{ENTER}\x7f")
    person.sees("1 of 5 runs")
    person.types(ENTER)
    assert person.ends() == (0, f"{ids[4]}\n")
    person = Person(guild, "-a")
    person.sees("6 of 6 runs")
    person.types("svm\x15")
    person.types(f"3{ENTER}")
    assert person.ends() == (0, f"{ids[3]}\n")


@pytest.mark.parametrize("keys", [ESCAPE, "\x03", "\x04"])
def test_leaving_picks_nothing(guild: Guild, keys: str) -> None:
    """Escape, Ctrl-C and Ctrl-D end with 130, no id, and the terminal as it was; Ctrl-Z does nothing."""
    person = Person(guild)
    person.sees("5 of 5 runs")
    person.types("\x1a\x1c")
    person.types(keys)
    assert person.ends() == (130, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_as_it_was(guild: Guild, number: signal.Signals) -> None:
    """Also when the picker is ended from outside."""
    person = Person(guild)
    person.sees("5 of 5 runs")
    person.process.send_signal(number)
    assert person.ends() == (128 + number, "")


@pytest.mark.parametrize("args", [["0"], ["--short"], ["--each"], ["--json"]])
def test_who_says_which_run_is_not_asked(guild: Guild, args: list[str]) -> None:
    """On a terminal too, a RUN and the options that answer the question print at once."""
    person = Person(guild, *args)
    code, out = person.ends()
    assert code == 0
    assert out


def test_a_terminal_that_cannot_move_its_cursor_is_not_asked(guild: Guild, ids: list[str]) -> None:
    """On a dumb terminal the latest run is printed."""
    ours, theirs = pty.openpty()
    process = guild.with_env(TERM="dumb").start("select", stdin=theirs, stderr=theirs, stdout=subprocess.PIPE)
    assert process.communicate(timeout=PATIENCE)[0].decode() == f"{ids[0]}\n"
    os.close(ours)
    os.close(theirs)


def test_there_is_nothing_to_pick_without_runs(guild: Guild) -> None:
    """The message is the same as in a pipe."""
    person = Person(guild, "-R")
    person.sees("no run matches")
    assert person.ends() == (1, "")


@pytest.mark.parametrize("option", ["--min", "--max"])
@pytest.mark.parametrize("text", ["", " "])
def test_the_lowest_and_highest_need_a_name(guild: Guild, option: str, text: str) -> None:
    """An empty one, of a variable that is not set perhaps, is wrong usage and not a scalar that no run has."""
    assert f"{option} needs the name of a scalar" in guild.refused("select", option, text, code=2)
