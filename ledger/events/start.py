"""How a run comes to be: staged, started, started again, or imported; and what it was given to work with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ledger.canonical import Value
from ledger.dataclass import dataclass, field
from ledger.events.base import Event


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A process is about to be started for a run; the run is `running` from here.

    Attributes:
        project: absolute directory of the model file, None for a packaged operation.
        package: name of the package that carries the operation, None for a model file's.
        model: name of the model.
        operation: name of the operation in its model.
        command: the argument vector of the process.
        flags: flag values by name.
        label: label given at the start.
        environment: the allow-listed part of the process environment.
        sources: digest of the source snapshot, its files and bytes, what was left out and why; None when none was made.
        git: commit and whether the work tree was dirty; None outside a repository.
        platform: versions of the interpreter and the system.
        evidence: host, boot id, process id and its start time of the supervisor: what tells a dead run from a live one.
        batch: what all runs that were planned together have in common, 32 hexadecimal digits; None for a single run.
        proto: id of the run whose operation and flags this one took over; None when there is none.
    """

    type: ClassVar[str] = "run.started"
    schema_version: ClassVar[int] = 2

    project: str | None
    package: str | None
    model: str
    operation: str
    command: tuple[str, ...]
    flags: Mapping[str, Value]
    label: str | None = None
    environment: Mapping[str, Value] = field(default_factory=dict)
    sources: Mapping[str, Value] | None = None
    git: Mapping[str, Value] | None = None
    platform: Mapping[str, Value] = field(default_factory=dict)
    evidence: Mapping[str, Value] = field(default_factory=dict)
    batch: str | None = None
    proto: str | None = None


@dataclass(frozen=True, slots=True)
class RunRestarted(Event):
    """A run that had ended is started again, in its own directory; fields as in `RunStarted`."""

    type: ClassVar[str] = "run.restarted"

    command: tuple[str, ...]
    flags: Mapping[str, Value]
    environment: Mapping[str, Value] = field(default_factory=dict)
    sources: Mapping[str, Value] | None = None
    git: Mapping[str, Value] | None = None
    platform: Mapping[str, Value] = field(default_factory=dict)
    evidence: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunDependenciesResolved(Event):
    """What an operation requires was put into the run directory.

    Attributes:
        dependencies: for each source: `resource`, `source`, `kind`, `from` (a path, URL or run id), and what is known
            of it, such as `sha256`.
    """

    type: ClassVar[str] = "run.dependencies_resolved"

    dependencies: tuple[Mapping[str, Value], ...]


@dataclass(frozen=True, slots=True)
class RunStaged(Event):
    """A run was prepared to be started later; fields as in `RunStarted`, and what else its start depends on.

    Attributes:
        overrides: texts that stand in for required files, by name; paths are absolute.
    """

    type: ClassVar[str] = "run.staged"
    schema_version: ClassVar[int] = 2

    project: str | None
    package: str | None
    model: str
    operation: str
    command: tuple[str, ...]
    flags: Mapping[str, Value]
    label: str | None = None
    batch: str | None = None
    proto: str | None = None
    overrides: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunImported(Event):
    """A run that happened elsewhere was taken in, with its artifacts; what is not told here is as in `RunStarted`.

    Tags, marks, comments, scalars and the like follow as events of their own.

    Attributes:
        source: where it came from.
        started: microseconds UTC, of the latest start.
        stopped: microseconds UTC, None when unknown.
        status: completed, error or terminated.
        exit_status: as in `RunStatusChanged`, and so are `reason` and `output`.
        home: identity of the home that has taken in the run's directory; None when there is none.
    """

    type: ClassVar[str] = "run.imported"
    schema_version: ClassVar[int] = 2

    source: str
    project: str | None
    package: str | None
    model: str
    operation: str
    flags: Mapping[str, Value]
    started: int
    stopped: int | None
    status: str
    exit_status: int | None
    label: str | None = None
    command: tuple[str, ...] = ()
    environment: Mapping[str, Value] = field(default_factory=dict)
    sources: Mapping[str, Value] | None = None
    git: Mapping[str, Value] | None = None
    platform: Mapping[str, Value] = field(default_factory=dict)
    evidence: Mapping[str, Value] = field(default_factory=dict)
    batch: str | None = None
    proto: str | None = None
    overrides: Mapping[str, Value] = field(default_factory=dict)
    reason: str | None = None
    output: Mapping[str, Value] | None = None
    home: str | None = None
