"""`guild check --repair` killed at any step: it leaves nothing worse, and the next repair ends what it began."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from projections.files import current_file
from tests.crash_checks import (
    Kits,
    Prepared,
    check_all,
    kits_fixture,  # noqa: F401 - a fixture
    pair_prepared_fixture,  # noqa: F401 - a fixture
    read_tree,
)
from tests.crash_kit import Kit, Trouble, share

STRANGER = "ab" * 16
REPAIR = ("check", "--repair")


@pytest.fixture(scope="module")
def broken(kits: Kits, prepared: Prepared) -> str:
    """Give a home in which much is wrong, all of it safe to mend, and one thing that belongs to nobody."""
    kit = kits[0]
    home = kit.copy(prepared.home)
    purge = kit.guild(home, "runs", "purge", prepared.runs["d"], "-y", trouble=Trouble("die", 1, "purge.measure"))
    assert purge.died
    path = Path(home)
    os.rename(path / "runs" / prepared.runs["a"], path / "trash" / prepared.runs["a"])
    os.rename(path / "trash" / prepared.runs["e"], path / "runs" / prepared.runs["e"])
    Path(str(current_file(str(path / "index")))).write_bytes(b"garbage" * 999)
    for name in (f"leases/{STRANGER}", "ledger.db-new", "index/.building.db"):
        (path / name).write_text("left")
    os.makedirs(path / "sources/.new-1/files")
    os.utime(path / "sources/.new-1", (0, 0))
    (path / "runs" / STRANGER).mkdir()
    (path / "runs" / STRANGER / "model").write_text("precious")
    return home


def judge(kit: Kit, prepared: Prepared, home: str) -> None:
    """Repair to the end, and check that all is mended, and what belongs to nobody is where it was."""
    result = kit.guild(home, *REPAIR)
    assert (result.code, "Traceback" in result.err) == (3, False), result
    assert result.out.count("PROBLEM") == 1, result.out
    again = kit.guild(home, "check")
    assert (again.out.count("PROBLEM"), again.out.count("note ")) == (1, 0), again.out
    orphan = Path(home, "runs", STRANGER)
    assert read_tree(str(orphan)) == {"model": b"precious"}
    shutil.rmtree(orphan)
    check_all(home, {run: tree for run, tree in prepared.trees.items() if run != prepared.runs["d"]})
    kit.drop(home)


def test_a_kill_at_any_step_of_a_repair_leaves_nothing_worse(kits: Kits, prepared: Prepared, broken: str) -> None:
    """At each seam in turn; the same findings or fewer afterwards, and one more repair ends it."""
    whole = kits[0].guild(kits[0].copy(broken), *REPAIR)
    assert whole.out.count("MENDED") >= 7, whole
    assert len(whole.seams) > 20

    def crash(kit: Kit, at: int) -> None:
        home = kit.copy(broken)
        assert kit.guild(home, *REPAIR, trouble=Trouble("die", at)).died
        judge(kit, prepared, home)

    share(kits, crash, range(1, len(whole.seams) + 1))


def test_repairs_at_once_agree(kits: Kits, prepared: Prepared, broken: str) -> None:
    """Two of them, and commands beside them: none fails, and the home is in order afterwards."""
    kit = kits[0]
    home = kit.copy(broken)
    with kit.together():
        processes = [kit.start(home, *words) for words in (REPAIR, REPAIR, ("runs",), ("label", "0", "x", "-y"))]
    results = [process.wait() for process in processes]
    assert [result.code for result in results[2:]] == [0, 0], results
    assert not any("Traceback" in result.err for result in results)
    judge(kit, prepared, home)
