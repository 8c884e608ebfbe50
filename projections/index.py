"""The index: opened, caught up with the ledger, and rebuilt when it cannot be used.

Pull on read: every command reads what lies after the checkpoint, applies it, and saves the new checkpoint in the same
index transaction. The checkpoint keeps the ledger's hash at that point. If the ledger does not agree with it, the
*ledger* lost or changed history: that stops the command and is never rebuilt over.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple

from ledger.errors import GuildError, IntegrityError, NoSpaceError, replaced
from ledger.ids import RunId
from ledger.log import Ledger
from ledger.opening import is_disk_full
from ledger.ordering import all_in_time
from ledger.seams import seam
from ledger.sqlite_uri import sqlite_uri
from projections.errors import IndexDamagedError, IndexOutrunError, index_errors
from projections.files import current_file
from projections.schema import PLACES

_CHECKPOINT = "SELECT ledger_id, seq, position, hash, recorded_at, checksum FROM checkpoint"

BATCH = 20_000
"""Events folded at a time: bounds the memory of a catch-up and of a rebuild."""

_CHUNK = 500
"""Runs named in one statement."""

_ROOM_FOR_THE_LEDGER = 1 << 20
"""Bytes that a new index leaves free: one that fills the disk to its end would be in the way of a purge."""

Notice = Callable[[str], None]
"""Told what was done to the index, one line; the command line prints it on stderr."""


class Checkpoint(NamedTuple):
    """How far an index has read which ledger."""

    ledger_id: str
    seq: int
    position: int
    hash: bytes
    recorded_at: int  # the latest of all that was read: what is to be folded next must be later

    def checksum(self) -> int:
        """Return what is stored beside it, so that damage to the index is not taken for a loss of the ledger."""
        from binascii import crc32

        return crc32(repr(tuple(self)).encode())


class Index:
    """An open index. Queries are in `projections.query`; this class keeps it true to its ledger."""

    def __init__(self, database: sqlite3.Connection, place: str) -> None:
        self.db = database
        self.place = place

    def close(self) -> None:
        """Close the connection."""
        self.db.close()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold one consistent view of the index for everything asked inside: others may catch up meanwhile."""
        with index_errors():
            self.db.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                self.db.execute("ROLLBACK")

    def checkpoint(self) -> Checkpoint:
        """Return how far the index has read.

        Raises:
            IndexDamagedError: there is none, or it is not as it was written.
        """
        with index_errors():
            row = self.db.execute(_CHECKPOINT).fetchone()
        if row is None:
            raise IndexDamagedError("it has no checkpoint")
        *fields, checksum = row
        found = Checkpoint._make(fields)
        if checksum != found.checksum():
            raise IndexDamagedError("its checkpoint is damaged")
        return found

    def confirm(self, places: Iterable[tuple[RunId, str]]) -> None:
        """Note that the directories of these runs are in these places.

        A run that belongs somewhere else by now, because another command's event was folded meanwhile, is left out.
        """
        found: dict[str, list[bytes]] = {}
        for run_id, place in places:
            found.setdefault(place, []).append(bytes.fromhex(run_id))
        with index_errors():
            self.db.execute("BEGIN IMMEDIATE")
            for place, ids in found.items():
                for start in range(0, len(ids), _CHUNK):
                    chunk = ids[start : start + _CHUNK]
                    which = f"SELECT run FROM run WHERE run_id IN ({','.join('?' * len(chunk))}) AND +place = ?"  # noqa: S608
                    self.db.execute(f"DELETE FROM unconfirmed WHERE run IN ({which})", [*chunk, PLACES.index(place)])  # noqa: S608
            self.db.execute("COMMIT")

    def doubt(self, run_ids: Iterable[RunId]) -> None:
        """Note that the directories of these runs may not be where they belong: the next reconciling looks."""
        with index_errors():
            self.db.execute("BEGIN IMMEDIATE")
            self.db.executemany(
                "INSERT OR IGNORE INTO unconfirmed SELECT run FROM run WHERE run_id = ?",
                [(bytes.fromhex(run_id),) for run_id in run_ids],
            )
            self.db.execute("COMMIT")

    def catch_up(self, ledger: Ledger) -> None:
        """Apply what the ledger holds beyond the checkpoint.

        Raises:
            IndexDamagedError: the index cannot be used.
            IntegrityError: the ledger lost or changed history.
            LedgerBusyError: a backup took the ledger's place meanwhile.
        """
        # The checkpoint is read before the ledger's view is taken, here and below: otherwise another process could
        # append and catch up in between, and a view that is merely old would look like a ledger that lost its tail.
        checkpoint = self.checkpoint()
        try:
            with ledger.store.reading():
                seam("catch_up.read")
                if agrees(checkpoint, ledger, ledger.store.head().seq):
                    return
        except GuildError:
            refuse_replaced(ledger)
            raise
        with index_errors():
            self._apply(ledger)

    def _apply(self, ledger: Ledger) -> None:
        seam("catch_up.lock")
        self.db.execute("BEGIN IMMEDIATE")
        try:
            refuse_replaced(ledger)
            # Another process may have caught up while this one waited for the lock.
            checkpoint = self.checkpoint()
            # Innermost, or what is wrong with the index would be said of the ledger that is being read.
            with ledger.store.reading(), index_errors():
                agrees(checkpoint, ledger, ledger.store.head().seq)
                fold_more(self.db, ledger, checkpoint)
                save_checkpoint(self.db, ledger)
            seam("catch_up.commit")
            self.db.execute("COMMIT")
            seam("catch_up.committed")
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise


def refuse_replaced(ledger: Ledger) -> None:
    """Refuse a ledger that a restored backup took the place of: the index is, or soon will be, of the other one.

    Raises:
        LedgerBusyError: the open file is the ledger no more.
    """
    if not ledger.store.is_current():
        raise replaced(ledger.store.place)


def agrees(checkpoint: Checkpoint, ledger: Ledger, head_seq: int) -> bool:
    """Tell whether an index with this checkpoint has read the whole ledger.

    Raises:
        IndexDamagedError: it is the index of another ledger.
        IntegrityError: the ledger does not hold what the index has read.
    """
    if checkpoint.ledger_id != ledger.ledger_id:
        raise IndexDamagedError("it belongs to another ledger")
    stored = ledger.store.txn(checkpoint.seq)
    if stored is None or stored.hash != checkpoint.hash:
        found = f"ends at transaction {head_seq}" if stored is None else "holds another one at that place"
        raise IntegrityError(
            f"the ledger lost or changed history: its index has read transaction {checkpoint.seq}, but"
            f" {ledger.store.place!r} {found}",
            hint="Nothing was changed. Run `guild ledger verify`, and bring the ledger back from a backup that has it;"
            " if the older ledger is the one you want, remove the folder 'index' of the home.",
        )
    return checkpoint.seq == head_seq


def fold_all(
    database: sqlite3.Connection,
    ledger: Ledger,
    after: int,
    progress: Callable[[int], None] | None = None,
    *,
    until: int | None = None,
) -> int:
    """Fold every event after position `after` into the tables, a batch at a time; returns how many there were.

    They are folded in the order in which they count, see `ledger.ordering`.

    Args:
        database: tables that hold the events up to `after`.
        ledger: the truth.
        after: position of the last event that was folded.
        progress: told after each batch how many events have been folded.
        until: position of the last event to fold; None for all there are.
    """
    from projections.apply import Projector

    projector = Projector(database, merged=is_merged(ledger))
    events = all_in_time(ledger.store, after, until)
    count = 0
    while batch := list(islice(events, BATCH)):
        projector.apply(batch)
        count += len(batch)
        if progress is not None:
            progress(count)
    return count


def is_merged(ledger: Ledger) -> bool:
    """Tell whether a ledger holds transactions of several origins."""
    return len(ledger.store.origins()) > 1


def fold_more(
    database: sqlite3.Connection,
    ledger: Ledger,
    read: Checkpoint,
    progress: Callable[[int], None] | None = None,
    *,
    until: int | None = None,
) -> None:
    """Fold what lies behind a checkpoint into the tables that have it.

    Raises:
        IndexOutrunError: a merge has brought what counts before something that was folded already.
    """
    if is_merged(ledger) and any(txn[4] <= read.recorded_at for txn in ledger.store.txn_tuples(read.seq)):
        raise IndexOutrunError("a merge has brought earlier history")
    fold_all(database, ledger, read.position, progress, until=until)


def save_checkpoint(database: sqlite3.Connection, ledger: Ledger, seq: int | None = None) -> None:
    """Record that the index has read the ledger up to transaction `seq`; None: as the ledger stands for this reader.

    Raises:
        GuildError: there is no such transaction.
    """
    head = ledger.store.head()
    end = head.seq if seq is None else seq
    last = ledger.store.txn(end)
    if last is None:
        raise GuildError(f"the ledger at {ledger.store.place!r} holds no transaction {end}")
    latest = head.recorded_at if seq is None else last.recorded_at
    if seq is not None and is_merged(ledger):
        latest = max(row[4] for row in islice(ledger.store.txn_tuples(), end))
    position = ledger.store.txn_events(end)[-1].position
    read = Checkpoint(ledger.ledger_id, end, position, last.hash, latest)
    database.execute("INSERT OR REPLACE INTO checkpoint VALUES (1,?,?,?,?,?,?)", (*read, read.checksum()))


def connect(path: str, *, immutable: bool = False) -> Index:
    """Open an existing index file.

    Args:
        path: the file.
        immutable: read it without writing anything beside it; what a log beside it holds is not seen.

    Raises:
        IndexDamagedError: it cannot be opened.
    """
    with index_errors():
        mode = "mode=ro&immutable=1" if immutable else "mode=rw"
        database = sqlite3.connect(sqlite_uri(path, mode), uri=True, isolation_level=None)
        database.execute("PRAGMA busy_timeout=60000")
        database.execute("PRAGMA synchronous=NORMAL")
        return Index(database, path)


def open_index(folder: str, ledger: Ledger, notice: Notice) -> Index:
    """Return the index of `ledger`, caught up; made or rebuilt when it is missing or cannot be used.

    Args:
        folder: the home's index folder.
        ledger: the truth.
        notice: told in one line when an index was rebuilt.

    Raises:
        IntegrityError: the ledger lost or changed history.
        GuildError: the index can be neither read nor made.
    """
    path = current_file(folder)
    if path is None:
        return _made(folder, ledger, notice, None)
    if is_only_read(folder, ledger):
        return _read_as_it_is(path, ledger)
    try:
        index = connect(path)
        try:
            index.catch_up(ledger)
        except BaseException:
            index.close()
            raise
    except IndexOutrunError:
        return _made(folder, ledger, notice, None)
    except IndexDamagedError as error:
        return _made(folder, ledger, notice, error)
    except NoSpaceError:
        return _read_as_it_is(path, ledger)
    return index


def is_only_read(folder: str, ledger: Ledger) -> bool:
    """Tell whether nothing can be kept in `folder`: the home is read-only, or its disk so full that nothing fits."""
    from projections.writable import can_write

    return bool(getattr(ledger.store, "read_only", False)) or not can_write(folder)


def _read_as_it_is(path: str, ledger: Ledger) -> Index:
    """Return the index without writing a byte beside it; what it lacks of the ledger is folded into a copy."""
    from projections.rebuild import rebuild_in_memory

    log = path + "-wal"
    if os.path.exists(log) and os.path.getsize(log) > 0:
        return rebuild_in_memory(ledger)  # the file alone may be half of what was written
    try:
        index = connect(path, immutable=True)
        try:
            checkpoint = index.checkpoint()
            if agrees(checkpoint, ledger, ledger.store.head().seq):
                return index
            copy = Index(sqlite3.connect("", isolation_level=None), path)
            with index_errors():
                index.db.backup(copy.db)
        except BaseException:
            index.close()
            raise
        index.close()
        with ledger.store.reading(), index_errors():
            copy.db.execute("BEGIN")
            fold_more(copy.db, ledger, checkpoint)
            save_checkpoint(copy.db, ledger)
            copy.db.execute("COMMIT")
    except (IndexDamagedError, NoSpaceError):
        return rebuild_in_memory(ledger)
    return copy


def _leave_room(folder: str) -> None:
    if is_disk_full(os.path.dirname(folder), _ROOM_FOR_THE_LEDGER):
        raise NoSpaceError("what space is left is kept for the ledger")


def _made(folder: str, ledger: Ledger, notice: Notice, why: IndexDamagedError | None) -> Index:
    from projections.rebuild import rebuild, rebuild_in_memory

    refuse_replaced(ledger)  # nor is a home made again that somebody has just moved away
    if is_only_read(folder, ledger):
        return rebuild_in_memory(ledger)
    try:
        _leave_room(folder)
        count = rebuild(folder, ledger, unless_usable=True)
    except NoSpaceError:
        if why is not None:
            notice(f"The index could not be used ({why.message}), and there is no space for a new one.")
        return rebuild_in_memory(ledger)
    if why is not None and count is not None:
        notice(f"The index could not be used ({why.message}) and was rebuilt from the ledger: {count} events.")
    path = current_file(folder)
    if path is None:
        raise GuildError(f"the index in {folder!r} vanished while it was made", hint="Try again.")
    index = connect(path)
    index.catch_up(ledger)
    return index
