"""The trials of a batch as a table: printed, or kept in a CSV file that `guild run @FILE` takes again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from commands.terminal import note, say
from ledger.errors import GuildError
from ledger.text import printable
from operations.flags import TEXT_TYPES, flow_text, parse_value
from operations.planning import flag_text
from operations.sequences import rule_of
from operations.templates import literal

if TYPE_CHECKING:
    from operations.definitions import FlagDef, FlagValue
    from operations.run_plan import RunPlan

_LONGEST = 60


def print_trials(plans: Sequence[RunPlan]) -> None:
    """Print a row for each trial, numbered from 0."""
    for line in _table(plans):
        say(line)


def save_trials(plans: Sequence[RunPlan], flags: Sequence[FlagDef], path: str) -> None:
    """Write the trials to a CSV file with a column for each flag, so that `@FILE` gives the same trials.

    Args:
        plans: the trials.
        flags: those that the operation defines: some have values that are the text as it stands.
        path: the file.

    Raises:
        GuildError: it cannot be written.
    """
    import csv

    names = _names(plans)
    defined = {flag.name: flag for flag in flags}
    try:
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows(
                [_saved(cast("FlagValue", plan.flags.get(name)), defined.get(name)) for name in names] for plan in plans
            )
    except OSError as error:
        raise GuildError(
            f"the trials cannot be written to {path!r}: {error.strerror}", hint="Give another file with --save-trials."
        ) from error
    note(f"Saved {len(plans)} trial(s) in {printable(path, 4096)}; run them with @{printable(path, 4096)}")


def _saved(value: FlagValue, flag: FlagDef | None) -> str:
    """Return a value as a cell that is read as just that value."""
    if value is None:
        # A cell that is empty gives no value, so the default would count.
        return "" if flag is None or flag.default is None else "null"
    if isinstance(value, list):
        return f"[{flow_text(value)}]"  # a list alone would be trials
    if not isinstance(value, str):
        return flow_text(value)
    value = str(literal(value))
    if flag is not None and flag.type in TEXT_TYPES:
        return f"[{flow_text(value)}]" if not value or isinstance(parse_value(value), list) else value
    return flow_text(value) if parse_value(value) != value or not value or rule_of("", value) is not None else value


def _table(plans: Sequence[RunPlan]) -> Iterator[str]:
    names = _names(plans)
    rows = [["#", *names]]
    rows += [[str(number), *(_cell(plan, name) for name in names)] for number, plan in enumerate(plans)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(names) + 1)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cell(plan: RunPlan, name: str) -> str:
    value = plan.flags.get(name)
    return "" if value is None else printable(flag_text(cast("FlagValue", value)), _LONGEST)


def _names(plans: Sequence[RunPlan]) -> list[str]:
    return sorted({name for plan in plans for name in plan.flags})
