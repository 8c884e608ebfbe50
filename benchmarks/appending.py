"""One durable event, through all rules of the ledger, against one commit of the same bytes by sqlite3 alone."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.history import HEADER, a_start, opened
from benchmarks.plan import Plan
from benchmarks.samples import Figure, Samples
from ledger.canonical import encode
from ledger.ids import new_run_id, run_stream
from ledger.transaction import NewEvent, Transaction

_APPEND = 2.5
_INSERT = "INSERT INTO row (data) VALUES (?)"


def figures(plan: Plan) -> Iterator[Figure]:
    """Commit in turns, on the same disk, to the ledger with most runs and to a table of one column."""
    event = a_start(plan.cache)
    data = HEADER.to_bytes() + encode(event.to_body())
    ledger = opened(plan.home(plan.sizes[-1]))
    bare = _bare_table(os.path.join(plan.scratch, "bare.db"))
    taken: dict[str, list[float]] = {"ledger": [], "bare": []}
    for _ in range(plan.commits):
        transaction = Transaction(HEADER, (NewEvent(run_stream(new_run_id()), event),))
        taken["bare"].append(_timed(partial(bare.execute, _INSERT, (data,))))
        taken["ledger"].append(_timed(partial(ledger.append, transaction)))
    bare.close()
    ledger.store.close()
    yield Figure(
        f"one event appended ({len(data)} bytes), {plan.sizes[-1]:,} runs",
        Samples(tuple(taken["ledger"])),
        "one bare sqlite3 commit of them",
        Samples(tuple(taken["bare"])),
        _APPEND,
    )


def _bare_table(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE row (number INTEGER PRIMARY KEY, data BLOB)")
    return database


def _timed(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before
