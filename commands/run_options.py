"""The options of `guild run`, once for all the ways in which a run can be started."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from commands.lazy import completer
from commands.options import in_place_of, label_words, run_words
from ledger.dataclass import dataclass, names
from ledger.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

_DIRECTORIES = completer("commands.completing:directories")
_FILES = completer("commands.completing:files")
_STAGED = completer("commands.completing_runs:staged_runs")
_ENDED = completer("commands.completing_runs:ended_runs")

_SECONDS = {"": 60.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the options of `guild run` said; the names are those of the options."""

    yes: bool
    label: str | None
    tags: tuple[str, ...]
    print_cmd: bool
    print_env: bool
    print_trials: bool
    save_trials: str | None
    help_op: bool
    help_model: bool
    force_flags: bool
    edit_flags: bool
    stage: bool
    start: tuple[str, ...]
    restart: str | None
    proto: str | None
    background: bool
    needed: bool
    jobs: int
    max_trials: int | None
    random_seed: int | None
    stop_after: float | None
    gpus: str | None
    no_gpus: bool
    quiet: bool
    fresh: bool
    run_dir: str | None

    @property
    def shows_only(self) -> bool:
        """Whether they ask to see or keep what would be started, and to start nothing."""
        return bool(self.print_cmd or self.print_env or self.print_trials or self.save_trials)


class _Duration(click.ParamType[float]):
    """A time: a number of minutes, or of another unit (`90s`, `2h`)."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, float):
            return value
        found = _DURATION.fullmatch(str(value))
        if found is None or float(found[1]) == 0:
            self.fail(
                f"{value!r} is no time: expected minutes (10), or a number with s, m, h or d (90s, 2h)", param, ctx
            )
        return float(found[1]) * _SECONDS[found[2]]


def run_options(command: F) -> F:
    """Add the options of `guild run` to a command; it receives them as one `options` argument."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        given = {name: kwargs.pop(name) for name in names(RunOptions)}
        options = RunOptions(**given)
        _refuse_contradictions(options)
        return command(*args, options=options, **kwargs)

    return in_place_of(command, wrapped, _OPTIONS)


def _refuse_contradictions(options: RunOptions) -> None:
    given = {name for name, said in _said(options).items() if said}
    for first, others in _CONTRADICTIONS.items():
        for other in others.split():
            if {first, other} <= given:
                hint = _HINTS.get((first, other), "Give one of them.")
                raise UsageError(f"{first} and {other} cannot be used together", hint=hint)
    if options.run_dir == "":
        raise UsageError("--run-dir needs a path, and got an empty one", hint="Leave it out to run in guild's home.")
    if (options.label is not None and not options.label.strip()) or "" in options.tags:
        raise UsageError("the label or tag is empty", hint="Leave the option out to start a run without one.")


def _said(options: RunOptions) -> dict[str, bool]:
    """Return for each option that may contradict another whether it was given."""
    names = [*_CONTRADICTIONS, *" ".join(_CONTRADICTIONS.values()).split()]
    return {name: getattr(options, name[2:].replace("-", "_")) not in (None, False, ()) for name in names}


_WHEN_STARTED = ("--stop-after", "--gpus", "--no-gpus")
_WHICH_RUN = ("--start", "--restart")
_OF_NEW_RUNS = (
    "--run-dir --needed --edit-flags --max-trials --random-seed --save-trials --print-trials --help-op --help-model"
)
_CONTRADICTIONS = {
    "--stage": "--start --restart --run-dir --background --stop-after --gpus --no-gpus",
    "--start": f"--restart --proto {_OF_NEW_RUNS}",
    "--restart": f"--proto --background {_OF_NEW_RUNS}",
    "--background": "--run-dir",
    "--gpus": "--no-gpus",
}
_HINTS = {
    **{("--stage", name): "Give it when the run is started, with --start." for name in _WHEN_STARTED},
    **{
        (name, option): "Name the operation instead of a run: guild run OPERATION --help-op."
        for name in _WHICH_RUN
        for option in ("--help-op", "--help-model")
    },
    **{(name, "--edit-flags"): "Use --proto RUN --edit-flags for a run with other flags." for name in _WHICH_RUN},
}


def _flag(*names: str, text: str) -> Callable[[Any], Any]:
    return click.option(*names, is_flag=True, help=text)


_OPTIONS = (
    _flag("-y", "--yes", text="Start without asking."),
    click.option("-l", "--label", metavar="TEXT", shell_complete=label_words, help="Label of the run."),
    click.option("-t", "--tag", "tags", metavar="TEXT", multiple=True, help="Tag of the run; may be repeated."),
    click.option("-j", "--jobs", metavar="N", type=click.IntRange(1, 256), default=1, help="Run N trials at a time."),
    click.option(
        "-m", "--max-trials", metavar="N", type=click.IntRange(min=1), help="Run at most N trials, chosen at random."
    ),
    click.option(
        "--random-seed", metavar="N", type=int, help="What chance begins with; the same seed, the same trials."
    ),
    _flag("--print-trials", text="Print the trials as a table, and start nothing."),
    click.option(
        "--save-trials",
        metavar="FILE",
        shell_complete=_FILES,
        help="Write the trials to a CSV file, and start nothing.",
    ),
    _flag("--stage", text="Prepare the run, to be started later with --start."),
    click.option(
        "--start",
        metavar="RUN",
        multiple=True,
        shell_complete=_STAGED,
        help="Start a staged run (index, range or id); may be repeated.",
    ),
    click.option(
        "--restart",
        metavar="RUN",
        shell_complete=_ENDED,
        help="Start a run that has ended again, in its own directory.",
    ),
    click.option(
        "--proto",
        metavar="RUN",
        shell_complete=run_words,
        help="Take operation and flags over from a run, where none are given.",
    ),
    _flag("--background", text="Return at once; `guild watch` follows the run, `guild stop` ends it."),
    _flag("--needed", text="Do nothing when an equal run has completed or is running."),
    click.option(
        "--stop-after", metavar="TIME", type=_Duration(), help="Stop the run after so many minutes (or 90s, 2h)."
    ),
    click.option("--gpus", metavar="LIST", help="Let the run see only these devices (CUDA_VISIBLE_DEVICES)."),
    _flag("--no-gpus", text="Let the run see no such devices."),
    _flag("-q", "--quiet", text="Do not show the output; it is captured all the same."),
    click.option(
        "-d", "--run-dir", metavar="DIR", shell_complete=_DIRECTORIES, help="Run in DIR; the run is not recorded."
    ),
    _flag("--fresh", text="Take the index of a RUN as it is now, even if the list has changed."),
    _flag("--print-cmd", text="Print the command of the process, and start nothing."),
    _flag("--print-env", text="Print what is added to the environment, and start nothing."),
    _flag("--edit-flags", text="Edit the flags in your editor first."),
    _flag("--help-op", text="Show help for the operation and its flags."),
    _flag("--help-model", text="Show help for the operation's model."),
    _flag("--force-flags", text="Accept flags that the operation does not define, and values that do not fit."),
)
