"""The lease: one holder, freed by any death, readable by all, and overwritten in place."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import threading
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import orjson
import pytest

from artifacts.lease import SIZE, Lease, LeaseError, LeaseRecord, is_held, read_lease, try_take

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RECORD = LeaseRecord(boot_id="boot", pid=10, start_ticks=20, host="box")
HOLD = """
import sys
from artifacts.lease import Lease, LeaseRecord
lease = Lease.acquire(sys.argv[1], LeaseRecord("boot", 1, 2, "box"))
print("held" if lease else "refused", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Give the path of a lease that does not exist yet, in a folder that does not either."""
    return str(tmp_path / "leases" / "0123")


@contextlib.contextmanager
def other_holder(path: str) -> Iterator[subprocess.Popen[str]]:
    """Run another process that takes the lease and keeps it until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def taken(path: str, record: LeaseRecord = RECORD) -> Lease:
    """Take a lease that must be free."""
    lease = Lease.acquire(path, record)
    assert lease is not None
    return lease


def test_a_lease_is_held_until_it_is_released(path: str) -> None:
    """is_held follows acquire and release, and says None without a file."""
    assert is_held(path) is None
    lease = taken(path)
    assert is_held(path) is True
    lease.release(remove=False)
    assert is_held(path) is False
    taken(path).release(remove=True)
    assert is_held(path) is None


def test_a_held_lease_is_refused_to_another_and_its_content_kept(path: str) -> None:
    """A second acquire gets None and changes nothing."""
    with other_holder(path):
        assert Lease.acquire(path, RECORD) is None
        assert try_take(path) is None
        record = read_lease(path)
        assert record is not None
        assert record.pid == 1


def test_any_death_of_the_holder_frees_the_lease(path: str) -> None:
    """After kill -9 the lease can be taken, with what the dead holder wrote still in it."""
    with other_holder(path) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert is_held(path) is False
        lease = try_take(path)
        assert lease is not None
        assert lease.read() == LeaseRecord("boot", 1, 2, "box")
        lease.release(remove=True)
        assert not os.path.exists(path)


def test_a_lease_can_be_had_again_after_each_release(path: str) -> None:
    """Released and removed leases leave nothing in the way of the next holder."""
    for remove in (True, False, True):
        taken(path).release(remove=remove)
    lease = taken(path)
    assert is_held(path)
    lease.release(remove=True)
    lease.release(remove=True)


def test_the_file_is_private_and_of_fixed_size(path: str) -> None:
    """Mode 0600 and SIZE bytes of blank-padded JSON, before and after every write."""
    lease = taken(path)
    before = os.stat(path)
    lease.write(replace(RECORD, child_pid=2**22, child_ticks=2**40, exit_status=-9, ended_at=2**52))
    after = os.stat(path)
    with open(path, "rb") as file:
        content = file.read()
    lease.release(remove=True)
    assert stat.S_IMODE(before.st_mode) == 0o600
    assert (after.st_ino, after.st_size, after.st_blocks) == (before.st_ino, SIZE, before.st_blocks)
    assert content.startswith(b"{")
    assert content.rstrip(b" ").endswith(b"}")


def test_what_is_written_is_read_back_by_anyone(path: str) -> None:
    """The ending noted by the holder is what an observer reads, held or not."""
    lease = taken(path)
    ending = replace(RECORD, child_pid=7, child_ticks=8, exit_status=0, ended_at=99, stopped_by="SIGINT")
    lease.write(ending)
    assert read_lease(path) == lease.read() == ending
    lease.release(remove=False)
    assert read_lease(path) == ending


def test_a_record_too_large_is_refused_and_the_old_one_kept(path: str) -> None:
    """Nothing is ever written beyond SIZE, for that could need room that a full disk has not."""
    lease = taken(path)
    with pytest.raises(LeaseError):
        lease.write(replace(RECORD, host="x" * SIZE))
    assert read_lease(path) == RECORD
    lease.release(remove=True)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * SIZE,
        b"[]",
        b"{}",
        b'"text"',
        b"\xff\xfe",
        b'{"boot_id": "a", "pid": 1',
        orjson.dumps(asdict(RECORD) | {"boot_id": 1}),
        orjson.dumps(asdict(RECORD) | {"exit_status": "0"}),
    ],
)
def test_a_damaged_lease_reads_as_no_record(path: str, content: bytes) -> None:
    """Garbage is None, not an error, and does not keep anybody from taking the lease."""
    taken(path).release(remove=False)
    with open(path, "wb") as file:
        file.write(content)
    assert read_lease(path) is None
    assert is_held(path) is False
    lease = try_take(path)
    assert lease is not None
    assert lease.read() is None
    lease.release(remove=True)


def test_reading_what_is_not_there_gives_none(path: str, tmp_path: Path) -> None:
    """Neither a missing file nor a folder in its place is an error."""
    assert read_lease(path) is None
    assert try_take(path) is None
    assert read_lease(str(tmp_path)) is None


def test_a_symbolic_link_is_never_followed(path: str, tmp_path: Path) -> None:
    """A link in the place of a lease cannot make the holder overwrite another file."""
    target = tmp_path / "precious"
    target.write_text("precious")
    os.makedirs(os.path.dirname(path))
    os.symlink(target, path)
    with pytest.raises(LeaseError):
        Lease.acquire(path, RECORD)
    assert read_lease(path) is None
    assert target.read_text() == "precious"


def test_a_program_that_is_started_does_not_inherit_the_lease(path: str) -> None:
    """A child that lives on after the release does not keep the lease held, even with all descriptors."""
    lease = taken(path)
    with subprocess.Popen(["/bin/sleep", "60"], close_fds=False) as child:
        lease.release(remove=False)
        assert is_held(path) is False
        child.kill()


def test_observers_disturb_neither_the_holder_nor_each_other(path: str) -> None:
    """However many look at the same time, a free lease is never seen as held, and can always be taken."""
    taken(path).release(remove=False)
    seen: list[bool | None] = []

    def look() -> None:
        seen.extend(is_held(path) for _ in range(300))

    observers = [threading.Thread(target=look) for _ in range(4)]
    for observer in observers:
        observer.start()
    for observer in observers:
        observer.join()
    assert set(seen) == {False}

    stop = threading.Event()

    def look_on() -> None:
        while not stop.wait(0.0005):
            is_held(path)

    observer = threading.Thread(target=look_on)
    observer.start()
    try:
        for _ in range(50):
            taken(path).release(remove=False)
    finally:
        stop.set()
        observer.join()


def test_of_many_who_ask_at_once_there_is_never_more_than_one_holder(path: str) -> None:
    """Each holder deletes the file in the end, and yet no two hold a lease of that name at the same time."""
    inside = 0
    most = 0
    held = 0
    guard = threading.Lock()

    def take_and_give() -> None:
        nonlocal inside, most, held
        for _ in range(40):
            lease = Lease.acquire(path, RECORD)
            if lease is None:
                continue
            with guard:
                inside += 1
                held += 1
                most = max(most, inside)
            with guard:
                inside -= 1
            lease.release(remove=True)

    takers = [threading.Thread(target=take_and_give) for _ in range(4)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    assert most == 1
    assert held > 0


def test_a_lease_replaced_by_another_is_not_deleted_with_ours(path: str) -> None:
    """Releasing removes the file that is held, never one that somebody put in its place."""
    lease = taken(path)
    os.unlink(path)
    other = taken(path, replace(RECORD, pid=11))
    lease.release(remove=True)
    record = read_lease(path)
    assert record is not None
    assert record.pid == 11
    other.release(remove=True)


def test_a_place_that_cannot_be_written_is_told_with_a_hint(tmp_path: Path) -> None:
    """A file where the folder should be ends in an error for the user, not in a traceback."""
    (tmp_path / "leases").write_text("")
    with pytest.raises(LeaseError) as caught:
        Lease.acquire(str(tmp_path / "leases" / "0123"), RECORD)
    assert caught.value.hint
