"""What a command may cost before it does anything: modules it imports, statements it runs, rows it reads.

Nothing here is timed. The large home has a hundred times as many runs as the small one, and asks for as much work.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from artifacts.home import Home
from benchmarks.history import copied, home_with, newest_runs, project
from projections.files import current_file

ROOT = Path(__file__).resolve().parent.parent
GUILD = "from guild_ledger.main import main; main()"
TRACED = """\
import json, sqlite3, sys
from guild_ledger.main import claim_packages
claim_packages()
statements, connect = [], sqlite3.connect

def traced(*args, **kwargs):
    connection = connect(*args, **kwargs)
    connection.set_trace_callback(statements.append)
    return connection

sqlite3.connect = traced
from commands.main import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    sys.stdout = sys.__stdout__
    print("\\n" + json.dumps([end.code, statements]))
"""
FEW, MANY = 100, 10_000
HEAVY = {"sqlalchemy", "alembic", "starlette", "uvicorn", "anyio", "asyncio", "textual", "tomlkit", "view"}
NEEDLESS = {"inspect", "ast", "dis", "tokenize", "platform", "difflib"}
"""What click would import, a fifth of the start of a list."""
LISTINGS = {
    "global": (["runs", "-a", "-n", "20"], False),
    "scoped": (["runs", "-n", "20"], True),
    "status": (["runs", "-a", "-E", "-n", "20"], False),
    "operation": (["runs", "-a", "--op", "cnn:train", "-n", "20"], False),
    "scoped, status": (["runs", "-C", "-n", "20"], True),
    "deleted": (["runs", "-a", "-d", "-n", "20"], False),
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the folder that the homes of this file are made in."""
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def few(cache: str) -> Home:
    """Give a home with some runs, which no test changes."""
    return home_with(cache, FEW)


@pytest.fixture(scope="module")
def many(cache: str) -> Home:
    """Give a home with a hundred times as many."""
    return home_with(cache, MANY)


def start(home: Home, code: str, argv: Sequence[str], cwd: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run Python code with a command line of guild; it must succeed."""
    env: Mapping[str, str] = {**os.environ, "GUILD_HOME": home.root, "PYTHONPATH": str(ROOT), "LOGNAME": "ann"}
    done = subprocess.run(
        [sys.executable, *options, "-c", code, *argv], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def imported(home: Home, argv: Sequence[str], cwd: str) -> set[str]:
    """Return the names of the modules that a command imports, of packages only the name of the whole."""
    report = start(home, GUILD, argv, cwd, "-X", "importtime").stderr
    names = re.findall(r"^import time: +\d+ \| +\d+ \| +(\S+)$", report, re.MULTILINE)
    assert "click" in names
    return {name.partition(".")[0] for name in names}


def statements(home: Home, argv: Sequence[str], cwd: str) -> list[str]:
    """Return the SQL that a command runs, on all its databases."""
    code, found = json.loads(start(home, TRACED, argv, cwd).stdout.splitlines()[-1])
    assert code == 0
    assert found
    return [str(statement) for statement in found]


@pytest.mark.parametrize(
    "argv",
    [["--help"], ["--version"], ["runs"], ["runs", "-n", "20"], ["runs", "--help"], ["runs", "info", "0"], ["log"]],
)
def test_no_reading_command_imports_the_heavy_libraries(few: Home, argv: list[str], tmp_path: Path) -> None:
    """Neither SQLAlchemy nor Alembic, nor what serves pages: each takes many times as long as Python to start."""
    assert not HEAVY & imported(few, argv, str(tmp_path))


def test_no_changing_command_imports_the_heavy_libraries(few: Home, tmp_path: Path) -> None:
    """Labelling, deleting and restoring speak to the embedded ledger without SQLAlchemy."""
    home = copied(few, str(tmp_path))
    run_id = newest_runs(home, 1)[0]
    for argv in (["label", run_id, "good"], ["runs", "rm", run_id, "-y"], ["runs", "restore", run_id, "-y"]):
        assert not HEAVY & imported(home, argv, str(tmp_path)), argv


def test_the_first_command_in_a_new_home_imports_no_heavy_library(tmp_path: Path) -> None:
    """The tables of a new ledger are made without what migrates those of an old one."""
    home = Home(str(tmp_path / "home"))
    assert not HEAVY & imported(home, ["runs"], str(tmp_path))
    assert os.path.exists(home.ledger_path)


@pytest.mark.parametrize("argv", [["--version"], ["runs", "-n", "20"], ["runs", "rm", "0", "-y", "--dry-run"]])
def test_a_usual_command_does_without_what_click_hardly_uses(few: Home, cache: str, argv: list[str]) -> None:
    """Stand-ins answer the one question that click asks of `inspect` and `platform`; a short option is no error."""
    assert not NEEDLESS & imported(few, argv, project(cache, 0))


def test_a_list_with_nothing_to_catch_up_imports_only_what_a_list_needs(few: Home, tmp_path: Path) -> None:
    """No body is decoded, no process started, no temporary file made and nothing logged."""
    names = imported(few, ["runs"], str(tmp_path))
    assert not names & {"orjson", "json", "yaml", "subprocess", "tempfile", "shutil", "pathlib", "logging", "hashlib"}


@pytest.mark.parametrize("kind", LISTINGS)
def test_a_page_takes_as_many_statements_of_many_runs_as_of_few(few: Home, many: Home, cache: str, kind: str) -> None:
    """A page costs the page: opening, checking and reading ask the databases no more often in a larger home."""
    argv, scoped = LISTINGS[kind]
    cwd = project(cache, 0) if scoped else cache
    assert len(statements(few, argv, cwd)) == len(statements(many, argv, cwd))


@pytest.mark.parametrize("kind", LISTINGS)
def test_every_kind_of_list_reads_runs_in_the_order_of_an_index(many: Home, cache: str, kind: str) -> None:
    """No list scans the table, and one that reads a single stretch of an index sorts nothing."""
    argv, scoped = LISTINGS[kind]
    found = statements(many, argv, project(cache, 0) if scoped else cache)
    pages = [statement for statement in found if "FROM run " in statement and "LIMIT 20" in statement]
    assert pages, found
    path = current_file(many.index_dir)
    assert path is not None
    with closing(sqlite3.connect(path)) as database:
        for page in pages:
            steps = [str(row[3]) for row in database.execute(f"EXPLAIN QUERY PLAN {page}")]
            looks = [step for step in steps if " run" in step]
            assert looks
            assert all(re.match(r"SEARCH run USING INDEX run_\w+ \(", step) for step in looks), steps
            assert "UNION ALL" in page or not any("TEMP B-TREE" in step for step in steps), steps


RARE = (
    "run_table",
    "run_columns",
    "run_csv",
    "run_counts",
    "run_watch",
    "run_json",
    "verbose_runs",
    "listing_rules",
    "seen",
)
LOADED = """\
import json, sys
from guild_ledger.main import claim_packages
claim_packages()
from commands.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    print("\\n" + json.dumps(sorted(sys.modules)))
"""


def test_the_usual_list_loads_no_other_form_of_it(few: Home, tmp_path: Path) -> None:
    """Columns, CSV, counts and the live list are loaded when they are asked for; so is what sorts and groups."""
    rare = {f"commands.{name}" for name in RARE} | {"projections.sorting", "projections.counting", "commands.runs_list"}

    def loaded(*argv: str) -> set[str]:
        return rare & set(json.loads(start(few, LOADED, argv, str(tmp_path)).stdout.splitlines()[-1]))

    assert loaded("runs", "-n", "20") == set()
    assert "commands.run_csv" not in loaded("runs", "--sort", "label", "-n", "2")
    assert "commands.run_columns" in loaded("runs", "--columns", "id", "-n", "2")


SORTED = ("label", "status", "duration", "operation", "exit_status", "marked", "id")


@pytest.mark.parametrize("sort", SORTED)
def test_a_sorted_page_reads_runs_in_the_order_of_an_index(many: Home, cache: str, sort: str) -> None:
    """No statement of it scans runs or values and sorts them all, and nothing is counted one by one."""
    found = statements(many, ["runs", "-a", "--sort", sort, "-n", "20"], cache)
    assert not [statement for statement in found if "SELECT count(*) FROM run" in statement]
    pages = [one for one in found if "FROM run" in one and "ORDER BY" in one]
    assert pages
    path = current_file(many.index_dir)
    assert path is not None
    with closing(sqlite3.connect(path)) as database:
        for page in pages:
            steps = [str(row[3]) for row in database.execute(f"EXPLAIN QUERY PLAN {page}")]
            assert not [step for step in steps if step.startswith("SCAN") and "INDEX" not in step], steps
            assert "USE TEMP B-TREE FOR ORDER BY" not in steps
