"""The options that limit runs, once, for every command that takes runs: one help text, one meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from commands.lazy import completer
from ledger.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

SELECTION_HELP = """
\b
A RUN is one of
  INDEX        its number in the list that the same options give; 0 is the most recently started
  START:STOP   a range of numbers, both included; either may be left out (: is all)
  ID           a run id, or as much of its beginning as no other run has
"""

run_words = completer("commands.completing_runs:runs")
"""What a shell offers for a RUN; for a LABEL it is `label_words`."""

label_words = completer("commands.completing_runs:labels")

_STATUSES = (("E", "error"), ("T", "terminated"), ("C", "completed"), ("R", "running"), ("S", "staged"))


@dataclass(frozen=True, slots=True)
class Limits:
    """What the options said.

    Attributes:
        everywhere: `--all`: global scope.
        operations: `--op`, any of them.
        statuses: of `-E -T -C -R -S`, any of them.
        labels: `--label`, any of them.
        fresh: `--fresh`: indexes mean what they mean now, whatever an earlier list showed.
    """

    everywhere: bool
    operations: tuple[str, ...]
    statuses: tuple[str, ...]
    labels: tuple[str, ...]
    fresh: bool = False

    def given(self) -> bool:
        """Tell whether any option limits or widens the list."""
        return bool(self.everywhere or self.operations or self.statuses or self.labels)


def limiting(command: F) -> F:
    """Add the options that limit runs to a command; it receives them as one `limits` argument."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        statuses = tuple(status for _, status in _STATUSES if kwargs.pop(f"status_{status}"))
        for option, texts in (("--op", kwargs["operations"]), ("--label", kwargs["labels"])):
            if "" in texts:
                # An unset variable in a script must not select everything.
                raise UsageError(
                    f"{option} needs a text, and got an empty one", hint="Leave the option out for all runs."
                )
        limits = Limits(
            everywhere=kwargs.pop("everywhere"),
            operations=tuple(kwargs.pop("operations")),
            statuses=statuses,
            labels=tuple(kwargs.pop("labels")),
            fresh=kwargs.pop("fresh"),
        )
        return command(*args, limits=limits, **kwargs)

    wrapped.__doc__ = command.__doc__
    wrapped.__name__ = command.__name__
    wrapped.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]  # click's own
    for option in reversed(_options()):
        option(wrapped)
    return wrapped  # type: ignore[return-value]  # same command, fewer parameters


def _options() -> list[Callable[[Any], Any]]:
    found = [
        click.option("--fresh", is_flag=True, help="Take indexes as they are now, even if the list has changed."),
        click.option("-a", "--all", "everywhere", is_flag=True, help="All runs, not only those of this directory."),
        click.option(
            "-o", "--op", "--operation", "operations", metavar="TEXT", multiple=True,
            shell_complete=completer("commands.completing_runs:recorded_operations"),
            help="Runs whose operation contains TEXT; may be repeated (any of them).",
        ),
        click.option(
            "-l", "--label", "labels", metavar="TEXT", multiple=True, shell_complete=label_words,
            help="Runs whose label contains TEXT; may be repeated (any of them).",
        ),
    ]  # fmt: skip
    for letter, status in _STATUSES:
        text = f"Runs that are {status}." if status != "error" else "Runs that ended with an error."
        found.append(click.option(f"-{letter}", f"--{status}", f"status_{status}", is_flag=True, help=text))
    return found


yes_option = click.option("-y", "--yes", is_flag=True, help="Go on without showing the runs and asking.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
