"""Starting runs that are there already: staged ones, and ended ones in their own directory; new ones like an old."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import click

from commands.app import App
from commands.catalogs import catalog_of
from commands.change import refuse_moved
from commands.run_one import execute
from commands.run_options import RunOptions
from commands.run_setting import setting_of
from commands.run_shown import show_only
from commands.terminal import confirm, note, warn
from ledger.dataclass import replace
from ledger.errors import GuildError, UsageError
from ledger.ids import RunId, run_stream
from ledger.registry import current_body
from ledger.text import printable
from operations.definitions import FlagDef
from operations.flags import parse_assignments, resolve_flags
from operations.planning import plan_run, split_overrides, with_dependencies
from operations.run_plan import AGAIN, STAGED
from operations.templates import literal
from operations.trials import plan_trials
from projections.query import RunRow
from projections.schema import LIVE

if TYPE_CHECKING:
    from ledger.canonical import Value
    from operations.catalog import Catalog, Found
    from operations.definitions import FlagValue
    from operations.run_plan import RunPlan


class Beginning(NamedTuple):
    """What the ledger knows of how a run was staged or last started."""

    project: str | None
    package: str | None
    model: str
    operation: str
    flags: dict[str, FlagValue]
    batch: str | None
    proto: str | None
    overrides: dict[str, str] | None
    label: str | None
    tags: tuple[str, ...]


class Proto(NamedTuple):
    """The run that a new one takes operation and flags over from, and those flags."""

    run_id: RunId
    flags: dict[str, FlagValue]


def start_staged(app: App, options: RunOptions) -> int:
    """Start staged runs: in the order in which they were staged, or that in which each of them is named."""
    rows = _selected(app, options.start, ("staged",))
    if not rows:
        raise GuildError("there is no staged run to start", hint="`guild runs --staged` lists them.")
    if len(rows) != len(options.start):  # runs that are named one by one start in the order in which they are named
        rows.sort(key=lambda row: row.started)  # what was staged at once stays in the order it has
    if options.shows_only:
        stager = Stager(app, options)
        return show_only(app, [stager.plan(row.run_id) for row in rows], options)
    refuse_moved(app, yes=options.yes)
    if not options.yes and not _confirmed(app, rows, "start"):
        return 0
    if options.background:
        from commands.background import start_runs_in_background

        Stager(app, options).plan(rows[0].run_id)  # what refuses it is told here, where somebody reads it
        return start_runs_in_background(app, [row.run_id for row in rows], options)
    if len(rows) == 1 and options.jobs == 1:
        return execute(app, Stager(app, options).plan(rows[0].run_id))
    from commands.batch import run_batch

    return run_batch(app, [row.run_id for row in rows], options)


def restart_run(app: App, words: Sequence[str], options: RunOptions) -> int:
    """Start a run that has ended again, in its own directory, with other flags where they are given."""
    row = _one(app, options.restart or "", ("completed", "error", "terminated", "staged"))
    if row.status == "staged" and words:
        raise GuildError("the flags of a staged run are fixed", hint="Use --proto RUN to start a run with other flags.")
    plan = Stager(app, options).plan(row.run_id, words, follows=STAGED if row.status == "staged" else AGAIN)
    if options.shows_only:
        return show_only(app, [plan], options)
    refuse_moved(app, yes=options.yes)
    if not options.yes and not _confirmed(app, [row], "start again"):
        return 0
    return execute(app, plan)


def taken_over(app: App, operation: str | None, options: RunOptions) -> tuple[Found, Proto]:
    """Return what `--proto RUN` means: the operation, unless another is named, and the flags of the run."""
    row = _one(app, options.proto or "", ())
    from commands.selecting import tell_moved

    tell_moved(app)
    begun = beginning_of(app, row.run_id)
    if operation is not None:
        found = catalog_of(app).find(operation)
    else:
        found = catalog_of(app, _project_of(begun, app)).of_run(begun.package, begun.model, begun.operation)
    known = {flag.name for flag in found.operation.flags}
    left = [] if options.force_flags else [name for name in begun.flags if name not in known]
    if left:
        names = ", ".join(f"'{printable(name)}'" for name in left)
        warn(f"not taken over from run {row.run_id[:8]}: {names}, which operation '{found.name}' has no flag for")
    return found, Proto(row.run_id, {name: literal(value) for name, value in begun.flags.items() if name not in left})


def _project_of(begun: Beginning, app: App) -> str:
    """Return the directory in which a run's operation is looked for.

    Raises:
        GuildError: it is gone.
    """
    if begun.project is not None and not os.path.isdir(begun.project):
        raise GuildError(f"the project {begun.project!r} is not there any more", hint="Bring the directory back.")
    return begun.project or app.cwd


def beginning_of(app: App, run_id: RunId) -> Beginning:
    """Return how a run was staged or started, its flags those of the latest start.

    Raises:
        GuildError: the ledger has no such run.
    """
    body: dict[str, object] = {}
    tags: set[str] = set()
    replaced: dict[str, str] = {}
    for row in app.ledger.store.stream_events([run_stream(run_id)]):
        if row.type not in _TOLD_BY or row.body is None:
            continue
        told = current_body(row.type, row.schema_version, row.body)
        if row.type == "run.tagged":
            tags = (tags | {*cast("list[str]", told["added"])}) - {*cast("list[str]", told["removed"])}
        elif row.type == "run.dependencies_resolved":
            replaced = _replaced(told["dependencies"])
        else:
            body |= told
    if not body:
        raise GuildError(f"run {run_id[:8]} has no start on record", hint="`guild log` shows what was recorded.")
    if replaced:  # what was said at the latest start of a run counts for its next one too
        body["overrides"] = replaced
    values = [body.get(name) for name in Beginning._fields[:-1]]
    return Beginning._make([*cast("list[str]", values), tuple(tags)])


_TOLD_BY = frozenset(
    (
        *("run.staged", "run.started", "run.restarted", "run.imported", "run.dependencies_resolved"),
        *("run.labeled", "run.tagged"),
    )
)


def _replaced(dependencies: Value) -> dict[str, str]:
    """Return what stood in place of required files, by name."""
    listed = dependencies if isinstance(dependencies, list) else []
    return {str(one["given_as"]): str(one["given"]) for one in listed if isinstance(one, dict) and "given" in one}


class Stager:
    """Makes plans of runs that are in the ledger already; reads each project's model file once."""

    def __init__(self, app: App, options: RunOptions) -> None:
        self._app = app
        self._options = options
        self._catalogs: dict[str, Catalog] = {}
        self._found: dict[tuple[str | None, ...], Found] = {}

    def plan(self, run_id: RunId, words: Sequence[str] = (), follows: str = STAGED) -> RunPlan:
        """Return the plan of starting a run, with all that it requires.

        Raises:
            GuildError: its operation is not there any more, a flag does not fit, or something required is missing.
        """
        begun = beginning_of(self._app, run_id)
        found = self._operation(begun)
        given_overrides, others = split_overrides(found, words)
        # Of two names for one source the later counts: what is said now stands last.
        kept_overrides = {key: text for key, text in (begun.overrides or {}).items() if key not in given_overrides}
        overrides = {**kept_overrides, **given_overrides}
        kept = {name: literal(value) for name, value in begun.flags.items()}
        given = {**kept, **self._checked(found, others, kept)}
        # Flags that the operation knows no more were checked when the run was staged.
        setting = replace(setting_of(self._app, found, self._options, overrides), force=True)
        plan, _ = plan_run(found, given, setting, run_id)
        # A run that is started again has its label, unless it is given another now.
        label = self._options.label or (None if follows == AGAIN else begun.label)
        tags = tuple(tag for tag in self._options.tags if tag not in begun.tags)
        plan = replace(plan, follows=follows, batch=begun.batch, proto=begun.proto, label=label, tags=tags)
        return with_dependencies(plan, found, setting)

    def _checked(self, found: Found, words: Sequence[str], kept: Mapping[str, FlagValue]) -> dict[str, FlagValue]:
        """Return the values of new words.

        Raises:
            GuildError: they ask for several runs, or do not fit the operation and are not forced.
        """
        given = parse_assignments(words, found.operation.flags)
        if not words:
            return given
        if plan_trials(found.operation, words, cwd=self._app.cwd, max_trials=None, seed=0, base=kept).is_batch:
            raise UsageError("these flags ask for several runs, and this one is started again", hint="Use --proto RUN.")
        # Those that are kept were checked when they were new, and may be referred to.
        flags = tuple(
            flag if flag.name in given else FlagDef(flag.name, default=kept.get(flag.name, flag.default))
            for flag in found.operation.flags
        )
        resolve_flags(
            replace(found.operation, flags=flags),
            given,
            force=self._options.force_flags,
            cwd=self._app.cwd,
            project=found.project,
        )
        return given

    def _operation(self, begun: Beginning) -> Found:
        key = begun[:4]
        if key not in self._found:
            project = _project_of(begun, self._app)
            catalog = self._catalogs.setdefault(project, catalog_of(self._app, project))
            self._found[key] = catalog.of_run(begun.package, begun.model, begun.operation)
        return self._found[key]


def _selected(app: App, specs: Sequence[str], statuses: tuple[str, ...]) -> list[RunRow]:
    from commands.options import Limits
    from commands.selecting import run_filter, selected

    everywhere = all(_ID.fullmatch(spec) for spec in specs)  # there is nothing to limit
    limits = Limits(everywhere=everywhere, operations=(), statuses=statuses, labels=(), fresh=app.fresh)
    wanted = run_filter(app, limits, place=LIVE)
    command = "guild runs --staged" if statuses == ("staged",) else "guild runs"
    return selected(app, wanted, specs, list_command=command)


def _one(app: App, spec: str, statuses: tuple[str, ...]) -> RunRow:
    """Return the run that `spec` names in the list of all runs, which must have one of these statuses."""
    rows = _selected(app, [spec], ())
    if len(rows) != 1:
        raise GuildError(f"'{spec}' names {len(rows)} runs", hint="Name one run.")
    if statuses and rows[0].status not in statuses:
        raise GuildError(f"run {rows[0].run_id[:8]} is {rows[0].status}", hint="Wait for its end, or stop it first.")
    return rows[0]


_ID = re.compile("[0-9a-f]{8,32}")
"""What names a run wherever it is: its id, whole or as listings show it."""


def _confirmed(app: App, rows: Sequence[RunRow], how: str) -> bool:
    from commands.table import preview
    from commands.terminal import width

    click.echo(f"You are about to {how} the following runs:", err=True)
    for line in preview(rows[:20], app.cwd, width()):
        click.echo(line, err=True)
    if len(rows) > 20:  # noqa: PLR2004 - as many as are shown
        note(f"  ... and {len(rows) - 20} more")
    for line in app.moved:
        warn(line)
    return confirm("Continue?", default=True)
