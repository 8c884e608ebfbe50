"""Laws of merging, on random ledgers of three machines: in any order, grouped in any way and repeated, one result."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import TransitionError
from ledger.events.book import LedgerImported
from projections.comparing import difference
from projections.rebuild import rebuild_in_memory
from tests.kit import NOON, SECOND, Ticking, append, happens
from tests.merge_kit import copied, known, machine, merged, said
from tests.run_model import KINDS, RELAXED, Action, event_of

if TYPE_CHECKING:
    from ledger.log import Ledger

NAMES = ("one", "two", "three")
who = st.integers(0, 2)
steps = st.lists(
    st.one_of(
        st.tuples(who, st.builds(Action, st.integers(0, 1), st.sampled_from(KINDS), st.integers(0, 11))),
        st.tuples(who, who),
    ),
    min_size=5,
    max_size=25,
)


class World:
    """Three machines, whose clocks show the same time at times, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        # The third machine's clock is behind; ties are decided by the origins.
        self.machines = [machine(folder, name, Ticking(NOON - 5 * SECOND * (name == "three"))) for name in NAMES]
        self.made = [*self.machines]

    def copy(self, number: int) -> Ledger:
        """Return a copy of a machine's ledger as it is."""
        self.count += 1
        ledger = self.machines[number]
        self.made.append(copied(ledger, self.folder, f"copy-{self.count}", Ticking(NOON + 9999 * SECOND)))
        return self.made[-1]

    def live(self, script: list[tuple[int, Action | int]]) -> None:
        """Let the machines do what the script says: act, or take in what another one holds."""
        for number, what in script:
            if isinstance(what, int):
                if what != number:
                    merged(self.machines[number], self.machines[what], verified=False)
                continue
            try:
                owner = number if what.kind in _BEGIN else what.choice % 3
                append(self.machines[number], happens(10 * owner + what.run, event_of(what)))
            except TransitionError:
                continue


_BEGIN = ("start", "stage", "import")
"""A run begins on one machine: ids are random. Which one a script acts on later is any that it may know."""


@pytest.fixture(name="base", scope="module")
def base_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder for all examples."""
    return tmp_path_factory.mktemp("worlds")


@given(script=steps)
@settings(RELAXED, max_examples=6)
def test_merging_is_commutative_associative_and_idempotent(base: Path, script: list[tuple[int, Action | int]]) -> None:
    """(A+B)+C, (B+C)+A, A+(C+B) hold the same of each origin, and say the same of every run; again changes nothing."""
    folder = Path(tempfile.mkdtemp(dir=base))
    world = World(folder)
    world.live(script)
    results = []
    for order in ((0, 1, 2), (1, 2, 0), (2, 1, 0)):
        first = world.copy(order[0])
        for number in order[1:]:
            merged(first, world.machines[number], verified=False)
        results.append(first)
    nested, inner = world.copy(0), world.copy(2)
    merged(inner, world.machines[1], verified=False)
    merged(nested, inner)
    results.append(nested)
    before = list(nested.store.transactions())
    for number in (0, 1, 2):
        assert merged(nested, world.machines[number], verified=False).transactions == 0
    assert list(nested.store.transactions()) == before
    for result in results[1:]:
        assert said(result) == said(results[0])
        assert known(result) == known(results[0])
    with closing(rebuild_in_memory(nested).db) as database:
        assert database.execute("SELECT count(*) FROM run").fetchone()[0] == _begun(nested)
    for ledger in world.made:
        ledger.store.close()
    shutil.rmtree(folder)


def _begun(ledger: Ledger) -> int:
    return len({event.stream for event in ledger.store.events() if event.stream.startswith("run/")})


@given(script=steps, batch=st.integers(1, 7))
@settings(RELAXED, max_examples=4)
def test_a_merged_ledger_folds_alike_in_batches_of_any_size(
    base: Path, script: list[tuple[int, Action | int]], batch: int
) -> None:
    """However the events of several origins are cut into batches, a run that two of them began is one run."""
    from projections import index

    folder = Path(tempfile.mkdtemp(dir=base))
    world = World(folder)
    world.live([*script, (0, 1), (0, 2)])
    usual = index.BATCH
    whole = rebuild_in_memory(world.machines[0])
    try:
        index.BATCH = batch
        assert difference(whole, world.machines[0]) is None
    finally:
        index.BATCH = usual
    told = [event for event in world.machines[0].store.events() if event.type == LedgerImported.type]
    assert len(told) >= 1
    whole.close()
    for ledger in world.made:
        ledger.store.close()
    shutil.rmtree(folder)
