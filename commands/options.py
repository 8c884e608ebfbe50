"""The options that limit runs, once, for every command that takes runs: one help text, one meaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import click

from commands.lazy import completer
from ledger.dataclass import dataclass, replace
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

tag_words = completer("commands.completing_runs:tags")
"""What a shell offers for a TAG."""

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
        unlabeled: `--unlabeled`.
        tags: `--tag`, any of them.
        marked: `--marked` or `--unmarked`, None for neither.
        comments: `--comment`, any of them.
        started: `--started` as written.
        digest: `--digest` as written.
        expression: all of `--filter`, joined.
        at: `--at` as written, of commands that take it.
        archive: `--archive` as written, of commands that take it.
    """

    everywhere: bool
    operations: tuple[str, ...]
    statuses: tuple[str, ...]
    labels: tuple[str, ...]
    fresh: bool = False
    unlabeled: bool = False
    tags: tuple[str, ...] = ()
    marked: bool | None = None
    comments: tuple[str, ...] = ()
    started: str = ""
    digest: str = ""
    expression: str = ""
    at: str = ""
    archive: str = ""

    def given(self) -> bool:
        """Tell whether any option limits or widens the list."""
        return replace(self, fresh=False) != _NONE


_NONE = Limits(everywhere=False, operations=(), statuses=(), labels=())
_TEXTS = (
    ("--op", "operations"), ("--label", "labels"), ("--tag", "with_tags"), ("--comment", "with_comments"),
    ("--filter", "filters"), ("--started", "started_within"), ("--digest", "with_digest"), ("--at", "at"),
    ("--archive", "in_archive"),
)  # fmt: skip


def taken_limits(params: dict[str, Any]) -> Limits:
    """Take the limits out of the parameters of a command; one that is not among them limits nothing."""
    filters: tuple[str, ...] = tuple(params.pop("filters", None) or ())
    return Limits(
        everywhere=bool(params.pop("everywhere", False)),
        operations=tuple(params.pop("operations", None) or ()),
        statuses=tuple(status for _, status in _STATUSES if params.pop(f"status_{status}", False)),
        labels=tuple(params.pop("labels", None) or ()),
        fresh=bool(params.pop("fresh", False)),
        unlabeled=bool(params.pop("without_label", False)),
        tags=tuple(params.pop("with_tags", None) or ()),
        marked=params.pop("with_mark", None),
        comments=tuple(params.pop("with_comments", None) or ()),
        started=params.pop("started_within", None) or "",
        digest=params.pop("with_digest", None) or "",
        at=params.pop("at", None) or "",
        archive=params.pop("in_archive", None) or "",
        expression=filters[0] if len(filters) == 1 else " and ".join(f"({text})" for text in filters),
    )


def in_place_of(command: F, wrapped: Callable[..., Any], options: Sequence[Callable[[Any], Any]]) -> F:
    """Return `wrapped` as the command that it calls: with its help, its options so far, and these before."""
    wrapped.__doc__ = command.__doc__
    wrapped.__name__ = command.__name__
    wrapped.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]  # click's own
    for option in reversed(options):
        option(wrapped)
    return cast("F", wrapped)


def refuse_no_column(option: str, *texts: str, example: str) -> None:
    """Refuse an option without the column that it is about, which a script may have left empty.

    Raises:
        UsageError: one of the texts is blank.
    """
    if not all(map(str.strip, texts)):
        raise UsageError(f"{option} needs a column, and got an empty one", hint=f"Example: {option} {example}.")


def limiting(command: F) -> F:
    """Add the options that limit runs to a command; it receives them as one `limits` argument."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        for option, name in _TEXTS:
            given = kwargs.get(name)
            if given == "" or (isinstance(given, tuple) and "" in given):
                # An unset variable in a script must not select everything.
                raise UsageError(
                    f"{option} needs a text, and got an empty one", hint="Leave the option out for all runs."
                )
        limits = taken_limits(kwargs)
        return command(*args, limits=limits, **kwargs)

    return in_place_of(command, wrapped, _options())


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
        click.option("--unlabeled", "without_label", is_flag=True, help="Runs without a label."),
        click.option(
            "--tag", "with_tags", metavar="TAG", multiple=True, shell_complete=tag_words,
            help="Runs with TAG; may be repeated (any of them).",
        ),
        click.option("--marked/--unmarked", "with_mark", default=None, help="Runs that are marked, or are not."),
        click.option(
            "--comment", "with_comments", metavar="TEXT", multiple=True,
            help="Runs with a comment that contains TEXT; may be repeated (any of them).",
        ),
        click.option(
            "--started", "started_within", metavar="RANGE",
            help="Runs started in a range of time, such as 'last 2 hours' or 'after 7-1'.",
        ),
        click.option("--digest", "with_digest", metavar="TEXT", help="Runs of the source code of this digest."),
        click.option(
            "-F", "--filter", "filters", metavar="EXPR", multiple=True,
            help="Runs for which EXPR holds, such as 'acc > 0.9 and batch-size in [100, 200]'; of several, all must.",
        ),
    ]  # fmt: skip
    for letter, status in _STATUSES:
        text = f"Runs that are {status}." if status != "error" else "Runs that ended with an error."
        found.append(click.option(f"-{letter}", f"--{status}", f"status_{status}", is_flag=True, help=text))
    return found


moment_words = completer("commands.completing_transactions:moments")

at_option = click.option(
    "--at", metavar="TIME|SEQ|TXN", shell_complete=moment_words,
    help="As of then: a time, or a transaction's number or id as in `guild log`. The ledger is replayed up to it.",
)  # fmt: skip
"""For commands that only show what is recorded of runs; it comes in with the limits."""

archive_option = click.option(
    "--archive", "in_archive", metavar="FILE", shell_complete=completer("commands.completing:files"),
    help="The runs in FILE, made by `guild runs export`: all of them, whatever the directory. Nothing is imported.",
)  # fmt: skip
"""For commands that only show runs; it comes in with the limits."""

yes_option = click.option("-y", "--yes", is_flag=True, help="Go on without showing the runs and asking.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
