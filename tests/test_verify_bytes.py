"""No byte of the file of a ledger can be altered without being found, or without being harmless.

`python -m tests.test_verify_bytes` flips every bit of every byte, which takes minutes; the test takes one bit of
every fifth.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ledger.errors import GuildError
from ledger.events.life import RunDeleted, RunStatusChanged
from ledger.opening import open_existing
from ledger.verify import verify
from tests.kit import append, happens, make_ledger, started
from tests.verify_kit import (
    contents,
    lived_in_fixture,  # noqa: F401 - a fixture
    path_fixture,  # noqa: F401 - a fixture
)

if TYPE_CHECKING:
    from collections.abc import Iterable

EVERY = 5
"""One byte in this many is flipped; five has no factor in common with the eight bits that take turns."""


def small_ledger(folder: Path) -> Path:
    """Make a ledger of few small pages in one file: nothing is left in a WAL."""
    ledger = make_ledger(folder)
    append(ledger, started(1, label="é"), happens(1, RunStatusChanged(status="error", exit_status=1)))
    append(ledger, happens(1, RunDeleted()))
    ledger.store.close()
    path = folder / "ledger.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for statement in ("PRAGMA journal_mode=DELETE", "PRAGMA page_size=512", "VACUUM", "PRAGMA journal_mode=WAL"):
            raw.execute(statement)
    return path


def undetected(path: Path, flips: Iterable[tuple[int, int]]) -> tuple[int, int, list[str]]:
    """Flip bits, given as offset and bit, one at a time; return how many were found, harmless, and those that were not.

    Anything else than an error of the ledger's own ends the test: no damage may ever show as a failure of the program.
    """
    whole, before = path.read_bytes(), contents(path)
    found, harmless, missed = 0, 0, []
    for offset, bit in flips:
        data = bytearray(whole)
        data[offset] ^= 1 << bit
        path.write_bytes(data)
        if _is_found(path):
            found += 1
        elif _same_contents(path, before):
            harmless += 1
        else:
            missed.append(f"bit {bit} of byte {offset}")
    path.write_bytes(whole)
    return found, harmless, missed


def _is_found(path: Path) -> bool:
    """Open, look at the head and verify, as `guild ledger verify` does."""
    try:
        ledger = open_existing(str(path))
        try:
            ledger.store.head()
            return verify(ledger.store).problems != []
        finally:
            ledger.store.close()
    except GuildError:
        return True


def _same_contents(path: Path, before: dict[str, list[tuple[object, ...]]]) -> bool:
    try:
        return contents(path) == before
    except sqlite3.Error:
        return False


def test_every_flipped_byte_is_found_or_harmless(tmp_path: Path) -> None:
    """Bit rot anywhere in the file is reported, or it changed no row of any table (free space, names of indexes)."""
    path = small_ledger(tmp_path)
    size = path.stat().st_size
    found, harmless, missed = undetected(path, ((offset, offset % 8) for offset in range(0, size, EVERY)))
    assert missed == []
    assert found > size // EVERY // 3
    assert found + harmless == len(range(0, size, EVERY))


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        file = small_ledger(Path(temporary))
        bits = [int(word) for word in sys.argv[1:]] or list(range(8))
        print(undetected(file, ((at, bit) for bit in bits for at in range(file.stat().st_size))))
