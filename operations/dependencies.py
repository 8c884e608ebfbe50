"""What a run needs, found before it starts: where each source comes from, or why the run cannot be.

The start of a run is recorded for ever, so whatever can be known to be missing is refused before it. Nothing is
written and nothing fetched here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ledger.dataclass import dataclass
from ledger.errors import GuildError
from ledger.text import did_you_mean, printable
from operations.requirements import PackageResources, Required, override_names, required_resources

if TYPE_CHECKING:
    from artifacts.home import Home
    from ledger.canonical import Value
    from operations.definitions import FlagValue, ModelDef, OperationDef, SourceDef


class DependencyError(GuildError):
    """A dependency cannot be met."""


class FoundRun(NamedTuple):
    """A run that an operation source takes files from."""

    run_id: str
    run_dir: str
    operation: str | None


class FindRun(Protocol):
    """Finds the run that an operation source means."""

    def __call__(self, spec: str, *, select_min: str | None, select_max: str | None) -> FoundRun | None:
        """Return the latest completed run of `[MODEL:]OPERATION`, or the one with the least or greatest scalar.

        Args:
            spec: with the model of the operation that requires it, unless it names one or there is none. Several
                of them have commas between; the latest run of any of them is meant.
            select_min: name of the scalar whose least value decides, None for none.
            select_max: the same for the greatest value.
        """
        ...


@dataclass(frozen=True, slots=True)
class PlannedSource:
    """A source of a required resource, and where it comes from.

    Attributes:
        resource: name of the resource in messages.
        source: as defined, with its texts filled in.
        kind: one of `SOURCE_KINDS`; a file that a user gives in place of a URL is a `file`.
        origin: absolute path of a file or directory, a URL, or the name of a module.
        target_path: directory below the run directory, empty for itself.
        link: whether links are made instead of copies.
        unpack: whether it is an archive that is unpacked.
        run_id: the run that it is from.
        operation: that run's operation, when known.
        content: what a configuration file will hold.
        given: the name and the value by which a user replaced it, the value as it means the same later; else None.
    """

    resource: str
    source: SourceDef
    kind: str
    origin: str
    target_path: str = ""
    link: bool = False
    unpack: bool = False
    run_id: str | None = None
    operation: str | None = None
    content: bytes | None = None
    given: tuple[str, str] | None = None

    @property
    def title(self) -> str:
        """What messages call it: `file:data.csv`."""
        return f"{self.source.kind}:{self.source.target}"

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that it names, which commas separate; none when it is of another kind."""
        return tuple(word.strip() for word in self.origin.split(",")) if self.kind == "module" else ()

    def to_body(self) -> dict[str, Value]:
        """Return it as it is recorded with the start of a run."""
        from hashlib import sha256

        body: dict[str, Value] = {
            "resource": self.resource,
            "source": self.title,
            "kind": self.kind,
            "from": self.run_id or self.origin,
        }
        if self.given is not None:
            body |= {"given_as": self.given[0], "given": self.given[1]}
        digest = sha256(self.content).hexdigest() if self.content is not None else self.source.sha256
        return {**body, "sha256": digest.lower()} if digest else body


@dataclass(frozen=True, slots=True)
class DependencyPlan:
    """All that a run needs.

    Attributes:
        items: in the order of the requirements.
    """

    items: tuple[PlannedSource, ...] = ()

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that the run's interpreter must be able to import; each once."""
        return tuple(dict.fromkeys(name for item in self.items for name in item.modules))

    def to_body(self) -> list[Value]:
        """Return it as it is recorded with the start of a run."""
        return [item.to_body() for item in self.items]


def plan_dependencies(
    operation: OperationDef,
    model: ModelDef,
    models: Sequence[ModelDef],
    flags: Mapping[str, FlagValue],
    *,
    project: str,
    home: Home,
    find_run: FindRun,
    overrides: Mapping[str, str],
    cwd: str,
    find_package_resource: PackageResources | None = None,
) -> DependencyPlan:
    """Find all that a run of `operation` needs; nothing is written or fetched.

    Args:
        operation: what is to be run.
        model: its model.
        models: all of the model file.
        flags: values of the run, without references to each other.
        project: absolute directory of the model file, which paths are relative to.
        home: where runs and the cache are.
        find_run: finds the runs of operation sources.
        overrides: what the user says in place of a source, by one of its names or its resource's: a path relative to
            `cwd`, a URL, or for an operation source an ID of a run (or its start) or a directory.
        cwd: absolute directory that the caller works in.
        find_package_resource: finds resources of packages; None when there are none.

    Raises:
        DependencyError: something is missing, or two sources put something at the same place.
        RequirementError: a name is not found.
        TemplateError: a text refers to a flag that does not exist.
    """
    if not operation.requires and not overrides and not (operation.flags_dest or "").startswith("config:"):
        return DependencyPlan()
    from operations.dependencies_sources import Context, planned_source
    from operations.resolving import check_local

    required = required_resources(
        operation, model, models, flags, project=project, find_package_resource=find_package_resource
    )
    values = _by_source(required, overrides)
    context = Context(operation, model, flags, home, find_run, cwd)
    items = tuple(
        planned_source(context, one, source, values.get((row, column)))
        for row, one in enumerate(required)
        for column, source in enumerate(one.resource.sources)
    )
    plan = DependencyPlan(items)
    check_local(plan, home.cache_dir)
    return plan


def not_started(item: PlannedSource, why: str, hint: str | None = None) -> DependencyError:
    """Return the error for a source that is known to be missing before the run has started."""
    told = unresolved(item, why, hint)
    return DependencyError(f"the run was not started because a dependency was not met: {told.message}", hint=told.hint)


def unresolved(item: PlannedSource, why: str, hint: str | None = None) -> DependencyError:
    """Return the error for a source that cannot be put into the run directory."""
    return DependencyError(
        f"could not resolve '{printable(item.title)}' in {printable(item.resource)} resource: {why}", hint=hint
    )


def _by_source(required: Sequence[Required], overrides: Mapping[str, str]) -> dict[tuple[int, int], tuple[str, str]]:
    """Return the user's names and values by the position of the resource and of the source in it.

    Raises:
        DependencyError: a name fits nothing, or a resource with several sources.
    """
    values: dict[tuple[int, int], tuple[str, str]] = {}
    for name, value in overrides.items():
        exact = [
            (row, column)
            for row, one in enumerate(required)
            for column, source in enumerate(one.resource.sources)
            if name in one.source_names(source)
        ]
        whole = [row for row, one in enumerate(required) if name in {one.name, one.resource.name}]
        # The name of an inline resource is often that of its first source; then the source is meant.
        places = exact or [place for row in whole for place in _only_source(required[row], row, name)]
        if not places:
            known = sorted(override_names(required))
            raise DependencyError(
                f"'{printable(name)}' is not the name of something that is required{did_you_mean(name, known)}",
                hint=f"Required: {', '.join(map(printable, known)) or 'nothing'}.",
            )
        values.update(dict.fromkeys(places, (name, value)))
    return values


def _only_source(one: Required, row: int, name: str) -> list[tuple[int, int]]:
    sources = one.resource.sources
    if len(sources) == 1:
        return [(row, 0)]
    operations = [column for column, source in enumerate(sources) if source.kind == "operation"]
    if len(operations) == 1:
        return [(row, operations[0])]
    raise DependencyError(
        f"'{printable(name)}' has {len(sources)} sources, so one value cannot stand for it",
        hint="Name one of them: "
        + ", ".join(f"{printable(source.name or f'{source.kind}:{source.target}')}=VALUE" for source in sources),
    )
