"""From what a person types to runs: every form, every hole of the original closed, one wrong word selects nothing."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ledger.events.life import RunDeleted, RunPurged, RunPurgeStarted, RunStatusChanged
from ledger.events.start import RunStarted
from ledger.ids import RunId, run_stream
from ledger.transaction import NewEvent
from projections.index import Index, open_index
from projections.query import Query, RunFilter, RunRow
from projections.schema import PLACES
from projections.selection import SelectionError, select
from tests.kit import append, make_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.events.base import Event
    from ledger.log import Ledger

ENDED = RunStatusChanged(status="error", exit_status=1)


def _begin(ledger: Ledger, name: str, *events: Event, project: str = "/p") -> RunId:
    run = RunId(name.ljust(32, "0"))
    start = RunStarted(project, None, "m", "train", command=(), flags={})
    append(ledger, *(NewEvent(run_stream(run), event) for event in (start, *events)))
    return run


NAMES = ("5766e9e8", "abc10000", "abc20000", "00000001", "12345678", "e0000000", "1234ffff", "3f000000")
"""Ids of the runs of the listing, in the order of their starts: the last one is number 0."""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Give an index with eight runs, a deleted one, a purged one and one of another project."""
    folder = tmp_path_factory.mktemp("runs")
    ledger = make_ledger(folder)
    for name in NAMES:
        _begin(ledger, name)
    _begin(ledger, "de1e7ed0", ENDED, RunDeleted())
    _begin(ledger, "9d00d000", ENDED, RunDeleted(), RunPurgeStarted(), RunPurged(files=0, bytes=0))
    _begin(ledger, "07be7000", project="/other")
    index = open_index(str(folder / "index"), ledger, print)
    yield index
    index.close()
    ledger.store.close()


@pytest.fixture
def query(index: Index) -> Query:
    """Give the listing of the project: eight runs."""
    return Query(index, RunFilter(project="/p", cwd="/p"))


def _names(rows: list[RunRow]) -> list[str]:
    return [row.run_id[:8] for row in rows]


LISTED = list(reversed(NAMES))


@pytest.mark.parametrize(
    ("specs", "numbers"),
    [
        (["0"], [0]),
        (["7"], [7]),
        (["00"], [0]),
        (["007"], [7]),
        (["2", "0", "1"], [2, 0, 1]),
        (["0", "0"], [0]),
        (["0", "0:2", "1", "3f0"], [0, 1, 2]),
        (["2:3", "0:7"], [2, 3, 0, 1, 4, 5, 6, 7]),
        (["0:0"], [0]),
        (["1:3"], [1, 2, 3]),
        ([":2"], [0, 1, 2]),
        (["6:"], [6, 7]),
        ([":"], list(range(8))),
        (["0:7"], list(range(8))),
        (["00:01"], [0, 1]),
        (["5766"], [7]),
        (["5766e9e8"], [7]),
        (["5766e9e8".ljust(32, "0")], [7]),
        (["abc1"], [6]),
        (["abc2", "abc1"], [5, 6]),
        (["3f"], [0]),
        (["12345"], [3]),
        (["1234f"], [1]),
        (["00000001"], [1]),
        (["000000010"], [4]),
        ([], []),
    ],
)
def test_runs_are_named_by_index_range_or_beginning_of_the_id(
    query: Query, specs: list[str], numbers: list[int]
) -> None:
    """Both ends of a range count; each run comes once, in the order named; an index goes before an id."""
    assert _names(select(query, specs)) == [LISTED[number] for number in numbers]


WRONG = [
    *("1:x", "x:1", "1:2:3", "::", ":::", "1::2", "1-2", "1..2", "1,2", "-1", "-1:", ":-1", "1:-1", "+1", "1.0", "1e0"),
    *("", " ", "1 ", " 1", "1\n", "\n0:1", "0:1\n", "0:1x", "x0:1", "0x1", "abc1\x00", "#0", "*", "all", "/p", ".."),
    *("8", "12", "99", "999", "8:", "8:9", "0:8", ":8", "99:", "zzz", "57669", "ABC1", "Abc1", "\udcff", "a" * 5000),
    *("1" * 19, "9" * 400, ":" + "9" * 400, "5766e9e8".ljust(33, "0"), "\u00b2", "\u0661", "\u0660:\u0661", "\uff11"),
]
"""What has nearly the form of an index, a range or an id, digits of other scripts included; or is out of range."""


@pytest.mark.parametrize("spec", WRONG, ids=lambda spec: ascii(spec)[:20])
def test_what_names_no_run_is_an_error(query: Query, spec: str) -> None:
    """Nothing is guessed: the message shows what was typed, on one line, and how runs are named."""
    with pytest.raises(SelectionError, match="could not find a run matching") as caught:
        select(query, [spec])
    assert "from 0 to 7" in str(caught.value.hint)
    assert "guild runs" in str(caught.value.hint)
    assert len(caught.value.message) < 200
    assert caught.value.message.isprintable()
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(("spec", "meant"), [("3:1", "1:3"), ("7:0", "0:7"), ("02:01", "1:2")])
def test_a_range_that_runs_backwards_is_an_error(query: Query, spec: str, meant: str) -> None:
    """It would select nothing; the message says what may have been meant."""
    with pytest.raises(SelectionError, match="its start is after its end") as caught:
        select(query, [spec])
    assert meant in str(caught.value.hint)


@pytest.mark.parametrize(("spec", "fits"), [("abc", ["abc10000", "abc20000"]), ("1234", ["12345678", "1234ffff"])])
def test_an_id_that_fits_several_runs_is_an_error(query: Query, spec: str, fits: list[str]) -> None:
    """They are listed, so that the next try is certain; a number with four digits is an id, too."""
    with pytest.raises(SelectionError, match=f"'{spec}' matches multiple runs") as caught:
        select(query, [spec])
    assert all(name in caught.value.message for name in fits)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("de1e7ed0", "is deleted: `guild runs restore`"),
        ("9d00", "was permanently deleted"),
        ("07be7", "belongs to another project: add --all"),
    ],
)
def test_a_run_that_is_elsewhere_is_an_error_that_says_where(query: Query, spec: str, why: str) -> None:
    """A run that exists, but is not among those that the command is about."""
    with pytest.raises(SelectionError, match=why):
        select(query, [spec])


def test_a_run_that_the_options_leave_out_is_an_error_that_says_so(index: Index) -> None:
    """With its status, so that the right option is at hand."""
    ended = Query(index, RunFilter(statuses=("completed",)))
    with pytest.raises(SelectionError, match=r"not among the runs that the given options select.*running"):
        select(ended, ["abc1"])
    trash = Query(index, RunFilter(place="deleted"))
    with pytest.raises(SelectionError, match="is not deleted"):
        select(trash, ["abc1"])
    assert _names(select(trash, ["0", "de1"])) == ["de1e7ed0"]


@pytest.mark.parametrize("specs", [["0", "1:x"], ["1:x", "0"], ["0:2", "zzz", "3"], [":", "-1"], ["0", ""]])
def test_one_wrong_word_selects_nothing_at_all(query: Query, specs: list[str]) -> None:
    """The right ones beside it are not taken: `rm 0 1:x` must not delete run 0."""
    with pytest.raises(SelectionError):
        select(query, specs)


def test_in_an_empty_listing_nothing_can_be_named(index: Index) -> None:
    """Not even by `:`, which means all."""
    nothing = Query(index, RunFilter(project="/nowhere"))
    for spec in ("0", "0:", ":0", "0:0", "abc1"):
        with pytest.raises(SelectionError):
            select(nothing, [spec])
    assert select(nothing, []) == []
    assert select(nothing, [":"]) == []


def test_the_hint_names_the_list_that_counts(query: Query) -> None:
    """Deleted runs are numbered in another list."""
    with pytest.raises(SelectionError) as caught:
        select(query, ["99"], "guild runs -d")
    assert "`guild runs -d`" in str(caught.value.hint)


# --- Against a naive search -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Give an index with so many runs that short beginnings of ids fit dozens, in three projects and the trash."""
    folder = tmp_path_factory.mktemp("crowd")
    ledger = make_ledger(folder)
    for number in range(400):
        name = sha256(b"%d" % number).hexdigest()[:32]
        _begin(ledger, name, ENDED, *([RunDeleted()] if number % 7 == 0 else []), project=f"/p{number % 40 // 13}")
    index = open_index(str(folder / "index"), ledger, print)
    yield index
    index.close()
    ledger.store.close()


def _naive(listing: list[RunRow], spec: str) -> list[RunRow] | None:
    """Return what a spec names in a listing, or None when it must be refused."""
    count = len(listing)
    if re.fullmatch(r"[0-9]+", spec) and int(spec) < count:
        return [listing[int(spec)]]
    ends = re.fullmatch(r"([0-9]*):([0-9]*)", spec)
    if ends:
        start, stop = int(ends[1] or 0), int(ends[2] or max(count - 1, 0))
        given = (ends[1] and start >= count) or (ends[2] and stop >= count) or (ends[1] and ends[2] and start > stop)
        return None if given else listing[start : stop + 1]
    fits = [row for row in listing if row.run_id.startswith(spec)]
    certain = len(fits) == 1 and spec and (len(spec) > 3 or not spec.isdecimal())
    return fits if certain else None


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(st.text("0123456789abcdef:x-", max_size=5), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 399), st.integers(1, 6)), max_size=2),
    st.builds(
        RunFilter,
        project=st.sampled_from(["/p0", "/p1", "/p2", "/p3", None]),
        place=st.sampled_from(PLACES[:2]),
        statuses=st.sampled_from([(), ("error",), ("running",)]),
    ),
)
@example(["1"], [], RunFilter(project="/p3", place="deleted"))
def test_what_is_selected_is_what_a_naive_search_selects(
    crowd: Index, specs: list[str], cut: list[tuple[int, int]], wanted: RunFilter
) -> None:
    """Also where a beginning of an id fits dozens of runs of which the listing holds one."""
    query = Query(crowd, wanted)
    listing = list(query.rows())
    everyone = [*Query(crowd, RunFilter()).rows(), *Query(crowd, RunFilter(place="deleted")).rows()]
    specs = [*specs, *(everyone[number].run_id[:length] for number, length in cut)]
    expected: list[RunRow] | None = []
    for spec in specs:
        named = _naive(listing, spec)
        expected = None if expected is None or named is None else [*expected, *named]
    if expected is None:
        with pytest.raises(SelectionError):
            select(query, specs)
    else:
        assert select(query, specs) == list(dict.fromkeys(expected))


def test_a_beginning_that_fits_many_is_certain_where_the_listing_holds_one(crowd: Index) -> None:
    """Runs elsewhere, however many there are, do not make a run of this listing ambiguous."""
    for project in ("/p0", "/p1", "/p2", "/p3"):
        query = Query(crowd, RunFilter(project=project, place="deleted"))
        listing = list(query.rows())
        for digit in "abcdef":
            fits = [row for row in listing if row.run_id.startswith(digit)]
            if len(fits) == 1:
                assert select(query, [digit]) == fits
            else:
                with pytest.raises(SelectionError, match="multiple" if fits else "could not find|is not deleted"):
                    select(query, [digit])
