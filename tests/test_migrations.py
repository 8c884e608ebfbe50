"""A ledger's tables are upgraded all or nothing, after a backup; in a server they are those of `ledger.tables`."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from ledger.errors import IntegrityError, LedgerError, LedgerTooNewError
from ledger.format import REVISION, REVISIONS
from ledger.migrate import SCRIPTS, prepare_database, upgrade_sqlite
from ledger.opening import open_sqlite
from ledger.sql_store import SqlStore
from ledger.sqlite_store import SqliteStore
from ledger.store import Store
from ledger.tables import metadata
from ledger.verify import verify
from tests.ledger_contract import HEADER, founded, lived
from tests.migrations_kit import differences

ROOT = Path(__file__).parent.parent
NOON = 1_767_268_800_000_000
STAMP = "20260101T120000Z"

LATER_REVISION = """
import os
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None


def upgrade():
    copied = "always" if op.get_context().dialect.name == "sqlite" else "never"
    with op.batch_alter_table("event", recreate=copied):
        pass
    op.create_table("note", sa.Column("text", sa.Text))
    {more}
"""

CREATE_AND_UPGRADE = """
import sys
from ledger.blank import create_sqlite
from ledger.format import REVISION
from ledger.migrate import upgrade_sqlite
create_sqlite(sys.argv[1])
print(upgrade_sqlite(sys.argv[1], REVISION, clock=lambda: 0))
"""

UPGRADE_AND_DIE = """
import os, sys
from ledger.migrate import upgrade_sqlite
from ledger.seams import install
path, scripts, last = sys.argv[1:]
install(lambda name: os._exit(9) if name == last else None)
upgrade_sqlite(path, "0001", target="0002", scripts=scripts)
"""

UPGRADE_IN_LITTLE_SPACE = """
import resource, sys
from ledger.errors import LedgerError
from ledger.migrate import upgrade_sqlite
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
try:
    upgrade_sqlite(sys.argv[1], "0001", target="0002", scripts=sys.argv[2])
except LedgerError as error:
    print(error.message)
"""


def later_scripts(folder: Path, more: str = "") -> str:
    """Return a copy of the migrations with a made-up revision 0002 that ends in the statements `more`."""
    scripts = folder / "scripts"
    shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "rev_0002_later.py").write_text(LATER_REVISION.format(more=more))
    return str(scripts)


def run(script: str, *arguments: str | Path, cwd: Path = ROOT, **environment: str) -> CompletedProcess[str]:
    """Run a script in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Give the path of a ledger with some transactions, of this program's revision."""
    path = str(tmp_path / "home" / "ledger.db")
    os.mkdir(os.path.dirname(path))
    ledger = open_sqlite(path, HEADER)
    lived(ledger)
    ledger.store.close()
    return path


def contents(store: Store) -> list[object]:
    """Return everything that a ledger holds."""
    return [store.meta(), store.origins(), list(store.transactions()), list(store.events())]


def unchanged(path: str, before: list[object]) -> bool:
    """Tell whether the ledger at `path` is sound, of the first revision, and holds what it held."""
    with closing(SqliteStore(path)) as store:
        return store.revision() == "0001" and verify(store).problems == [] and contents(store) == before


def read(path: str) -> list[object]:
    """Return everything that the ledger at `path` holds."""
    with closing(SqliteStore(path)) as store:
        return contents(store)


def beside(path: str) -> list[str]:
    """Return the names of the backups and their remains next to a ledger."""
    return sorted(name for name in os.listdir(os.path.dirname(path)) if "backup" in name)


def test_the_program_knows_the_revisions_that_it_ships() -> None:
    """`REVISIONS` is compared with a ledger's on every start, so it must be what the migrations say."""
    config = Config()
    config.set_main_option("script_location", SCRIPTS)
    shipped = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(shipped)) == REVISIONS


def test_an_upgrade_keeps_every_row_and_puts_the_guards_up_again(path: str, tmp_path: Path) -> None:
    """Copying a table, as Alembic alters it on SQLite, drops its triggers; afterwards all are there."""
    before = read(path)
    upgrade_sqlite(path, "0001", target="0002", scripts=later_scripts(tmp_path))
    with closing(SqliteStore(path)) as store:
        assert (store.revision(), store.missing_guards(), verify(store).problems) == ("0002", [], [])
        assert contents(store) == before


def test_an_upgrade_makes_a_backup_that_is_a_ledger(path: str, tmp_path: Path) -> None:
    """The backup is named after the old revision and the time, private, and can take the ledger's place."""
    before = read(path)
    backup = upgrade_sqlite(path, "0001", target="0002", scripts=later_scripts(tmp_path), clock=lambda: NOON)
    assert backup == f"{path}.backup-0001-{STAMP}"
    assert beside(path) == [os.path.basename(backup)]
    assert stat.S_IMODE(os.stat(backup).st_mode) & 0o077 == 0
    with closing(sqlite3.connect(backup)) as plain:
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    os.replace(backup, path)
    assert unchanged(path, before)
    open_sqlite(path, HEADER).store.close()


def test_a_backup_is_never_overwritten(path: str, tmp_path: Path) -> None:
    """Two upgrades in one second have two backups."""
    scripts = later_scripts(tmp_path)
    Path(f"{path}.backup-0001-{STAMP}").write_bytes(b"precious")
    backup = upgrade_sqlite(path, "0001", target="0002", scripts=scripts, clock=lambda: NOON)
    assert backup == f"{path}.backup-0001-{STAMP}-2"
    assert Path(f"{path}.backup-0001-{STAMP}").read_bytes() == b"precious"


@pytest.mark.parametrize("step", ["migrate.backup", "migrate.upgrade", "migrate.commit"])
def test_an_upgrade_that_is_killed_leaves_the_ledger_as_it_was(path: str, tmp_path: Path, step: str) -> None:
    """Whatever the step, the old ledger is there, the next try succeeds, and only whole backups remain."""
    before, scripts = read(path), later_scripts(tmp_path)
    assert run(UPGRADE_AND_DIE, path, scripts, step).returncode == 9
    assert unchanged(path, before)
    upgrade_sqlite(path, "0001", target="0002", scripts=scripts, clock=lambda: NOON)
    names = beside(path)
    assert len(names) == (1 if step == "migrate.backup" else 2)
    for name in names:
        assert unchanged(os.path.join(os.path.dirname(path), name), before)


def test_an_upgrade_that_is_killed_between_two_statements_leaves_the_ledger_as_it_was(
    path: str, tmp_path: Path
) -> None:
    """A migration is one transaction: a kill after its first statements undoes them."""
    before, scripts = read(path), later_scripts(tmp_path, "os._exit(9)")
    assert run(UPGRADE_AND_DIE, path, scripts, "none").returncode == 9
    assert unchanged(path, before)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ("raise ZeroDivisionError", ZeroDivisionError),
        ("op.execute('INSERT INTO nothing VALUES (1)')", LedgerError),
        ("op.execute('DELETE FROM event')", IntegrityError),
        ("op.execute('UPDATE event SET body = body_hash WHERE position = 2')", IntegrityError),
        ("op.execute('UPDATE txn SET recorded_at = 1')", IntegrityError),
        ("op.execute('DELETE FROM txn')", IntegrityError),
    ],
)
def test_an_upgrade_that_goes_wrong_is_taken_back(path: str, tmp_path: Path, more: str, error: type[Exception]) -> None:
    """A migration that fails, or that changes or loses what is recorded, is found before COMMIT."""
    before = read(path)
    with pytest.raises(error):
        upgrade_sqlite(path, "0001", target="0002", scripts=later_scripts(tmp_path, more))
    assert unchanged(path, before)
    assert len(beside(path)) == 1


def test_a_backup_that_does_not_fit_on_the_disk_stops_the_upgrade(path: str, tmp_path: Path) -> None:
    """Without a backup there is no upgrade, and the half of one does not stay."""
    before, scripts = read(path), later_scripts(tmp_path)
    done = run(UPGRADE_IN_LITTLE_SPACE, path, scripts)
    assert path in done.stdout
    assert beside(path) == []
    assert unchanged(path, before)


def test_an_upgrade_from_another_revision_is_refused(path: str, tmp_path: Path) -> None:
    """A ledger that another program has upgraded meanwhile, or that a newer one wrote, is left alone."""
    scripts = later_scripts(tmp_path)
    upgrade_sqlite(path, "0001", target="0002", scripts=scripts)
    with pytest.raises(LedgerError, match="another program"):
        upgrade_sqlite(path, "0001", target="0002", scripts=scripts)
    with pytest.raises(LedgerTooNewError):
        upgrade_sqlite(path, "0002")
    with pytest.raises(LedgerTooNewError):
        open_sqlite(path, HEADER)


def test_installed_as_a_wheel_it_works_whatever_the_working_directory_holds(tmp_path: Path) -> None:
    """In a wheel the folders lie in `guild_ledger`; nothing of a project's may be taken for them, nor said."""
    site, cwd = tmp_path / "site" / "guild_ledger", tmp_path / "project"
    for name in ("ledger", "migrations"):
        shutil.copytree(ROOT / name, site / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("migrations", "versions"):
        (cwd / name).mkdir(parents=True)
        (cwd / name / "__init__.py").write_text("raise SystemExit('the wrong package')")
    (cwd / "alembic.ini").write_text("[alembic]\nscript_location = nowhere\n")
    (cwd / "pyproject.toml").write_text("[tool.alembic]\nscript_location = 'nowhere'\n")
    command = f"import sys; sys.path.insert(0, sys.argv.pop())\n{CREATE_AND_UPGRADE}"
    done = run(command, "a.db", site, cwd=cwd, PYTHONPATH=str(cwd))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"a.db.backup-{REVISION}-19700101T000000Z\n", "")
    with closing(SqliteStore(str(cwd / "a.db"))) as store:
        assert store.revision() == REVISION


def test_a_server_database_has_the_described_tables_and_no_others(postgres_url: str) -> None:
    """Also on PostgreSQL the migrations arrive where the table definitions are, down to each constraint."""
    prepare_database(postgres_url)
    engine = create_engine(postgres_url, poolclass=NullPool)
    with engine.begin() as connection:
        assert differences(connection) == []
        made = _catalogue(connection, "public")
        connection.execute(text("CREATE SCHEMA described"))
        metadata.create_all(connection.execution_options(schema_translate_map={None: "described"}))
        assert made == _catalogue(connection, "described")
    assert len(made) > 30


def test_a_server_database_is_upgraded_in_one_transaction(postgres_url: str, tmp_path: Path) -> None:
    """A migration that fails or harms is taken back; a good one keeps rows, guards and others' triggers."""
    prepare_database(postgres_url)
    engine = create_engine(postgres_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"))
        connection.execute(text("CREATE TRIGGER tell AFTER INSERT ON event EXECUTE FUNCTION tell()"))
    with closing(SqlStore(postgres_url)) as store:
        lived(founded(store))
        before = contents(store)
        for number, more in enumerate(
            ("raise ZeroDivisionError", "op.execute('UPDATE event SET body = body_hash WHERE position = 2')")
        ):
            scripts = later_scripts(tmp_path / str(number), more)
            with pytest.raises((ZeroDivisionError, IntegrityError)):
                prepare_database(postgres_url, target="0002", scripts=scripts)
            assert (store.revision(), store.missing_guards(), contents(store)) == ("0001", [], before)
        assert prepare_database(postgres_url, target="0002", scripts=later_scripts(tmp_path))
        assert (store.revision(), store.missing_guards(), contents(store)) == ("0002", [], before)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_trigger WHERE tgname = 'tell'")) == 1
    with pytest.raises(LedgerTooNewError):
        prepare_database(postgres_url)


def test_a_database_that_holds_something_else_is_left_alone(postgres_url: str) -> None:
    """Where a table of the same name is, nothing is made and the message names the place."""
    engine = create_engine(postgres_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE event (something text)"))
    with pytest.raises(LedgerError, match="already exists"):
        prepare_database(postgres_url)
    with engine.connect() as connection:
        tables = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
    assert tables == ["event"]


def test_a_file_is_not_prepared_as_a_server() -> None:
    """The two ways of making tables are not mixed up: a file needs its backup and its gate."""
    with pytest.raises(LedgerError, match="file"):
        prepare_database("sqlite:////tmp/never.db")


def _catalogue(connection: Connection, schema: str) -> list[str]:
    """Return columns, constraints and indexes of the ledger's tables as PostgreSQL describes them."""
    query = """
        SELECT concat_ws(' ', table_name, ordinal_position, column_name, data_type, is_nullable, column_default)
        FROM information_schema.columns WHERE table_schema = :schema AND table_name <> 'alembic_version'
        UNION ALL
        SELECT concat_ws(' ', c.relname, k.conname, pg_get_constraintdef(k.oid))
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        WHERE c.relnamespace = to_regnamespace(:schema) AND c.relname <> 'alembic_version'
        UNION ALL
        SELECT indexdef FROM pg_indexes WHERE schemaname = :schema AND tablename <> 'alembic_version'
    """
    found = connection.execute(text(query), {"schema": schema})
    return sorted(str(row[0]).replace(f"{schema}.", "") for row in found)
