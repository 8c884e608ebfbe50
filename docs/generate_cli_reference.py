"""Writes `docs/cli-reference.md` from the commands themselves; a test checks that the page is current.

python -m docs.generate_cli_reference      in the root of a checkout
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from inspect import cleandoc

import click

from commands.lazy import LazyGroup
from commands.main import guild

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cli-reference.md")

_HEAD = """\
# Command line reference

This page is made from the program itself by `python -m docs.generate_cli_reference`; do not edit it. How the commands
go together is told in the [user guide](user-guide.md), the JSON that they print
[there too](user-guide.md#json).
"""


def commands_below(group: click.Group, context: click.Context) -> Iterator[tuple[click.Context, click.Command]]:
    """Yield every command below a group, each group before what is in it."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        below = click.Context(command, info_name=name, parent=context)
        yield below, command
        if isinstance(command, click.Group):
            yield from commands_below(command, below)


def all_commands() -> list[tuple[click.Context, click.Command]]:
    """Return `guild` and every command below it."""
    context = click.Context(guild, info_name="guild")
    return [(context, guild), *commands_below(guild, context)]


def page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *(_section(context, command) for context, command in all_commands())])


def _section(context: click.Context, command: click.Command) -> str:
    parts = [f"## {context.command_path}", _fenced([_usage(context, command)])]
    parts += _paragraphs(command.help or "")
    parts += _paragraphs(command.epilog or "")
    parts += _aliases(context)
    options = [option for option in command.params if isinstance(option, click.Option)]
    if options:
        parts.append("\n".join(["| option | meaning |", "|---|---|", *map(_row, options)]))
    if isinstance(command, click.Group):
        paths = (f"{context.command_path} {name}" for name in command.list_commands(context))
        links = (f"[`{path}`](#{path.replace(' ', '-')})" for path in paths)
        parts.append(f"Commands: {', '.join(links)}.")
    return "\n\n".join(parts) + "\n"


def _usage(context: click.Context, command: click.Command) -> str:
    return " ".join([context.command_path, *command.collect_usage_pieces(context)])


def _paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; those that click must not wrap become blocks."""
    for paragraph in cleandoc(text).split("\n\n"):
        lines = paragraph.splitlines()
        if lines[:1] == ["\b"]:
            yield _fenced(lines[1:])
        elif paragraph.strip():
            yield " ".join(line.strip() for line in lines)


def _fenced(lines: list[str]) -> str:
    return "\n".join(["```", *lines, "```"])


def _aliases(context: click.Context) -> Iterator[str]:
    parent = context.parent
    if parent is not None and isinstance(parent.command, LazyGroup):
        aliases = parent.command._aliases  # noqa: SLF001 - a list of commands leaves them out, this page does not
        names = [name for name in sorted(aliases) if aliases[name] == context.info_name]
        if names:
            yield f"Also: {', '.join(f'`{parent.command_path} {name}`' for name in names)}."


def _row(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    value = "" if option.is_flag else f" `{option.metavar or 'VALUE'}`"
    return f"| {names}{value} | {option.help or ''} |"


if __name__ == "__main__":
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(page())
