"""Merging, from inside: whole chains, one result in any order, and what is refused changes nothing."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from time import localtime, strftime
from typing import TYPE_CHECKING

import pytest

from ledger.backup import back_up
from ledger.canonical import Value, decode
from ledger.chain import txn_hash
from ledger.errors import IntegrityError, LedgerError
from ledger.events.life import RunDeleted, RunPurged, RunPurgeStarted, RunRestored, RunStatusChanged
from ledger.events.notes import RunLabeled, RunMarked
from ledger.exporting import export_lines, txn_line
from ledger.importing import Export, import_more, import_new
from ledger.log import Ledger
from ledger.merging import AHEAD, merge, plan_merge, refuse_ahead, verify_source
from ledger.redacting import body_targets, header_targets, redact
from ledger.salvage import salvage
from ledger.sqlite_store import SqliteStore
from ledger.store import Store
from ledger.verify import verify, verify_since
from projections.as_of import moment, replay
from projections.comparing import difference
from projections.errors import IndexOutrunError
from projections.files import current_file
from projections.imported import PastEvent, SenselessError, retold
from projections.index import connect, open_index
from projections.rebuild import rebuild_in_memory
from projections.undo_choice import NothingToUndoError, choose_undo
from tests.cli_kit import damage
from tests.kit import HEADER, NOON, SECOND, Ticking, append, happens, opened, run_id, started
from tests.ledger_kit import ENDED
from tests.merge_kit import copied, known, lacks, machine, merged, said
from tests.test_docs_format import verified
from tests.undo_kit import take_back

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def clock() -> Ticking:
    """Give the one true time: all machines agree on it."""
    return Ticking()


@pytest.fixture
def pair(tmp_path: Path, clock: Ticking) -> Iterator[tuple[Ledger, Ledger]]:
    """Give the ledgers of two machines, with one run each."""
    one, other = machine(tmp_path, "one", clock), machine(tmp_path, "other", clock)
    append(one, started(1))
    append(other, started(2), happens(2, ENDED))
    yield one, other
    one.store.close()
    other.store.close()


def labels(ledger: Ledger) -> dict[str, str | None]:
    """Return the labels of all runs, read from an index made from zero."""
    with closing(rebuild_in_memory(ledger).db) as database:
        return dict(database.execute("SELECT lower(hex(run_id)), label FROM run"))


def as_file(store: Store) -> SqliteStore:
    """Return the store of a ledger that is a file."""
    assert isinstance(store, SqliteStore)
    return store


def test_both_ledgers_hold_the_same_after_each_has_taken_in_the_other(pair: tuple[Ledger, Ledger]) -> None:
    """Of each origin the same transactions, and the same index; merged again there is nothing to do."""
    one, other = pair
    done = merged(one, other)
    assert (done.transactions, done.events, done.seq) == (2, 3, 5)
    assert merged(other, one).transactions == 3  # with the record of the first merge
    assert said(one) == said(other)
    assert known(one) == known(other)
    before = list(one.store.transactions())
    assert merged(one, other) == (0, 0, 0, None)
    assert merged(other, one) == (0, 0, 0, None)
    assert list(one.store.transactions()) == before


def test_of_two_labels_the_later_one_counts_whichever_is_merged_first(pair: tuple[Ledger, Ledger]) -> None:
    """The order is that of the times, and both machines see it alike; a label given after a merge wins over both."""
    one, other = pair
    merged(one, other)
    append(other, happens(2, RunLabeled("earlier")))
    append(one, happens(2, RunLabeled("later")))
    merged(one, other)
    merged(other, one)
    assert labels(one)[run_id(2)] == labels(other)[run_id(2)] == "later"
    append(other, happens(2, RunLabeled("last")))
    merged(one, other)
    assert labels(one)[run_id(2)] == "last"
    assert known(one) == known(other)


def test_a_purge_closes_the_history_whatever_another_machine_did_later(pair: tuple[Ledger, Ledger]) -> None:
    """What was deleted twice can be restored, what is purged stays so, and no run is locked by a conflict."""
    one, other = pair
    append(one, happens(1, ENDED))
    merged(one, other)
    merged(other, one)
    for ledger in (one, other):
        append(ledger, happens(2, RunDeleted()))
    append(one, happens(1, RunDeleted()))
    append(one, happens(1, RunPurgeStarted()), happens(1, RunPurged(1, 2)))
    append(other, happens(1, RunLabeled("kept?")), happens(1, RunMarked(marked=True)))
    append(other, happens(1, RunDeleted()))
    append(other, happens(1, RunRestored()))
    merged(other, one)
    merged(one, other)
    assert known(one) == known(other)
    row = rebuild_in_memory(one).db.execute("SELECT place, label, marked FROM run ORDER BY run").fetchall()
    assert row == [(3, None, 0), (1, None, 0)]
    append(one, happens(2, RunRestored()))
    with pytest.raises(LedgerError, match="permanently deleted"):
        append(other, happens(1, RunLabeled("x")))


def test_what_is_folded_live_is_what_a_replay_gives(pair: tuple[Ledger, Ledger], tmp_path: Path) -> None:
    """Earlier history makes the index anew without a word; what is only later is folded on top of it."""
    one, other = pair
    notices: list[str] = []
    folder = str(tmp_path / "index")
    (tmp_path / "index").mkdir()
    open_index(folder, one, notices.append).close()
    merged(one, other)
    path = current_file(folder)
    assert path is not None
    with closing(connect(path)) as index, pytest.raises(IndexOutrunError):
        index.catch_up(one)
    with closing(open_index(folder, one, notices.append)) as index:
        assert difference(index, one) is None
    made = current_file(folder)
    append(other, started(3))
    merged(one, other)
    with closing(open_index(folder, one, notices.append)) as index:
        assert difference(index, one) is None
    assert (notices, current_file(folder)) == ([], made)


def test_a_copy_that_went_on_by_itself_is_a_fork(pair: tuple[Ledger, Ledger], tmp_path: Path, clock: Ticking) -> None:
    """It is found where the two parted, refused with nothing changed, and on request taken under another name."""
    one, other = pair
    copy = copied(one, tmp_path, "copy", clock)
    append(one, happens(1, RunLabeled("one")))
    append(copy, happens(1, RunLabeled("copy")))
    append(copy, started(4))
    with as_file(copy.store).reading():
        (fork,) = plan_merge(one.store, as_file(copy.store)).forks
        assert (fork.common, fork.here, fork.there, fork.label) == (2, 1, 2, "one")
        with pytest.raises(LedgerError):
            merge(one, as_file(copy.store), HEADER, clock=clock)
    assert len(list(one.store.transactions())) == 3
    assert merged(one, copy, fork_as_new=True).transactions == 2
    assert merged(one, copy, fork_as_new=True).transactions == 0
    append(copy, happens(1, RunLabeled("again")))
    assert merged(one, copy, fork_as_new=True).transactions == 1
    merged(copy, one, fork_as_new=True)
    assert merged(one, copy, fork_as_new=True).transactions == 0
    merged(other, copy)
    merged(other, one, fork_as_new=True)
    merged(one, other, fork_as_new=True)
    merged(copy, other, fork_as_new=True)
    assert known(one) == known(copy) == known(other)
    assert labels(one)[run_id(1)] == "again"
    copy.store.close()


def test_one_side_of_a_fork_has_one_name_whoever_takes_it(pair: tuple[Ledger, Ledger], tmp_path: Path) -> None:
    """Its chain is computed from what it is: two machines that take it by themselves have the same rows."""
    one, other = pair
    copy = copied(one, tmp_path, "copy", Ticking(NOON + 1000 * SECOND))
    append(one, happens(1, RunLabeled("one")))
    append(copy, happens(1, RunLabeled("copy")), started(4))
    merged(other, one)
    merged(one, copy, fork_as_new=True)
    merged(other, copy, fork_as_new=True)
    assert said(one).items() <= said(other).items()
    assert merged(other, one) == (0, 0, 0, None)
    copy.store.close()


def test_a_copy_of_a_copy_that_forks_again_is_refused(pair: tuple[Ledger, Ledger], tmp_path: Path) -> None:
    """One side that was taken can only be continued."""
    one, _ = pair
    copy = copied(one, tmp_path, "copy", Ticking(NOON + 1000 * SECOND))
    append(one, happens(1, RunLabeled("one")))
    append(copy, happens(1, RunLabeled("copy")))
    second = copied(copy, tmp_path, "second", Ticking(NOON + 2000 * SECOND))
    append(copy, happens(1, RunLabeled("2")))
    append(second, happens(1, RunLabeled("3")))
    merged(one, copy, fork_as_new=True)
    with as_file(second.store).reading(), pytest.raises(LedgerError, match="copied again"):
        plan_merge(one.store, as_file(second.store), fork_as_new=True)
    copy.store.close()
    second.store.close()


def test_the_continuation_of_the_own_history_is_no_fork_and_makes_none(
    pair: tuple[Ledger, Ledger], tmp_path: Path
) -> None:
    """An older copy takes in what the newer one has, and records nothing: else the two would part there."""
    one, other = pair
    old = copied(one, tmp_path, "old")
    append(one, happens(1, RunLabeled("new")))
    merged(one, other)
    assert merged(old, one).seq is None
    assert list(old.store.transactions()) == list(one.store.transactions())
    assert lacks(one, old) == 0
    old.store.close()


def test_what_was_redacted_over_there_is_emptied_here(pair: tuple[Ledger, Ledger], tmp_path: Path) -> None:
    """A body and a header; also when the record of it is on one side of a fork, and has to name it anew."""
    one, other = pair
    merged(other, one)
    copy = copied(one, tmp_path, "copy", Ticking(NOON + 1000 * SECOND))
    append(one, happens(1, RunLabeled("one")))
    done = append(copy, happens(1, RunLabeled("secret")))
    for ledger, seq in ((other, 4), (copy, done.seq), (copy, 2)):
        events = [event for event in ledger.store.txn_events(seq) if event.stream != "ledger"]
        txn = ledger.store.txn(seq)
        assert txn is not None
        redact(ledger, HEADER, [*body_targets(events), *header_targets([txn])], "typed")
    assert merged(one, other).emptied == 2
    merged(one, copy, fork_as_new=True)
    bodies = [event for event in one.store.events() if event.body is None]
    assert [event.type for event in bodies] == ["run.started", "run.labeled"]
    assert b"secret" not in b"".join(event.body or b"" for event in one.store.events())
    assert verified(one.store.place)[0] == 0
    merged(other, one)
    assert verified(other.store.place)[0] == 0
    copy.store.close()


def test_a_ledger_that_is_not_whole_is_refused(pair: tuple[Ledger, Ledger], tmp_path: Path) -> None:
    """Every chain is proved before a row is written."""
    one, other = pair
    other.store.close()
    statement = "UPDATE event SET body = CAST(replace(body, 'train', 'trait') AS BLOB) WHERE position = 2"
    damage(tmp_path / "other" / "ledger.db", [statement])
    broken = opened(tmp_path / "other")
    before = list(one.store.events())
    with as_file(broken.store).reading(), pytest.raises(IntegrityError, match="the other ledger is not whole"):
        verify_source(as_file(broken.store))
    assert list(one.store.events()) == before
    broken.store.close()


def test_history_from_the_future_is_refused(pair: tuple[Ledger, Ledger]) -> None:
    """What is recorded here must be later than all that is known: a wrong clock would be followed for ever."""
    one, other = pair
    with as_file(other.store).reading():
        plan = plan_merge(one.store, as_file(other.store))
    refuse_ahead(plan, plan.newest - AHEAD)
    with pytest.raises(LedgerError, match="10 minutes ahead"):
        refuse_ahead(plan, plan.newest - AHEAD - 1)


def test_the_past_is_what_this_ledger_held_then(pair: tuple[Ledger, Ledger]) -> None:
    """What a merge brought was not there before the merge, however early it was recorded."""
    one, other = pair
    done = append(one, happens(1, RunLabeled("before")))
    merged(one, other)
    then = moment(one, str(done.seq), 0)
    spelled = strftime("%Y-%m-%d %H:%M:%S", localtime(done.recorded_at // SECOND))
    by_time = moment(one, spelled, NOON + 1000 * SECOND)
    assert by_time.end == then.end
    with closing(replay(one, then.end).db) as database:
        assert database.execute("SELECT count(*) FROM run").fetchone() == (1,)


def test_undo_goes_by_time_and_leaves_other_machines_alone(pair: tuple[Ledger, Ledger]) -> None:
    """Without a number it is the newest of one's own here; by number any, and what was built on it since is named."""
    one, other = pair
    merged(one, other)
    merged(other, one)
    mine = append(one, happens(2, RunLabeled("mine")))
    append(other, happens(1, RunMarked(marked=True)))
    merged(one, other)
    marked = next(event.txn_seq for event in one.store.events() if event.type == "run.marked")
    assert choose_undo(one.store, HEADER.actor).plan.target.seq == mine.seq
    _, done = take_back(one, marked)
    assert done is not None
    merged(other, one)
    assert known(one) == known(other)
    assert rebuild_in_memory(other).db.execute("SELECT max(marked) FROM run").fetchone() == (0,)
    append(other, happens(2, RunLabeled("theirs")))
    merged(one, other)
    made, _ = take_back(one, mine.seq)
    assert [one.store.txn(obstacle.seq) is not None for obstacle in made.obstacles] == [True]
    with pytest.raises(NothingToUndoError):
        choose_undo(one.store, "nobody")


def test_a_merged_ledger_is_copied_by_every_means(pair: tuple[Ledger, Ledger], tmp_path: Path) -> None:
    """Export and import, backup, and salvage keep every origin; verification since the last time goes on."""
    one, other = pair
    point = verify(one.store).point
    assert point is not None
    merged(one, other)
    append(one, happens(1, RunLabeled("x")))
    assert verify_since(one.store, point).problems == []
    rows = list(one.store.transactions())
    with one.store.reading():
        (tmp_path / "x.jsonl").write_bytes(b"".join(line + b"\n" for line in export_lines(one.store)))
    with open(tmp_path / "x.jsonl", "rb") as file:
        import_new(str(tmp_path / "imported.db"), Export(file))
    back_up(as_file(one.store), str(tmp_path / "backup.db"))
    salvage(one.store.place, str(tmp_path / "salvaged.db"), replace(HEADER))
    for name in ("imported.db", "backup.db", "salvaged.db"):
        with closing(SqliteStore(str(tmp_path / name))) as store:
            assert list(store.transactions()) == rows, name
            assert verify(store).problems == [], name
            assert store.head().recorded_at == max(txn.recorded_at for txn in rows)


def test_a_continuation_that_does_not_join_the_chain_is_refused(pair: tuple[Ledger, Ledger], tmp_path: Path) -> None:
    """An export whose last transaction is whole in itself, but follows on nothing, changes nothing."""
    one, _ = pair
    old = copied(one, tmp_path, "old")
    append(one, happens(1, RunLabeled("new")))
    forged = one.store.txn(3)
    assert forged is not None
    forged = forged._replace(prev_hash=bytes(32))
    forged = forged._replace(hash=txn_hash(forged, one.store.txn_events(3)))
    with one.store.reading():
        lines = list(export_lines(one.store))
    lines[-3] = txn_line(forged)
    (tmp_path / "x.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    with open(tmp_path / "x.jsonl", "rb") as file, pytest.raises(IntegrityError, match="does not link"):
        import_more(as_file(old.store), Export(file))
    assert old.store.head().seq == 2
    old.store.close()


def test_a_run_with_the_facts_of_two_machines_is_told_to_a_third_ledger(pair: tuple[Ledger, Ledger]) -> None:
    """Deleted on both, then restored: an archive of it is not refused for that; of one machine it would be."""
    one, other = pair
    merged(one, other)
    for ledger in (one, other):
        append(ledger, happens(2, RunDeleted()))
    merged(one, other)
    append(one, happens(2, RunRestored()))
    past = [
        PastEvent(row.type, row.schema_version, decoded(row.body), 1, "ann", "box", row.origin_id.hex())
        for row in one.store.stream_events([f"run/{run_id(2)}"])
    ]
    assert [event.type for event in retold(run_id(2), past, "an archive", "home")] == ["run.imported"]
    with pytest.raises(SenselessError):
        retold(run_id(2), [event._replace(origin="") for event in past], "an archive", "home")


def decoded(body: bytes | None) -> dict[str, Value]:
    """Return the body of an event."""
    found = decode(body or b"{}")
    assert isinstance(found, dict)
    return found


def test_an_end_that_another_machine_recorded_counts_once(pair: tuple[Ledger, Ledger]) -> None:
    """Facts count in the order of their times, also those that no writer would be allowed to append."""
    one, other = pair
    merged(other, one)
    append(one, happens(1, RunStatusChanged(status="error", exit_status=3)))
    append(other, happens(1, RunStatusChanged(status="terminated", exit_status=None)))
    merged(one, other)
    merged(other, one)
    assert known(one) == known(other)
    status = rebuild_in_memory(one).db.execute("SELECT status FROM run ORDER BY run").fetchone()
    assert status == (5,)
