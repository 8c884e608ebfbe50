"""From an operation and the values of its flags to the plan of a run: pure but for looking at what is there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from ledger.canonical import Value
from ledger.dataclass import dataclass, field, replace
from ledger.errors import GuildError
from ledger.ids import RunId
from operations.catalog import Found
from operations.command import Command, build_command, label_of, operation_environment
from operations.flags import flow_text, resolve_flags
from operations.run_plan import NEW, RunPlan

if TYPE_CHECKING:
    from artifacts.home import Home
    from operations.definitions import FlagValue, OperationDef, SourceCodeDef
    from operations.dependencies import FindRun
    from operations.dependencies_modules import Ask


ANSWER_SECONDS = 60.0
"""How long an interpreter may take to say which modules it has: it imports the parents of dotted names."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What all runs of one command have in common.

    Attributes:
        home: where they go.
        cwd: absolute directory that given paths are relative to.
        cmd_dir: directory that guild was called in.
        environment: the whole environment of the caller.
        interpreter: the Python to run with.
        guild: how `guild` itself is started, for the steps of an operation.
        find_run: finds runs whose files are required.
        overrides: texts that stand in for required files, by name.
        force: whether undefined flags are accepted.
        label: label given by the user, None for the operation's.
        tags: tags given by the user.
        variables: added to the environment, such as which devices are visible.
        run_dir: directory to run in instead of the home's.
        stop_after: seconds, None for never.
        stdout: file descriptor that output is shown on, None for nowhere.
        stderr: the same for errors.
    """

    home: Home
    cwd: str
    cmd_dir: str
    environment: Mapping[str, str]
    interpreter: str
    guild: tuple[str, ...]
    find_run: FindRun
    overrides: Mapping[str, str] = field(default_factory=dict)
    force: bool = False
    label: str | None = None
    tags: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    run_dir: str | None = None
    stop_after: float | None = None
    stdout: int | None = 1
    stderr: int | None = 2


def plan_run(
    found: Found, given: Mapping[str, FlagValue], setting: Setting, run_id: RunId
) -> tuple[RunPlan, tuple[str, ...]]:
    """Return the plan of a new run, and warnings about its command; what it requires is not looked at.

    Raises:
        GuildError: a flag does not fit, or there is no such command.
    """
    operation = found.operation
    flags = resolve_flags(operation, given, force=setting.force, cwd=setting.cwd, project=found.project)
    command = _command(found, flags, setting)
    plan = RunPlan(
        run_id=run_id,
        project=found.project,
        model=found.model.name,
        operation=operation.name,
        command=command.argv,
        flags=cast("Mapping[str, Value]", flags),
        flag_texts={name: flag_text(value) for name, value in flags.items() if value is not None},
        label=label_of(operation, flags) if setting.label is None else setting.label,
        cmd_dir=setting.cmd_dir,
        environment=setting.environment,
        package=found.package,
        follows=NEW,
        tags=tuple(dict.fromkeys((*operation.tags, *setting.tags))),
        variables={**operation_environment(operation, flags), **setting.variables},
        python_path=command.python_path,
        overrides=_lasting_overrides(setting),
        sourcecode=_sourcecode(found),
        run_dir=setting.run_dir,
        stoppable=operation.stoppable,
        stop_after=setting.stop_after,
        output_scalars=cast("Value", operation.output_scalars),
        stdout=setting.stdout,
        stderr=setting.stderr,
    )
    return plan, command.warnings


def _sourcecode(found: Found) -> SourceCodeDef | None:
    """Return what belongs to the snapshot of the project; a root that a package says may be there only."""
    said = found.operation.sourcecode
    if said is None or "sourcecode" not in found.operation.folders:
        return said
    return said if os.path.isdir(os.path.join(found.project, said.root)) else replace(said, root=".")


def _lasting_overrides(setting: Setting) -> Mapping[str, str]:
    """Return the overrides as they mean the same when the run is started from elsewhere."""
    if not setting.overrides:
        return {}
    from operations.dependencies_sources import lasting_override

    return {name: lasting_override(text, setting.home, setting.cwd) for name, text in setting.overrides.items()}


def _command(found: Found, flags: Mapping[str, FlagValue], setting: Setting) -> Command:
    if found.operation.steps:
        from operations.steps import steps_command

        return steps_command(
            found.operation,
            flags,
            setting.interpreter,
            found.project,
            setting.guild,
            full_name=found.step,
            check=found.check_step,
        )
    return build_command(found.operation, flags, setting.interpreter, found.project)


def with_dependencies(plan: RunPlan, found: Found, setting: Setting) -> RunPlan:
    """Return the plan with what the operation requires, all of it found.

    Raises:
        DependencyError: something is missing; nothing was started.
    """
    operation = found.operation
    if not operation.requires and not (operation.flags_dest or "").startswith("config:"):
        return plan
    from operations.dependencies import plan_dependencies
    from operations.resolving import check_local

    dependencies = plan_dependencies(
        operation,
        found.model,
        found.models,
        cast("Mapping[str, FlagValue]", plan.flags),
        project=found.project,
        home=setting.home,
        find_run=setting.find_run,
        overrides=setting.overrides,
        cwd=setting.cwd,
        find_package_resource=found.find_package_resource,
    )
    check_local(dependencies, setting.home.cache_dir)
    if dependencies.modules:
        from operations.dependencies_modules import check_modules

        check_modules(dependencies, setting.interpreter, module_asker(plan))
    return replace(plan, dependencies=dependencies)


def module_asker(plan: RunPlan) -> Ask:
    """Return what starts the run's interpreter as the run's process would be started."""

    def ask(argv: Sequence[str]) -> tuple[int, str]:
        import subprocess

        path = os.pathsep.join(filter(None, (*plan.python_path, plan.project, plan.environment.get("PYTHONPATH"))))
        environment = {**plan.environment, "PYTHONPATH": path}
        try:
            done = subprocess.run(
                argv,
                cwd=plan.project,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=ANSWER_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise GuildError(
                f"{argv[0]!r} did not say within {ANSWER_SECONDS:g} s which modules it has",
                hint="A package that is required may wait for something when it is imported.",
            ) from None
        except OSError as error:
            raise GuildError(f"{argv[0]!r} cannot be started: {error.strerror}", hint="Is it a Python?") from error
        return done.returncode, done.stdout.decode(errors="replace")

    return ask


def split_overrides(found: Found, words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Take the words `NAME=VALUE` out that name a required file instead of a flag; return them and the others."""
    operation = found.operation
    if not operation.requires:
        return {}, list(words)
    from operations.requirements import override_names, required_resources

    defaults = {flag.name: flag.default for flag in operation.flags}
    required = required_resources(
        operation,
        found.model,
        found.models,
        defaults,
        project=found.project,
        find_package_resource=found.find_package_resource,
    )
    names = override_names(required) - defaults.keys()
    overrides: dict[str, str] = {}
    others: list[str] = []
    for word in words:
        name, equals, text = word.partition("=")
        if equals and name in names:
            overrides[name] = text
        else:
            others.append(word)
    return overrides, others


def flag_text(value: FlagValue) -> str:
    """Return a flag's value as a process is given it in its environment."""
    return value if isinstance(value, str) else flow_text(value)


def equal_flags(operation: OperationDef, flags: Mapping[str, Value], others: Mapping[str, Value]) -> bool:
    """Tell whether two runs of an operation have the same flags: one that is not there is one without a value."""
    names = {flag.name for flag in operation.flags} | flags.keys() | others.keys()
    return all(repr(flags.get(name)) == repr(others.get(name)) for name in names)
