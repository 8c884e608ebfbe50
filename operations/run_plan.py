"""A run that is about to be: everything that is decided before anybody is asked, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ledger.canonical import Value
from ledger.dataclass import dataclass, field
from ledger.ids import RunId

if TYPE_CHECKING:
    from operations.definitions import SourceCodeDef
    from operations.dependencies import DependencyPlan

NEW, STAGED, AGAIN = "new", "staged", "again"
"""What a start follows: nothing, the staging of the run, or an earlier end of it."""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Everything that a run needs, decided before it is asked for.

    Attributes:
        run_id: new, or that of the run that is started (again).
        project: absolute directory of the model file.
        model: its model.
        operation: its operation.
        command: argument vector.
        flags: values by name.
        flag_texts: values as a process is given them, by name.
        label: label, or None; of a run that is started again: a new one, or None to leave it.
        cmd_dir: directory that guild was called in.
        environment: the whole environment of the caller.
        package: name of the package that carries the operation, None for a model file's.
        follows: `NEW`, `STAGED` or `AGAIN`.
        batch: what the runs planned together have in common, None for a single one.
        proto: id of the run whose operation and flags are taken over, None when there is none.
        tags: tags of the run; of one that is there already: those that are added.
        variables: what the operation adds to the environment.
        python_path: absolute directories that are searched for modules before the project.
        overrides: texts that stand in for required files, by name; paths are absolute.
        dependencies: what is put into the run directory, None for nothing.
        sourcecode: what belongs to the source snapshot, None for the usual.
        run_dir: absolute directory to run in instead of the home's; such a run is not recorded.
        stoppable: whether being stopped counts as completed.
        stop_after: seconds after which the run is stopped, None for never.
        output_scalars: the patterns that find numbers in what it prints, as written; None for the usual form, False for
            none.
        stdout: file descriptor that the output is shown on, None for nowhere.
        stderr: the same for errors.
    """

    run_id: RunId
    project: str
    model: str
    operation: str
    command: tuple[str, ...]
    flags: Mapping[str, Value]
    flag_texts: Mapping[str, str]
    label: str | None
    cmd_dir: str
    environment: Mapping[str, str]
    package: str | None = None
    follows: str = NEW
    batch: str | None = None
    proto: str | None = None
    tags: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    python_path: tuple[str, ...] = ()
    overrides: Mapping[str, str] = field(default_factory=dict)
    dependencies: DependencyPlan | None = None
    sourcecode: SourceCodeDef | None = None
    run_dir: str | None = None
    stoppable: bool = False
    stop_after: float | None = None
    output_scalars: Value = None
    stdout: int | None = 1
    stderr: int | None = 2
