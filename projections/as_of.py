"""The past: the ledger folded up to a moment, into an index of its own that vanishes when it is closed.

The present index has no part in it: it is neither read nor changed, and may be damaged or missing.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ledger.errors import GuildError, IntegrityError, NoSpaceError, UsageError
from ledger.log import Ledger
from ledger.rows import TxnRow
from ledger.store import Store
from ledger.text import printable
from projections.errors import IndexDamagedError, IndexOutrunError, index_errors
from projections.index import Checkpoint, Index, fold_more, is_merged, save_checkpoint
from projections.rebuild import build

_CACHE_KIB = 32_768
"""Of an index of the past, so much is kept in memory; the rest is in a temporary file without a name."""

_LEAST_DIGITS = 6
_MOST_DIGITS = 32
_LONGEST_NUMBER = 18
_HEX = frozenset("0123456789abcdef")


class Moment(NamedTuple):
    """A point in the history of a ledger.

    Attributes:
        end: the last transaction that had been recorded, and its last event.
        now: what time it was then, microseconds UTC: what `today` means in a filter.
    """

    end: Checkpoint
    now: int


def moment(ledger: Ledger, text: str, now: int) -> Moment:
    """Return the moment that somebody means by a number, an id or a time.

    Args:
        ledger: whose history it is.
        text: digits are the number of a transaction, hexadecimal ones its id or as much of the beginning as no other
            has (at least 6); all else is a time, see `projections.time_ranges.moment_of`.
        now: microseconds UTC.

    Raises:
        UsageError: it means nothing, or what the ledger does not hold.
    """
    words = text.strip().lower()
    with ledger.store.reading():
        if words.isascii() and words.isdecimal() and len(words) < _MOST_DIGITS:
            txn = _numbered(ledger.store, words)
        elif _LEAST_DIGITS <= len(words) <= _MOST_DIGITS and set(words) <= _HEX:
            txn = _named(ledger.store, words)
        else:
            time = _time(words, now)
            return Moment(_end(ledger, _before(ledger, time, text)), time)
        return Moment(_end(ledger, txn), txn.recorded_at)


def _time(words: str, now: int) -> int:
    from projections.time_ranges import TimeRangeError, moment_of

    try:
        return moment_of(words, now)
    except TimeRangeError as error:
        raise UsageError(error.message, hint=error.hint) from error


def _numbered(store: Store, digits: str) -> TxnRow:
    last = store.head().seq
    found = store.txn(int(digits)) if len(digits) <= _LONGEST_NUMBER and 1 <= int(digits) <= last else None
    if found is None:
        raise UsageError(
            f"there is no transaction {printable(digits, 40)}: the ledger holds 1 to {last}",
            hint="`guild log` lists them. A date is written with dashes: 2026-07-01.",
        )
    return found


def _named(store: Store, digits: str) -> TxnRow:
    if len(digits) == _MOST_DIGITS:
        whole = store.find_txn(bytes.fromhex(digits))
        found = [] if whole is None else [whole]
    else:
        found = [txn for txn in store.transactions() if txn.txn_id.hex().startswith(digits)]
    if len(found) != 1:
        what = "there is no transaction whose id begins" if not found else f"the ids of {len(found)} transactions begin"
        raise UsageError(
            f"{what} with {digits}",
            hint="`guild log --json` shows the ids, `guild log` the numbers, which are shorter.",
        )
    return found[0]


def _before(ledger: Ledger, time: int, text: str) -> TxnRow:
    """Return the last transaction that was recorded by a time: the times of one origin only grow.

    Of a ledger that others were merged into: what it held then. What a merge brought lies before its own record of it.
    """
    store = ledger.store
    if is_merged(ledger):
        own = (txn for txn in store.txn_tuples() if txn[2] == ledger.origin_id)
        count = max((txn[0] for txn in own if txn[4] <= time), default=0)
    else:
        last = store.head().seq
        count = bisect_right(range(1, last + 1), time, key=lambda seq: _txn(store, seq).recorded_at)
    if count == 0:
        from time import localtime, strftime

        began = strftime("%Y-%m-%d %H:%M:%S", localtime(_txn(store, 1).recorded_at // 1_000_000))
        raise UsageError(
            f"'{printable(text, 80)}' is before the ledger began, at {began}",
            hint="`guild log` lists what there is.",
        )
    return _txn(store, count)


def _txn(store: Store, seq: int) -> TxnRow:
    found = store.txn(seq)
    if found is None:
        raise IntegrityError(
            f"the ledger has no transaction {seq}", hint="`guild ledger verify` tells what is missing."
        )
    return found


def _end(ledger: Ledger, txn: TxnRow) -> Checkpoint:
    events = ledger.store.txn_events(txn.seq)
    if not events:
        raise IntegrityError(
            f"transaction {txn.seq} has lost its events", hint="`guild ledger verify` tells what is missing."
        )
    return Checkpoint(ledger.ledger_id, txn.seq, events[-1].position, txn.hash, txn.recorded_at)


def replay(ledger: Ledger, end: Checkpoint, progress: Callable[[int], None] | None = None) -> Index:
    """Return an index of the ledger up to and including transaction `end.seq`; closed, it is gone.

    Raises:
        GuildError: there is no room for temporary files.
    """
    with _room():
        database = _temporary()
        try:
            build(database, ledger, progress, until=end)
        except BaseException:
            database.close()
            raise
    return Index(database, "the past")


def replay_on(ledger: Ledger, before: Index, end: Checkpoint, progress: Callable[[int], None] | None = None) -> Index:
    """Return an index up to `end.seq`, made from one of an earlier moment, which stays as it is.

    Raises:
        GuildError: there is no room for temporary files.
    """
    with _room(), index_errors():
        database = _temporary()
        try:
            start = before.checkpoint()
            before.db.backup(database)
            with ledger.store.reading():
                database.execute("BEGIN")
                fold_more(database, ledger, start, progress, until=end.position)
                save_checkpoint(database, ledger, end.seq)
                database.execute("COMMIT")
        except IndexOutrunError:
            database.close()
            return replay(ledger, end, progress)
        except BaseException:
            database.close()
            raise
    return Index(database, "the past")


def _temporary() -> sqlite3.Connection:
    """Return an empty database in a file that has no name: it spills to the disk, and nobody has to remove it."""
    database = sqlite3.connect("", isolation_level=None)
    database.execute("PRAGMA synchronous=OFF")
    database.execute("PRAGMA journal_mode=OFF")
    database.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    return database


@contextmanager
def _room() -> Iterator[None]:
    """Say of what goes wrong with the temporary database that it is that one, not the index of the home."""
    try:
        yield
    except (IndexDamagedError, NoSpaceError, sqlite3.Error) as error:
        why = error.message if isinstance(error, GuildError) else str(error)
        raise GuildError(
            f"the ledger could not be replayed into a temporary file: {why}",
            hint="Set SQLITE_TMPDIR to a folder with enough space. Nothing was changed.",
        ) from error
