"""`--at`: a command that shows runs answers as of then, from a replay of the ledger; imported only with that option."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commands.progress import progress
from commands.table import local_time
from commands.terminal import note
from ledger.ids import system_clock
from projections.as_of import Moment, moment, replay

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from commands.app import App
    from projections.index import Checkpoint, Index

_QUICK = 20_000
"""Events that are folded before anybody wonders."""


def moment_of(app: App, text: str) -> Moment:
    """Return the moment that `--at` names.

    Raises:
        UsageError: it names none that the ledger holds.
    """
    return moment(app.ledger, text, system_clock())


def past_index(app: App, then: Moment) -> Index:
    """Return the index as of then, and say as of what.

    Raises:
        GuildError: there is no room for temporary files.
    """
    note(f"As of {told(then.end)}")
    with replaying(then.end.position) as reached:
        return replay(app.ledger, then.end, reached)


def replaying(events: int) -> AbstractContextManager[Callable[[int], None] | None]:
    """Show on a terminal how far a replay is, when it takes a while."""
    return progress("Replaying", events if events > _QUICK else 0)


def told(end: Checkpoint) -> str:
    """Return a moment for people, as `guild log` shows it."""
    return f"transaction {end.seq}, {local_time(end.recorded_at)}"
