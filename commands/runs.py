"""`guild runs`: the group, and by itself the list."""

from __future__ import annotations

import click

from commands.lazy import LazyGroup
from commands.options import Limits, limiting
from commands.runs_list import listing_options, show_runs
from ledger.errors import GuildError

_COMMANDS = {
    "comment": "commands.comment:comment",
    "delete": "commands.runs_delete:delete",
    "info": "commands.runs_info:info",
    "label": "commands.runs_label:label",
    "list": "commands.runs_list:list_runs",
    "mark": "commands.mark:mark",
    "protect": "commands.protect:protect",
    "purge": "commands.runs_purge:purge",
    "restore": "commands.runs_restore:restore",
    "stop": "commands.stop:stop",
    "tag": "commands.tag:tag",
    "unprotect": "commands.protect:unprotect",
}
_ALIASES = {"rm": "delete", "ls": "list"}


@click.group(cls=LazyGroup, lazy=_COMMANDS, aliases=_ALIASES, invoke_without_command=True)
@limiting
@listing_options
@click.pass_context
def runs(ctx: click.Context, limits: Limits, *, deleted: bool, verbose: bool, as_json: bool, limit: int | None) -> None:
    """List runs, or do something to them. Without a command: the same as `guild runs list`.

    `rm` is short for `delete`, `ls` for `list`.

    \b
    Examples:
      guild runs             the runs in scope
      guild runs -E --op train
      guild runs rm --help
    """
    if ctx.invoked_subcommand is None:
        show_runs(ctx.obj, limits, (), deleted=deleted, verbose=verbose, as_json=as_json, limit=limit)
    elif limits.given() or deleted or verbose or as_json or limit is not None:
        raise GuildError(
            f"options cannot be listed before command ('{ctx.invoked_subcommand}')",
            hint=f"Put them after it: guild runs {ctx.invoked_subcommand} [OPTIONS].",
        )
