"""Opening a ledger: made on first use, refused when it is newer than the program, migrated when it is older.

A new ledger is made whole under another name and then given its own: `ledger.db` either is not there or is complete. So
a `ledger.db` that is empty or lacks its tables is always damage, and is never mistaken for a new one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from ledger.errors import ConflictError, IntegrityError, LedgerError, LedgerTooNewError, NoSpaceError
from ledger.format import FORMAT, REVISION, REVISIONS
from ledger.gate import gate
from ledger.ids import Clock, is_run_id, new_origin_id, system_clock
from ledger.log import Ledger
from ledger.rows import OriginRow
from ledger.seams import seam
from ledger.sqlite_store import SqliteStore

if TYPE_CHECKING:
    from ledger.store import Store
    from ledger.transaction import Header

SHARED_MEMORY = 32_768
"""Bytes that SQLite needs beside a database in WAL mode, to read it even."""


def open_sqlite(
    path: str, header: Header, *, witnesses: Callable[[], bool] = lambda: False, clock: Clock = system_clock
) -> Ledger:
    """Open the ledger at `path`, making or migrating it when needed.

    Args:
        path: where the ledger is or shall be.
        header: who asks; recorded in a new ledger's first transaction.
        witnesses: tells whether something else in the home shows that a ledger was here: then none is made anew. Asked
            behind the gate, when no other process can be making the ledger whose traces it sees.
        clock: source of time.

    Raises:
        IntegrityError: there is a file but no ledger in it, or the ledger is gone and has left traces.
        LedgerTooNewError: a newer program wrote it.
        LedgerError: it cannot be opened or made.
    """
    # Looked for first: of a ledger that is just being made the log comes after the file.
    log_is_left = os.path.lexists(path + "-wal")
    if not os.path.lexists(path):
        if log_is_left:
            # A killed command left it: SQLite would put its pages into whatever is there under the ledger's name.
            raise IntegrityError(
                f"{path!r} is gone, but its write-ahead log {path + '-wal'!r} is still there",
                hint="Move that log to another folder first. Then bring ledger.db back from a backup, or begin anew.",
            )
        _create(path, header, witnesses, clock)
    return open_existing(path, clock=clock)


def open_existing(path: str, *, clock: Clock = system_clock) -> Ledger:
    """Open the ledger at `path`, which is there, migrating it when needed.

    Raises:
        As `open_sqlite`.
    """
    return Ledger(_open_current(path), clock=clock)


def open_other(path: str) -> SqliteStore:
    """Return the ledger of another home, to be read; it is not migrated.

    Raises:
        IntegrityError: there is no ledger in it.
        LedgerTooNewError: a newer program wrote it.
        LedgerError: it cannot be opened, or an older program wrote it.
    """
    store = _open_store(path)
    try:
        check_revision(store.revision(), path)
        _refuse_older(store)
        check_format(store)
    except BaseException:
        store.close()
        raise
    return store


def _refuse_older(store: SqliteStore) -> None:
    if store.revision() != REVISION:
        raise LedgerError(
            f"{store.place!r} is of an older version of the program", hint="Let any command look at its home first."
        )


def _open_current(path: str) -> SqliteStore:
    """Return the store of an existing file, migrated to this program's revision."""
    if os.path.isdir(path) or (os.path.isfile(path) and os.path.getsize(path) == 0):
        raise IntegrityError(
            f"{path!r} is {'a folder' if os.path.isdir(path) else 'empty'}, no ledger",
            hint="Nothing was changed. Bring the file back from a backup.",
        )
    store = _open_store(path)
    try:
        revision = store.revision()
        check_revision(revision, path)
        if revision != REVISION:
            store.close()
            _upgrade(path, str(revision))
            store = _open_store(path)
        check_format(store)
    except BaseException:
        store.close()
        raise
    return store


def _open_store(path: str) -> SqliteStore:
    """Open for writing; where the home is read-only, as an immutable file, provided that no WAL holds newer rows.

    So it is where the disk is so full that SQLite cannot even read in the usual way.
    """
    if os.access(path, os.W_OK) and os.access(os.path.dirname(path) or ".", os.W_OK):
        try:
            return SqliteStore(path)
        except LedgerError as error:
            has_log = os.path.exists(path + "-wal") and os.path.getsize(path + "-wal") > 0
            if has_log or not (isinstance(error, NoSpaceError) or is_disk_full(os.path.dirname(path) or ".")):
                raise
        return SqliteStore(path, is_full=True)
    if os.path.exists(path + "-wal") and os.path.getsize(path + "-wal"):
        raise LedgerError(
            f"{path!r} is read-only and has unfinished business in {path + '-wal'!r}",
            hint="Make the home writable once, so that SQLite can finish it.",
        )
    return SqliteStore(path, read_only=True)


def is_disk_full(folder: str, room: int = SHARED_MEMORY) -> bool:
    """Tell whether the disk of `folder` has less than `room` bytes free, or no room for a further file."""
    space = os.statvfs(folder)
    return space.f_bavail * space.f_frsize < room or (space.f_files > 0 and space.f_favail == 0)


def check_revision(revision: str | None, place: str) -> None:
    """Refuse a ledger that is not one, or is newer than this program.

    Raises:
        IntegrityError: no revision is stored.
        LedgerTooNewError: the revision is not among `REVISIONS`.
    """
    if revision is None:
        raise IntegrityError(
            f"{place!r} is no ledger: its tables are missing",
            hint="Nothing was changed. Bring the file back from a backup.",
        )
    if revision not in REVISIONS:
        raise LedgerTooNewError(
            f"{place!r} was written by a newer program (revision {revision}; this program knows {REVISION})",
            hint="Update guild-ledger. Nothing was changed.",
        )


def check_format(store: Store) -> None:
    """Refuse a stored format that this program does not know.

    Raises:
        LedgerTooNewError: `meta.format` is larger than `FORMAT`.
        IntegrityError: `meta` lacks what every ledger has, or its ids are none.
    """
    meta = store.meta()
    if not {"format", "ledger_id", "origin_id"} <= meta.keys():
        raise IntegrityError(f"{store.place!r} is no ledger: its identity is missing", hint="Bring back a backup.")
    if not is_run_id(meta["ledger_id"]) or not is_run_id(meta["origin_id"]):
        raise IntegrityError(f"{store.place!r}: its identity is damaged", hint="Bring back a backup.")
    if not meta["format"].isdecimal() or int(meta["format"]) > FORMAT:
        raise LedgerTooNewError(
            f"{store.place!r} has format {meta['format']}; this program knows {FORMAT}",
            hint="Update guild-ledger. Nothing was changed.",
        )


def _upgrade(path: str, revision: str) -> None:
    from ledger.migrate import upgrade_sqlite

    with gate(path + "-gate"):
        store = SqliteStore(path)
        try:
            still = store.revision() == revision
        finally:
            store.close()
        if still:  # else another process has migrated it while this one waited
            upgrade_sqlite(path, revision)


def _create(path: str, header: Header, witnesses: Callable[[], bool], clock: Clock) -> None:
    """Make a complete ledger and give it its name; of several processes at once, one does it and the others wait."""
    with gate(path + "-gate"):
        if os.path.lexists(path):
            return
        if witnesses():
            raise IntegrityError(
                f"{path!r} is gone, but the home still holds what belongs to it",
                hint="Bring ledger.db back from a backup; if it is in a server, set GUILD_LEDGER. To begin anew on"
                " purpose, use another home.",
            )
        from ledger.blank import create_sqlite
        from ledger.files import remove

        fresh = f"{path}-new"  # one name, and only behind the gate: what a killed process left is cleared away
        remove(fresh)
        try:
            seam("create.tables")
            create_sqlite(fresh)
            seam("create.found")
            store = SqliteStore(fresh)
            try:
                found_ledger(store, header, clock)
            finally:
                store.close()
            os.unlink(fresh + "-gate")  # all that a closed ledger has beside it; after the rename nobody would
            seam("create.publish")
            _publish(fresh, path)
        finally:
            remove(fresh)


def found_ledger(store: Store, header: Header, clock: Clock) -> None:
    """Write a new ledger's identity and first transaction; what is there already is left as it is.

    On a server several processes may do so at once, or one may have died half way: each part is done once.

    Raises:
        LedgerError: the store failed.
    """
    from ledger.events.book import LedgerCreated
    from ledger.ids import LEDGER_STREAM
    from ledger.transaction import NewEvent, Transaction

    if not store.meta():
        try:
            _write_identity(store, header, clock)
        except LedgerError:
            if not store.meta():  # else another process was quicker
                raise
    meta = store.meta()
    event = NewEvent(LEDGER_STREAM, LedgerCreated(ledger_id=meta["ledger_id"], format=FORMAT))
    try:
        # With one time for both: what `meta` says is in no hash, so verification compares it with this transaction.
        Ledger(store, clock=lambda: int(meta["created_at"])).append(
            Transaction(header, (event,), expected={LEDGER_STREAM: 0})
        )
    except ConflictError:
        return


def _write_identity(store: Store, header: Header, clock: Clock) -> None:
    from ledger.chain import genesis

    origin = new_origin_id()
    with store.writing():
        for key, value in (
            ("ledger_id", new_origin_id().hex()),
            ("origin_id", origin.hex()),
            ("format", str(FORMAT)),
            ("created_at", str(clock())),
        ):
            store.insert_meta(key, value)
        store.insert_origin(OriginRow(origin, header.host, 0, genesis(origin)))


def open_url(url: str, header: Header, *, clock: Clock = system_clock, make: bool = True) -> Ledger:
    """Open the ledger in the database at an SQLAlchemy `url`, making or migrating it when needed.

    Args:
        url: names the database.
        header: who asks; recorded in a new ledger's first transaction.
        clock: source of time.
        make: whether a ledger is made where there is none.

    Raises:
        LedgerTooNewError: a newer program wrote it.
        LedgerError: the URL, its driver or the server cannot be used.
    """
    from ledger.sql_engine import ledger_url
    from ledger.sql_store import SqlStore

    parsed = ledger_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        if not make:
            _refuse_missing(parsed.database, os.path.lexists(parsed.database))
        return open_sqlite(parsed.database, header, clock=clock)
    store = SqlStore(url)
    try:
        if not make:
            _refuse_missing(store.place, store.revision() is not None and bool(store.meta()))
        if store.revision() != REVISION:
            from ledger.migrate import prepare_database

            prepare_database(url)
        if not store.meta() or store.head().seq == 0:
            found_ledger(store, header, clock)
        check_format(store)
    except BaseException:
        store.close()
        raise
    return Ledger(store, clock=clock)


def _refuse_missing(place: str, is_there: bool) -> None:
    if not is_there:
        raise LedgerError(
            f"there is no ledger in {place!r} yet", hint="The first command that records something makes it."
        )


def _publish(fresh: str, path: str) -> None:
    """Give a closed, complete database its name, durably."""
    from ledger.files import sync, sync_folder_of

    os.chmod(fresh, 0o600)
    sync(fresh)
    seam("create.rename")
    os.rename(fresh, path)
    seam("create.sync")
    sync_folder_of(path)


def unfinished_files(path: str) -> list[str]:
    """Return what a killed making, upgrading or exchanging of the ledger at `path` left beside it."""
    from ledger.restoring import leftovers

    suffixes = ("", "-wal", "-shm", "-journal", "-gate")
    names = [path + name + suffix for name in ("-new", ".backup-unfinished") for suffix in suffixes]
    return [name for name in names if os.path.lexists(name)] + leftovers(path)


def clear_unfinished(path: str) -> None:
    """Remove what a killed making, upgrading or exchanging of the ledger at `path` left beside it.

    Raises:
        LedgerError: the gate cannot be had.
        OSError: something cannot be removed.
    """
    with gate(path + "-gate"):
        for name in unfinished_files(path):
            os.unlink(name)
