"""`guild run --background`: staged runs are started by a process of their own, which nobody waits for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from commands.app import App
from commands.itself import guild_itself
from commands.run_options import RunOptions
from commands.terminal import note, say

if TYPE_CHECKING:
    from ledger.ids import RunId
    from operations.run_plan import RunPlan


def start_in_background(app: App, plans: Sequence[RunPlan], options: RunOptions) -> int:
    """Start what was just staged; print the ids and return at once."""
    return start_runs_in_background(app, [plan.run_id for plan in plans], options)


def start_runs_in_background(app: App, run_ids: Sequence[RunId], options: RunOptions) -> int:
    """Start staged runs; print the ids and return at once."""
    from subprocess import DEVNULL, Popen

    words = [*guild_itself(), "-C", app.cwd, "-H", app.home.root, "run", "-y", "--quiet"]
    for run_id in run_ids:
        words += ["--start", run_id]
    words += ["--jobs", str(options.jobs)]
    for name, value in (("--stop-after", options.stop_after), ("--gpus", options.gpus)):
        if value is not None:
            words += [name, f"{value:f}s" if isinstance(value, float) else value]
    words += ["--no-gpus"] if options.no_gpus else []
    app.close()
    Popen(words, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True)
    for run_id in run_ids:
        say(run_id)
    note(
        f"Started in the background; `guild watch {run_ids[0][:8]}` follows it, `guild stop {run_ids[0][:8]}` ends it."
    )
    return 0
