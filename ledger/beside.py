"""What a verification lets others do meanwhile: SQLite its own check, and another process half of a long ledger.

Verifying is bound by the processor, and Python uses one at a time. SQLite's check needs no Python, so a thread will do;
reading, decoding and hashing rows does, so that takes a process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from ledger.errors import GuildError
from ledger.sqlite_store import SqliteStore
from ledger.store import Store
from ledger.walk import UNREADABLE, Span, Walked, walk

SPLIT_FROM = 50_000
"""Events from which on it is worth while to start another Python: one walk over so many takes four times as long."""

_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_CODE = "import sys; sys.path.insert(0, sys.argv[1]); from ledger.beside import walk_for; walk_for(*sys.argv[2:])"


def begin_check(store: Store) -> Callable[[], list[str]]:
    """Begin the database's own check, where that can run beside other reading; the result waits for what it found."""
    if not isinstance(store, SqliteStore):
        return store.check_file
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(max_workers=1)
    check = pool.submit(store.check_file)
    pool.shutdown(wait=False)
    return check.result


def walk_all(store: Store, progress: Callable[[int], None] | None, split_from: int) -> Walked:
    """Walk the whole ledger, its second half in another process when it has at least `split_from` events.

    Raises:
        LedgerError: it cannot be read to its end.
    """
    walked = None
    if isinstance(store, SqliteStore) and (spans := _halves(store, split_from)):
        walked = _walk_both(store, progress, *spans)
    return walked or walk(store, progress)


def _halves(store: SqliteStore, split_from: int) -> tuple[Span, Span] | None:
    """Return two halves of the ledger; None when it is short, cannot be divided, or there is but one processor."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        head = store.head()
        middle = head.seq // 2
        events = store.txn_events(middle)
    except (GuildError, *UNREADABLE):
        return None  # one walk tells what is wrong
    if head.position < split_from or not events or cores == 1 or not sys.executable:
        return None
    position = events[-1].position
    return Span(last_seq=middle, last_position=position), Span(middle, position, head.seq, head.position)


def _walk_both(store: SqliteStore, progress: Callable[[int], None] | None, first: Span, second: Span) -> Walked | None:
    """Return what was found when all is well; None when something is wrong, or the other process could not do it."""
    import pickle
    from subprocess import DEVNULL, PIPE, Popen

    words = (_FOLDER, store.place, int(store.read_only), *second)
    with Popen([sys.executable, "-c", _CODE, *map(str, words)], stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL) as other:
        try:
            walked = walk(store, None if progress is None else lambda count: progress(2 * count), first)
            answer, _ = other.communicate()
        finally:
            other.kill()
    rest = pickle.loads(answer) if other.returncode == 0 else None  # noqa: S301 - from a process of ours
    return walked.then(rest) if isinstance(rest, Walked) else None


def walk_for(place: str, read_only: str, *span: str) -> None:
    """Walk a stretch of the ledger at `place` for another process, which reads the answer from a pipe."""
    import pickle

    store = SqliteStore(place, read_only=read_only == "1")
    with store.reading():
        walked = walk(store, None, Span(*map(int, span)))
    store.close()
    with open(1, "wb") as pipe:
        pickle.dump(walked, pipe)
