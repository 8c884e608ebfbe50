"""`guild run --edit-flags`: the flags as YAML in the user's editor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from ledger.errors import GuildError
from operations.flags import flow_text

if TYPE_CHECKING:
    from ledger.canonical import Value
    from operations.catalog import Found
    from operations.definitions import FlagValue

_HEAD = "# Flags of {name}. Save and leave the editor to go on; leave nothing to stop.\n"


def edited_flags(found: Found, flags: Mapping[str, Value]) -> dict[str, FlagValue]:
    """Return the flags as the user left them.

    Raises:
        GuildError: the editor was left without saving, nothing was left, or it is no mapping.
    """
    from operations.nodes import MappingNode, NodeError, compose, value_of

    described = {flag.name: " ".join(flag.description.split()) for flag in found.operation.flags}
    lines = [_HEAD.format(name=found.name)]
    for name, value in flags.items():
        if described.get(name):
            lines.append(f"# {described[name]}\n")
        shown = "" if value is None else flow_text(value)  # type: ignore[arg-type]  # a flag's value
        lines.append(f"{flow_text(name)}: {shown}".rstrip() + "\n")
    text = click.edit("".join(lines), extension=".yml")
    if text is None:
        raise GuildError(
            "the flags were not saved in the editor, so nothing was started",
            hint="Save the file, changed or not, to start the run; without --edit-flags no editor opens.",
        )
    try:
        node = compose(text)
    except NodeError as error:
        where = f"line {error.place.line + 1}"
        raise GuildError(
            f"the edited flags cannot be read: {where}: {error.problem}", hint="Nothing was started."
        ) from error
    if node is None:
        raise GuildError("no flags were left in the editor, so nothing was started")
    if not isinstance(node, MappingNode):
        raise GuildError("the edited flags are no mapping of names and values", hint="Nothing was started.")
    return {key.text: value_of(value) for key, value in node.pairs}
