"""The benchmark itself: with small numbers it produces every figure that the page promises. No time is looked at."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.plan import quick
from benchmarks.report import page, table_row
from benchmarks.samples import Figure, Samples
from benchmarks.starting import FILTERS

ROOT = Path(__file__).resolve().parent.parent
EXPECTED = (
    "`guild --version`",
    "`guild runs`, the first command in a new home",
    "`guild runs -n 20`, 20 runs",
    "`guild runs -n 20`, 50 runs",
    "`guild runs -n 20`, 300 runs",
    "`guild runs -n 20`, 300 runs",
    "`guild runs -n 20` in one of 5 projects, 300 runs",
    "`guild runs -n 20 -E`, 300 runs",
    "`guild runs info ID`, 300 runs",
    *(f"`guild runs -n 20 {shlex.join(words)}`, 300 runs" for words in FILTERS),
    "`guild compare --csv -n 100`, 50 runs",
    "`guild compare --csv -n 100 --max lr`, 50 runs",
    "`guild compare --csv -n 100`, 300 runs",
    "`guild compare --csv -n 100 --max lr`, 300 runs",
    "`guild label ID good`, 300 runs",
    "`guild runs rm ID -y`, 300 runs",
    "`guild runs restore ID -y`, 300 runs",
    "`guild runs rm 0:29 -y`, 300 runs",
    "`guild runs restore 0:29 -y`, 300 runs",
    "`guild run train -y`",
    "what `guild run` adds",
    "a trial of a batch of 4",
    "a trial of a batch -j 2 of 4",
    "what it adds in a home with 300 runs",
    "one event appended, 300 runs",
    "rebuild, N events, in large transactions",
    "verify, N events, in large transactions",
    "rebuild, N events, each a transaction",
    "verify, N events, each a transaction",
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Run the benchmark with small numbers; give what it printed and the page that it wrote."""
    folder = tmp_path_factory.mktemp("benchmark")
    output = folder / "performance.md"
    argv = [sys.executable, "-m", "benchmarks", "--quick", "--cache", str(folder / "cache"), "--output", str(output)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert os.listdir(folder / "cache") != []
    return done.stdout, output


def named(rows: list[str]) -> list[str]:
    """Return what the rows of a table measure, without the numbers of events and bytes."""
    names = (row.split(" | ")[0].removeprefix("| ") for row in rows)
    return [re.sub(r"[\d,]+ events", "N events", re.sub(r" \(\d+ bytes\)", "", name)) for name in names]


def test_every_figure_is_measured(written: tuple[str, Path]) -> None:
    """None is left out because something else changed: each row of the table is there, in its order."""
    assert tuple(named(written[0].splitlines())) == EXPECTED


def test_the_page_has_every_figure_and_the_conditions(written: tuple[str, Path]) -> None:
    """The table is that which was printed; versions and cores stand beside it, paths and host names do not."""
    printed, path = written
    text = path.read_text(encoding="utf-8")
    assert printed in text
    assert f"Python {'.'.join(map(str, sys.version_info[:3]))}" in text
    assert "SQLite" in text
    assert str(ROOT) not in text
    assert str(path.parent) not in text
    assert os.uname().nodename not in text.split()


def test_nothing_is_left_behind_but_the_cache(written: tuple[str, Path]) -> None:
    """Copies of homes are gone at the end; the homes themselves are kept for another time."""
    names = os.listdir(written[1].parent / "cache")
    assert [name for name in names if name.startswith("scratch")] == []
    assert len([name for name in names if name.startswith("home")]) == 4


@pytest.mark.parametrize(
    ("budget", "rate", "kept"),
    [(2.0, False, "yes"), (1.9, False, "**no**"), (0.5, True, "yes"), (0.51, True, "**no**")],
)
def test_a_budget_that_is_not_kept_is_shown_as_such(*, budget: float, rate: bool, kept: str) -> None:
    """A budget is the most for a ratio of times, and the least for a ratio of rates."""
    figure = Figure("it", Samples((4.0, 2.0)), "a bare it", Samples((2.0, 1.0)), budget, rate)
    assert table_row(figure).endswith(f"| {kept} |")
    text = page([figure], quick("/cache", "/scratch", None))
    assert ("Not kept: it" in text) is (kept != "yes")


def test_what_is_added_is_taken_round_by_round() -> None:
    """The difference of two commands is that of the same round, so that a slow moment meets both."""
    assert Samples((5.0, 9.0)).over(Samples((1.0, 4.0))).seconds == (4.0, 5.0)
