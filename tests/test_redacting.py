"""Whatever is redacted, the ledger is whole, its index can be made, and its copies are the same as it."""

from __future__ import annotations

import io
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.errors import LedgerError
from ledger.events.base import Event
from ledger.events.life import RunDeleted, RunPurged, RunPurgeStarted, RunRestored, RunStatusChanged
from ledger.events.notes import RunCommented, RunLabeled, RunMarked, RunProtected, RunTagged
from ledger.exporting import export_lines
from ledger.importing import Export, import_new
from ledger.log import Ledger
from ledger.redacting import DECIDING, body_targets, header_targets, redact
from ledger.salvage import salvage
from ledger.sqlite_store import SqliteStore
from ledger.store import Store
from ledger.verify import verify
from projections.comparing import difference
from projections.rebuild import rebuild_in_memory
from tests.kit import HEADER, append, happens, make_ledger, started

LIFE: tuple[Event, ...] = (
    RunLabeled(label="a"),
    RunStatusChanged(status="error", exit_status=1),
    RunCommented(text="b"),
    RunTagged(added=("c",)),
    RunMarked(marked=True),
    RunProtected(protected=True),
    RunProtected(protected=False),
    RunDeleted(),
    RunRestored(),
    RunDeleted(),
    RunPurgeStarted(),
    RunPurged(files=1, bytes=2),
)


def lived_in(folder: Path) -> Ledger:
    """Return a ledger in which two runs live their whole lives: 13 transactions after the first."""
    ledger = make_ledger(folder)
    append(ledger, started(1, label="a"), started(2))
    for event in LIFE:
        append(ledger, happens(1, event), happens(2, event))
    return ledger


def rows(store: Store) -> tuple[list[object], list[object], object]:
    """Return all rows."""
    return list(store.transactions()), list(store.events()), store.origins()


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(bodies=st.sets(st.integers(2, 27)), headers=st.sets(st.integers(1, 14)))
def test_any_redaction_leaves_a_whole_ledger_and_equal_copies(bodies: set[int], headers: set[int]) -> None:
    """The chain, a fresh index, an export read in again, and what salvage makes of the file: all agree."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        ledger = lived_in(folder)
        events = [event for event in ledger.store.events() if event.position in bodies and event.type not in DECIDING]
        transactions = [txn for txn in ledger.store.transactions() if txn.seq in headers]
        targets = [*header_targets(transactions), *body_targets(events)]
        if targets:
            redact(ledger, HEADER, targets, "a reason")
            ledger.store.wipe()
        assert verify(ledger.store).problems == []
        assert {event.position for event in ledger.store.events() if event.body is None} == {
            event.position for event in events
        }
        assert {txn.seq for txn in ledger.store.transactions() if txn.header is None} == headers
        with closing(rebuild_in_memory(ledger)) as index:
            assert difference(index, ledger) is None
        with ledger.store.reading():
            lines = b"".join(line + b"\n" for line in export_lines(ledger.store))
        before = rows(ledger.store)
        ledger.store.close()
        import_new(str(folder / "copy.db"), Export(io.BytesIO(lines)))
        report = salvage(str(folder / "ledger.db"), str(folder / "saved.db"), HEADER)
        assert (report.emptied, report.first_break) == (0, "")
        for name in ("copy.db", "saved.db"):
            with closing(SqliteStore(str(folder / name))) as store:
                assert rows(store)[:2] == before[:2]


def test_what_was_emptied_meanwhile_refuses_the_whole_redaction(tmp_path: Path) -> None:
    """Two commands that redact the same: the second one changes nothing and says so."""
    ledger = lived_in(tmp_path)
    events = list(ledger.store.events())
    redact(ledger, HEADER, body_targets(events[1:2]), "first")
    before = rows(ledger.store)
    with pytest.raises(LedgerError):
        redact(ledger, HEADER, body_targets(events[1:3]), "second")
    assert rows(ledger.store) == before
    ledger.store.close()


def test_records_and_the_ledgers_own_events_are_not_redacted(tmp_path: Path) -> None:
    """Without them nothing could be verified."""
    ledger = lived_in(tmp_path)
    redact(ledger, HEADER, body_targets(list(ledger.store.events())[1:2]), "x")
    for event in (next(ledger.store.events()), list(ledger.store.events())[-1]):
        with pytest.raises(LedgerError, match="about the ledger itself"):
            body_targets([event])
    ledger.store.close()
