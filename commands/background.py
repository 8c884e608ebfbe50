"""`guild run --background`: staged runs are started by a process of their own, which nobody waits for."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from commands.app import App
from commands.handed_over import packed, unpacked
from commands.itself import module_itself
from commands.run_options import RunOptions
from commands.terminal import note, say, warn
from ledger.errors import GuildError

if TYPE_CHECKING:
    from subprocess import Popen
    from typing import IO

    from ledger.ids import RunId
    from operations.run_plan import RunPlan

_PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.02
_MOST_TOLD = 2_000
_HEADINGS = ("Trial ",)


def start_in_background(app: App, plans: Sequence[RunPlan], options: RunOptions) -> int:
    """Start what was just staged; print the ids and return at once."""
    return start_runs_in_background(app, [plan.run_id for plan in plans], options)


def start_runs_in_background(app: App, run_ids: Sequence[RunId], options: RunOptions) -> int:
    """Start staged runs; print the ids and return as soon as the first is on its way."""
    import json
    from subprocess import DEVNULL, Popen
    from tempfile import TemporaryFile

    known = packed(app, options)
    app.close()
    # No arguments: a command line has no room for the ids of thousands of trials.
    with TemporaryFile() as file, TemporaryFile() as told:
        file.write(json.dumps({**known, "run_ids": run_ids}).encode())
        file.seek(0)
        process = Popen(
            module_itself("commands.background"), stdin=file, stdout=DEVNULL, stderr=told, start_new_session=True
        )
        if not _has_begun(app, run_ids[: options.jobs], process):
            if process.poll():
                raise _failed(told, run_ids)
            warn("nothing has started yet; `guild runs` shows what becomes of it")
    for run_id in run_ids:
        say(run_id)
    name = run_ids[0][:8]
    note(f"Started in the background; `guild watch {name}` follows it, `guild stop {name}` ends it.")
    return 0


def _failed(told: IO[bytes], run_ids: Sequence[RunId]) -> GuildError:
    """Return the error for a process that has ended before it started anything, with what it said last."""
    told.seek(0)
    text = told.read(_MOST_TOLD).decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith(_HEADINGS)]
    return GuildError(
        f"nothing was started in the background: {' '.join(lines) or 'the process ended without a word'}",
        hint=f"What was staged stays so; `guild run --start {run_ids[0][:8]}` starts it here.",
    )


def _has_begun(app: App, run_ids: Sequence[RunId], process: Popen[bytes]) -> bool:
    """Wait until a run has its directory, so that the next command finds it running; tell whether one has."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end:
        ended = process.poll() is not None
        if any(os.path.isdir(app.home.run_dir(run_id)) for run_id in run_ids):
            return True
        if ended:
            return False
        time.sleep(_PAUSE_SECONDS)
    return False


def main() -> None:
    """Be the process in the background: carry out what standard input says, as JSON."""
    import json

    from commands.batch import run_batch

    known = json.loads(sys.stdin.buffer.read())
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    app, options = unpacked(known)
    sys.exit(run_batch(app, known["run_ids"], options))
