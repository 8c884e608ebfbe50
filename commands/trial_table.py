"""The trials of a batch as a table: printed, or kept in a CSV file that `guild run @FILE` takes again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from commands.terminal import note, say
from ledger.errors import GuildError
from ledger.text import printable
from operations.planning import flag_text

if TYPE_CHECKING:
    from operations.run_plan import RunPlan

_LONGEST = 60


def print_trials(plans: Sequence[RunPlan]) -> None:
    """Print a row for each trial, numbered from 0."""
    for line in _table(plans):
        say(line)


def save_trials(plans: Sequence[RunPlan], path: str) -> None:
    """Write the trials to a CSV file with a column for each flag; a flag without a value is an empty cell.

    Raises:
        GuildError: it cannot be written.
    """
    import csv

    names = _names(plans)
    try:
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows([plan.flag_texts.get(name, "") for name in names] for plan in plans)
    except OSError as error:
        raise GuildError(
            f"the trials cannot be written to {path!r}: {error.strerror}", hint="Give another file with --save-trials."
        ) from error
    note(f"Saved {len(plans)} trial(s) in {printable(path, 4096)}; run them with @{printable(path, 4096)}")


def _table(plans: Sequence[RunPlan]) -> Iterator[str]:
    names = _names(plans)
    rows = [["#", *names]]
    rows += [[str(number), *(_cell(plan, name) for name in names)] for number, plan in enumerate(plans)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(names) + 1)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cell(plan: RunPlan, name: str) -> str:
    value = plan.flags.get(name)
    return "" if value is None else printable(flag_text(value), _LONGEST)  # type: ignore[arg-type]  # a flag's value


def _names(plans: Sequence[RunPlan]) -> list[str]:
    return sorted({name for plan in plans for name in plan.flags})
