"""Operations that run others: what their steps take, how they are stopped, and what is refused before they start."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.cli_kit import PATIENCE, Guild, make_project

MODELS = """\
- model: m
  operations:
    prep: {exec: sh -c "echo p > p.txt"}
    train:
      exec: sh -c "cat p.txt; echo ${lr} > m.txt"
      flags: {lr: 1}
      requires: {operation: prep, select: p.txt}
    ev: {exec: sh -c "cat m.txt; sleep 0.3", requires: {operation: train, select: m.txt}}
    all:
      steps: [{run: prep, needed: yes}, "train lr=${lr}", {run: ev, name: eval}]
      flags: {lr: 1}
    fails: {steps: [bad, prep]}
    bad: {exec: sh -c "exit 7"}
    slow: {exec: sleep 60}
    long: {steps: [slow, prep]}
    a: {steps: [b]}
    b: {steps: [a]}
    typo: {steps: [prep, nosuch]}
    stops: {exec: sleep 60, stoppable: yes}
    killed: {exec: sh -c "kill -9 $$"}
"""


@pytest.fixture
def guild(tmp_path: Path) -> Guild:
    """Give the command in a project with steps."""
    folder = make_project(tmp_path / "project", "")
    (folder / "MODELS").unlink()
    (folder / "guild.yml").write_text(MODELS)
    return Guild(tmp_path / "home", folder)


def test_steps_run_in_order_and_are_reached_by_their_names(guild: Guild) -> None:
    """The run directory links to the runs of the steps, relatively, so that moving the home keeps them."""
    out = guild.ok("run", "all", "lr=3", "-y")
    assert "Step 1 of 3: ./m:prep" in out
    assert "\n3\n" in out
    assert [row.op for row in guild.rows()] == ["./m:ev", "./m:train", "./m:prep", "./m:all"]
    folder = guild.home / "runs" / guild.ids("--op", "all")[0]
    assert {name: os.readlink(folder / name) for name in ("prep", "train", "eval")} == {
        "prep": f"../{guild.ids('--op', 'prep')[0]}",
        "train": f"../{guild.ids('--op', 'train')[0]}",
        "eval": f"../{guild.ids('--op', 'ev')[0]}",
    }


def test_a_step_that_is_not_needed_is_linked_all_the_same(guild: Guild) -> None:
    """The equal run takes its place; there is no second one."""
    guild.ok("run", "prep", "-y")
    guild.ok("run", "all", "-y")
    (prep,) = guild.ids("--op", "prep")
    assert os.readlink(guild.home / "runs" / guild.ids("--op", "all")[0] / "prep") == f"../{prep}"


def test_a_step_takes_the_runs_of_its_own_operation(guild: Guild) -> None:
    """Of two at once each evaluates the model that it has trained itself."""
    guild.ok("run", "all", "lr=[7,8]", "-j", "2", "-y")
    shown = sorted(guild.ok("watch", run_id, "--no-follow").strip() for run_id in guild.ids("--op", "ev"))
    assert shown == ["7", "8"]


def test_a_step_that_fails_ends_the_operation_with_its_exit_code(guild: Guild) -> None:
    """No later step is started."""
    result = guild("run", "fails", "-y")
    assert result.code == 7
    assert "Step 1 failed with exit code 7" in result.out
    assert [(row.op, row.status) for row in guild.rows()] == [("./m:bad", "error"), ("./m:fails", "error")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_ends_the_step_and_the_operation(guild: Guild, number: signal.Signals) -> None:
    """Both are terminated, nothing is left staged or running, and nobody sees a traceback."""
    process = guild.start("run", "long", "-y")
    end = time.monotonic() + PATIENCE
    while not any(row.op == "./m:slow" and row.status == "running" for row in guild.rows()):
        assert time.monotonic() < end
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
    assert b"Traceback" not in out + err
    assert {(row.op, row.status) for row in guild.rows()} == {("./m:slow", "terminated"), ("./m:long", "terminated")}


@pytest.mark.parametrize(
    ("operation", "message"),
    [("a", "lead back to it: a -> b -> a"), ("typo", "runs 'nosuch', which is no operation here")],
)
def test_steps_that_cannot_end_well_are_refused(guild: Guild, operation: str, message: str) -> None:
    """Before anything is started: not after hours of training."""
    assert message in guild.refused("run", operation, "-y")
    assert guild.ok("runs") == ""


def test_a_stoppable_operation_that_is_stopped_is_completed(guild: Guild) -> None:
    """It was meant to be stopped some time."""
    assert guild("run", "stops", "--stop-after", "1s", "-y").code == 128 + signal.SIGTERM
    assert guild.rows()[0].status == "completed"


def test_a_process_that_was_killed_is_told_of(guild: Guild) -> None:
    """As when the system runs out of memory: the terminal says what happened."""
    result = guild("run", "killed", "-y")
    assert result.code == 128 + signal.SIGKILL
    assert "was killed (SIGKILL)" in result.err
