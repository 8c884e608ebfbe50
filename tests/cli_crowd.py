"""A home whose runs have known ids and one of everything that runs are limited by, written through the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ledger.events.life import RunDeleted, RunStatusChanged
from ledger.events.notes import RunCommented, RunLabeled, RunMarked, RunProtected, RunTagged
from ledger.events.start import RunStarted
from ledger.ids import RunId, run_stream
from ledger.transaction import NewEvent
from tests.cli_kit import Guild, make_project
from tests.kit import SECOND, Ticking, append, make_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.events.base import Event

LIVE = tuple(text.ljust(32, "0") for text in ("a1aa", "a1bb", "c2c2", "d3d3", "e4e4"))
"""Ids of the live runs, the most recently started first. Run 3 is of another project; run 4 is completed, the others
run on another machine; so in the project's scope index 3 is run 4."""

DELETED = tuple(text.ljust(32, "5") for text in ("f1aa", "f1bb", "c6c6", "d7d7", "e8e8"))
"""Ids of the deleted runs: the same as the live ones, but all of them completed."""

_DAY = 86_400 * SECOND


def crowd(folder: Path, *, noted: bool = False) -> Guild:
    """Return the command in a project with such a home; with `noted` every run is marked and protected."""
    project = make_project(folder / "project", "{name: m, operations: {train: work, test: work}}\n", work="")
    home = folder / "home"
    clock = Ticking()
    ledger = make_ledger(home, clock)
    for number in range(4, -1, -1):
        clock.now += _DAY
        for ids, place in ((DELETED, "trash"), (LIVE, "runs")):
            run_id = ids[number]
            events = [*_life(number, project)]
            if place == "trash" or number == 4:
                events += [RunStatusChanged("completed", 0)]
            append(ledger, *(_of(run_id, event) for event in events))
            own = home / place / run_id / ".guild"
            own.mkdir(parents=True)
            (own / "output").write_text(f"{run_id}\n")
    append(ledger, *(_of(run_id, RunDeleted()) for run_id in DELETED))
    if noted:
        append(ledger, *(_of(run_id, RunMarked(marked=True)) for run_id in LIVE))
        append(ledger, *(_of(run_id, RunProtected(protected=True)) for run_id in (*LIVE, *DELETED)))
    ledger.store.close()
    guild = Guild(home, project)
    guild.ok("runs")
    return guild


def _of(run_id: str, event: Event) -> NewEvent:
    return NewEvent(run_stream(RunId(run_id)), event)


def _life(number: int, project: Path) -> Iterator[Event]:
    yield RunStarted(
        project=str(project.with_name("other") if number == 3 else project),
        package=None,
        model="m",
        operation="test" if number == 1 else "train",
        command=("python",),
        flags={"lr": number / 10},
        sources={"digest": f"{number}{number}" * 32},
    )
    if number == 1:
        yield RunTagged(("paper",))
        yield RunCommented("look at this")
    else:
        yield RunLabeled(f"label {number}")
    if number == 2:
        yield RunMarked(marked=True)
