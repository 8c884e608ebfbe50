"""What the tests of ledger and index share: ledgers with fixed ids and clock, folders, and a powerless user."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
import warnings
from contextlib import closing, contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from artifacts.removal import remove_tree
from ledger.blank import create_sqlite
from ledger.chain import genesis
from ledger.events.book import LedgerCreated
from ledger.events.start import RunStarted
from ledger.format import FORMAT
from ledger.ids import LEDGER_STREAM, Clock, OriginId, RunId, TxnId, run_stream
from ledger.log import Ledger
from ledger.rows import OriginRow
from ledger.seams import install
from ledger.sqlite_store import SqliteStore
from ledger.transaction import Committed, Header, NewEvent, Transaction
from projections.rebuild import rebuild_in_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ledger.events.base import Event
    from ledger.store import Store
    from projections.index import Index

NOON = 1_767_268_800_000_000
"""2026-01-01 12:00 UTC."""

SECOND = 1_000_000
LEDGER_ID = "1ed9e2" + "0" * 26
ORIGIN = OriginId(bytes(range(16)))
HEADER = Header(actor="ann", host="box", argv=("guild", "runs"), cwd="/home/ann", program="guild-ledger 1")
NOBODY = 65534
MEMORY = "/dev/shm"  # noqa: S108 - where private folders are made
DIED = 70
"""The exit status of a child that was to die."""


class Ticking:
    """A clock that goes on by one second with each look at it."""

    def __init__(self, now: int = NOON) -> None:
        self.now = now

    def __call__(self) -> int:
        """Return the time."""
        self.now += SECOND
        return self.now


def run_id(number: int) -> RunId:
    """Return the id of the run that a test calls `number`."""
    return RunId(sha256(b"run %d" % number).hexdigest()[:32])


def txn_id(number: int) -> TxnId:
    """Return the id of the transaction that a test calls `number`."""
    return TxnId(sha256(b"txn %d" % number).digest()[:16])


def happens(number: int, event: Event) -> NewEvent:
    """Return an event of the run that a test calls `number`."""
    return NewEvent(run_stream(run_id(number)), event)


def started(number: int, operation: str = "train", *, project: str | None = "/p", label: str | None = None) -> NewEvent:
    """Return the event that begins a run of `/p` or, without a project, of the package `pkg`."""
    package = None if project else "pkg"
    event = RunStarted(
        project=project, package=package, model="m", operation=operation, command=("python",), flags={}, label=label
    )
    return happens(number, event)


def append(ledger: Ledger, *events: NewEvent) -> Committed:
    """Append events in one transaction."""
    return ledger.append(Transaction(HEADER, events))


@cache
def blank_tables() -> bytes:
    """Return the bytes of a ledger without a row; made once, because Alembic is slow."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ledger.db")
        create_sqlite(str(path))
        return path.read_bytes()


@cache
def blank_ledger() -> bytes:
    """Return the bytes of a ledger that was just made, with fixed ids."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ledger.db")
        path.write_bytes(blank_tables())
        with closing(SqliteStore(str(path))) as store:
            identify(store)
        return path.read_bytes()


def identify(
    store: Store, ledger_id: str = LEDGER_ID, origin: OriginId = ORIGIN, host: str = HEADER.host, first: int = 0
) -> None:
    """Write the identity and the first transaction of a ledger, `first` being what a test calls that one."""
    values = {"ledger_id": ledger_id, "origin_id": origin.hex(), "format": str(FORMAT), "created_at": str(NOON)}
    with store.writing():
        for key, value in values.items():
            store.insert_meta(key, value)
        store.insert_origin(OriginRow(origin, host, 0, genesis(origin)))
    event = NewEvent(LEDGER_STREAM, LedgerCreated(ledger_id=ledger_id, format=FORMAT))
    Ledger(store, clock=lambda: NOON).append(Transaction(HEADER, (event,), txn_id=txn_id(first)))


def make_ledger(folder: Path, clock: Clock | None = None) -> Ledger:
    """Return a new ledger in `folder`, which is made when missing; the caller closes its store."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ledger.db").write_bytes(blank_ledger())
    return opened(folder, clock)


@contextmanager
def index_of(folder: Path, runs: int, events: Callable[[int], Iterable[Event]], *, at_once: int) -> Iterator[Index]:
    """Give an index of runs whose `events` are known by what a test calls each; `at_once` runs to a transaction."""
    ledger = make_ledger(folder)
    for first in range(0, runs, at_once):
        numbers = range(first, first + at_once)
        append(ledger, *(happens(number, event) for number in numbers for event in events(number)))
    with closing(ledger.store), closing(rebuild_in_memory(ledger)) as index:
        yield index


def opened(home: Path, clock: Clock | None = None) -> Ledger:
    """Return the ledger of a home that is there already; the caller closes its store."""
    ledger = Ledger(SqliteStore(str(home / "ledger.db")), clock=clock or Ticking())
    # Tests are not killed by power cuts; the disk of a busy machine would be most of their time.
    ledger.store._db.execute("PRAGMA synchronous=OFF")  # type: ignore[attr-defined]  # the embedded store's own
    return ledger


def in_child(work: Callable[[], object], die_at: int) -> bool:
    """Do `work` in a process of its own that dies, as if killed, at step `die_at`; say whether it died."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside the threads of the test runner
        pid = os.fork()
    if pid == 0:
        steps = []

        def hook(name: str) -> None:
            steps.append(name)
            if len(steps) == die_at:
                os._exit(DIED)

        install(hook)
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == DIED


@contextmanager
def public_folder() -> Iterator[Path]:
    """Give a folder that any user can reach, which pytest's own are not."""
    folder = tempfile.mkdtemp(prefix="guild-public-")
    os.chmod(folder, 0o755)  # noqa: S103 - that is its purpose
    try:
        yield Path(folder)
    finally:
        remove_tree(folder)  # which opens up what a test has shut


@contextmanager
def memory_folder() -> Iterator[Path]:
    """Give a folder in memory where there is such a place: thousands of flushes or entries on a busy disk take long."""
    folder = tempfile.mkdtemp(prefix="guild-memory-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
    try:
        yield Path(folder)
    finally:
        remove_tree(folder)


def require(*programs: str, package: str) -> str:
    """Return the path of the first of these programs that is there; see `lacking` for where none is."""
    found = next((path for name in programs if (path := shutil.which(name))), None)
    return found or lacking(programs[0], package)


def lacking(what: str, package: str) -> NoReturn:
    """End a test for which something of the system is not there.

    As root on Linux `make test` installs what tests use, so there the test fails: no skip hides anything. Elsewhere
    nobody may have been able to, and it is skipped.
    """
    missing = f"{what} is not here: `apt-get install {package}`"
    if sys.platform == "linux" and os.geteuid() == 0:
        pytest.fail(missing)
    pytest.skip(missing)


@contextmanager
def folder_on_another_disk(path: Path) -> Iterator[Path]:
    """Give a folder on another file system than `path`; the test is skipped where no place is known that has one."""
    places = (MEMORY, tempfile.gettempdir(), "/var/tmp", os.path.expanduser("~"))  # noqa: S108 - a private folder
    others = (place for place in places if os.access(place, os.W_OK) and os.stat(place).st_dev != path.stat().st_dev)
    if (other := next(others, None)) is None:
        pytest.skip(f"no writable folder is known here on another file system than {path}")
    folder = tempfile.mkdtemp(prefix="guild-other-", dir=other)
    try:
        yield Path(folder)
    finally:
        remove_tree(folder)


@contextmanager
def powerless(*owned: Path) -> Iterator[None]:
    """Do what is inside without root's rights, as the owner of all that lies in the trees `owned`.

    Who is somebody else anyway has no such rights, and owns them. The test is skipped where root may not become
    another user, as in a container that knows only one.
    """
    if os.geteuid() != 0:
        yield
        return
    try:
        for tree in owned:
            for path, folders, files in os.walk(tree):
                for name in (".", *folders, *files):
                    os.lchown(os.path.join(path, name), NOBODY, NOBODY)
        os.seteuid(NOBODY)
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.EINVAL}:
            raise
        pytest.skip(f"root cannot become another user here: {error}")
    try:
        yield
    finally:
        os.seteuid(0)


def as_nobody(action: Callable[[], str]) -> str:
    """Return what `action` returns, or the error that it raised, when it is done without root's rights.

    Only for root in another process: who is somebody else anyway has no such rights.
    """
    if os.geteuid() != 0:
        return _outcome(action)

    def powerless_action() -> str:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        return action()

    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.write(writer, _outcome(powerless_action).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        told = pipe.read().decode()
    os.waitpid(child, 0)
    return told


def _outcome(action: Callable[[], str]) -> str:
    try:
        return action()
    except Exception as error:  # noqa: BLE001 - told to the test, which knows what to expect
        return f"{type(error).__name__}: {error}"
