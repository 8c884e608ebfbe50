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
from view.web.auditing import log
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


def test_a_page_of_the_log_costs_so_many_events(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Transactions about many runs make shorter pages, of one at least; pages join without a gap all the same."""
    home = home_with(str(tmp_path_factory.mktemp("log")), 6 * FEW, in_transactions_of=50)
    whole = asked(home, log, "limit=500")["transactions"]
    assert len(whole) > 20
    asked(home, log, "limit=500")
    steps[0] = 0
    asked(home, log, "limit=500")
    most = steps[0]
    monkeypatch.setattr("commands.view_log._MOST_EVENTS", 300)
    steps[0] = 0
    page = asked(home, log, "limit=500")
    assert steps[0] < most / 3
    assert page["more"] and 1 < len(page["transactions"]) <= 300  # noqa: PT018 - a page that ended early
    monkeypatch.setattr("commands.view_log._MOST_EVENTS", 1)
    told, page = [], {"before": len(whole) + 1}
    while page["before"] is not None:
        page = asked(home, log, f"limit=500&before={page['before']}")
        told += page["transactions"]
        assert len(page["transactions"]) == 1
    assert told == whole
