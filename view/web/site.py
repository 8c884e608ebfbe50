"""What the pages are served from: given by the command, so that nothing here knows the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from artifacts.home import Home
from ledger.canonical import Value
from ledger.dataclass import dataclass
from ledger.ids import RunId
from ledger.log import Ledger
from projections.errors import IndexDamagedError
from projections.index import Index
from projections.rows import RunFilter, RunRow
from view.actions import Actions

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which runs a page asks for; as `projections.rows.RunFilter`, in the words of a person.

    Attributes:
        everywhere: all runs, not only those of the project.
        place: `live` or `deleted`.
        operations: substrings of the operation, any of them.
        statuses: any of them.
        labels: substrings of the label, any of them.
        unlabeled: only runs without a label.
        tags: whole tags, any of them.
        marked: whether the run is marked; None for either.
        comments: substrings of a comment, any of them.
        started: a range of time such as `last 2 hours`.
        digest: the beginning of the digest of the sources.
        expression: see `projections.expression`.
    """

    everywhere: bool = False
    place: str = "live"
    operations: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    unlabeled: bool = False
    tags: tuple[str, ...] = ()
    marked: bool | None = None
    comments: tuple[str, ...] = ()
    started: str = ""
    digest: str = ""
    expression: str = ""


@dataclass(frozen=True, slots=True)
class LogAsked:
    """Which transactions a page asks for.

    Attributes:
        before: only those before this one; None for the newest.
        limit: how many at most.
        run: about this run, a whole id; empty for any.
        actor: by this login name, or `name@host`; empty for anybody.
        types: with an event of one of these types.
    """

    before: int | None
    limit: int
    run: str = ""
    actor: str = ""
    types: tuple[str, ...] = ()


class Session(Protocol):
    """Home, ledger and index for one request: opened in the thread that uses it, closed when it is answered."""

    @property
    def home(self) -> Home:
        """The home."""

    @property
    def ledger(self) -> Ledger:
        """The ledger."""

    @property
    def index(self) -> Index:
        """The index, caught up with the ledger."""

    @property
    def cwd(self) -> str:
        """Directory that displayed operations are relative to."""

    def rebuild_index(self, why: str) -> Index:
        """Throw an index away that proved damaged."""

    def details(self, row: RunRow) -> Mapping[str, Value]:
        """Return all that is known of a run, its environment left out."""

    def history(self, run_id: RunId) -> Mapping[str, Value]:
        """Return the life of a run, also of one that was purged."""

    def log(self, asked: LogAsked) -> Mapping[str, Value]:
        """Return a page of the ledger's transactions, newest first."""

    def reap(self) -> None:
        """Record the end of runs whose supervisor is gone; not more often than every second or two."""


class Site(Protocol):
    """The home that is looked at. Methods may be called from any thread; each may raise `GuildError`."""

    @property
    def actions(self) -> Actions:
        """What can be done to runs."""

    @property
    def home(self) -> Home:
        """The home."""

    def opened(self) -> AbstractContextManager[Session]:
        """Give a session for one request. It makes nothing: a home that is gone is an error.

        What would be noted or warned of on a terminal is dropped.
        """

    def config(self) -> Mapping[str, Value]:
        """Return what a page needs to know before anything else; no database is asked."""

    def wanted(self, asked: Asked) -> RunFilter:
        """Return what is asked for as a filter; times are measured by now."""

    def files(self) -> Sequence[str]:
        """Return the files that change whenever the ledger does; none when it is in a server."""


def asking(site: Site, work: Callable[[Session], T]) -> T:
    """Do something in a session; when the index proves damaged on the way, again on a new one.

    Raises:
        GuildError: the home is gone, the ledger is damaged, or what is asked for cannot be.
    """
    with site.opened() as session:
        try:
            return work(session)
        except IndexDamagedError as error:
            session.rebuild_index(error.message)
            return work(session)
