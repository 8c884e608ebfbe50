"""A ledger whose hashes hold, and which is of no use: it must not get in, or everything must go on working."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ledger.canonical import encode
from ledger.chain import digest, txn_hash
from ledger.opening import open_existing
from ledger.rows import EventRow, TxnRow
from tests.cli_kit import Guild, make_project
from tests.kit import run_id

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.canonical import Value

STARTED: dict[str, Value] = {
    "project": "/p", "package": None, "model": "m", "operation": "train", "command": ["x"], "flags": {}, "label": None,
    "sources": None, "git": None, "environment": {}, "platform": {}, "evidence": {}, "batch": None, "proto": None,
    "overrides": {}, "reason": None,
}  # fmt: skip


@pytest.fixture(name="made", scope="module")
def made_fixture(tmp_path_factory: pytest.TempPathFactory) -> tuple[Guild, Guild]:
    """Give the homes of two machines, with a run each, to be copied."""
    folder = tmp_path_factory.mktemp("machines")
    project = make_project(folder / "project", "{name: m, operations: {train: {cmd: work}}}\n")
    guilds = Guild(folder / "near", project), Guild(folder / "far", project)
    for guild in guilds:
        guild.ok("run", "train", "-l", guild.home.name, "-y")
    return guilds


@pytest.fixture(name="pair")
def pair_fixture(made: tuple[Guild, Guild], tmp_path: Path) -> tuple[Guild, Guild]:
    """Give copies of them."""
    for guild in made:
        shutil.copytree(guild.home, tmp_path / guild.home.name)
    near, far = (replace(guild, home=tmp_path / guild.home.name) for guild in made)
    return near, far


def forge(
    guild: Guild,
    *told: tuple[str, str, int, dict[str, Value]],
    header: bytes | None = None,
    changed: dict[str, int] | None = None,
) -> None:
    """Append a transaction that no program would write, with all hashes right: stream, type, version and body."""
    store = open_existing(str(guild.home / "ledger.db")).store
    with store.writing():
        head, last = store.head(), store.txn(store.head().seq)
        assert last is not None
        data = header if header is not None else last.header or b""
        values = {"recorded_at": head.recorded_at + 1, "lamport": head.lamport + 1} | (changed or {})
        txn = TxnRow(
            head.seq + 1, bytes(range(16)), last.origin_id, head.origin_seq + 1, values["recorded_at"],
            values["lamport"], digest(data), data, head.hash, b"",
        )  # fmt: skip
        rows: list[EventRow] = []
        for number, (stream, type_, version, body) in enumerate(told, 1):
            before = store.last_version(stream, txn.origin_id) + sum(row.stream == stream for row in rows)
            named = head.position + number, txn.seq, txn.origin_id, stream, before + 1
            rows.append(EventRow(*named, type_, version, digest(encode(body)), encode(body)))
        store.insert(txn._replace(hash=txn_hash(txn, rows)), rows)
    store.close()


def label(guild: Guild) -> tuple[str, str, int, dict[str, Value]]:
    """Return what labels the run of a home."""
    return f"run/{guild.ids()[0]}", "run.labeled", 1, {"label": "x"}


def is_useful(guild: Guild) -> None:
    """Assert that what people do goes on working."""
    guild.ok("label", "0", "later", "-y")
    guild.ok("undo", "-y")
    assert guild.ok("runs", "list", "--all")
    assert guild.ok("log")
    guild.ok("ledger", "rebuild")
    assert guild("ledger", "verify").code == 0


def refusals(near: Guild, far: Guild) -> tuple[str, str]:
    """Return what a merge and an import say, neither of which may take it, or change anything."""
    before = near.state()
    merge = near("ledger", "merge", str(far.home), "-y")
    assert (merge.code, near.state()) == (3, before), merge
    far.ok("ledger", "export", str(near.home.parent / "far.jsonl"))
    copy = replace(near, home=near.home.parent / "copy")
    imported = copy("ledger", "import", str(near.home.parent / "far.jsonl"))
    assert (imported.code, (copy.home / "ledger.db").exists()) == (3, False), imported
    is_useful(near)
    return merge.err, imported.err


@pytest.mark.parametrize("stream", ["run/zz", "run/ab", "other", "run/" + "A" * 32])
def test_streams_of_neither_runs_nor_the_ledger_do_not_get_in(pair: tuple[Guild, Guild], stream: str) -> None:
    """An index could not be made of them."""
    forge(pair[1], (stream, "run.labeled", 1, {"label": "x"}))
    assert all("is about neither a run nor the ledger" in said for said in refusals(*pair))


@pytest.mark.parametrize("name", ["lamport", "recorded_at"])
def test_numbers_that_cannot_be_counted_on_from_do_not_get_in(pair: tuple[Guild, Guild], name: str) -> None:
    """The next transaction of this ledger would not fit into 64 bits."""
    forge(pair[1], label(pair[1]), changed={name: 2**63 - 2})
    assert all("beyond what can be counted" in said for said in refusals(*pair))


@pytest.mark.parametrize(
    "header", [b"no json", b"[]", b'{"undoes":"zz"}', b'{"undoes":"%s"}' % bytes(range(16)).hex().encode()]
)
def test_headers_that_cannot_be_read_do_not_get_in(pair: tuple[Guild, Guild], header: bytes) -> None:
    """The log could not be shown, nor anything undone; one that takes itself back would be followed for ever."""
    forge(pair[1], label(pair[1]), header=header)
    why = "header is none" if b"00" not in header else "takes back what was not there"
    assert all(why in said for said in refusals(*pair))


def test_a_record_of_a_redaction_that_names_nothing_does_not_get_in(pair: tuple[Guild, Guild]) -> None:
    """What is not a number cannot be looked up."""
    named: dict[str, Value] = {"stream": "run/x", "stream_version": "one", "origin_id": "zz", "reason": "r"}
    forge(pair[1], ("ledger", "ledger.redacted", 1, named))
    assert all("names nothing" in said for said in refusals(*pair))


def test_large_integers_in_bodies_leave_the_index_usable(pair: tuple[Guild, Guild]) -> None:
    """What 64 bits cannot hold is as if it were not said."""
    near, far = pair
    stream, large = f"run/{run_id(5)}", 2**70
    ended: dict[str, Value] = {"status": "error", "exit_status": large, "stopped": -large}
    withdrawn: dict[str, Value] = {"written": large, "withdrawn": True}
    forge(
        far,
        (stream, "run.started", 2, {**STARTED, "flags": {"n": [2**20_000]}, "label": 2**20_000}),
        (stream, "run.comment_withdrawn", 1, withdrawn),
        (stream, "run.tagged", 1, {"added": [2**20_000], "removed": []}),
        (stream, "run.status_changed", 1, ended),
    )
    near.ok("ledger", "merge", str(far.home), "-y")
    assert run_id(5) in near.ids("--all")
    is_useful(near)
