"""The words that a shell offers when Tab is pressed: what is common, files and commands; imported only then.

These functions read and never write, ask nobody, and may fail: `commands.shells` turns every failure into silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from commands.app import App, make_app
from commands.lazy import LazyGroup

if TYPE_CHECKING:
    import click

Items = list[CompletionItem[str]]

MOST = 50
"""How many words are offered for one thing; more are not read anyway."""

_LONGEST = 100


def app_of(ctx: click.Context) -> App:
    """Return what the global options before the cursor say."""
    params = ctx.find_root().params
    return make_app(params.get("directory"), params.get("home"))


def item(value: str, about: str = "") -> CompletionItem[str]:
    """Return a word to offer, its description on one line."""
    from ledger.text import printable

    return CompletionItem(value, help=printable(" ".join(about.split()), _LONGEST) if about else None)


def texts(value: object) -> tuple[str, ...]:
    """Return what an option or argument with many values has got so far."""
    return tuple(str(text) for text in value) if isinstance(value, (list, tuple)) else ()


def directories(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Leave it to the shell to offer directories."""
    return [CompletionItem(incomplete, type="dir")]


def files(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Leave it to the shell to offer files."""
    return [CompletionItem(incomplete, type="file")]


def help_targets(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer what `guild help` takes: commands, packages, directories."""
    from commands.completing_files import entries

    root = ctx.find_root()
    found = []
    if isinstance(root.command, LazyGroup) and not ctx.params.get("words"):
        for name in root.command.list_commands(root):
            command = root.command.get_command(root, name) if name.startswith(incomplete) else None
            if command is not None:
                found.append(item(name, command.get_short_help_str()))
    return [*found, *(item(path) for path in entries(app_of(ctx).cwd, incomplete) if path.endswith("/"))]
