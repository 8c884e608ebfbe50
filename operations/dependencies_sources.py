"""One source of a resource, found: each kind in its own way, and what a user may say in its place."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from artifacts.archives import ARCHIVE_ENDINGS, is_archive
from artifacts.downloads import check_url, local_path
from artifacts.home import Home
from artifacts.placing import check_digest, safe_relative
from ledger.dataclass import dataclass, replace
from ledger.errors import GuildError
from ledger.text import printable
from operations.dependencies import FindRun, FoundRun, PlannedSource, not_started

if TYPE_CHECKING:
    from operations.definitions import FlagValue, ModelDef, OperationDef, SourceDef
    from operations.requirements import Required

_WEB = ("http://", "https://", "file://")
_ID_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Context:
    """What is the same for all sources; attributes as the arguments of `plan_dependencies`."""

    operation: OperationDef
    model: ModelDef
    flags: Mapping[str, FlagValue]
    home: Home
    find_run: FindRun
    cwd: str


def planned_source(
    context: Context, required: Required, source: SourceDef, given: tuple[str, str] | None
) -> PlannedSource:
    """Find where a source comes from.

    Args:
        context: what is the same for all.
        required: the resource that it belongs to.
        source: with its texts filled in.
        given: the name by which the user replaces it and what is said in its place, None for nothing.

    Raises:
        DependencyError: it is missing, or its definition cannot be used.
    """
    item = PlannedSource(
        resource=required.name or required.resource.name,
        source=source,
        kind=source.kind,
        origin=source.target,
        target_path=source.target_path or required.resource.target_path,
        link=(source.target_type or required.resource.target_type) == "link",
    )
    try:
        _check_definition(item)
        item = replace(item, target_path=safe_relative(item.target_path))
        item = _located(context, item, required, None if given is None else given[1])
        if given is not None:
            item = replace(item, given=(given[0], lasting_override(given[1], context.home, context.cwd)))
        item = replace(item, unpack=_is_unpacked(item, required.resource.default_unpack))
        _check_known_digest(item)
    except GuildError as error:
        raise not_started(item, error.message, error.hint) from error
    return item


def _check_definition(item: PlannedSource) -> None:
    """Refuse expressions that are none."""
    source = item.source
    chosen = [text for text in (source.select_min, source.select_max) if text is not None]
    for pattern in (*source.select, *chosen, *(pattern for pattern, _ in source.rename)):
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise GuildError(f"'{printable(pattern)}' is not a regular expression: {error}") from error
    for pattern, replacement in source.rename:
        try:
            re.sub(pattern, replacement, "")
            re.compile(f"(?:{pattern})|").sub(replacement, "")
        except (re.error, IndexError) as error:
            raise GuildError(
                f"'{printable(replacement)}' cannot stand for what '{printable(pattern)}' matches: {error}"
            ) from error
    if source.kind != "operation" and any(not re.compile(text).groups for text in chosen):
        raise GuildError("the `min` and `max` of `select` need a group that matches a number: `model-([0-9]+)`")


def _located(context: Context, item: PlannedSource, required: Required, value: str | None) -> PlannedSource:
    """Return the item with its origin."""
    if item.kind == "module":
        if value is not None:
            raise GuildError("a module cannot be replaced by another")
        return item
    if item.kind == "operation":
        return _located_run(context, item, value)
    text, base = (item.source.target, _folder(item, required)) if value is None else (value, context.cwd)
    is_url = text.startswith(_WEB) or (item.kind == "url" and value is None)
    if is_url and item.kind != "config":
        return _located_url(item, text)
    path = os.path.join(base, text)
    _check_there(path)
    if item.kind == "config":
        return replace(item, origin=path, content=_config_content(context, item, path))
    return replace(item, kind="file", origin=os.path.normpath(path) if ".." not in path.split("/") else path)


def _folder(item: PlannedSource, required: Required) -> str:
    """Return what a path of a source is relative to: the package that says it, unless it leaves the file to others."""
    inherited = item.source.folder
    return inherited if inherited and os.path.lexists(os.path.join(inherited, item.source.target)) else required.folder


def _located_url(item: PlannedSource, url: str) -> PlannedSource:
    check_url(url)
    path = local_path(url)
    if path is not None:
        _check_there(path)
    return replace(item, kind="url", origin=url)


def _check_there(path: str) -> None:
    try:
        os.stat(path)
    except FileNotFoundError:
        if os.path.islink(path):
            raise GuildError(f"{path!r} is a link to {os.readlink(path)!r}, which does not exist") from None
        raise GuildError(f"{path!r} does not exist") from None
    except (OSError, ValueError) as error:
        raise GuildError(f"{path!r} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _located_run(context: Context, item: PlannedSource, value: str | None) -> PlannedSource:
    found = _found_run(context, item) if value is None else _named_run(context, value)
    if not os.path.isdir(found.run_dir):
        raise GuildError(f"{found.run_dir!r} is not a directory")
    return replace(item, origin=found.run_dir, run_id=found.run_id or None, operation=found.operation)


def _found_run(context: Context, item: PlannedSource) -> FoundRun:
    source, own = item.source, f"{context.model.name}:" if context.model.name else ""
    words = [word.strip() for word in source.target.split(",")]
    spec = ",".join(word if ":" in word else own + word for word in words)

    def scalar(text: str | None) -> str | None:
        # With a group it chooses among the files of a run, without one among the runs.
        return None if text is None or re.compile(text).groups else text

    found = context.find_run(spec, select_min=scalar(source.select_min), select_max=scalar(source.select_max))
    if found is None:
        name = printable(source.target)
        raise GuildError(
            f"there is no completed run of {name}",
            hint=f"Run it first: guild run {printable(spec.partition(',')[0])}. Or name a run or a directory: "
            f"{printable(source.name or source.target)}=RUN.",
        )
    return FoundRun(*found)


def _named_run(context: Context, value: str) -> FoundRun:
    """Return the live run whose id starts with `value`, else the directory of that name."""
    directory, ids = os.path.join(context.cwd, value), _ids(context.home, value)
    if len(ids) == 1:
        return FoundRun(ids[0], os.path.join(context.home.runs_dir, ids[0]), None)
    if value and os.path.isdir(directory):
        return FoundRun("", directory, None)
    if ids:
        raise GuildError(
            f"{len(ids)} runs have an ID that starts with '{value}'",
            hint=f"Write more of it: {', '.join(one[:12] for one in ids[:3])} ...",
        )
    raise GuildError(f"'{printable(value)}' is neither the ID of a run nor a directory")


def lasting_override(value: str, home: Home, cwd: str) -> str:
    """Return what a user says in place of a source in a form that means the same later and from another directory.

    Args:
        value: a path relative to `cwd`, a URL, or the ID of a run or its start.
        home: where runs are.
        cwd: absolute directory that the caller works in.
    """
    path = os.path.join(cwd, value)
    ids = _ids(home, value)
    if value.startswith(_WEB) or not os.path.lexists(path):
        return ids[0] if len(ids) == 1 else value
    # An id goes before a directory of the same name.
    return ids[0] if len(ids) == 1 and os.path.isdir(path) else path


def _ids(home: Home, value: str) -> list[str]:
    """Return the live runs whose id starts with a text."""
    from ledger.ids import is_run_id

    runs_dir = home.runs_dir
    if not re.fullmatch("[0-9a-f]+", value) or len(value) > _ID_LENGTH or not os.path.isdir(runs_dir):
        return []
    names = [value] if is_run_id(value) else os.listdir(runs_dir)
    ids = sorted(name for name in names if name.startswith(value) and is_run_id(name))
    return [one for one in ids if os.path.isdir(os.path.join(runs_dir, one))]


def _config_content(context: Context, item: PlannedSource, path: str) -> bytes:
    """Return what the copy of a configuration file says: parameters first, flags of the run over them."""
    from operations.config_files import config_flags, written_config
    from operations.flag_args import choice_arguments
    from operations.requirements import CONFIG_DEST

    known = {flag.name for flag in config_flags(path)}
    dest = context.operation.flags_dest or ""
    is_dest = dest.startswith(CONFIG_DEST) and os.path.normpath(
        dest.removeprefix(CONFIG_DEST).strip()
    ) == os.path.normpath(item.source.target)
    values: dict[str, FlagValue] = dict(item.source.params)
    definitions = {flag.name: flag for flag in context.operation.flags}
    brought: dict[str, FlagValue] = {}
    for name, value in context.flags.items():
        flag = definitions.get(name)
        told = (flag.arg_name if flag else None) or name
        instead = choice_arguments(flag, name, context.flags) if flag else None
        if instead is not None:
            brought |= instead
            continue
        # Other flags are none of the file's business, and a program may refuse settings that it does not know.
        wanted = told in known or told in values or (is_dest and not (flag and flag.arg_skip))
        if value is not None and wanted:
            values[told] = value
    values |= {told: value for told, value in brought.items() if told in known or told in values or is_dest}
    return written_config(path, values)


def _is_unpacked(item: PlannedSource, default: bool | None) -> bool:
    if item.kind not in {"file", "url"} or os.path.isdir(local_path(item.origin) or item.origin):
        return False
    name = item.origin.partition("?")[0].partition("#")[0] if item.kind == "url" else item.origin
    if item.source.unpack and not is_archive(name):
        raise GuildError(
            "it cannot be unpacked: its name does not say how",
            hint=f"These can: {', '.join(ARCHIVE_ENDINGS)}.",
        )
    wanted = default if item.source.unpack is None else item.source.unpack
    return is_archive(name) and wanted is not False


def _check_known_digest(item: PlannedSource) -> None:
    """Compare the digest of a file that is at hand; others are compared when they arrive."""
    if item.source.sha256 is None:
        return
    if re.fullmatch("[0-9a-fA-F]{64}", item.source.sha256) is None:
        raise GuildError(f"'{printable(item.source.sha256)}' is not a sha256: that is 64 characters out of 0-9 and a-f")
    path = item.origin if item.kind in {"file", "config"} else local_path(item.origin) if item.kind == "url" else None
    if item.kind == "operation" or (path is not None and os.path.isdir(path)):
        raise GuildError("sha256 is given, but a directory has none", hint="Give it for files and archives.")
    if path is not None:
        check_digest(path, item.source.sha256)
