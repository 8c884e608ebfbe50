"""What pages of `guild view` cost: steps that SQLite takes, counted in a small home and in one with many more runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from starlette.requests import Request

from artifacts.home import Home
from benchmarks.history import home_with
from commands.app import App
from commands.view_site import HomeSite
from view.web import listing
from view.web.listing import columns, runs

if TYPE_CHECKING:
    from starlette.responses import Response

FEW, MANY = 100, 3_000
_EVERY = 10
"""Steps of SQLite's machine that are counted at once."""


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Home]:
    """Give a small home and one with thirty times as many runs, which no test changes."""
    cache = str(tmp_path_factory.mktemp("homes"))
    return home_with(cache, FEW), home_with(cache, MANY)


def asked(home: Home, page: Callable[[Request], Response], query: str) -> Any:
    """Return what an address answers, without a server between."""
    site = HomeSite(App("/", None, home, ["guild", "view"]), None, "")
    app = SimpleNamespace(state=SimpleNamespace(site=site, scopes=("all",)))
    scope = {"type": "http", "query_string": query.encode(), "app": app, "headers": []}
    return json.loads(bytes(page(Request(scope)).body))


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Give a counter of the steps that SQLite takes, on all databases opened in this test."""
    counted, connect = [0], sqlite3.connect

    def count() -> int:
        counted[0] += _EVERY
        return 0

    def counting(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        connection.set_progress_handler(count, _EVERY)
        return connection

    monkeypatch.setattr(sqlite3, "connect", counting)
    return counted


@pytest.mark.parametrize(
    ("page", "query"),
    [
        (runs, "limit=20"),
        (runs, "limit=20&columns=1"),
        (runs, "limit=20&status=completed"),
        (runs, "limit=20&op=train"),
        (runs, "limit=20&offset=60"),
        (runs, "limit=20&select=2:9"),
        (runs, "limit=20&sort=label"),
        (runs, "limit=20&sort=lr&reverse=1"),
        (runs, "limit=20&filter=lr+%3E+0.1"),
        (columns, ""),
    ],
)
def test_a_page_costs_the_page(
    homes: tuple[Home, Home],
    steps: list[int],
    monkeypatch: pytest.MonkeyPatch,
    page: Callable[[Request], Response],
    query: str,
) -> None:
    """Of thirty times as many runs a page takes about as many steps."""
    monkeypatch.setattr(listing, "MOST_COUNTED", 40)  # where it is counted, it is counted so far
    monkeypatch.setattr("projections.candidates.MOST", 30)
    monkeypatch.setattr("projections.sorting.MOST_SORTED", 30)
    taken = []
    for home in homes:
        asked(home, page, query)  # what is only done once (statistics, schema) is done
        steps[0] = 0
        answer = asked(home, page, query)
        taken.append(steps[0])
        assert page is columns or len(answer["runs"]) in (8, 20)
    assert taken[0] > 0
    assert taken[1] < 2 * taken[0] + 1_000


def test_a_total_that_is_not_kept_is_counted_so_far_only(
    homes: tuple[Home, Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With conditions at least so many match, and the answer says that there may be more; without, it is exact."""
    monkeypatch.setattr(listing, "MOST_COUNTED", 40)
    _, many = homes
    found = asked(many, runs, "limit=20&filter=lr+%3E+0.1")
    assert (found["total"], found["exact"]) == (60, False)
    found = asked(many, runs, "limit=20")
    assert (found["total"], found["exact"]) == (MANY, True)
