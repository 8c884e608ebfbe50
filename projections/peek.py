"""A look at the index that leaves no trace, for shells that complete a command line: nothing is made, mended or kept.

What an index lacks of its ledger is folded into a copy in memory, when both are small enough for somebody who waits for
the Tab key; else the look says that it is not current.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from ledger.dataclass import dataclass
from ledger.errors import GuildError
from ledger.format import REVISION
from ledger.log import Ledger
from ledger.opening import check_format
from ledger.sqlite_store import SqliteStore
from ledger.sqlite_uri import sqlite_uri
from projections.errors import index_errors
from projections.files import current_file
from projections.index import Index, agrees, fold_more
from projections.schema import LIVE, PLACES

_MOST_EVENTS = 2_000
_MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Peek:
    """What was seen.

    Attributes:
        index: to be asked, not to be caught up.
        is_current: whether it has read the whole ledger, so that positions in its listings are true.
    """

    index: Index
    is_current: bool


class _TracelessStore(SqliteStore):
    """A ledger that is only read, together with a log that another process may be writing beside it."""

    def _connect(self) -> sqlite3.Connection:
        return _connection(self.place)


@contextmanager
def peek(index_dir: str, ledger_path: str | None) -> Iterator[Peek | None]:
    """Give a look at the index of a home; None when there is none that can be used.

    Args:
        index_dir: the home's index folder.
        ledger_path: the ledger's file; None when it is in a server, which is not asked.

    Raises:
        GuildError: the ledger or the index cannot be used.
        sqlite3.Error: the same.
    """
    path = current_file(index_dir)
    if ledger_path is None:
        if path is None:
            yield None
            return
        with closing(Index(_connection(path), path)) as index:
            yield Peek(index, is_current=False)
        return
    if not os.path.exists(ledger_path):
        yield None
        return
    with traceless(ledger_path) as store:
        found = _of_ledger(path, Ledger(store))
    if found is None:
        yield None
        return
    with closing(found.index):
        yield found


@contextmanager
def traceless(ledger_path: str) -> Iterator[SqliteStore]:
    """Give a look at an existing ledger alone.

    Raises:
        GuildError: the ledger cannot be used.
        sqlite3.Error: the same.
    """
    with closing(_TracelessStore(ledger_path, read_only=True)) as store:
        if store.revision() != REVISION:
            raise GuildError("the ledger is of another version of the program")
        check_format(store)
        yield store


def _of_ledger(path: str | None, ledger: Ledger) -> Peek | None:
    end = ledger.store.head()
    if path is None:
        if end.position > _MOST_EVENTS:
            return None
        from projections.rebuild import rebuild_in_memory

        return Peek(rebuild_in_memory(ledger), is_current=True)
    index = Index(_connection(path), path)
    try:
        checkpoint = index.checkpoint()
        if agrees(checkpoint, ledger, end.seq):
            return Peek(index, is_current=True)
        if end.position - checkpoint.position > _MOST_EVENTS or os.path.getsize(path) > _MOST_BYTES:
            return Peek(index, is_current=False)
        copy = sqlite3.connect(":memory:", isolation_level=None)
        index.db.backup(copy)
        index.close()
        fold_more(copy, ledger, checkpoint)
    except BaseException:
        index.close()
        raise
    return Peek(Index(copy, ":memory:"), is_current=True)


def _connection(path: str) -> sqlite3.Connection:
    """Open a database without leaving files beside it: where there is no log, none may be made."""
    log = path + "-wal"
    has_log = os.path.exists(log) and os.path.getsize(log) > 0
    mode = "mode=ro" if has_log else "mode=ro&immutable=1"
    return sqlite3.connect(sqlite_uri(path, mode), uri=True, isolation_level=None, timeout=1, check_same_thread=False)


def tags_with_prefix(index: Index, prefix: str, limit: int) -> list[str]:
    """Return tags of live runs that begin with `prefix`, in order, at most `limit`."""
    source = "tag JOIN run USING (run)"
    statement = f"SELECT DISTINCT tag FROM {source} WHERE tag >= ? AND tag < ? AND place = ? ORDER BY tag LIMIT ?"  # noqa: S608
    return _texts(index, statement, prefix, limit)


def _texts(index: Index, statement: str, prefix: str, limit: int) -> list[str]:
    with index_errors():
        found = index.db.execute(statement, (prefix, prefix + "\U0010ffff", PLACES.index(LIVE), limit)).fetchall()
    return [str(row[0]) for row in found]


def labels_with_prefix(index: Index, prefix: str, limit: int) -> list[str]:
    """Return labels of live runs that begin with `prefix`, in order, at most `limit`."""
    statement = (
        "SELECT DISTINCT label FROM run WHERE label IS NOT NULL AND label >= ? AND label < ? AND place = ?"
        " ORDER BY label LIMIT ?"
    )
    return _texts(index, statement, prefix, limit)
