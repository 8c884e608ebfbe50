"""Opening a ledger: making one, refusing what is none or not ours, and reading where nothing may be written."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ledger.canonical import decode
from ledger.errors import GuildError, IntegrityError, LedgerError, LedgerTooNewError
from ledger.format import FORMAT, REVISION
from ledger.opening import open_sqlite
from ledger.transaction import Header
from ledger.verify import verify
from tests.kit import (
    HEADER,
    LEDGER_ID,
    ORIGIN,
    Ticking,
    append,
    as_nobody,
    blank_ledger,
    happens,
    make_ledger,
    public_folder,
    started,
)
from tests.ledger_kit import (
    ENDED,
    clock_fixture,  # noqa: F401 - a fixture
    ledger_fixture,  # noqa: F401 - a fixture
)

if TYPE_CHECKING:
    from pathlib import Path


# --- Opening ----------------------------------------------------------------------------------------------------------


def test_the_first_opening_makes_a_private_complete_ledger(tmp_path: Path) -> None:
    """It has its identity, one transaction that says who made it, nothing else beside it, and verifies."""
    path = tmp_path / "ledger.db"
    with closing(open_sqlite(str(path), HEADER, clock=Ticking()).store) as store:
        meta = store.meta()
        first = store.txn(1)
        event = store.txn_events(1)[0]
        assert verify(store).problems == []
    assert meta.keys() == {"ledger_id", "origin_id", "format", "created_at"}
    assert meta["format"] == str(FORMAT)
    assert first is not None
    assert Header.from_bytes(first.header) == HEADER
    assert (event.type, event.stream) == ("ledger.created", "ledger")
    assert decode(event.body or b"") == {"ledger_id": meta["ledger_id"], "format": FORMAT}
    assert first.recorded_at == int(meta["created_at"])
    assert {entry.name for entry in tmp_path.iterdir()} == {"ledger.db", "ledger.db-gate"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_ledgers_have_nothing_in_common(tmp_path: Path) -> None:
    """Each has an id and an origin of its own; opening again makes nothing anew."""
    seen = []
    for name in ("a", "b", "a"):
        with closing(open_sqlite(str(tmp_path / name), HEADER).store) as store:
            seen.append(store.meta())
            assert store.head().seq == 1
    assert seen[0] == seen[2]
    assert not set(seen[0].values()) & set(seen[1].values()) - {str(FORMAT)}


def test_an_old_ledger_is_opened_as_it_is(tmp_path: Path) -> None:
    """What was written stays, and writing goes on where it ended."""
    made = make_ledger(tmp_path)
    append(made, started(1))
    made.store.close()
    opened = open_sqlite(made.store.place, HEADER)
    assert (opened.ledger_id, opened.origin_id) == (LEDGER_ID, ORIGIN)
    append(opened, happens(1, ENDED))
    assert (opened.store.head().seq, verify(opened.store).problems) == (3, [])
    opened.store.close()


def _refused(path: Path, kind: type[GuildError], says: str) -> GuildError:
    """Open what must be refused, twice, and return the error: the second time it must be the same."""
    errors = []
    for _ in range(2):
        with pytest.raises(kind, match=says) as caught:
            open_sqlite(str(path), HEADER)
        errors.append(caught.value)
    assert errors[0].message == errors[1].message
    assert errors[0].hint
    return errors[0]


def _altered(folder: Path, *statements: str) -> Path:
    path = folder / "ledger.db"
    path.write_bytes(blank_ledger())
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for statement in statements:
            raw.execute(statement)
    return path


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", f"newer program.*revision 9999.*knows {REVISION}"),
        ("UPDATE meta SET value = '2' WHERE key = 'format'", "has format 2; this program knows 1"),
        ("UPDATE meta SET value = '1.5' WHERE key = 'format'", "has format 1.5"),
    ],
)
def test_a_ledger_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path, statement: str, says: str) -> None:
    """The message says what to update; nothing of the file changes."""
    path = _altered(tmp_path, statement)
    before = path.read_bytes()
    error = _refused(path, LedgerTooNewError, says)
    assert error.exit_code == 1
    assert "Update guild-ledger" in str(error.hint)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE alembic_version",
        "DELETE FROM alembic_version",
        "DELETE FROM meta WHERE key = 'format'",
        "DELETE FROM meta WHERE key = 'origin_id'",
        "UPDATE meta SET value = 'no digits' WHERE key = 'origin_id'",
        "UPDATE meta SET value = 'ABC' WHERE key = 'ledger_id'",
        "DROP TABLE meta",
    ],
)
def test_a_file_that_lost_its_identity_is_no_ledger(tmp_path: Path, statement: str) -> None:
    """It is an integrity error, and nothing is made in the place of what is missing."""
    path = _altered(tmp_path, statement)
    before = path.read_bytes()
    assert _refused(path, IntegrityError, "no ledger|damaged").exit_code == 3
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"\n", b"not a database\n" * 500, bytes(5000), blank_ledger()[:100]])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    """Garbage and an empty file are damage, never a reason to begin anew."""
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    assert _refused(path, IntegrityError, "no ledger").exit_code == 3
    assert path.read_bytes() == content


def test_another_program_s_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A sound SQLite file that is no ledger stays as it is."""
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE something (x)")
    before = path.read_bytes()
    _refused(path, IntegrityError, "no ledger")
    assert path.read_bytes() == before


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    """The message says that it is a folder; what is in it stays."""
    (tmp_path / "ledger.db").mkdir()
    (tmp_path / "ledger.db" / "kept").touch()
    _refused(tmp_path / "ledger.db", IntegrityError, "is a folder, no ledger")
    assert (tmp_path / "ledger.db" / "kept").exists()


def test_a_link_to_nothing_is_refused(tmp_path: Path) -> None:
    """The disk that a linked ledger is on may only be unplugged: nothing is made at its end."""
    (tmp_path / "ledger.db").symlink_to(tmp_path / "elsewhere" / "ledger.db")
    _refused(tmp_path / "ledger.db", LedgerError, "cannot open")
    assert not (tmp_path / "elsewhere").exists()


def test_a_ledger_that_is_gone_is_not_made_anew_while_something_remembers_it(tmp_path: Path) -> None:
    """With an index still there the ledger was lost; the message says how to begin anew on purpose."""
    with pytest.raises(IntegrityError, match="is gone") as caught:
        open_sqlite(str(tmp_path / "ledger.db"), HEADER, witnesses=lambda: True)
    assert "begin anew on purpose" in str(caught.value.hint)
    assert {entry.name for entry in tmp_path.iterdir()} <= {"ledger.db-gate"}


def test_every_truncation_is_found(tmp_path: Path) -> None:
    """Cut off anywhere, the file is refused or does not verify, and it is left as it was."""
    made = make_ledger(tmp_path)
    for number in range(3):
        append(made, started(number))
    made.store.close()
    path = tmp_path / "ledger.db"
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 1531), len(whole) - 4096, len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert _broken(path), f"cut off after {length} of {len(whole)} bytes"
        assert path.read_bytes() == whole[:length]


def _broken(path: Path) -> bool:
    """Tell whether opening or verifying finds something; anything but the ledger's own errors is a failure."""
    try:
        ledger = open_sqlite(str(path), HEADER)
    except GuildError:
        return True
    try:
        return verify(ledger.store).problems != []
    except GuildError:
        return True
    finally:
        ledger.store.close()


# --- Without the right to write ---------------------------------------------------------------------------------------


def test_a_read_only_home_is_read_and_not_written(tmp_path: Path) -> None:
    """Everything can be read and verified; an append says that the place is read-only."""
    del tmp_path
    with public_folder() as home:
        made = make_ledger(home)
        append(made, started(1))
        made.store.close()
        (home / "ledger.db").chmod(0o444)
        home.chmod(0o555)
        assert as_nobody(lambda: _read_only(home)) == "2 transactions, sound; LedgerError: is read-only"
        home.chmod(0o755)
        assert {entry.name for entry in home.iterdir()} <= {"ledger.db", "ledger.db-gate"}


def _read_only(home: Path) -> str:
    ledger = open_sqlite(str(home / "ledger.db"), HEADER)
    report = verify(ledger.store)
    state = "broken" if report.problems else "sound"
    try:
        append(ledger, started(2))
    except LedgerError as error:
        return f"{report.transactions} transactions, {state}; LedgerError: {error.message.split(' ', 1)[1]}"
    return "written"


def test_a_read_only_home_with_unfinished_business_says_so(tmp_path: Path) -> None:
    """Rows that are only in the WAL would be missed in silence: they are asked for instead."""
    del tmp_path
    with public_folder() as home:
        made = make_ledger(home)
        append(made, started(1))  # not closed: its rows are still in the WAL
        for entry in home.iterdir():
            entry.chmod(0o444)
        home.chmod(0o555)
        assert "unfinished business" in as_nobody(lambda: _read_only(home))
        home.chmod(0o755)
        made.store.close()


def test_a_home_in_which_nothing_can_be_made_is_a_clear_error(tmp_path: Path) -> None:
    """Neither the folder's owner nor its rights are guessed at."""
    del tmp_path
    with public_folder() as home:
        home.chmod(0o555)
        told = as_nobody(lambda: str(open_sqlite(str(home / "ledger.db"), HEADER)))
        assert told.startswith("LedgerError: cannot write in")
        home.chmod(0o755)
        assert list(home.iterdir()) == []


def test_a_ledger_that_may_not_be_read_is_a_clear_error(tmp_path: Path) -> None:
    """Somebody else's private ledger."""
    del tmp_path
    with public_folder() as home:
        make_ledger(home).store.close()
        (home / "ledger.db").chmod(0o000)
        assert as_nobody(lambda: str(open_sqlite(str(home / "ledger.db"), HEADER))).startswith("LedgerError: cannot")
