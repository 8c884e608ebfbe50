"""One operation of a model file: what it runs, with which flags, and what it needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ledger.dataclass import dataclass, field
from operations.definitions import FlagDef, FlagValue, OperationDef, SourceCodeDef, StepDef
from operations.model_flag import read_flags
from operations.model_resource import read_requirements
from operations.model_shapes import RUN_WORDS
from operations.model_sourcecode import read_sourcecode
from operations.model_steps import read_steps
from operations.model_tree import Budget
from operations.model_values import Keys, checked_name, mapping, plain_text, texts_of
from operations.nodes import MappingNode, Node, NodeError, Place, ScalarNode, SequenceNode, kind_of, value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from operations.model_text import Notes

UNSUPPORTED = (
    *("can-stage-trials", "default-flag-arg-skip", "default-max-trials", "delete-on-success", "disable-plugins"),
    *("disabled-plugins", "env-secrets", "flag-encoder", "handle-keyboard-interrupt", "nbexec", "notebook"),
    *("objective", "op-cmd", "optimizers", "pip-freeze", "plugin-op", "plugins", "pre-process", "publish"),
    "python-requires",
    *("references", "remote", "run-attrs", "set-trace", "stage", "uv-sync"),
)
"""Keys of operations that mean something elsewhere and nothing here."""

_NO_MODULE = re.compile(r"[^\w.]")
_DESTINATIONS = ("args", "args:click", "globals", "global:NAME", "namespace:NAME", "config:FILE")


@dataclass(frozen=True, slots=True)
class Inherited:
    """What the model says for all of its operations.

    Attributes:
        flags: those that an operation has after its own.
        sourcecode: for operations that say nothing.
        output_scalars: for operations that say nothing.
        main_by_name: whether an operation that does not say what it runs, runs the module of its name.
        parents: absolute directories of the packages that the model inherits from.
        folders: by key, for what it inherits from one of them: the absolute directory of that.
    """

    flags: tuple[FlagDef, ...]
    sourcecode: SourceCodeDef | None
    output_scalars: FlagValue
    main_by_name: bool
    parents: tuple[str, ...] = ()
    folders: Mapping[str, str] = field(default_factory=dict)


def read_operation(key: ScalarNode, node: Node, model: Inherited, notes: Notes, budget: Budget) -> OperationDef:
    """Return one operation.

    Raises:
        NodeError: its name cannot be typed, it does not say what it runs, or says something that it cannot say.
    """
    name = checked_name(key, "operation name")
    what = f"operation '{name}'"
    keys = Keys(mapping(node, what, "a command (text) or a mapping, with 'cmd' or 'main' for example"), what, notes)
    own = read_flags(keys.pairs("flags"), notes)
    budget.spend_values(len(model.flags), key.place)
    runs = _what_it_runs(keys, key, main_by_name=model.main_by_name)
    sourcecode = read_sourcecode(keys.get("sourcecode"), what, notes)
    scalars = read_output_scalars(keys)
    operation = OperationDef(
        name=name,
        description=keys.text("description"),
        cmd=runs.get("cmd", ""),
        flags=(*own, *_others(model.flags, own)),
        main=runs.get("main", ""),
        exec=runs.get("exec", ""),
        steps=_steps(keys),
        requires=read_requirements(keys.get("requires"), what, notes),
        flags_import=_imported(keys),
        flags_import_skip=keys.texts("flags-import-skip"),
        flags_dest=_destination(keys),
        env=_environment(keys),
        label=keys.optional_text("label"),
        tags=keys.texts("tags"),
        sourcecode=sourcecode or model.sourcecode,
        output_scalars=model.output_scalars if scalars is None else scalars,
        compare=keys.texts("compare"),
        default=bool(keys.truth("default")),
        alias=_alias(keys),
        python_path=keys.texts("python-path"),
        stoppable=bool(keys.truth("stoppable")),
        line=key.place.line + 1,
        parents=model.parents,
        folders=_folders(keys, key, model) if model.parents else {},
    )
    keys.finish(UNSUPPORTED)
    return operation


def folders_of(keys: Keys, words: Iterable[str]) -> dict[str, str]:
    """Return for those of the keys that a package says the directory of that."""
    found = {}
    for word in words:
        pair = keys.pair(word)
        if pair is not None and (folder := keys.notes.folder(pair[1].place)):
            found[word] = folder
    return found


def _folders(keys: Keys, key: ScalarNode, model: Inherited) -> dict[str, str]:
    said = any(keys.pair(word) for word in RUN_WORDS)
    by_name = keys.notes.folder(key.place) if not said else ""
    own = folders_of(keys, (*RUN_WORDS, "flags-dest", "python-path", "sourcecode"))
    inherited = {} if keys.pair("sourcecode") else model.folders
    return {**inherited, **({"main": by_name} if by_name else {}), **own}


def read_output_scalars(keys: Keys) -> FlagValue:
    """Return `output-scalars` as written: text, a list, a mapping or False; None when nothing is said."""
    pair = keys.pair("output-scalars")
    if pair is None:
        return None
    node = pair[1]
    if isinstance(node, ScalarNode) and node.value is False:
        return False
    about = f"'output-scalars' of {keys.what}"
    for item in node.items if isinstance(node, SequenceNode) else (node,):
        pairs = [(key.text, value) for key, value in item.pairs] if isinstance(item, MappingNode) else [(None, item)]
        for name, value in pairs:
            if not isinstance(value, ScalarNode) or not isinstance(value.value, str):
                wanted = "expected 'no', patterns, or a mapping of names to patterns"
                raise NodeError(f"{about} has {kind_of(value)}: {wanted}", value.place)
            _check_pattern(plain_text(value, about), name, about, value.place)
    return value_of(node)


def _check_pattern(text: str, name: str | None, about: str, place: Place) -> None:
    from artifacts.output_patterns import PatternError, check

    try:
        check(text, name)
    except PatternError as error:
        raise NodeError(f"{about}: {error.message}", place) from error


def _others(flags: tuple[FlagDef, ...], own: tuple[FlagDef, ...]) -> tuple[FlagDef, ...]:
    names = {flag.name for flag in own}
    return tuple(flag for flag in flags if flag.name not in names)


def _what_it_runs(keys: Keys, key: ScalarNode, *, main_by_name: bool) -> dict[str, str]:
    """Return the text of `cmd`, `main` or `exec`; nothing for `steps`."""
    given = sorted((pair for word in RUN_WORDS if (pair := keys.pair(word))), key=lambda pair: pair[0].place)
    if len(given) > 1:
        both = f"both '{given[0][0].text}' and '{given[1][0].text}'"
        raise NodeError(f"{keys.what} has {both}: expected only one of {', '.join(RUN_WORDS)}", given[1][0].place)
    if not given:
        if main_by_name:
            return {"main": _NO_MODULE.sub("_", key.text)}
        raise _runs_nothing(keys.what, key.place if keys.node.pairs else keys.node.place)
    word, node = given[0][0].text, given[0][1]
    return {} if word == "steps" else {word: _command(node, word, keys.what)}


def _command(node: Node, word: str, what: str) -> str:
    if isinstance(node, ScalarNode) and not node.text.strip():
        raise _runs_nothing(what, node.place, word)
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        raise NodeError(f"'{word}' of {what} is {kind_of(node)}: expected a command (text)", node.place)
    return plain_text(node, f"'{word}' of {what}").strip()


def _runs_nothing(what: str, place: Place, word: str = "cmd") -> NodeError:
    ways = "a module as 'cmd' or 'main', a program as 'exec', or 'steps'"
    return NodeError(f"{what} has no '{word}': expected what it runs, {ways}", place)


def _steps(keys: Keys) -> tuple[StepDef, ...]:
    node = keys.get("steps")
    return () if node is None else read_steps(node, keys.what, keys.notes)


def _imported(keys: Keys) -> tuple[str, ...] | str | None:
    pair = keys.pair("flags-import")
    if pair is None:
        return None
    node = pair[1]
    if isinstance(node, ScalarNode) and isinstance(node.value, bool):
        return "all" if node.value else ()
    names = texts_of(node, f"'flags-import' of {keys.what}")
    return "all" if names == ("all",) else names


def _destination(keys: Keys) -> str | None:
    pair = keys.pair("flags-dest")
    text = keys.optional_text("flags-dest")
    if pair is None or text is None or text in ("args", "args:click", "globals"):
        return text
    word, colon, name = text.partition(":")
    if word not in ("global", "dict", "namespace", "config") or not colon or not name.strip():
        raise NodeError(
            f"'flags-dest' of {keys.what} is '{text}': expected one of {', '.join(_DESTINATIONS)}", pair[1].place
        )
    return f"global:{name}" if word == "dict" else text


def _environment(keys: Keys) -> dict[str, str]:
    env = {}
    for key, node in keys.pairs("env"):
        if not key.text.strip() or "=" in key.text or "\0" in key.text:
            wanted = "expected a name without '='"
            raise NodeError(f"variable '{key.text}' in 'env' of {keys.what} cannot be set: {wanted}", key.place)
        env[key.text] = plain_text(node, f"variable '{key.text}' in 'env' of {keys.what}")
    return env


def _alias(keys: Keys) -> str | None:
    pair = keys.pair("alias")
    if pair is None:
        return None
    key, node = pair
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        raise NodeError(f"'{key.text}' of {keys.what} is {kind_of(node)}: expected the name of a command", node.place)
    return checked_name(node, f"'alias' of {keys.what}")
