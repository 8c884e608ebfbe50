"""Redactions of another ledger empty here what they emptied there: told first, and never another event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ledger.events.book import LedgerRedacted
from ledger.events.notes import RunLabeled, RunProtected
from ledger.ids import LEDGER_STREAM
from ledger.redacting import body_targets, header_targets, redact
from ledger.transaction import NewEvent
from ledger.verify import verify
from tests.cli_kit import Guild, make_project
from tests.kit import HEADER, NOON, SECOND, Ticking, append, happens, run_id, started
from tests.merge_kit import copied, machine, merged

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("is_known", [True, False])
def test_a_third_machine_redacts_one_side_of_a_fork_and_not_the_other(tmp_path: Path, *, is_known: bool) -> None:
    """What it calls by the old name is called otherwise here: that is emptied, and what has the name is not."""
    clock = Ticking()
    one, third = machine(tmp_path, "one", clock), machine(tmp_path, "third", clock)
    append(one, started(1))
    copy = copied(one, tmp_path, "copy", Ticking(NOON + 1000 * SECOND))
    append(one, happens(1, RunLabeled("kept")))
    done = append(copy, happens(1, RunLabeled("secret")))
    merged(third, copy)
    if is_known:
        merged(one, copy, fork_as_new=True)
    txn = third.store.find_txn(done.txn_id)
    assert txn is not None
    redact(third, HEADER, [*body_targets(third.store.txn_events(txn.seq)), *header_targets([txn])], "typed")
    assert merged(one, third, fork_as_new=True).emptied == 2 * is_known
    bodies = b"".join(event.body or b"" for event in one.store.events())
    assert (b"kept" in bodies, b"secret" in bodies, verify(one.store).problems) == (True, False, [])
    for ledger in (one, third, copy):
        ledger.store.close()


def test_a_merged_redaction_lifts_no_protection(tmp_path: Path) -> None:
    """What decides what may become of a run stays, whatever a record names."""
    one, other = machine(tmp_path, "one"), machine(tmp_path, "other", Ticking(NOON + 1000 * SECOND))
    append(one, started(1))
    append(one, happens(1, RunProtected(protected=True)))
    merged(other, one)
    row = other.store.stream_events([f"run/{run_id(1)}"])[-1]
    record = LedgerRedacted(row.stream, row.stream_version, row.origin_id.hex(), "x")
    append(other, NewEvent(LEDGER_STREAM, record))
    with other.store.writing():
        other.store.empty([row.position], [])
    assert merged(one, other).emptied == 0
    assert one.store.stream_events([row.stream])[-1].body is not None
    one.store.close()
    other.store.close()


def test_what_a_merge_empties_or_removes_though_protected_is_told_first(tmp_path: Path) -> None:
    """In the plan and to programs; a protected run is not removed by -y alone."""
    project = make_project(tmp_path / "project", "{name: m, operations: {train: {cmd: work}}}\n")
    near, far = Guild(tmp_path / "near", project), Guild(tmp_path / "far", project)
    near.ok("run", "train", "-l", "secret", "-y")
    name = near.ids()[0]
    far.ok("ledger", "merge", str(near.home), "-y")
    far.ok("ledger", "redact", name, "--reason", "typed", "-y")
    far.ok("runs", "rm", name, "--all", "-y")
    far.ok("runs", "purge", name, "--all", "-y")
    near.ok("protect", name, "-y")
    told = near("ledger", "merge", str(far.home), "--dry-run")
    assert "of this ledger were redacted over there; they are emptied for good" in told.err
    assert "protected here, and all the same removed" in told.err
    values = json.loads(near.ok("ledger", "merge", str(far.home), "--dry-run", "--json"))
    assert (values["protected"], values["redactions"] > 0) == ([name], True)
    before = near.state()
    assert "protected here" in near.refused("ledger", "merge", str(far.home), "-y")
    assert near.state() == before
    near.ok("ledger", "merge", str(far.home), "-y", "--force")
    assert not (near.home / "runs" / name).exists()
