"""From what an operation says it requires to resources whose texts are filled in: names first, files later."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from ledger.dataclass import dataclass, replace
from ledger.errors import GuildError
from ledger.text import did_you_mean, printable
from operations.definitions import FlagValue, ModelDef, OperationDef, ResourceDef, SourceDef
from operations.templates import filled

CONFIG_DEST = "config:"
"""How `flags-dest` starts when the flags go into a configuration file."""

PackageResources = Callable[[str], tuple[ResourceDef, str] | None]
"""Returns what `PACKAGE/RES` or `PACKAGE/MODEL:RES` names and the directory of that package, or None."""


class RequirementError(GuildError):
    """A requirement names nothing that is known; nothing was started."""


@dataclass(frozen=True, slots=True)
class Required:
    """A resource that a run needs.

    Attributes:
        name: as the operation requires it.
        resource: its texts are filled in.
        folder: absolute directory that paths of its files are relative to.
    """

    name: str
    resource: ResourceDef
    folder: str

    def source_names(self, source: SourceDef) -> tuple[str, ...]:
        """Return what a word `NAME=VALUE` may call one of the sources."""
        own = (source.name,) if source.name else ()
        return (*own, f"{source.kind}:{source.target}", source.target)


def required_resources(
    operation: OperationDef,
    model: ModelDef,
    models: Sequence[ModelDef],
    flags: Mapping[str, FlagValue],
    *,
    project: str,
    find_package_resource: PackageResources | None = None,
) -> tuple[Required, ...]:
    """Return the resources that an operation requires, in its order, each once.

    A configuration file that the flags go into is required without being named.

    Args:
        operation: what is to be run.
        model: its model.
        models: all of the model file.
        flags: values of the run, without references to each other.
        project: absolute directory of the model file.
        find_package_resource: finds resources of packages; None when there are none.

    Raises:
        RequirementError: a name is not found.
        TemplateError: a text refers to a flag that does not exist.
    """
    found: dict[str, Required] = {}
    for requirement in operation.requires:
        name = filled(requirement.name, flags, what=f"`requires` of operation '{printable(operation.name)}'")
        if requirement.resource is not None:
            resource, folder = requirement.resource, project
        else:
            what = f"operation '{printable(operation.name)}' requires '{printable(name)}'"
            package = _packaged(name, what, find_package_resource) if "/" in name else None
            resource, folder = package or (_named(name, what, model, models), project)
        name = name or resource.name
        key = name if requirement.resource is None else f"{name} {len(found)}"
        found.setdefault(key, Required(name, _filled_resource(resource, flags), folder))
    required = (*found.values(),)
    return (*required, *_config_dest(operation, required, project))


def override_names(required: Sequence[Required]) -> frozenset[str]:
    """Return all that a word `NAME=VALUE` may call a resource or a source of one."""
    names = {name for one in required for name in (one.name, one.resource.name)}
    names |= {name for one in required for source in one.resource.sources for name in one.source_names(source)}
    return frozenset(names - {""})


def _packaged(name: str, what: str, find: PackageResources | None) -> tuple[ResourceDef, str]:
    found = find(name) if find else None
    if found is None:
        raise RequirementError(
            f"{what}, and no package that is installed has that resource",
            hint="PACKAGE/RESOURCE names a resource of a package; a file is required with `file: PATH`.",
        )
    return found


def _named(name: str, what: str, model: ModelDef, models: Sequence[ModelDef]) -> ResourceDef:
    model_name, colon, resource_name = name.rpartition(":")
    holder = next((one for one in models if one.name == model_name), None) if colon else model
    if holder is None:
        known = [one.name for one in models if one.name]
        raise RequirementError(
            f"{what}, but there is no model '{printable(model_name)}'{did_you_mean(model_name, known)}",
            hint=f"The file defines: {', '.join(map(printable, known)) or 'no model with a name'}.",
        )
    for resource in holder.resources:
        if resource.name == resource_name:
            return resource
    known = [one.name for one in holder.resources]
    raise RequirementError(
        f"{what}, but there is no resource of that name{did_you_mean(resource_name, known)}",
        hint=f"Defined there: {', '.join(map(printable, known)) or 'none'}. "
        "A file is required with `file: PATH`, another operation with `operation: NAME`.",
    )


def _config_dest(operation: OperationDef, required: tuple[Required, ...], project: str) -> tuple[Required, ...]:
    """Return the requirement that `flags-dest: config:FILE` brings along, unless it is written out."""
    dest = operation.flags_dest or ""
    if not dest.startswith(CONFIG_DEST):
        return ()
    path = os.path.normpath(dest.removeprefix(CONFIG_DEST).strip())
    sources = (source for one in required for source in one.resource.sources)
    if any(source.kind == "config" and os.path.normpath(source.target) == path for source in sources):
        return ()
    folder = "" if os.path.isabs(path) or path.startswith("..") else os.path.dirname(path)
    inherited = operation.folders.get("flags-dest", "")
    resource = ResourceDef(f"config:{path}", (SourceDef("config", path, target_path=folder, folder=inherited),))
    return (Required(resource.name, resource, project),)


def _filled_resource(resource: ResourceDef, flags: Mapping[str, FlagValue]) -> ResourceDef:
    what = f"resource '{printable(resource.name)}'"
    return replace(
        resource,
        name=filled(resource.name, flags, what=what),
        sources=tuple(_filled_source(source, flags, what) for source in resource.sources),
        target_path=filled(resource.target_path, flags, what=f"`target-path` of {what}"),
    )


def _filled_source(source: SourceDef, flags: Mapping[str, FlagValue], what: str) -> SourceDef:
    def text(value: str) -> str:
        return filled(value, flags, what=f"source '{printable(source.kind)}:{printable(source.target)}' of {what}")

    return replace(
        source,
        target=text(source.target),
        name=text(source.name),
        select=tuple(map(text, source.select)),
        select_min=None if source.select_min is None else text(source.select_min),
        select_max=None if source.select_max is None else text(source.select_max),
        rename=tuple((text(pattern), text(replacement)) for pattern, replacement in source.rename),
        target_path=text(source.target_path),
        params={name: _filled_value(value, flags, text) for name, value in source.params.items()},
    )


def _filled_value(value: FlagValue, flags: Mapping[str, FlagValue], text: Callable[[str], str]) -> FlagValue:
    """Fill in the texts of a value; one that is nothing but a reference becomes the value itself."""
    if isinstance(value, str):
        whole = value[2:-1] if value.startswith("${") and value.endswith("}") else ""
        return flags[whole] if whole in flags else text(value)
    if isinstance(value, list):
        return [_filled_value(one, flags, text) for one in value]
    if isinstance(value, dict):
        return {name: _filled_value(one, flags, text) for name, one in value.items()}
    return value
