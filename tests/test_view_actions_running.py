"""Screens act on runs that are running: nothing is stopped unless all runs are as they were shown."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from artifacts.home import Home
from commands.app import App
from commands.view_actions import AppActions
from ledger.errors import ConflictError
from projections.query import Query, RunFilter, RunRow
from tests.cli_kit import PATIENCE, Guild, project_of, report

WAITS = "print('ready', flush=True); import time; time.sleep(600)"


class Beside:
    """A run that has ended, and one that is running."""

    def __init__(self, guild: Guild, process: subprocess.Popen[bytes]) -> None:
        self.guild, self.process = guild, process
        self.app = App(str(guild.cwd), None, Home(str(guild.home)), ["guild", "view"])
        self.actions = AppActions(self.app.another)

    def rows(self) -> list[RunRow]:
        """Return the live runs as they are, the running one first."""
        with self.app.another() as now:
            return list(Query(now.index, RunFilter()).rows())

    def statuses(self) -> list[str]:
        """Return how they are."""
        return [row.status for row in self.rows()]


@pytest.fixture(name="beside")
def beside_fixture(tmp_path: Path) -> Iterator[Beside]:
    """Give an ended run and a running one, which is ended at last."""
    guild = project_of(tmp_path, f"import os\nif 'WAIT' in os.environ: {WAITS}\n")
    guild.ok("run", "go", "-y")
    with guild.with_env(WAIT="1").start("run", "go", "-y") as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        yield Beside(guild, process)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


@pytest.mark.parametrize("action", ["delete", "stop"])
@pytest.mark.parametrize("changed", [0, 1])
def test_nothing_is_stopped_when_a_run_has_changed(beside: Beside, action: str, changed: int) -> None:
    """Neither when it is the running one, nor when it is the one beside it."""
    shown = beside.rows()
    beside.actions.perform("mark", [shown[changed].run_id])
    with pytest.raises(ConflictError, match=f"run {shown[changed].run_id[:8]} changed meanwhile"):
        beside.actions.perform(
            action, [row.run_id for row in shown], versions={str(row.run_id): row.version for row in shown}
        )
    assert beside.statuses() == ["running", "completed"]
    assert beside.process.poll() is None


@pytest.mark.parametrize("action", ["delete", "stop"])
def test_a_version_that_never_was_is_refused(beside: Beside, action: str) -> None:
    """The run goes on."""
    run_id = beside.rows()[0].run_id
    with pytest.raises(ConflictError):
        beside.actions.perform(action, [run_id], versions={run_id: 999})
    assert beside.statuses() == ["running", "completed"]


def test_what_a_run_reports_meanwhile_is_no_change(beside: Beside) -> None:
    """It is stopped and deleted as it was shown, with the one beside it."""
    shown = beside.rows()
    report(beside.guild, shown[0].run_id, loss=0.5)
    versions = {str(row.run_id): row.version for row in shown}
    assert beside.actions.perform("delete", list(versions), versions=versions).count == len(shown)
    assert beside.rows() == []
