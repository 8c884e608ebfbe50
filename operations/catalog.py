"""What can be run from a directory, and finding one of it: operations of its model file, scripts, packages."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ledger.dataclass import dataclass
from ledger.errors import GuildError, UsageError
from ledger.text import printable
from operations.definitions import ModelDef, OperationDef
from operations.model_file_path import find_model_file, folder_above
from operations.names import OperationNameError, full_name, resolve_operation

if TYPE_CHECKING:
    from operations.definitions import ModelFile, ResourceDef
    from operations.packages import InstalledPackages
    from operations.requirements import PackageResources

_SCRIPTS = (".py", ".sh", ".bash", ".zsh", ".R", ".jl", ".ipynb")

PackagedModels = Callable[[], Sequence[ModelDef]]
"""Gives the models of installed packages; asked only when nothing nearer fits."""


@dataclass(frozen=True, slots=True)
class Found:
    """An operation that can be run.

    Attributes:
        model: its model.
        operation: with the flags that it imports.
        project: absolute directory that its paths are relative to.
        models: all models of the same file, for what it requires by name.
        warnings: about the model file.
        find_package_resource: finds resources of packages, None when there are none.
    """

    model: ModelDef
    operation: OperationDef
    project: str
    models: tuple[ModelDef, ...]
    warnings: tuple[str, ...] = ()
    find_package_resource: PackageResources | None = None

    @property
    def package(self) -> str | None:
        """The package that carries it, None for a model file or a script."""
        return self.model.package

    @property
    def name(self) -> str:
        """Its full name, as listings show it in its own project."""
        return full_name(self.model, self.operation)

    def step(self, name: str) -> str:
        """Return how `guild run` finds what a step of the operation calls `name`: in its own model first.

        In a package by its full name, because the step runs where the package's model file is not at hand.
        """
        own = next((found for found in self.model.operations if found.name == name and self.model.name), None)
        if self.package is None:
            return full_name(self.model, own) if own else name
        try:
            return full_name(self.model, own) if own else full_name(*resolve_operation(name, self.models))
        except OperationNameError:
            return name

    def check_step(self, name: str) -> None:
        """Refuse a step that names no operation, or that leads back to this operation.

        What is not among the models of the same file may be a script or in a package, and is left to the step itself.

        Raises:
            GuildError: the operation could never end well.
        """
        own = (self.model.name, self.operation.name)
        for way in self._ways(name, ()):
            if way[-1] == own:
                steps = " -> ".join(operation for _, operation in (own, *way))
                raise GuildError(
                    f"the steps of operation '{self.operation.name}' lead back to it: {printable(steps)}",
                    hint="Take one of these steps out.",
                )
        if "/" in name or "." in name:
            return
        if not any(found.name == name.rpartition(":")[2] for model in self.models for found in model.operations):
            raise GuildError(
                f"a step of operation '{self.operation.name}' runs '{printable(name)}', which is no operation here",
                hint="`guild operations` lists what there is.",
            )

    def _ways(self, name: str, before: tuple[tuple[str, str], ...]) -> Iterator[tuple[tuple[str, str], ...]]:
        """Yield the chains of operations that a step starts, as far as their names are fixed."""
        found = self._step_operation(name)
        if found is None:
            return
        model, operation = found
        here = (model.name, operation.name)
        way = (*before, here)
        yield way
        if here not in before and here != (self.model.name, self.operation.name):
            for step in operation.steps:
                yield from self._ways(step.run, way)

    def _step_operation(self, name: str) -> tuple[ModelDef, OperationDef] | None:
        own = next((found for found in self.model.operations if found.name == name), None)
        if own is not None:
            return self.model, own
        try:
            return resolve_operation(name, self.models)
        except OperationNameError:
            return None


class Catalog:
    """What can be run from one directory; the model file is read on first use, and once."""

    def __init__(self, directory: str, packaged: PackagedModels, installed: InstalledPackages | None = None) -> None:
        """Take the place.

        Args:
            directory: absolute path.
            packaged: gives the models of installed packages.
            installed: gives the packages themselves, which models of the model file may extend others of.
        """
        self.directory = directory
        self._packaged = packaged
        self._installed = installed
        self._file: ModelFile | None = None

    @property
    def path(self) -> str | None:
        """The directory's model file, or None."""
        return find_model_file(self.directory)

    @property
    def model_file(self) -> ModelFile | None:
        """The directory's model file as read, None when it has none.

        Raises:
            ModelFileError: it cannot be used.
        """
        if self._file is None and (path := self.path) is not None:
            from operations.model_file import load_model_file

            self._file = load_model_file(path, self._installed)
        return self._file

    @property
    def local_models(self) -> tuple[ModelDef, ...]:
        """The models of the directory's model file."""
        return () if self.model_file is None else self.model_file.models

    def packaged_models(self) -> tuple[ModelDef, ...]:
        """Return the models of installed packages."""
        return tuple(self._packaged())

    def find(self, spec: str | None) -> Found:
        """Return the operation that `spec` means: of the model file, else a script, else of a package.

        Args:
            spec: `OPERATION`, `MODEL:OPERATION`, `PACKAGE/MODEL:OPERATION`, the path of a script, or None for the
                operation that the model file makes the default.

        Raises:
            GuildError: nothing or several things fit.
            UsageError: None, and there is no default.
        """
        if spec is None:
            return self._local(*self._default())
        try:
            return self._local(*resolve_operation(spec, _public(self.local_models)))
        except OperationNameError as error:
            if error.is_ambiguous:
                raise
            return self._elsewhere(spec, error)

    def of_run(self, package: str | None, model: str, operation: str) -> Found:
        """Return the operation that a run was a run of, as it is now.

        Raises:
            GuildError: it is there no more.
        """
        models = self.local_models if package is None else self.packaged_models()
        for candidate in models:
            if candidate.name == model and candidate.package == package:
                for found in candidate.operations:
                    if found.name == operation:
                        return self._local(candidate, found) if package is None else self._of_package(candidate, found)
        if package is None and not model and self._is_script(operation):
            return self._script(operation)
        name = f"{model}:{operation}" if model else operation
        raise GuildError(
            f"operation '{printable(name)}' is not there any more in {printable(package or self.directory, 4096)}",
            hint="Bring it back into the model file, or start a new run of another operation.",
        )

    def _default(self) -> tuple[ModelDef, OperationDef]:
        defaults = [(model, found) for model in self.local_models for found in model.operations if found.default]
        if len(defaults) == 1:
            return defaults[0]
        if defaults:
            names = ", ".join(full_name(*pair) for pair in defaults)
            raise GuildError(f"several operations are the default: {names}", hint="Name one of them.")
        hint = self.way_up() or "`guild operations` lists what can be run."
        raise UsageError("missing argument for [MODEL:]OPERATION", hint=hint)

    def with_all_flags(self, model: ModelDef, operation: OperationDef) -> OperationDef:
        """Return an operation of this catalog with the flags of its script or configuration file besides its own.

        Raises:
            ScriptError: see `with_imported_flags`.
            ConfigFileError: the same.
        """
        from operations.importing import with_imported_flags

        project = model.project if model.package is not None else self._project
        return with_imported_flags(operation, project, (project,))

    @property
    def _project(self) -> str:
        return self.directory if self.model_file is None else self.model_file.project

    def _local(self, model: ModelDef, operation: OperationDef) -> Found:
        warnings = () if self.model_file is None else self.model_file.warnings
        whole = self.with_all_flags(model, operation)
        return Found(model, whole, self._project, self.local_models, warnings, self._package_resource)

    def _elsewhere(self, spec: str, error: OperationNameError) -> Found:
        if self._is_script(spec):
            return self._script(spec)
        packaged = _public(self.packaged_models())
        if packaged:
            try:
                return self._of_package(*resolve_operation(spec, packaged))
            except OperationNameError as other:
                if other.is_ambiguous:
                    raise
                error = error if self.local_models else other
        above = self.way_up()
        if above:
            raise OperationNameError(error.message, hint="\n".join(filter(None, (above, error.hint)))) from error
        raise error

    def way_up(self) -> str:
        """Return a hint for who is below the folder that is meant; empty when there is none."""
        folder = None if self.path is not None else folder_above(self.directory)
        return (
            "" if folder is None else f"A model file is in {printable(folder, 4096)}: change to there, or use guild -C."
        )

    def _of_package(self, model: ModelDef, operation: OperationDef) -> Found:
        siblings = tuple(other for other in self.packaged_models() if other.package == model.package)
        whole = self.with_all_flags(model, operation)
        return Found(model, whole, model.project, siblings, find_package_resource=self._package_resource)

    def _package_resource(self, name: str) -> tuple[ResourceDef, str] | None:
        from operations.packages import package_resource_finder

        return package_resource_finder(self.packaged_models())(name)

    def _is_script(self, spec: str) -> bool:
        if ":" in spec and not os.path.exists(os.path.join(self.directory, spec)):
            return False
        path = os.path.join(self.directory, spec)
        # Any file may turn out to be a program, and a directory only when it says that it is one.
        return spec.endswith(_SCRIPTS) or os.path.isfile(path) or os.path.isfile(os.path.join(path, "__main__.py"))

    def _script(self, spec: str) -> Found:
        from operations.scripts import script_operation

        model, operation = script_operation(os.path.join(self.directory, spec), self.directory)
        return Found(model, operation, self.directory, (model,))


def _public(models: Sequence[ModelDef]) -> tuple[ModelDef, ...]:
    return tuple(model for model in models if not model.private)
