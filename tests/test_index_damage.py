"""The corrupted index in every form, from outside: the answer after is the answer before, and one line says why.

No line is said where nothing went wrong: of an index that was thrown away, or that another version of the program has.
"""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ledger.opening import open_existing
from projections.comparing import difference
from projections.errors import IndexDamagedError
from projections.files import current_file
from projections.index import connect, open_index
from projections.query import Query, RunFilter, RunRow
from tests.cli_kit import Guild, Result, copied

if TYPE_CHECKING:
    from collections.abc import Callable

REBUILT = re.compile(r"The index could not be used \(.+\) and was rebuilt from the ledger: \d+ events\.\n")
PAGE = 4096
SEED = 20260101


@pytest.fixture
def guild(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Guild:
    """Give the command with a home that has runs, and an index of them in one file."""
    guild = copied(tmp_path_factory, tmp_path)
    guild.ok("runs", "-a")
    return guild


def file_of(home: Path) -> Path:
    """Return the index's file."""
    path = current_file(str(home / "index"))
    assert path is not None
    return Path(path)


def forget_beside(path: Path) -> None:
    """Remove what SQLite keeps beside a database."""
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def expect(result: Result, answer: str, lines: int) -> None:
    """Check an answer, and that stderr has so many lines, each about the index."""
    assert (result.code, result.out) == (0, answer), result
    assert result.err.count("\n") == lines, result
    assert len(REBUILT.findall(result.err)) == lines, result


def is_sound(home: Path) -> bool:
    """Tell whether the index is what a replay gives, and no half-built file lies about."""
    ledger = open_existing(str(home / "ledger.db"))
    index = connect(str(file_of(home)))
    try:
        return difference(index, ledger) is None and not list((home / "index").glob(".*"))
    finally:
        index.close()
        ledger.store.close()


# --- Every form, from outside -----------------------------------------------------------------------------------------


def _nothing(path: Path) -> None:
    path.unlink()


def _no_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def _other_version(path: Path) -> None:
    path.rename(path.with_name("0123456789ab.3.db"))


@pytest.mark.parametrize("change", [_nothing, _no_folder, _other_version])
def test_an_index_that_is_not_there_is_made_without_a_line(guild: Guild, change: Callable[[Path], None]) -> None:
    """Thrown away, with its folder or without, or made by another version of the program: nothing went wrong."""
    answer = guild.ok("runs", "-a")
    change(file_of(guild.home))
    expect(guild("runs", "-a"), answer, 0)
    assert is_sound(guild.home)
    theirs = guild.home / "index/0123456789ab.3.db"
    assert theirs.exists() is (change is _other_version)


def test_an_index_of_another_version_under_this_ones_name_is_rebuilt_with_a_line(guild: Guild) -> None:
    """Its tables are not those that this program asks: whatever they hold is not believed."""
    answer = guild.ok("runs", "-a")
    with closing(sqlite3.connect(file_of(guild.home), isolation_level=None)) as database:
        database.execute("ALTER TABLE run RENAME COLUMN status TO state")
    expect(guild("runs", "-a"), answer, 1)
    expect(guild("runs", "-a"), answer, 0)
    assert is_sound(guild.home)


@pytest.mark.parametrize(
    "reader", [["runs", "-a"], ["runs", "info", "1"], ["runs", "list", "bad"], ["runs", "-a", "-F", "epochs = 5"]]
)
def test_an_index_of_another_ledger_is_rebuilt_with_a_line(guild: Guild, tmp_path: Path, reader: list[str]) -> None:
    """A whole folder that was copied from another home: each command answers as before."""
    other = Guild(tmp_path / "other", guild.cwd)
    other.ok("run", "iris-svm:train", "-y")
    other.ok("runs", "-a")
    expected = guild(*reader)
    shutil.rmtree(guild.home / "index")
    shutil.copytree(other.home / "index", guild.home / "index")
    result = guild(*reader)
    assert (result.code, result.out) == (expected.code, expected.out)
    assert len(REBUILT.findall(result.err)) == 1
    assert "it belongs to another ledger" in result.err
    assert REBUILT.sub("", result.err) == expected.err
    assert is_sound(guild.home)


def test_an_index_that_is_cut_off_after_any_page_is_rebuilt_with_a_line(guild: Guild) -> None:
    """And in the middle of a page: one line, once; the next command says nothing."""
    answer = guild.ok("runs", "-a")
    whole = file_of(guild.home).read_bytes()
    assert len(whole) % PAGE == 0
    for length in (*range(0, len(whole), PAGE), 1, 99, PAGE + 7, len(whole) - PAGE - 1):
        path = file_of(guild.home)
        forget_beside(path)
        path.write_bytes(whole[:length])
        expect(guild("runs", "-a"), answer, 1)
    expect(guild("runs", "-a"), answer, 0)
    assert is_sound(guild.home)


def test_random_bytes_in_a_page_are_answered_as_before(guild: Guild) -> None:
    """Each page in turn becomes noise: the answer is the same, and a line is said when the answer needed that page."""
    answer = guild.ok("runs", "-a")
    whole = file_of(guild.home).read_bytes()
    noise = random.Random(SEED)  # noqa: S311 - the same damage in each run of the tests
    lines = 0
    for start in range(0, len(whole), PAGE):
        path = file_of(guild.home)
        forget_beside(path)
        path.write_bytes(whole[:start] + noise.randbytes(PAGE) + whole[start + PAGE :])
        result = guild("runs", "-a")
        lines += result.err.count("\n")
        expect(result, answer, min(result.err.count("\n"), 1))
        assert guild("ledger", "verify").code == (0 if is_sound(guild.home) else 3)
    assert lines > len(whole) // PAGE // 8


def test_a_command_that_changes_runs_mends_the_index_as_well(guild: Guild) -> None:
    """Deleting with a broken index deletes what was meant, once, with one line."""
    ids = guild.ids("-a")
    file_of(guild.home).write_bytes(b"garbage" * 1000)
    result = guild("runs", "rm", ids[1], "-y")
    assert (result.code, result.out) == (0, "Deleted 1 run(s)\n")
    assert len(REBUILT.findall(result.err)) == 1
    assert guild.ids("-a") == [ids[0], *ids[2:]]
    assert is_sound(guild.home)


# --- Each byte --------------------------------------------------------------------------------------------------------


Answer = list[RunRow]


def _answers(home: Path, said: list[str]) -> list[Answer]:
    ledger = open_existing(str(home / "ledger.db"))
    try:
        index = open_index(str(home / "index"), ledger, said.append)
        try:
            wanted = (RunFilter(), RunFilter(statuses=("error",)), RunFilter(place="deleted"))
            return [list(Query(index, one).rows()) for one in wanted]
        finally:
            index.close()
    finally:
        ledger.store.close()


def _is_found(home: Path) -> bool:
    try:
        return not is_sound(home)
    except IndexDamagedError:
        return True


def test_a_flipped_bit_is_mended_or_harmless_or_found_by_the_check(guild: Guild) -> None:
    """In one byte of every 211: never an error, never blame of the ledger; what changed an answer, a check finds.

    SQLite has no checksums, so a value that turned into another value is an answer like any other: only a comparison
    with a replay can know.
    """
    truth = _answers(guild.home, [])
    whole = file_of(guild.home).read_bytes()
    path = guild.home / "index" / file_of(guild.home).name
    outcomes = {"rebuilt": 0, "same": 0, "found": 0}
    for offset in range(0, len(whole), 211):
        data = bytearray(whole)
        data[offset] ^= 1 << offset % 8
        for entry in (guild.home / "index").glob("*.db*"):
            entry.unlink()
        path.write_bytes(data)
        said: list[str] = []
        try:
            answers = _answers(guild.home, said)
        except IndexDamagedError:  # met while reading; a command then rebuilds and asks again
            outcomes["rebuilt"] += 1
            continue
        assert len(said) <= 1
        if answers != truth:
            assert not said
            assert _is_found(guild.home), offset
            outcomes["found"] += 1
        else:
            outcomes["rebuilt" if said else "same"] += 1
    assert all(outcomes.values()), outcomes


def test_a_flipped_bit_in_the_checkpoint_is_damage_of_the_index(guild: Guild) -> None:
    """Each byte of what the index knows of the ledger: it never looks as if the ledger had lost history."""
    answer = guild.ok("runs", "-a")
    whole = file_of(guild.home).read_bytes()
    with closing(sqlite3.connect(file_of(guild.home))) as database:
        (hash_,) = database.execute("SELECT hash FROM checkpoint").fetchone()
    start = whole.index(hash_)
    for offset in (start, start + 17, start + len(hash_) - 1):
        data = bytearray(whole)
        data[offset] ^= 4
        path = file_of(guild.home)
        forget_beside(path)
        path.write_bytes(data)
        result = guild("runs", "-a")
        expect(result, answer, 1)
        assert "its checkpoint is damaged" in result.err
    assert is_sound(guild.home)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE run SET label = 'altered' WHERE run = 2",
        "UPDATE total SET runs = runs + 1",
        "DELETE FROM value",
        "INSERT INTO tag VALUES ('altered', 1)",
    ],
)
def test_a_value_that_became_another_is_found_by_verify(guild: Guild, statement: str) -> None:
    """No page is broken, so the commands go on with it; `ledger verify` compares with a replay and `rebuild` mends."""
    answer = guild.ok("runs", "-a")
    with closing(sqlite3.connect(file_of(guild.home), isolation_level=None)) as database:
        database.execute(statement)
    assert "the index has" in guild.refused("ledger", "verify", code=3)
    guild.ok("ledger", "rebuild")
    assert guild.ok("runs", "-a") == answer
    guild.ok("ledger", "verify")


def test_an_entry_that_an_index_tree_lost_is_found_by_verify(guild: Guild) -> None:
    """The rows are whole, but a listing does not find them all: SQLite's check of entries against rows says so."""
    with closing(sqlite3.connect(file_of(guild.home), isolation_level=None)) as database:
        (root,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'run_listing'").fetchone()
    path = file_of(guild.home)
    data = bytearray(path.read_bytes())
    cells = (root - 1) * PAGE + 3
    count = int.from_bytes(data[cells : cells + 2], "big")
    data[cells : cells + 2] = (count - 1).to_bytes(2, "big")
    path.write_bytes(data)
    assert len(guild.rows("-a")) == count - 1
    assert guild("ledger", "verify").code == 3
