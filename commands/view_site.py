"""What `guild view` gives its pages of the home and of the command line: see `view.web.site`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from commands.app import App
from commands.options import Limits
from commands.reaping import reap
from commands.selecting import filter_of
from commands.terminal import heard
from commands.view_actions import AppActions
from guild_ledger import __version__
from ledger.canonical import Value
from ledger.ids import RunId
from ledger.log import Ledger
from projections.index import Index
from projections.rows import RunFilter, RunRow
from view.web.site import Asked, LogAsked

_REAP_SECONDS = 1.0


class HomeSession:
    """`view.web.site.Session`: a context of the command line, and what it tells."""

    def __init__(self, app: App, last_reaped: list[float]) -> None:
        self._app = app
        self._last_reaped = last_reaped
        self.home = app.home
        self.cwd = app.cwd

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        return self._app.ledger

    @property
    def index(self) -> Index:
        """The index, caught up."""
        return self._app.index

    def rebuild_index(self, why: str) -> Index:
        """Throw a damaged index away."""
        return self._app.rebuild_index(why)

    def reap(self) -> None:
        """Record the end of runs whose supervisor is gone; several pages need not look one after the other."""
        now = time.monotonic()
        if now - self._last_reaped[0] > _REAP_SECONDS:
            self._last_reaped[0] = now
            reap(self._app)

    def details(self, row: RunRow) -> Mapping[str, Value]:
        """Return all that is known of a run but its environment."""
        from commands.runs_info import run_details

        found = dict(run_details(self._app, row))
        found.pop("environment", None)
        return found

    def history(self, run_id: RunId) -> Mapping[str, Value]:
        """Return the life of a run."""
        from commands.history import Story

        return Story(self._app, run_id).values()

    def log(self, asked: LogAsked) -> Mapping[str, Value]:
        """Return a page of the log."""
        from commands.view_log import log_page

        return log_page(self._app, asked)


class HomeSite:
    """`view.web.site.Site` on the home of a command.

    Args:
        app: the command; never used itself but for its settings.
        project: directory of the model file that limits runs; None when there is none.
        query: what the page begins with, as parameters of its list.
    """

    def __init__(self, app: App, project: str | None, query: str) -> None:
        self._app = app
        self._project = project
        self._last_reaped = [-_REAP_SECONDS]
        self.home = app.home
        self._in_server = bool(os.environ.get("GUILD_LEDGER"))
        header = app.header()
        self.actions = AppActions(app.another)
        self._config: dict[str, Value] = {
            "version": __version__,
            "home": app.home.root,
            "cwd": app.cwd,
            "project": project,
            "actor": header.actor,
            "host": header.host,
            "scopes": ["all"] if project is None else ["project", "all"],
            "query": query,
        }

    def config(self) -> Mapping[str, Value]:
        """Return what the page needs first."""
        return self._config

    @contextmanager
    def opened(self) -> Iterator[HomeSession]:
        """Give a session."""
        with heard(), self._app.another() as app:
            yield HomeSession(app, self._last_reaped)

    def files(self) -> Sequence[str]:
        """Return the ledger's files."""
        path = self._app.home.ledger_path
        return () if self._in_server else (path, f"{path}-wal")

    def wanted(self, asked: Asked) -> RunFilter:
        """Return a filter."""
        limits = Limits(
            everywhere=asked.everywhere,
            operations=asked.operations,
            statuses=asked.statuses,
            labels=asked.labels,
            unlabeled=asked.unlabeled,
            tags=asked.tags,
            marked=asked.marked,
            comments=asked.comments,
            started=asked.started,
            digest=asked.digest,
            expression=asked.expression,
        )
        return filter_of(limits, asked.place, self._app.cwd, None if asked.everywhere else self._project)
