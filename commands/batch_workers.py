"""Several trials at a time: each worker is a process that supervises one trial after the other.

The parent hands out run ids and counts answers; it records nothing, so it may die at any moment. A worker whose parent
is gone finishes the trial it is at, which is recorded as always, and takes no other.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from commands.app import App
from commands.batch import Outcome, Tally
from commands.handed_over import packed
from commands.itself import module_itself
from commands.run_options import RunOptions
from commands.terminal import warn
from ledger.dataclass import replace
from ledger.ids import RunId
from operations.signals import stopping_calls

if TYPE_CHECKING:
    from selectors import BaseSelector
    from subprocess import Popen
    from types import FrameType

_MOST_BARREN = 5
"""How many workers in a row may die before they have answered anything: then it is not for the trials."""


def run_at_a_time(app: App, run_ids: Sequence[RunId], options: RunOptions) -> Tally:
    """Carry staged runs out, `options.jobs` at a time."""
    jobs = min(options.jobs, len(run_ids))
    pool = _Pool(app, run_ids, replace(options, quiet=True))
    app.close()
    return pool.run(jobs)


class _Pool:
    """The parent of the workers."""

    def __init__(self, app: App, run_ids: Sequence[RunId], options: RunOptions) -> None:
        self._app = app
        self._options = options
        self._waiting = list(reversed(run_ids))
        self._tally = Tally(len(run_ids))
        self._at: dict[int, tuple[Popen[bytes], RunId | None]] = {}
        self._progress = _Progress(self._tally)
        self._barren = 0

    def run(self, jobs: int) -> Tally:
        """Work until every trial has ended, or until a signal asks to stop."""
        from selectors import DefaultSelector

        try:
            with stopping_calls(self._stop), DefaultSelector() as selector:
                self._work(selector, jobs)
        finally:
            self._progress.end()
        return self._tally

    def _work(self, selector: BaseSelector, jobs: int) -> None:
        for _ in range(jobs):
            self._start(selector)
        while self._at:
            for key, _ in selector.select(timeout=0.5):
                if not self._answered(key.data):
                    selector.unregister(key.fileobj)
                    key.data.stdout.close()
                    if self._waiting and not self._tally.stopped_by and self._barren < _MOST_BARREN:
                        self._start(selector)
            self._progress.show(sum(1 for _, run_id in self._at.values() if run_id))

    def _start(self, selector: BaseSelector) -> None:
        """Start a worker and give it its first trial.

        In a session of its own: a Ctrl-C on the terminal reaches this process only, which passes it on once.
        """
        import json
        from selectors import EVENT_READ
        from subprocess import DEVNULL, PIPE, Popen

        # Its escapes hold any text, such as a label that is no UTF-8.
        words = [*module_itself("commands.worker"), json.dumps(packed(self._app, self._options))]
        worker = Popen(words, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True)
        self._at[worker.pid] = (worker, None)
        selector.register(worker.stdout, EVENT_READ, worker)  # type: ignore[arg-type]  # it is a pipe
        self._give(worker)

    def _give(self, worker: Popen[bytes]) -> None:
        """Give a worker the next trial, or let it go when there is none."""
        if worker.stdin is None:
            return
        run_id = None if self._tally.stopped_by or not self._waiting else self._waiting.pop()
        self._at[worker.pid] = (worker, run_id)
        try:
            if run_id is None:
                worker.stdin.close()
            else:
                worker.stdin.write(f"{run_id}\n".encode())
                worker.stdin.flush()
        except BrokenPipeError:
            return  # it has died: its end of the other pipe tells, too

    def _answered(self, worker: Popen[bytes]) -> bool:
        """Take an answer; tell whether the worker lives on."""
        import json

        line = worker.stdout.readline() if worker.stdout is not None else b""
        if line.endswith(b"\n"):
            self._barren = 0
            self._count(self._at[worker.pid][1], json.loads(line))
            self._give(worker)
            return True
        _, run_id = self._at.pop(worker.pid)
        worker.wait()
        if worker.stdin is not None:
            with suppress(BrokenPipeError):
                worker.stdin.close()
        if run_id is not None:
            self._lost(run_id)
        return False

    def _lost(self, run_id: RunId) -> None:
        """Take note that a worker died with a trial: the run is staged still, or the next command finds its end."""
        import os

        if os.path.isdir(self._app.home.run_dir(run_id)) or not self._tally.stopped_by:
            self._tally.begun.add(run_id)
        if self._tally.stopped_by:
            return
        self._tally.failed += 1
        self._barren += 1
        self._progress.clear()
        warn(f"run {run_id[:8]} was lost: its supervisor died")
        if self._barren == _MOST_BARREN:
            warn(f"{_MOST_BARREN} supervisors died in a row, so no other is started")

    def _count(self, run_id: RunId | None, answer: Outcome) -> None:
        if run_id is not None:
            self._tally.count(run_id, answer)
        if answer["message"]:
            self._progress.clear()
            warn(answer["message"])

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        """Pass a signal on to the workers' trials; no trial is started from here on."""
        self._tally.stopped_by = self._tally.stopped_by or signal.Signals(number).name
        for worker, _ in list(self._at.values()):
            if worker.poll() is None:
                worker.send_signal(number)


class _Progress:
    """One line that tells how far a batch is; on a terminal it is written over, elsewhere nothing is shown."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._shown = ""
        self._live = sys.stderr is not None and sys.stderr.isatty()

    def show(self, running: int) -> None:
        """Show the line when it has changed."""
        tally = self._tally
        done = tally.completed + tally.failed
        text = f"  {done}/{tally.total} done, {running} running" + (f", {tally.failed} failed" if tally.failed else "")
        if self._live and text != self._shown:
            click.echo(f"\r\x1b[K{text}", nl=False, err=True)
            self._shown = text

    def clear(self) -> None:
        """Make room for a line of another kind."""
        if self._live and self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)
            self._shown = ""

    end = clear
