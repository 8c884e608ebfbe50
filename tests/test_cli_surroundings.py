"""Where a listing is shown and whose it is: terminals, pagers, pipes, locales, and the choice of the home."""

from __future__ import annotations

import os
import pty
import struct
import subprocess
import sys
import termios
import unicodedata
from contextlib import suppress
from dataclasses import replace
from fcntl import ioctl
from pathlib import Path

import pytest

from tests.cli_kit import LOCAL_SCOPE, PATIENCE, Guild, make_project
from tests.lab_kit import guild_fixture  # noqa: F401 - a fixture


def on_terminal(guild: Guild, *args: str, columns: int = 80, rows: int = 24, keys: bytes = b"") -> str:
    """Return what a command writes on a terminal of this size, with `keys` typed at its start."""
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    with guild.start(*args, stdin=slave, stdout=slave, stderr=slave, start_new_session=True) as process:
        os.close(slave)
        if keys:
            os.write(master, keys)
        said = b""
        with suppress(OSError):  # a terminal without processes ends with an error
            while chunk := os.read(master, 65536):
                said += chunk
        process.wait(PATIENCE)
    os.close(master)
    assert process.returncode == 0, said
    return said.decode().replace("\r\n", "\n")


def columns_of(line: str) -> int:
    """Return how many columns of a terminal a line takes."""
    return sum(2 if unicodedata.east_asian_width(character) in ("W", "F") else 1 for character in line)


@pytest.mark.parametrize("columns", [60, 80])
def test_a_terminal_gets_lines_that_fit(guild: Guild, columns: int) -> None:
    """On a terminal a line is cut at its width, with a mark, so that rows stay rows; wide characters count twice."""
    for index, label in enumerate(("x" * 100, "日本語" * 30, "🌷" * 40)):
        guild.ok("label", str(index), label)
    plain = guild.with_env(NO_COLOR="1", PAGER="cat")
    for args, before in ((["runs", "-a"], 0), (["runs", "rm", "--dry-run"], 2)):
        lines = on_terminal(plain, *args, columns=columns).splitlines()[before:]
        assert max(columns_of(line) for line in lines) <= columns
        assert [line[-1] for line in lines[:3]] == ["…"] * 3
        assert lines[1].lstrip().startswith("[")


def test_colours_follow_the_conventions(guild: Guild) -> None:
    """A terminal gets a dim note; NO_COLOR takes colours away and FORCE_COLOR gives them to a pipe."""
    plain = guild.with_env(PAGER="cat")
    assert "\x1b[2m" in on_terminal(plain, "runs")
    assert "\x1b" not in on_terminal(plain.with_env(NO_COLOR="1"), "runs")
    assert "\x1b[2m" in guild.with_env(FORCE_COLOR="1")("runs").err


def test_a_long_listing_goes_through_the_pager(guild: Guild, tmp_path: Path) -> None:
    """On a terminal the listing is given to $PAGER; notes are not."""
    pager = tmp_path / "pager"
    pager.write_text('#!/bin/sh\nsed "s/^/paged /"\n')
    pager.chmod(0o755)
    screen = on_terminal(guild.with_env(NO_COLOR="1", PAGER=str(pager)), "runs", rows=4)
    assert screen.startswith(LOCAL_SCOPE)
    assert screen.count("paged [") == 5


def test_a_pager_that_cannot_start_is_no_obstacle(guild: Guild) -> None:
    """Without a usable pager the listing is printed."""
    screen = on_terminal(guild.with_env(NO_COLOR="1", PAGER="/no/such/pager"), "runs")
    assert screen.count("\n[") == 5


def test_a_reader_may_leave(guild: Guild) -> None:
    """`guild runs | head` ends quietly, and a check still says what it found."""
    for args in (["runs", "-v"], ["runs", "--json"], ["log"], ["runs", "info"], ["ledger", "verify"]):
        with guild.start(*args) as process:
            assert process.stdout
            assert process.stderr
            process.stdout.close()
            error = process.stderr.read().decode()
            process.wait(PATIENCE)
        assert (process.returncode, error.removeprefix(LOCAL_SCOPE)) == (0, ""), args


def test_a_full_device_is_an_error_that_says_so(guild: Guild) -> None:
    """A listing that cannot be written must not look complete."""
    for args in (["runs"], ["runs", "--json"], ["log"], ["runs", "info"], ["--help"]):
        with open("/dev/full", "wb") as full, guild.start(*args, stdout=full) as process:
            _, err = process.communicate(b"")
        assert process.returncode == 1, args
        assert "No space left on device" in err.decode()
        assert "Traceback" not in err.decode()
        assert "not foreseen" not in err.decode()
        assert "Exception ignored" not in err.decode()


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_crash(guild: Guild, redirection: str) -> None:
    """A command without stdin, stdout or stderr does its work; a listing that reaches nobody is at worst an error."""
    for command in ("runs", "compare --table", "cat --output", "ls -n", "watch 0", "label 0 closed"):
        line = f"exec {sys.executable} -m guild_ledger {command} {redirection}"
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=guild.cwd,
            env=guild.environment(),
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
        assert b"Traceback" not in done.stderr
        assert b"not foreseen" not in done.stderr
        assert done.returncode in (0, 1)
    assert guild.rows()[0].label == "closed"


@pytest.mark.parametrize("locale", ["C", "no_SUCH.locale"])
def test_any_locale_will_do(guild: Guild, locale: str) -> None:
    """Labels that the locale cannot show are no crash."""
    plain = guild.with_env(LANG=locale, LC_ALL=locale, PYTHONUTF8=None, PYTHONCOERCECLOCALE="0")
    plain.ok("label", "0", "🌷 é")
    assert guild.rows()[0].label == "🌷 é"
    assert len(plain.rows()) == 5
    ascii_only = plain.with_env(PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert len(ascii_only.rows()) == 5
    assert ascii_only("runs", "info").code == 0


def test_without_a_home_variable_the_account_decides(guild: Guild) -> None:
    """HOME may be unset: with a home of runs given, nothing needs it."""
    assert len(guild.with_env(HOME=None, USER=None, PATH=None).rows()) == 5


def test_the_home_is_chosen_in_order(guild: Guild, tmp_path: Path) -> None:
    """-H, then GUILD_HOME (empty counts as unset), then the nearest .guild above, then ~/.guild."""
    project = make_project(tmp_path / "above/p")
    below = replace(guild, cwd=project)
    assert len(below.with_env(GUILD_HOME="/nonexistent").json("-H", str(guild.home), "runs", "-a")) == 6
    assert len(below.json("runs", "-a")) == 6
    unset = below.with_env(GUILD_HOME="", HOME=str(tmp_path / "user"))
    (tmp_path / "user").mkdir()
    assert unset.rows() == []
    assert (tmp_path / "user/.guild/ledger.db").exists()
    guild.home.rename(tmp_path / "above/.guild")
    assert len(unset.json("runs", "-a")) == 6
    assert len(unset.with_env(GUILD_HOME=None).at(project).json("runs", "-a")) == 6


def test_a_home_may_be_moved(guild: Guild, tmp_path: Path) -> None:
    """Moving the folder moves everything: nothing in it knows where it was."""
    moved = replace(guild, home=tmp_path / "moved")
    guild.ok("runs", "rm", "4", "-y")
    guild.home.rename(moved.home)
    assert len(moved.rows()) == 4
    moved.ok("runs", "restore", "-y")
    assert moved.json("runs", "info", "4")["run_dir"].startswith(str(moved.home))
    assert "The ledger is whole." in moved.ok("ledger", "verify")


def test_relative_homes_start_at_the_working_directory(guild: Guild, tmp_path: Path) -> None:
    """A path on the command line means what the shell would take it for, also beside -C."""
    here = guild.at(tmp_path).with_env(GUILD_HOME=None)
    assert len(here.json("-C", str(guild.cwd), "-H", "home", "runs")) == 5
    assert len(here.with_env(GUILD_HOME="home").json("-C", str(guild.cwd), "runs")) == 5
    assert not (guild.cwd / "home").exists()


def test_the_folder_of_a_run_is_no_home(guild: Guild) -> None:
    """Inside a run directory, whose .guild holds that run's output, the same home is used as elsewhere."""
    (newest, *_) = guild.ids()
    run_dir = guild.home / "runs" / newest
    user = guild.home.parent / "user"
    user.mkdir()
    inside = guild.at(run_dir).with_env(GUILD_HOME=None, HOME=str(user))
    assert inside.ok("runs") == ""
    assert (user / ".guild/ledger.db").exists()
    assert sorted(os.listdir(run_dir / ".guild")) == ["output", "output.index"]


def test_options_before_a_subcommand_are_refused(guild: Guild) -> None:
    """`runs -E list` would silently lose -E."""
    error = guild.refused("runs", "-E", "list")
    assert error == (
        "guild: options cannot be listed before command ('list')\nPut them after it: guild runs list [OPTIONS].\n"
    )
    assert "before command ('rm')" in guild.refused("runs", "-a", "rm", "-y")
    assert len(guild.rows()) == 5
