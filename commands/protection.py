"""What stands before a deletion or purge: of protected runs nothing is touched, and nothing beside them."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.errors import GuildError
from projections.query import RunRow
from projections.schema import LIVE

_MOST_NAMED = 20


class ProtectedError(GuildError):
    """Protected runs are among those that would be deleted or purged."""


def refuse_protected(rows: Sequence[RunRow]) -> None:
    """Let pass only what may be deleted.

    Raises:
        ProtectedError: one of the runs is protected; all of these are named, and nothing may be changed.
    """
    names = [row.run_id[:8] for row in rows if row.protected]
    if not names:
        return
    option = " -d" if any(row.protected and row.place != LIVE for row in rows) else ""
    lift = f"guild unprotect{option} {' '.join(names) if len(names) <= _MOST_NAMED else '[RUN]...'}"
    hint = f"Nothing was changed. `{lift}` lifts the protection; or select only other runs."
    if len(rows) == 1:
        raise ProtectedError(f"run {names[0]} is protected", hint=hint)
    listed = "\n".join(f"  {name}" for name in names[:_MOST_NAMED])
    more = f"\n  and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    raise ProtectedError(f"{len(names)} of {len(rows)} runs are protected:\n{listed}{more}", hint=hint)
