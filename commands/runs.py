"""`guild runs`: the group, and by itself the list."""

from __future__ import annotations

import click

from commands.lazy import LazyGroup
from commands.listing_options import Layout, listing_options
from commands.options import Limits, archive_option, at_option, limiting
from commands.show_runs import show_runs
from ledger.errors import GuildError

_COMMANDS = {
    "comment": "commands.comment:comment",
    "delete": "commands.runs_delete:delete",
    "export": "commands.runs_export:export_runs",
    "import": "commands.runs_import:import_runs",
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
@at_option
@archive_option
@listing_options
@click.pass_context
def runs(ctx: click.Context, limits: Limits, layout: Layout) -> None:
    """List runs, or do something to them. Without a command: the same as `guild runs list`.

    `rm` is short for `delete`, `ls` for `list`. `guild runs list --help` tells more of the options.

    \b
    Examples:
      guild runs -n 20
      guild runs -E --started today
      guild runs --sort loss --columns id,lr,loss
      guild runs rm 0
    """
    if ctx.invoked_subcommand is None:
        show_runs(ctx.obj, limits, (), layout)
    elif limits.given() or layout.given():
        raise GuildError(
            f"options cannot be listed before command ('{ctx.invoked_subcommand}')",
            hint=f"Put them after it: guild runs {ctx.invoked_subcommand} [OPTIONS].",
        )
