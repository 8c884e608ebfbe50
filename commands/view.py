"""`guild view`: the runs in a browser, served on loopback until Ctrl-C."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from commands.app import App
from commands.lazy import completer
from commands.listing_options import Layout
from commands.options import SELECTION_HELP, Limits, limiting, run_words
from commands.selecting import open_query, run_filter, selected, tell_moved
from commands.terminal import note, say
from ledger.errors import UsageError
from projections.schema import DELETED, LIVE

if TYPE_CHECKING:
    from commands.view_site import HomeSite

_SORTS = completer("commands.completing_columns:sorts")
_MOST_NAMED = 200
"""Runs that are named one by one in the page's address."""


@click.command("view", epilog=SELECTION_HELP)
@click.argument("specs", metavar="[RUN]...", nargs=-1, shell_complete=run_words)
@limiting
@click.option("-d", "--deleted", is_flag=True, help="Begin with deleted runs (those that can be restored).")
@click.option("--sort", metavar="COLUMN", shell_complete=_SORTS, help="Begin sorted by an attribute, flag or scalar.")
@click.option("--reverse", is_flag=True, help="Begin the other way round.")
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Address of loopback.")
@click.option("--port", metavar="PORT", type=click.IntRange(0, 65535), default=0, help="Port; a free one without it.")
@click.option("-n", "--no-open", is_flag=True, help="Do not open the browser.")
@click.pass_obj
def view(
    app: App,
    specs: tuple[str, ...],
    limits: Limits,
    *,
    deleted: bool,
    sort: str | None,
    reverse: bool,
    host: str,
    port: int,
    no_open: bool,
) -> None:
    """Show runs in the browser, live: list, output, charts, comparison, and what can be done to them.

    The page begins with the runs that the same options of `guild runs` list; everything can be changed there. It is
    served on this machine alone, to who has the address that is printed. Ctrl-C ends it, and no run.

    \b
    Examples:
      guild view
      guild view -F "loss < 0.3" --sort loss
      guild view 0:3                  begin with four runs
      guild view --port 8080 -n       print the address, do not open it
    """
    from commands.view_site import HomeSite

    place = DELETED if deleted else LIVE
    wanted = run_filter(app, limits, place=place)
    query = open_query(app, wanted)
    if sort:
        list(query.rows(limit=1, sort=sort, reverse=reverse))  # one that there is not is told now
    ids: Sequence[str] = ()
    if specs:
        rows = selected(app, wanted, specs, list_command="guild runs --deleted" if deleted else "guild runs")
        tell_moved(app)
        if len(rows) > _MOST_NAMED:
            raise UsageError(
                f"{len(rows)} runs are named, more than {_MOST_NAMED}", hint="Limit them by options instead."
            )
        ids = [row.run_id for row in rows]
    layout = Layout(deleted=deleted, sort=sort or "", reverse=reverse)
    site = HomeSite(app, wanted.project, _query(limits, ids, layout))
    app.close()  # nobody shall wait for somebody who is watching
    _serve(site, host, port, no_open=no_open)


def _query(limits: Limits, ids: Sequence[str], layout: Layout) -> str:
    """Return what the options say as the parameters of the page's list."""
    pairs = [("scope", "all")] if limits.everywhere else []
    pairs += [("op", text) for text in limits.operations]
    pairs += [("status", text) for text in limits.statuses]
    pairs += [("label", text) for text in limits.labels]
    pairs += [("tag", text) for text in limits.tags]
    pairs += [("comment", text) for text in limits.comments]
    pairs += [("unlabeled", "1")] * limits.unlabeled
    pairs += [("marked", str(int(limits.marked)))] if limits.marked is not None else []
    texts = {
        "started": limits.started, "digest": limits.digest, "filter": limits.expression, "sort": layout.sort,
        "select": " ".join(ids), "place": DELETED if layout.deleted else "", "reverse": "1" * layout.reverse,
    }  # fmt: skip
    pairs += [(name, text) for name, text in texts.items() if text]
    from urllib.parse import urlencode

    return urlencode(pairs, errors="surrogateescape")


def _serve(site: HomeSite, host: str, port: int, *, no_open: bool) -> None:
    from view.web.feed import Feed
    from view.web.keys import Keys
    from view.web.routes import application
    from view.web.serving import hosts_of, listen, serve

    listening = listen(host, port)
    hosts = hosts_of(listening)
    keys = Keys(listening.getsockname()[1])
    feed = Feed(site)
    app = application(site, feed, keys, hosts)
    say(f"Running Guild View at http://{hosts[0]}/?token={keys.token}")
    note("(Type Ctrl-C to quit)")
    if not no_open:
        from commands.browser import open_page

        open_page(f"http://{hosts[0]}/?token={keys.once()}")
    serve(app, listening, feed.end)
