"""A click group that imports a command's module only when that command is asked for: start-up is a feature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import click

from ledger.text import did_you_mean

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Completer = Callable[[click.Context, click.Parameter, str], "list[CompletionItem[str]]"]
"""What click asks for the words that may stand where the cursor is."""


def completer(target: str) -> Completer:
    """Return the function `module:name`, whose module is imported when a shell asks for words."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        return cast("Completer", _imported(target))(ctx, param, incomplete)

    return complete


class LazyGroup(click.Group):
    """A group of commands given as `name -> "module:attribute"`; aliases are listed once, beside the command.

    `declared` names, in the same form, a function that returns the commands which the working directory adds. It is
    called only for words that are no command of the group.
    """

    def __init__(
        self,
        *args: Any,
        lazy: Mapping[str, str] | None = None,
        aliases: Mapping[str, str] | None = None,
        declared: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = dict(lazy or {})
        self._aliases = dict(aliases or {})
        self._declared = declared

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names shown in help."""
        return sorted(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, by its name or an alias."""
        target = self._lazy.get(self._aliases.get(cmd_name, cmd_name))
        if target is None:
            return self.declared(ctx).get(cmd_name)
        return _quick(cast("click.Command", _imported(target)))

    def is_built_in(self, name: str) -> bool:
        """Tell whether a word is a command of the group wherever it is used."""
        return name in self._lazy or name in self._aliases

    def declared(self, ctx: click.Context) -> Mapping[str, click.Command]:
        """Return the commands that the working directory adds."""
        if self._declared is None:
            return {}
        return cast("Mapping[str, click.Command]", _imported(self._declared)(ctx))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Return the commands and options that begin with what is typed."""
        from click.shell_completion import CompletionItem

        if [*getattr(ctx, "_protected_args", ()), *ctx.args]:
            return []  # behind a word that is no command
        found = super().shell_complete(ctx, incomplete)
        if not incomplete.startswith("-"):
            found += [
                CompletionItem(name, help=command.get_short_help_str())
                for name, command in self.declared(ctx).items()
                if name.startswith(incomplete)
            ]
        return found

    def make_parser(self, ctx: click.Context) -> Any:
        """Return click's parser of the group's options."""
        return _with_short_options(super().make_parser(ctx))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Show help when nothing was asked for; that is no error."""
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one may have been meant."""
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing and not name.startswith("-"):
            known = [*self._lazy, *self._aliases, *self.declared(ctx)]
            raise click.UsageError(f"unrecognized command '{name}'{did_you_mean(name, known)}", ctx)
        return super().resolve_command(ctx, args)


def _quick(command: click.Command) -> click.Command:
    """Return the command, with a parser that finds short options at once."""
    if not isinstance(command, LazyGroup) and "make_parser" not in vars(command):
        make_parser = command.make_parser
        vars(command)["make_parser"] = lambda ctx: _with_short_options(make_parser(ctx))
    return command


def _with_short_options(parser: Any) -> Any:
    """Return click's parser, its short options among the long ones too.

    click looks for every option among the long ones first. For `-n` it then composes an error, with the long options
    that it resembles, and throws that away: on a quick command, more work than all of its own.
    """
    with suppress(AttributeError):  # a later click may do it otherwise; this only saves time
        for name, option in parser._short_opt.items():  # noqa: SLF001 - there is no other way in
            parser._long_opt.setdefault(name, option)  # noqa: SLF001 - as above
    return parser


def _imported(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)
