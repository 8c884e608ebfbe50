"""Many processes at one PostgreSQL server: nothing lost, nothing interleaved, one chain; and there is a server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ledger.format import REVISION
from ledger.migrate import prepare_database
from ledger.sql_store import SqlStore
from ledger.verify import verify
from tests.ledger_contract import founded
from tests.postgres_server import PostgresServer, reason_to_skip

if TYPE_CHECKING:
    from ledger.store import Store

ROOT = Path(__file__).parent.parent
PROCESSES, APPENDS, BATCH = 8, 25, 3

APPEND = f"""
import sys
from ledger.ids import new_run_id, run_stream
from ledger.log import Ledger
from ledger.sql_store import SqlStore
from ledger.transaction import NewEvent, Transaction
from tests.ledger_contract import HEADER, started
store = SqlStore(sys.argv[1])
ledger = Ledger(store)
print("ready", flush=True)
sys.stdin.readline()
for _ in range({APPENDS}):
    streams = [run_stream(new_run_id()) for _ in range({BATCH})]
    ledger.append(Transaction(HEADER, tuple(NewEvent(stream, started().event) for stream in streams)))
store.close()
"""

OPEN = """
import sys
from ledger.opening import open_url
from tests.ledger_contract import HEADER
print("ready", flush=True)
sys.stdin.readline()
ledger = open_url(sys.argv[1], HEADER)
print(ledger.ledger_id)
ledger.store.close()
"""

PREPARE = """
import sys
from ledger.format import REVISION
from ledger.migrate import prepare_database
print("ready", flush=True)
sys.stdin.readline()
print(prepare_database(sys.argv[1]))
"""


def test_a_postgresql_server_can_be_started_here(postgres_server: PostgresServer) -> None:
    """The tests that need a server skip themselves without one; on Linux that must not pass for success."""
    assert reason_to_skip() is None
    assert postgres_server.create_database() != postgres_server.create_database()


def test_a_server_that_cannot_be_started_is_no_reason_to_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the binaries can be had, tests without them fail, as they do when the server does not start."""
    monkeypatch.setattr("tests.postgres_server._binaries", lambda: None)
    monkeypatch.setattr(sys, "platform", "linux")
    assert reason_to_skip() is None


@pytest.fixture
def database(postgres_url: str) -> str:
    """Give the URL of a database with a founded ledger."""
    prepare_database(postgres_url)
    with closing(SqlStore(postgres_url)) as store:
        founded(store)
    return postgres_url


def run_at_once(script: str, url: str, count: int) -> list[str]:
    """Run a script in many processes that begin together, and return what each printed after `ready`."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    # Each waits for a line: written one after the other only now, when all of them have started.
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate() for process in processes]
    assert [(process.returncode, error) for process, (_, error) in zip(processes, said, strict=True)] == [
        (0, "")
    ] * count
    return [output.strip() for output, _ in said]


def batches(store: Store) -> list[Sequence[int]]:
    """Return the positions of each run of neighbouring events that belong to one transaction."""
    neighbours: Iterable[tuple[int, Iterable[int]]] = (
        (seq, [row.position for row in rows]) for seq, rows in groupby(store.events(), key=lambda row: row.txn_seq)
    )
    return [list(positions) for _, positions in neighbours]


def test_many_processes_append_to_one_dense_verified_chain(database: str) -> None:
    """Every append succeeds, numbers have no gap, no two transactions interleave, and the chain holds."""
    run_at_once(APPEND, database, PROCESSES)
    with closing(SqlStore(database)) as store:
        written = PROCESSES * APPENDS
        assert verify(store).problems == []
        assert [row.seq for row in store.transactions()] == list(range(1, written + 2))
        assert [row.origin_seq for row in store.transactions()] == list(range(1, written + 2))
        assert [row.position for row in store.events()] == list(range(1, BATCH * written + 2))
        times = [row.recorded_at for row in store.transactions()]
        assert times == sorted(set(times))
        assert [len(positions) for positions in batches(store)] == [1, *[BATCH] * written]


def test_of_many_processes_one_makes_the_tables(postgres_url: str) -> None:
    """Processes that meet an empty database at once all go on, and only one has made anything."""
    said = run_at_once(PREPARE, postgres_url, 4)
    assert sorted(said) == ["False", "False", "False", "True"]
    with closing(SqlStore(postgres_url)) as store:
        assert (store.revision(), store.missing_guards(), store.meta()) == (REVISION, [], {})


def test_many_processes_that_open_an_empty_database_open_one_ledger(postgres_url: str) -> None:
    """Whoever comes first makes the ledger, and all of them go on with that one."""
    said = run_at_once(OPEN, postgres_url, 4)
    with closing(SqlStore(postgres_url)) as store:
        assert said == [store.meta()["ledger_id"]] * 4
        assert (store.head().seq, verify(store).problems) == (1, [])
