"""What tests of the index share: a home that was lived in, and the answers that it must give whatever happens."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from artifacts.home import Home
from commands.app import App
from commands.selecting import listed, open_query, selected
from ledger.events.life import RunDeleted, RunStatusChanged
from ledger.opening import open_existing
from projections.comparing import difference
from projections.files import current_file
from projections.index import connect, open_index
from projections.query import Query, RunFilter, RunRow
from tests.kit import append, happens, make_ledger, started

if TYPE_CHECKING:
    from pathlib import Path


RUNS = 20


EVERYTHING = RunFilter()


QUESTIONS = (
    EVERYTHING,
    RunFilter(place="deleted"),
    RunFilter(project="/p", cwd="/p", statuses=("error",)),
    RunFilter(operations=("test",), cwd="/p"),
    RunFilter(labels=("label 1",)),
)


Answers = list[tuple[int, list[RunRow]]]


@pytest.fixture(name="lived_in", scope="module")
def lived_in_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a home with twenty runs, some deleted, and an index of them in one file."""
    home = tmp_path_factory.mktemp("lived")
    ledger = make_ledger(home)
    for number in range(RUNS):
        status = ("completed", "error", "terminated")[number % 3]
        append(
            ledger,
            started(number, ("train", "test")[number % 2], label=f"label {number}" if number % 4 else None),
            happens(number, RunStatusChanged(status=status, exit_status=number % 3)),
            *([happens(number, RunDeleted())] if number % 5 == 0 else []),
        )
    open_index(str(home / "index"), ledger, fail_on).close()
    ledger.store.close()
    return home


@pytest.fixture(name="home")
def home_fixture(lived_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a copy of that home."""
    monkeypatch.delenv("GUILD_LEDGER", raising=False)
    shutil.copytree(lived_in, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture(name="truth", scope="module")
def truth_fixture(lived_in: Path) -> Answers:
    """Give the answers of the index before anything happened to it."""
    ledger = open_existing(str(lived_in / "ledger.db"))
    index = open_index(str(lived_in / "index"), ledger, fail_on)
    answers = [(query.count(), list(query.rows())) for query in (Query(index, wanted) for wanted in QUESTIONS)]
    index.close()
    ledger.store.close()
    return answers


def fail_on(line: str) -> None:
    """Take a notice of the index in a test in which there is none to give."""
    raise AssertionError(line)


def index_file(home: Path) -> Path:
    """Return the file of the index in use."""
    path = current_file(str(home / "index"))
    assert path is not None
    return type(home)(path)


def opened_app(home: Path) -> App:
    """Return what a command in the project `/p` works with."""
    return App("/p", None, Home(str(home)), ["guild"])


def ask(home: Path) -> Answers:
    """Ask all questions, each as a command does."""
    answers = []
    for wanted in QUESTIONS:
        app = opened_app(home)
        query = open_query(app, wanted)
        rows = list(listed(app, query, None))
        assert selected(app, wanted, []) == rows
        answers.append((open_query(app, wanted).count(), rows))
        app.close()
    return answers


def notices(capsys: pytest.CaptureFixture[str]) -> int:
    """Return how often the user was told of a rebuilt index; nothing else may have been said."""
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == said.err.count("was rebuilt from the ledger: ")
    return said.err.count("\n")


def sound(home: Path) -> bool:
    """Tell whether the index equals a replay, and nothing lies about beside it."""
    ledger = open_existing(str(home / "ledger.db"))
    index = connect(str(index_file(home)))
    found = difference(index, ledger)
    index.close()
    ledger.store.close()
    assert {path.name for path in (home / "index").iterdir()} <= {index_file(home).name, "rebuild.lock"}
    return found is None
