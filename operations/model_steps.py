"""`steps` of an operation in a model file: other operations, run one after the other."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from operations.definitions import FlagValue, StepDef
from operations.flags import flow_text, parse_value
from operations.model_values import Keys, mapping, plain_text, texts_of
from operations.nodes import MappingNode, Node, NodeError, Place, ScalarNode, SequenceNode, kind_of, value_of

if TYPE_CHECKING:
    from operations.model_text import Notes

_UNSUPPORTED = (
    *("batch-label", "batch-tags", "checks", "expect", "fail-on-trial-error", "force-flags", "gpus", "isolate-runs"),
    *("max-trials", "maximize", "minimize", "no-gpus", "opt-flags", "optimize", "optimizer", "random-seed", "remote"),
    "stop-after",
)


def read_steps(node: Node, what: str, notes: Notes) -> tuple[StepDef, ...]:
    """Return the steps of an operation.

    Raises:
        NodeError: it is no list, is empty, or a step says something that a step cannot say.
    """
    if not isinstance(node, SequenceNode) or not node.items:
        wrong = "an empty list" if isinstance(node, SequenceNode) else kind_of(node)
        raise NodeError(f"'steps' of {what} is {wrong}: expected a list of operations", node.place)
    return tuple(_step(item, f"a step of {what}", notes) for item in node.items)


def _step(node: Node, what: str, notes: Notes) -> StepDef:
    if isinstance(node, ScalarNode):
        run, flags = _command(node, what, notes)
        return StepDef(run, flags)
    keys = Keys(mapping(node, what, "'OPERATION NAME=VALUE ...' or a mapping with 'run'"), what, notes)
    pair = keys.pair("run")
    if pair is None:
        raise NodeError(f"{what} has no 'run': expected the operation that it runs", node.place)
    run, flags = _command(pair[1], f"'run' of {what}", notes)
    step = StepDef(
        run=run,
        flags=(*flags, *_flags(keys.get("flags"), f"'flags' of {what}")),
        name=keys.text("name"),
        label=keys.optional_text("label"),
        tags=keys.texts("tags"),
        needed=bool(keys.truth("needed")),
    )
    keys.finish(_UNSUPPORTED)
    return step


def _command(node: Node, what: str, notes: Notes) -> tuple[str, tuple[str, ...]]:
    """Return operation and flags of a step that is written as on the command line."""
    text = plain_text(node, what)
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise NodeError(f"{what} cannot be taken apart into words: {error}", node.place) from error
    if not words:
        raise NodeError(f"{what} is empty: expected the operation that it runs", node.place)
    return notes.named(words[0], node.place), _assignments(
        _without_options(words[1:], what, node.place, notes), what, node.place
    )


def _without_options(words: list[str], what: str, place: Place, notes: Notes) -> list[str]:
    """Return the words without options of the command line, such as `--max-trials 3`, which are warned of."""
    kept: list[str] = []
    options: list[str] = []
    for word in words:
        is_value = bool(options) and "=" not in word
        (options if word.startswith("-") or is_value else kept).append(word)
    if options:
        notes.warn(place, f"'{' '.join(options)}' in {what} is not supported and is ignored")
    return kept


def _flags(node: Node | None, what: str) -> tuple[str, ...]:
    if node is None:
        return ()
    if isinstance(node, MappingNode):
        return tuple(f"{key.text}={_typed(value_of(value))}" for key, value in node.pairs)
    return _assignments(list(texts_of(node, what)), what, node.place)


def _assignments(words: list[str], what: str, place: Place) -> tuple[str, ...]:
    for word in words:
        if not word.partition("=")[1] or word.startswith(("=", "-")):
            raise NodeError(f"{what} holds '{word}': expected NAME=VALUE behind the operation", place)
    return tuple(words)


def _typed(value: FlagValue) -> str:
    """Return a value as one would have to type it."""
    if isinstance(value, str) and parse_value(value) == value:
        return value
    return flow_text(value)
