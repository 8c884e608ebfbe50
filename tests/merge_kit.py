"""What the tests of merging share: ledgers of several machines in one process, and what must be equal after a merge."""

from __future__ import annotations

from contextlib import closing
from hashlib import sha256
from typing import TYPE_CHECKING

from ledger.events.book import LedgerImported
from ledger.ids import Clock, OriginId
from ledger.log import Ledger
from ledger.merging import Merged, merge, plan_merge, verify_source
from ledger.sqlite_store import SqliteStore
from ledger.verify import verify
from projections.rebuild import rebuild_in_memory
from projections.schema import COMPARED
from tests.kit import HEADER, blank_tables, identify, opened

if TYPE_CHECKING:
    from pathlib import Path

SOUGHT = [table for table in COMPARED if table != "checkpoint"]
"""What ledgers that hold the same runs must agree on; how far each has read, and by what number, is its own."""


def machine(folder: Path, name: str, clock: Clock | None = None) -> Ledger:
    """Return the new ledger of a machine called `name`, in a folder of that name; the caller closes its store."""
    home = folder / name
    home.mkdir(parents=True)
    (home / "ledger.db").write_bytes(blank_tables())
    ledger = opened(home, clock)
    origin = OriginId(sha256(b"origin " + name.encode()).digest()[:16])
    ledger_id = sha256(name.encode()).hexdigest()[:32]
    identify(ledger.store, ledger_id, origin, name, int.from_bytes(origin[:4], "big"))
    return ledger


def copied(ledger: Ledger, folder: Path, name: str, clock: Clock | None = None) -> Ledger:
    """Return a copy of a ledger, as `cp -r` of its home makes one."""
    import sqlite3

    home = folder / name
    home.mkdir(parents=True)
    with closing(sqlite3.connect(home / "ledger.db")) as target:
        target.execute("PRAGMA synchronous=OFF")
        ledger.store.copy_into(target)  # type: ignore[attr-defined]  # the embedded store's own
    return opened(home, clock or ledger._clock)


def merged(target: Ledger, source: Ledger, *, fork_as_new: bool = False, verified: bool = True) -> Merged:
    """Merge as the command does, and check that the result is whole, unless that is for another test to say."""
    other = source.store
    assert isinstance(other, SqliteStore)
    with other.reading():
        if verified:
            verify_source(other)
        done = merge(target, other, HEADER, clock=target._clock, fork_as_new=fork_as_new)
    if verified:
        assert verify(target.store).problems == []
    return done


def lacks(target: Ledger, source: Ledger) -> int:
    """Return how many transactions a merge would take."""
    other = source.store
    assert isinstance(other, SqliteStore)
    with other.reading():
        return plan_merge(target.store, other).count


def said(ledger: Ledger) -> dict[bytes, list[bytes]]:
    """Return the hashes of each origin's transactions in order, without those that only tell of merges."""
    found: dict[bytes, list[bytes]] = {}
    for txn in ledger.store.transactions():
        if any(event.type != LedgerImported.type for event in ledger.store.txn_events(txn.seq)):
            found.setdefault(txn.origin_id, []).append(txn.hash)
    return found


def known(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    """Return what an index made from zero says of the runs."""
    with closing(rebuild_in_memory(ledger).db) as database:
        return {
            table: database.execute(f"SELECT * FROM {table} ORDER BY {COMPARED[table]}").fetchall() for table in SOUGHT
        }
