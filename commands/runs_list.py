"""`guild runs list`: runs in scope that match, most recently started first."""

from __future__ import annotations

import click

from commands.app import App
from commands.listing_options import Layout, listing_options
from commands.options import Limits, archive_option, at_option, label_words, limiting
from commands.show_runs import show_runs


@click.command("list")
@click.argument("labels_or_names", metavar="[LABEL]...", nargs=-1, shell_complete=label_words)
@limiting
@at_option
@archive_option
@listing_options
@click.pass_obj
def list_runs(app: App, labels_or_names: tuple[str, ...], limits: Limits, layout: Layout) -> None:
    """List runs, the most recently started first, numbered from 0.

    In a directory with a model file only runs of its models are listed; --all lists all.
    With LABEL, only runs whose label contains it.

    A COLUMN is an attribute (such as operation, status, label, tag, started, duration, exit_status), flag:NAME or
    scalar:NAME; a bare name is looked for in this order. A sorted list shows no numbers, as they would mean other runs.

    \b
    Examples:
      guild runs list good                      runs labelled good
      guild runs list -ET                       runs that failed or were stopped
      guild runs list -d                        deleted runs
      guild runs list --sort loss -n 5          the five runs in which loss ended lowest
      guild runs list --columns id,lr,loss --csv >runs.csv
      guild runs list --group-by status         how many there are of each status
      guild runs list -R --watch                what is running, live
      guild runs list --archive best.tar.gz     what is in an archive
    """
    show_runs(app, limits, labels_or_names, layout)
