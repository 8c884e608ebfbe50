"""What tests of the places of run directories share: a home, and runs in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from artifacts.home import Home
from artifacts.places import Place
from ledger.ids import RunId, new_run_id


@pytest.fixture(name="home")
def home_fixture(tmp_path: Path) -> Home:
    """Give an empty home."""
    home = Home(str(tmp_path / "home"))
    home.ensure()
    return home


def make_run(home: Home, place: Place = Place.LIVE) -> RunId:
    """Make a run directory with some files, one of them in a protected folder."""
    run_id = new_run_id()
    top = Path(home.root, place, run_id)
    (top / ".guild").mkdir(parents=True)
    (top / ".guild" / "output").write_bytes(b"x" * 100)
    (top / "model").mkdir()
    (top / "model" / "weights").write_bytes(b"y" * 20)
    (top / "model").chmod(0o500)
    return run_id


def contents(home: Home, run_id: RunId, place: Place) -> list[str]:
    """Return the files of a run in a place."""
    top = Path(home.root, place, run_id)
    return sorted(str(path.relative_to(top)) for path in top.rglob("*") if not path.is_dir())


FILES = [".guild/output", "model/weights"]
