"""`start_run` in a notebook that its user has opened: cells in a real Jupyter kernel, as a notebook sends them."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli_kit import PATIENCE, ROOT, Guild, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Notebook:
    """A kernel, and what sends it cells."""

    def __init__(self, guild: Guild) -> None:
        from jupyter_client.manager import KernelManager

        env = {**guild.environment(), "PYTHONPATH": str(ROOT), "JPY_SESSION_NAME": "study/fit.ipynb"}
        self.folder = tempfile.mkdtemp(prefix="kernel")  # a socket's path must be short
        # No ports: one that is free when it is chosen may be another's by the time the kernel has started.
        self.manager = KernelManager(kernel_name="python3", transport="ipc", ip=os.path.join(self.folder, "s"))
        # It is asked to go, and not killed after seconds in which a slow machine has not ended its run.
        self.manager.shutdown_wait_time = 2 * PATIENCE
        self.manager.start_kernel(cwd=str(guild.cwd), env=env)
        self.client = self.manager.client()
        self.client.start_channels()
        try:
            self.client.wait_for_ready(timeout=PATIENCE)
        except BaseException:
            self.close(now=True)
            raise

    def cell(self, code: str) -> str:
        """Run a cell to its end; return what it printed, or the name of the exception it ended by.

        By default a kernel drops whatever arrives in the moment after a cell that failed: the cells that "run all" had
        sent behind it. Here nothing is behind a cell, and the next one, sent at once, must not be taken for that.
        """
        printed: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            printed.append(message["content"].get("text", ""))

        reply = self.client.execute_interactive(code, timeout=PATIENCE, output_hook=hear, stop_on_error=False)
        assert reply["content"]["status"] in ("ok", "error"), reply
        return str(reply["content"].get("ename") or "".join(printed))

    def hear(self, text: str) -> None:
        """Wait until the cell at work prints just this."""
        while self.client.get_iopub_msg(timeout=PATIENCE)["content"].get("text") != text:
            pass

    def close(self, *, now: bool = False) -> None:
        """Shut the kernel down, as closing the notebook does; `now` kills it."""
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=now)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def guild(tmp_path: Path) -> Guild:
    """The command in the notebook's folder."""
    (tmp_path / "study").mkdir()
    return Guild(tmp_path / "home", tmp_path / "study")


@pytest.fixture
def notebook(guild: Guild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    """A notebook in which the two names have been imported."""
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    opened = Notebook(guild)
    assert opened.cell("from guild_ledger import log_scalars, start_run") == ""
    yield opened
    opened.close(now=True)


def statuses(guild: Guild) -> list[str]:
    """Return the statuses of all runs, the latest first."""
    return [row["status"] for row in guild.json("runs", "--json")]


def test_a_notebook_keeps_its_numbers(guild: Guild, notebook: Notebook) -> None:
    """A run goes on over its cells and is called like the notebook; numbers are read while it does."""
    notebook.cell("run = start_run(flags={'lr': 0.1})")
    for step in range(3):
        assert notebook.cell(f"log_scalars(loss=1 / {step + 1}, step={step})") == ""
    assert statuses(guild) == ["running"]
    assert (
        notebook.cell("from guild_ledger import read_scalars; print(len(read_scalars(run.id)['loss'].values))") == "3\n"
    )
    assert notebook.cell("run.end()") == ""
    found = guild.json("runs", "info", "--json")
    assert (found["status"], found["operation"], found["flags"]) == ("completed", "./fit.ipynb", {"lr": 0.1})
    assert found["scalars"]["loss"]["last"] == [1 / 3, 2]
    assert "ipykernel_launcher" in " ".join(found["command"])


def test_a_cell_that_fails_marks_the_run_and_the_next_one_is_free_of_it(guild: Guild, notebook: Notebook) -> None:
    """With a block at once; without one when the next run begins, as long as nobody has ended it otherwise."""
    assert notebook.cell("with start_run('first'): 1 / 0") == "ZeroDivisionError"
    assert statuses(guild) == ["error"]
    assert notebook.cell("run = start_run('second')") == ""
    assert notebook.cell("None.x") == "AttributeError"
    assert notebook.cell("run = start_run('third')") == ""
    notebook.close()
    wait_until(lambda: statuses(guild) == ["completed", "error", "error"])
    assert "AttributeError" in guild.ok("watch", "1", "--no-follow")


def test_stopping_the_run_interrupts_the_cell_and_leaves_the_kernel_alone(guild: Guild, notebook: Notebook) -> None:
    """What is in memory is not lost; and a kernel that is killed ends the run as terminated."""
    notebook.cell("precious = 7")
    code = "import time\nwith start_run(): print('begun', flush=True); time.sleep(600)"
    message = notebook.client.execute(code, stop_on_error=False)
    notebook.hear("begun\n")  # the run is on record before the cell goes on
    assert statuses(guild) == ["running"]
    assert guild.ok("stop", "-y") == "Stopped 1 run(s)\n"
    assert notebook.client.get_shell_msg(timeout=PATIENCE)["content"].get("ename") == "KeyboardInterrupt", message
    assert notebook.cell("print(precious)") == "7\n"
    pid = int(notebook.cell("import os; start_run(); print(os.getpid())"))
    os.kill(pid, 9)
    wait_until(lambda: statuses(guild) == ["terminated", "terminated"])
