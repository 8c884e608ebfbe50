"""Putting a backup in the place of a ledger: what would be lost is told first, and what was there is kept.

The file is exchanged behind the writers' gate, and the old one's log is folded into it before: SQLite would replay a
log that is left over into whatever has the ledger's name. A process that has the old file open notices at the gate that
its file is no longer the ledger.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import time
from contextlib import closing, suppress
from typing import NamedTuple

from ledger.backup import refuse_log, verified_file
from ledger.errors import GuildError, LedgerBusyError, LedgerError
from ledger.files import BESIDE, aside_name, make_private, remove, sync, sync_folder_of
from ledger.forking import last_common
from ledger.gate import gate, is_locked
from ledger.ids import system_clock
from ledger.seams import seam
from ledger.sqlite_store import SqliteStore
from ledger.sqlite_uri import sqlite_uri
from ledger.verify import Report

_PATIENCE_SECONDS = 60.0
_STAGED = "-restoring"


class Staged(NamedTuple):
    """A verified copy of a backup beside the ledger whose place it may take.

    Attributes:
        path: the copy; no other command has one of this name.
        lock: a descriptor whose lock tells the copy from what a killed command left.
        report: what verifying it found.
    """

    path: str
    lock: int
    report: Report

    def drop(self) -> None:
        """Remove the copy, unless it has become the ledger, and let go of it."""
        remove(self.path)
        os.close(self.lock)


def stage(backup: str, path: str) -> Staged:
    """Copy a backup beside the ledger at `path` and verify the copy; nothing else is touched. The caller drops it.

    Raises:
        IntegrityError: the backup is not whole.
        LedgerError: it cannot be read, or not be copied.
    """
    staged, lock = _new_copy(path)
    try:
        seam("restore.copy")
        refuse_log(backup)
        try:
            shutil.copyfile(backup, staged)
        except OSError as error:
            raise LedgerError(f"cannot copy {backup!r}: {error.strerror}", hint="Nothing was changed.") from error
        report = _verified_copy(staged, backup)
        sync(staged)
    except BaseException:
        remove(staged)
        os.close(lock)
        raise
    return Staged(staged, lock, report)


def _new_copy(path: str) -> tuple[str, int]:
    """Make an empty file of a name of its own, held by a lock; behind the gate, where it cannot look left over."""
    with gate(path + "-gate"):
        for name in leftovers(path):
            remove(name)
        staged = f"{path}{_STAGED}-{os.urandom(8).hex()}"
        make_private(staged)
        lock = os.open(staged, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return staged, lock


def leftovers(path: str) -> list[str]:
    """Return the copies of backups beside the ledger at `path` that killed commands left."""
    folder, base = os.path.split(path)
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return []
    found = sorted(os.path.join(folder, name) for name in names if name.startswith(base + _STAGED))
    return [name for name in found if not is_locked(name)]


def _verified_copy(staged: str, backup: str) -> Report:
    try:
        return verified_file(staged)
    except GuildError as error:
        # It is the backup that the user knows of.
        error.message = error.message.replace(repr(staged), repr(backup))
        error.hint = "Nothing was changed. Give a file that `guild ledger backup` made."
        raise


def loss(path: str, staged: Staged) -> str:
    """Return what the ledger at `path` holds that the staged backup does not: a sentence, empty for nothing."""
    if not os.path.lexists(path):
        return ""
    try:
        with closing(SqliteStore(staged.path, read_only=True)) as backup, closing(SqliteStore(path)) as present:
            return _loss(present, backup)
    except (GuildError, sqlite3.Error, ValueError, TypeError, KeyError) as error:
        text = error.message if isinstance(error, GuildError) else str(error)
        return f"the ledger that is there cannot be read, so what it holds cannot be compared ({text})"


def _loss(present: SqliteStore, backup: SqliteStore) -> str:
    if present.meta().get("ledger_id") != backup.meta().get("ledger_id"):
        return "the backup is of another ledger"
    head, last = present.head(), backup.head().seq
    common = last_common(min(head.seq, last), present.txn, backup.txn)
    if common == head.seq:
        return ""
    count = head.seq - common
    what = "lacks" if common == last else f"went another way after transaction {common}, and lacks"
    return f"the backup {what} the newest {count} transaction(s) of the ledger that is there"


def swap(path: str, staged: Staged, *, forced: bool) -> str | None:
    """Put the staged backup in the place of the ledger at `path`.

    Args:
        path: where the ledger is, or was.
        staged: what `stage` made.
        forced: whether what the present one holds more may go.

    Returns:
        Under which name the ledger that was there is kept; None when there was none.

    Raises:
        LedgerError: it holds more, and `forced` is not set; or the copy is not the one that was verified any more.
        LedgerBusyError: other commands were using it all the time.
    """
    with gate(path + "-gate"):
        _refuse_other(staged)
        lost = loss(path, staged)
        if lost and not forced:
            raise refused(lost)
        kept = _set_aside(path)
        seam("restore.swap")
        try:
            os.replace(staged.path, path)
        except BaseException:
            _take_back(path, kept)
            raise
        seam("restore.sync")
        sync_folder_of(path)
    return kept


def _refuse_other(staged: Staged) -> None:
    """Refuse a copy that is gone, or is not what was verified and shown."""
    try:
        with closing(SqliteStore(staged.path, read_only=True)) as store:
            head = store.head().hash.hex()
    except (GuildError, sqlite3.Error) as error:
        raise LedgerError(f"the copy of the backup is gone: {staged.path!r}", hint="Nothing was changed.") from error
    if head != staged.report.head_hash:
        raise LedgerError(f"the copy of the backup was changed: {staged.path!r}", hint="Nothing was changed.")


def _take_back(path: str, kept: str | None) -> None:
    """Remove the second name of a ledger that still has its own, unless a log was kept with it."""
    if kept is not None and os.path.lexists(path) and not any(os.path.lexists(kept + suffix) for suffix in BESIDE):
        with suppress(OSError):
            os.unlink(kept)


def refused(lost: str) -> LedgerError:
    """Return the refusal to lose history."""
    return LedgerError(
        lost,
        hint="Nothing was changed. With --force the backup takes its place all the same, and what is there is kept"
        " under another name.",
    )


def _set_aside(path: str) -> str | None:
    """Give the ledger that is there a second name, with its log folded in, and clear away what is beside it."""
    if not os.path.lexists(path):
        _clear(path, None)
        return None
    seam("restore.fold")
    _fold_log(path)
    kept = aside_name(path, "replaced", system_clock())
    seam("restore.keep")
    if os.path.isdir(path):
        os.rename(path, kept)  # a folder is no ledger, can have no second name, and no file can replace it
    else:
        os.link(path, kept)
    _clear(path, kept)
    return kept


def _clear(path: str, kept: str | None) -> None:
    """Take what is beside a ledger away from its name; a log that could not be folded in is kept with it."""
    for suffix in BESIDE:
        if os.path.lexists(path + suffix):
            name = kept or aside_name(path, "replaced", system_clock())
            os.rename(path + suffix, name + suffix)


def _fold_log(path: str) -> None:
    """Write the log's rows into the file; of a file that SQLite cannot read, the log stays as it is.

    Raises:
        LedgerBusyError: others read from the log all the time.
    """
    end = time.monotonic() + _PATIENCE_SECONDS
    try:
        with closing(
            sqlite3.connect(sqlite_uri(path, "mode=rw"), uri=True, isolation_level=None, timeout=1)
        ) as database:
            while database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() > end:
                    raise LedgerBusyError(
                        f"{path!r} is in use by other commands",
                        hint="Nothing was changed. Try again when they are done.",
                    )
    except sqlite3.Error:
        return
