"""Runs in the background: they go on by themselves, can be watched and stopped, and a failure to start is told."""

from __future__ import annotations

import json
import os
import signal
import socket
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.batch_kit import batch_project, begun, check_settled, on_terminal, statuses
from tests.cli_kit import PATIENCE, Guild, wait_until
from tests.run_options_kit import (
    bodies,
    guild_fixture,  # noqa: F401 - a fixture
    info,
)


def test_a_run_in_the_background_can_be_watched_and_stopped(guild: Guild) -> None:
    """The command returns when the run is on its way; `watch` finds it; `stop` ends it and waits."""
    run_id = guild.ok("run", "slow", "--background", "-y").strip()
    assert info(guild)["status"] == "running"
    watching = guild.start("watch")
    assert watching.stdout is not None
    assert watching.stdout.readline() == b"begun\n"
    assert guild.ok("stop", "-y") == "Stopped 1 run(s)\n"
    assert info(guild, run_id)["status"] == "terminated"
    out, err = watching.communicate(timeout=PATIENCE)
    assert (watching.returncode, out) == (0, b"")
    assert b"is terminated" in err
    check_settled(guild)


def test_a_batch_in_the_background_goes_on_by_itself(guild: Guild) -> None:
    """All ids are printed; nothing of the trials' output is; in the end all have completed."""
    ids = guild.ok("run", "t", "x=[1,2,3]", "--background", "-j", "2", "-y").split()
    assert len(ids) == 3
    wait_until(lambda: statuses(guild) == {"completed": 3})
    check_settled(guild)


@pytest.mark.parametrize("words", ["-j 2", "--background", ""])
def test_a_word_that_is_no_text_is_handed_on_as_it_is(guild: Guild, words: str) -> None:
    """To workers, to a process in the background and to the steps of an operation: flags, labels and the command."""
    with open(guild.cwd / "guild.yml", "a") as file:
        file.write("    whole: {flags: {s: a}, steps: [{run: t, flags: ['s=${s}']}]}\n")
    run = ["t", "x=[1,2]"] if words else ["whole"]
    guild.ok("run", *run, "s=caf\udce9", "--label", "b\udcff", "-y", *words.split())
    wait_until(lambda: set(statuses(guild)) == {"completed"})
    assert len(guild.ids()) == 2
    assert len({json.dumps(body["flags"]["s"]) for body in bodies(guild, "run.started")}) == 1
    assert b"caf\xe9" in Path(guild.home, "runs", guild.ids()[0], "said").read_bytes()


def test_stopping_needs_something_that_runs_and_an_answer(guild: Guild) -> None:
    """Exit code 1 and `Nothing to stop.` without; `n` at the prompt leaves the run alone."""
    guild.ok("run", "t", "-y")
    assert "Nothing to stop." in guild.refused("stop", "-y")
    guild.ok("run", "slow", "--background", "-y")
    assert guild("stop", stdin="n\n").out.startswith("You are about to stop the following runs:\n")
    assert info(guild)["status"] == "running"
    assert "slow" in guild.ok("stop", "--dry-run")
    assert info(guild)["status"] == "running"
    guild.ok("stop", "0", stdin="y\n")
    assert info(guild)["status"] == "terminated"
    check_settled(guild)


def test_watching_shows_all_output_and_leaves_the_run_alone(guild: Guild) -> None:
    """From the beginning, also of a run that has ended; Ctrl-C ends the watching only."""
    guild.ok("run", "t", "x=6", "-y")
    assert "run x=6" in guild.ok("watch", "0")
    assert "no run is running" in guild.refused("watch")
    guild.ok("run", "slow", "--background", "-y")
    assert guild.ok("watch", "0", "--no-follow") in ("begun\n", "")
    terminal = on_terminal(guild, "watch", "0")
    seen = b""
    while b"begun" not in seen:
        seen += os.read(terminal.user, 1000)
    terminal.type(b"\x03")
    assert "The run goes on" in terminal.read_to_end()
    assert terminal.process.returncode == 0
    assert info(guild)["status"] == "running"
    following = guild.start("watch", "0")
    (guild.cwd / "go").touch()
    out, err = following.communicate(timeout=PATIENCE)
    assert out == b"begun\ndone\n"
    assert b"is completed" in err


def test_watching_a_run_whose_supervisor_is_killed_tells_its_end(guild: Guild) -> None:
    """Nobody has recorded the end yet: the watcher does, as any other command would."""
    process = guild.start("run", "slow", "-y")
    wait_until(lambda: begun(guild) == 1)
    following = guild.start("watch")
    assert following.stdout is not None
    assert following.stdout.readline() == b"begun\n"
    process.kill()
    process.communicate()
    out, err = following.communicate(timeout=PATIENCE)
    assert (following.returncode, out) == (0, b"")
    assert b"is terminated" in err
    check_settled(guild)


@pytest.mark.parametrize("way", ["SIGTERM", "SIGHUP", "stop", "time"])
def test_a_run_can_be_stopped_while_what_it_requires_is_fetched(tmp_path: Path, way: str) -> None:
    """By a signal, by `guild stop` and by its time: it is recorded as terminated, with the reason."""
    with socket.create_server(("127.0.0.1", 0)) as mute:  # it never answers
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/data"
        guild = batch_project(
            tmp_path, f"- model: m\n  operations: {{t: {{exec: 'true', requires: [{{url: {url}}}]}}}}\n"
        )
        mute.settimeout(PATIENCE)
        process = guild.start("run", "t", "-y", *(["--stop-after", "1s"] if way == "time" else []))
        # The system lets it in by itself; on a slow machine its time may be up before it knocks.
        with mute.accept()[0] if way != "time" else nullcontext():
            if way == "stop":
                assert guild.ok("stop", "-y") == "Stopped 1 run(s)\n"
            elif way != "time":
                process.send_signal(signal.Signals[way])
            process.communicate(timeout=PATIENCE)
    number = signal.Signals[way] if way.startswith("SIG") else signal.SIGTERM
    assert process.returncode == 128 + number
    found = info(guild)
    reason = "stopped because its time was up" if way == "time" else f"stopped by {number.name}"
    assert (found["status"], found["reason"]) == ("terminated", reason)
    check_settled(guild)


@pytest.mark.parametrize("hidden", [False, True])
def test_a_start_in_the_background_that_fails_is_told(tmp_path: Path, hidden: bool) -> None:
    """With the reason and exit code 1, whether it can be known before the process is there or is met by it."""
    guild = batch_project(tmp_path)
    (guild.cwd / "data-1.txt").touch()
    run_id = guild.ok("run", "needs", "--stage", "-y").strip()
    if hidden:
        (guild.home / "leases").mkdir(exist_ok=True)
        (guild.home / "leases" / run_id).mkdir()
    else:
        (guild.cwd / "data-1.txt").unlink()
    told = guild.refused("run", "--start", run_id, "--background", "-y")
    assert ("nothing was started in the background: " in told) == hidden
    assert ("data-1.txt" in told) != hidden
    assert statuses(guild) == {"staged": 1}


def test_a_run_that_ends_while_stop_asks_counts_as_stopped(guild: Guild) -> None:
    """There is nothing to stop any more, and that is no failure."""
    run_id = guild.ok("run", "slow", "--background", "-y").strip()
    process = guild.start("stop")
    assert process.stderr is not None
    asked = b""
    while b"Stop these runs?" not in asked:
        asked += (piece := os.read(process.stderr.fileno(), 4096))
        assert piece, asked
    (guild.cwd / "go").touch()
    wait_until(lambda: not (guild.home / "leases" / run_id).exists())
    out, err = process.communicate(b"y\n", timeout=PATIENCE)
    assert (process.returncode, out.decode().splitlines()[-1]) == (0, "Stopped 1 run(s)"), err
    assert info(guild)["status"] == "completed"
