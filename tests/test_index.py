"""The file of the index: made, used, caught up, and rebuilt when it is damaged, foreign or gone."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from commands.selecting import open_query
from ledger.errors import GuildError, IntegrityError
from ledger.events.life import RunStatusChanged
from ledger.events.notes import RunLabeled
from ledger.log import Ledger
from ledger.opening import open_existing
from ledger.sqlite_store import SqliteStore
from projections.index import Index, connect, open_index
from projections.query import Query
from projections.rebuild import rebuild
from projections.schema import fingerprint
from tests.index_kit import (
    EVERYTHING,
    Answers,
    ask,
    fail_on,
    home_fixture,  # noqa: F401 - a fixture
    index_file,
    lived_in_fixture,  # noqa: F401 - a fixture
    notices,
    opened_app,
    sound,
    truth_fixture,  # noqa: F401 - a fixture
)
from tests.kit import append, as_nobody, happens, public_folder, run_id, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# --- The file ---------------------------------------------------------------------------------------------------------


def test_a_sound_index_is_used_as_it_is(home: Path, truth: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is said or rebuilt."""
    before = index_file(home)
    assert ask(home) == truth
    assert (notices(capsys), index_file(home)) == (0, before)


@pytest.mark.parametrize("whole_folder", [False, True])
def test_a_missing_index_is_made_without_a_word(
    home: Path, truth: Answers, capsys: pytest.CaptureFixture[str], *, whole_folder: bool
) -> None:
    """It may have been thrown away on purpose, and is there again."""
    shutil.rmtree(home / "index")
    if not whole_folder:
        (home / "index").mkdir()
    assert ask(home) == truth
    assert notices(capsys) == 0
    assert sound(home)


def _garbage(path: Path) -> None:
    path.write_bytes(b"no database at all\n" * 400)


def _zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _half_written(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))


def _second_half_garbage(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + os.urandom(len(whole) - len(whole) // 2))


def _half_overwritten_by_another(path: Path) -> None:
    whole = path.read_bytes()
    with closing(sqlite3.connect(path.with_name("other"), isolation_level=None)) as other:
        other.execute("CREATE TABLE something (x)")
    path.write_bytes(path.with_name("other").read_bytes() + whole[8192:])
    path.with_name("other").unlink()


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _unreadable(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "nowhere")


@pytest.mark.parametrize(
    "damage", [_garbage, _zeros, _empty, _half_written, _second_half_garbage, _half_overwritten_by_another]
)
def test_a_damaged_index_is_rebuilt_with_one_line(
    home: Path, truth: Answers, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], None]
) -> None:
    """Whatever is in the file: the command goes on, its answers are the ones from before, and the next says nothing."""
    damage(index_file(home))
    assert ask(home) == truth
    assert notices(capsys) == 1
    assert ask(home) == truth
    assert notices(capsys) == 0
    assert sound(home)


def test_a_truncated_index_is_rebuilt_with_one_line(
    home: Path, truth: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cut off after every 512 bytes in turn."""
    whole = index_file(home).read_bytes()
    for length in range(0, len(whole), 512):
        index_file(home).write_bytes(whole[:length])
        assert ask(home)[:2] == truth[:2], length
        # Within its last page, the end of an index that is not asked, the file is not yet too short for SQLite.
        assert notices(capsys) == 1 or length > len(whole) - 4096, length
    assert sound(home)


@pytest.mark.parametrize("damage", [_folder, _unreadable])
def test_something_else_in_its_place_is_passed_by(
    home: Path, truth: Answers, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], None]
) -> None:
    """A folder or a dead link under the index's name is no reason to stop."""
    damage(index_file(home))
    assert ask(home) == truth
    assert notices(capsys) == 1


@pytest.mark.parametrize("content", [b"", b"garbage" * 999, bytes(5000)])
def test_garbage_in_the_wal_is_nothing(
    home: Path, truth: Answers, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    """SQLite passes by what it did not write; what the index then lacks is caught up."""
    wal = index_file(home).with_name(index_file(home).name + "-wal")
    wal.write_bytes(content)
    assert ask(home) == truth
    assert notices(capsys) == 0


def test_a_wal_that_was_lost_is_caught_up(home: Path, truth: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    """The checkpoint is in the same transaction as the rows: an index that fell back is merely behind."""
    ledger = open_existing(str(home / "ledger.db"))
    index = open_index(str(home / "index"), ledger, fail_on)
    append(ledger, started(90))
    append(ledger, happens(90, RunStatusChanged(status="error", exit_status=1)))
    before = index_file(home).read_bytes()
    index.catch_up(ledger)
    expected = list(Query(index, EVERYTHING).rows())
    for entry in (home / "index").iterdir():
        entry.unlink()
    _file_of(home).write_bytes(before)
    assert ask(home)[0] == (truth[0][0] + 1, expected)
    assert notices(capsys) == 0
    index.close()
    ledger.store.close()


def _file_of(home: Path) -> Path:
    return home / "index" / f"{fingerprint()}.1.db"


def test_an_index_that_is_behind_catches_up_without_a_word(
    home: Path, truth: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    """Events of others are applied, those of the ledger itself are passed by, and the file stays the same one."""
    before = index_file(home)
    ledger = open_existing(str(home / "ledger.db"))
    append(ledger, happens(1, RunLabeled(label="new")), started(91))
    append(ledger, happens(91, RunStatusChanged(status="error", exit_status=1)))
    ledger.store.close()
    answers = ask(home)
    assert answers[0][0] == truth[0][0] + 1
    assert [row.run_id for row in answers[0][1]] == [run_id(91), *(row.run_id for row in truth[0][1])]
    assert next(row.label for row in answers[0][1] if row.run_id == run_id(1)) == "new"
    assert (notices(capsys), index_file(home)) == (0, before)
    assert sound(home)


@pytest.mark.parametrize("name", ["0123456789ab.1.db", "0123456789ab.99.db", "notes.txt", "0123456789ab.1.db-wal"])
def test_the_files_of_another_program_version_are_left_alone(
    home: Path, truth: Answers, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Two versions side by side never touch each other's index, also when this one is rebuilt."""
    (home / "index" / name).write_bytes(b"theirs")
    _garbage(index_file(home))
    assert ask(home) == truth
    assert notices(capsys) == 1
    assert (home / "index" / name).read_bytes() == b"theirs"


def test_the_index_of_another_ledger_is_rebuilt(
    home: Path, truth: Answers, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A folder that was copied from another home is not believed."""
    path = index_file(home)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE checkpoint SET ledger_id = ?", ("ab" * 16,))
    assert ask(home) == truth
    assert notices(capsys) == 1
    assert sound(home)
    del tmp_path


def test_of_several_generations_the_newest_counts(
    home: Path, truth: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rebuild gets a name never used before and removes the older ones; half-built files are removed as well."""
    (home / "index" / f"{fingerprint()}.7.db").write_bytes(b"damaged")
    (home / "index" / ".building.db").write_bytes(b"killed")
    (home / "index" / f"{fingerprint()}.x.db").write_bytes(b"not a generation")
    assert ask(home) == truth
    assert notices(capsys) == 1
    (home / "index" / f"{fingerprint()}.x.db").unlink()
    assert index_file(home).name == f"{fingerprint()}.8.db"
    assert sound(home)


# --- The ledger that is not what the index has read -------------------------------------------------------------------


def _older_ledger(home: Path) -> Path:
    """Let the ledger grow, let the index read it, and put the old ledger in its place."""
    kept = (home / "ledger.db").read_bytes()
    ledger = open_existing(str(home / "ledger.db"))
    append(ledger, started(94), happens(94, RunStatusChanged(status="error", exit_status=1)))
    open_index(str(home / "index"), ledger, fail_on).close()
    ledger.store.close()
    (home / "ledger.db").write_bytes(kept)
    return home


def _other_history(home: Path) -> Path:
    """As before, but the old ledger has meanwhile gone another way."""
    _older_ledger(home)
    ledger = open_existing(str(home / "ledger.db"))
    append(ledger, started(95))
    append(ledger, started(96))
    ledger.store.close()
    return home


@pytest.mark.parametrize(
    ("change", "says"), [(_older_ledger, "ends at transaction 21"), (_other_history, "another one")]
)
def test_a_ledger_that_lost_history_stops_everything(
    home: Path, capsys: pytest.CaptureFixture[str], change: Callable[[Path], Path], says: str
) -> None:
    """The index may hold the only trace of what was lost: it is not rebuilt, and not touched."""
    path = index_file(change(home))
    before = path.read_bytes()
    for _ in range(2):
        app = opened_app(home)
        with pytest.raises(IntegrityError, match="the ledger lost or changed history") as caught:
            open_query(app, EVERYTHING)
        app.close()
        assert says in caught.value.message
        assert caught.value.exit_code == 3
        assert caught.value.hint
    assert path.read_bytes() == before
    assert (index_file(home), notices(capsys)) == (path, 0)


def test_a_process_that_has_both_open_stops_as_well(home: Path) -> None:
    """Catching up checks the same as opening."""
    ledger = open_existing(str(home / "ledger.db"))
    index = open_index(str(home / "index"), ledger, fail_on)
    append(ledger, started(94))
    index.catch_up(ledger)
    ledger.store.close()
    shutil.copy(home / "ledger.db", home / "newer.db")
    with closing(sqlite3.connect(home / "ledger.db", isolation_level=None)) as raw:
        for statement in ("DROP TRIGGER event_no_delete", "DROP TRIGGER txn_no_delete"):
            raw.execute(statement)
        raw.execute("DELETE FROM event WHERE txn_seq = 22")
        raw.execute("DELETE FROM txn WHERE seq = 22")
    cut = Ledger(SqliteStore(str(home / "ledger.db")))
    with pytest.raises(IntegrityError, match="ends at transaction 21"):
        index.catch_up(cut)
    cut.store.close()
    index.close()


def test_a_ledger_that_is_gone_is_not_made_anew(home: Path) -> None:
    """While an index remembers it."""
    (home / "ledger.db").unlink()
    app = opened_app(home)
    with pytest.raises(IntegrityError, match="is gone"):
        open_query(app, EVERYTHING)
    app.close()
    assert not (home / "ledger.db").exists()


# --- Without the right to write ---------------------------------------------------------------------------------------


@pytest.fixture
def public(lived_in: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a copy of the home that any user can read, and only its owner can write."""
    monkeypatch.delenv("GUILD_LEDGER", raising=False)
    with public_folder() as folder:
        shutil.copytree(lived_in, folder / "home")
        yield folder / "home"
        (folder / "home").chmod(0o755)
        (folder / "home" / "index").chmod(0o755)


def _close(home: Path) -> set[str]:
    """Take the right to write from everybody, and return the names of all files."""
    for path in (*home.rglob("*"), home):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return {str(path) for path in home.rglob("*")}


@pytest.mark.parametrize("state", ["sound", "missing", "damaged"])
def test_a_home_that_cannot_be_written_is_read_all_the_same(public: Path, truth: Answers, state: str) -> None:
    """The index then lives in memory; the answers are the same, and no file is left behind."""
    if state == "missing":
        index_file(public).unlink()
    if state == "damaged":
        _garbage(index_file(public))
    before = _close(public)
    ask(public) if os.geteuid() else None
    assert as_nobody(lambda: str(ask(public) == truth)) == "True"
    assert {str(path) for path in public.rglob("*")} == before


def test_a_rebuild_by_hand_needs_the_right_to_write(public: Path) -> None:
    """It says so, instead of making an index that nobody will find."""
    _close(public)

    def by_hand() -> str:
        ledger = open_existing(str(public / "ledger.db"))
        return str(rebuild(str(public / "index"), ledger))

    assert as_nobody(by_hand).startswith("GuildError: cannot write in")


def test_making_an_index_that_fails_leaves_nothing(home: Path) -> None:
    """A disk that is full, for example: the next command finds no half-built file, and the old index is still there."""
    ledger = open_existing(str(home / "ledger.db"))
    before = {path: path.read_bytes() for path in (home / "index").iterdir()}

    def fail(_: int) -> None:
        raise GuildError("no space left")

    with pytest.raises(GuildError, match="no space left"):
        rebuild(str(home / "index"), ledger, progress=fail)
    (home / "index" / "rebuild.lock").unlink(missing_ok=True)
    before.pop(home / "index" / "rebuild.lock", None)
    assert {path: path.read_bytes() for path in (home / "index").iterdir()} == before
    ledger.store.close()


def test_a_closed_index_is_not_open(home: Path) -> None:
    """Closing lets go of the file."""
    index: Index = connect(str(index_file(home)))
    index.close()
    with pytest.raises(sqlite3.ProgrammingError):
        index.db.execute("SELECT 1")
