"""What one command works with: where it is, the home, the ledger and the index, each opened when first needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from artifacts.home import Home
from commands.terminal import note
from guild_ledger import __version__
from ledger.errors import GuildError, HomeGoneError, NoSpaceError

if TYPE_CHECKING:
    from commands.archived import Archived
    from ledger.log import Ledger
    from ledger.rows import EventRow
    from ledger.transaction import Header
    from projections.as_of import Moment
    from projections.index import Index


class App:
    """The context of one command.

    Attributes:
        cwd: absolute directory that model files, scope and displayed operations are relative to (`-C`).
        directory: what was given with `-C`, or None.
        home_option: what was given with `-H`, or None.
        home: the guild home.
        argv: the command line, as it is recorded.
        fresh: whether indexes mean what they mean now, whatever an earlier listing showed.
        at: `--at` as written: the index and the events of runs are those of then, and nothing is recorded.
        archive: `--archive` as written: ledger and index are those of the runs in that file, and nothing is recorded.
        makes: whether a home or ledger that is not there is made; what serves pages only finds it.
        moved: what has moved since the listing that the user's indexes are from, a line each.
        noted: names of an expression that no run has and of which the user was told.
    """

    def __init__(self, cwd: str, directory: str | None, home: Home, argv: Sequence[str]) -> None:
        self.cwd = cwd
        self.directory = directory
        self.home_option: str | None = None
        self.home = home
        self.argv = tuple(argv)
        self.fresh = False
        self.at = ""
        self.archive = ""
        self.makes = True
        self.moved: list[str] = []
        self.noted: set[str] = set()
        self._ledger: Ledger | None = None
        self._index: Index | None = None
        self._then: Moment | None = None
        self._archived: Archived | None = None

    def spelled(self, words: str) -> str:
        """Return a command as the user would type it for the same home: with -H and -C when these were given."""
        given = [f"{option} {_quoted(value)}" for option, value in (("-H", self.home_option), ("-C", self.directory))
                 if value is not None]  # fmt: skip
        return " ".join(("guild", *given, words))

    def header(self, *, reason: str | None = None, undoes: str | None = None) -> Header:
        """Return who is asking: recorded with every transaction."""
        from ledger.transaction import Header

        return Header(
            actor=_actor(),
            host=os.uname().nodename,
            argv=self.argv,
            cwd=working_directory(),
            program=f"guild-ledger {__version__}",
            reason=reason,
            undoes=undoes,
        )

    @property
    def ledger(self) -> Ledger:
        """The ledger, opened on first use."""
        if self._ledger is None:
            self._ledger = self.open_ledger()
        return self._ledger

    def open_ledger(self) -> Ledger:
        """Return a newly opened ledger; the caller closes it.

        Raises:
            GuildError: it cannot be opened or made.
        """
        if self.archived is not None:
            return self.archived.ledger
        from ledger.opening import open_existing, open_sqlite

        url = os.environ.get("GUILD_LEDGER", "")
        if url:
            return self._open_url(url)
        path = self.home.ledger_path
        if os.path.exists(path):
            ledger = open_existing(path)
            if getattr(ledger.store, "is_full", False):
                note("The disk of the home is full: what is there can be looked at, nothing can be recorded.")
            return ledger
        if self.at:
            raise GuildError(f"there is no ledger in {self.home.root!r} yet, and so no past", hint="Leave --at out.")
        if not self.makes:
            raise HomeGoneError(
                f"the ledger is gone from {self.home.root!r}", hint="Bring it back, or end what shows it."
            )
        self.home.ensure()
        return open_sqlite(path, self.header(), witnesses=self._has_witnesses)

    def take_ledger(self) -> Ledger:
        """Return the ledger for the caller to close: the one that is open, or a newly opened one.

        Raises:
            GuildError: as `open_ledger` does.
        """
        self.close_index()
        ledger, self._ledger = self.ledger, None
        return ledger

    def _has_witnesses(self) -> bool:
        """Tell whether the home holds what only a ledger leads to; folders of other programs' runs do not count."""
        from projections.files import has_any_index

        folders = (self.home.leases_dir, self.home.purging_dir, self.home.sources_dir)
        return has_any_index(self.home.index_dir) or any(os.listdir(folder) for folder in folders)

    def _open_url(self, url: str) -> Ledger:
        from ledger.opening import open_url

        if "://" not in url:
            raise GuildError(
                f"GUILD_LEDGER is {url!r}, no database URL", hint="Example: postgresql+psycopg://host/database"
            )
        if not self.at:
            self.home.ensure()
        return open_url(url, self.header(), make=not self.at)

    @property
    def index(self) -> Index:
        """The index, caught up with the ledger on first use."""
        if self._index is None:
            if self.then is not None:
                from commands.as_of import past_index

                self._index = past_index(self, self.then)
                return self._index
            if self.archived is not None:
                from projections.rebuild import rebuild_in_memory

                self._index = rebuild_in_memory(self.ledger)
                return self._index
            from projections.index import open_index

            self._index = open_index(self.home.index_dir, self.ledger, note)
        return self._index

    @property
    def archived(self) -> Archived | None:
        """The archive that `--archive` names, read on first use; None without it.

        Raises:
            GuildError: it cannot be read, or is refused.
        """
        if self._archived is None and self.archive:
            from commands.archived import opened

            self._archived = opened(self.archive)
        return self._archived

    @property
    def is_elsewhere(self) -> bool:
        """Whether what is shown is the past or an archive: nothing is recorded or remembered of it."""
        return bool(self.at or self.archive)

    @property
    def then(self) -> Moment | None:
        """The moment that `--at` names; None without it.

        Raises:
            UsageError: it names none that the ledger holds.
        """
        if self._then is None and self.at:
            from commands.as_of import moment_of

            self._then = moment_of(self, self.at)
        return self._then

    def stream_events(self, streams: Iterable[str]) -> list[EventRow]:
        """Return every event of these streams in order of position, with `--at` those that had been recorded."""
        events = self.ledger.store.stream_events(streams)
        then = self.then
        return events if then is None else [event for event in events if event.txn_seq <= then.end.seq]

    def rebuild_index(self, why: str) -> Index:
        """Throw the index away in the middle of a command that found it damaged, and return the new one."""
        from projections.rebuild import rebuild, rebuild_in_memory

        if self.is_elsewhere:
            raise GuildError(f"the temporary index could not be read: {why}", hint="Try again.")
        self.close_index()
        try:
            count = rebuild(self.home.index_dir, self.ledger)
        except NoSpaceError:
            note(f"The index could not be used ({why}), and there is no space for a new one.")
            self._index = rebuild_in_memory(self.ledger)
            return self._index
        note(f"The index could not be used ({why}) and was rebuilt from the ledger: {count} events.")
        return self.index

    def close_index(self) -> None:
        """Let go of the index."""
        if self._index is not None:
            self._index.close()
            self._index = None

    @contextmanager
    def another(self) -> Iterator[App]:
        """Give a context of its own for the same home and directory, for a moment or for another thread.

        It makes nothing: a home that is gone meanwhile is an error.
        """
        made = App(self.cwd, self.directory, self.home, self.argv)
        made.home_option = self.home_option
        made.makes = False
        try:
            yield made
        finally:
            made.close()

    def close(self) -> None:
        """Let go of everything: no database stays open while a run's process works."""
        self.close_index()
        if self._ledger is not None:
            self._ledger.store.close()
            self._ledger = None


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


def _actor() -> str:
    """Return the login name; from the environment first, because the password database may be on a network."""
    for name in ("LOGNAME", "USER", "USERNAME"):
        if os.environ.get(name):
            return os.environ[name]
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def working_directory() -> str:
    """Return the working directory of this process, whatever -C says; empty when it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def make_app(directory: str | None, home: str | None, argv: Sequence[str] | None = None) -> App:
    """Return the context for the global options.

    Raises:
        GuildError: the directory does not exist, or there is no working directory.
    """
    from artifacts.home import find_home

    cwd = _directory(directory)
    user_home = _user_home()
    root = find_home(
        explicit=_from_here(home),
        env_value=_from_here(os.environ.get("GUILD_HOME")),
        cwd=cwd,
        user_home=user_home or "~",
    )
    if not user_home and "~" in root.split("/"):
        raise GuildError(
            "your home directory is not known", hint="Set HOME, or choose the home of runs with -H PATH or GUILD_HOME."
        )
    app = App(cwd, directory, Home(root), ["guild", *(sys.argv[1:] if argv is None else argv)])
    app.home_option = home
    return app


def _user_home() -> str:
    """Return the user's home directory, empty when unknown: in a container neither HOME nor an account may be."""
    home = os.environ.get("HOME", "")
    if os.path.isabs(home):
        return home
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""


def _from_here(path: str | None) -> str | None:
    """Return a relative path as the shell means it: -C is about projects, not about where the home is."""
    if not path or path == "~" or path.startswith(("/", "~/")):
        return path
    return os.path.join(_existing_directory(), path)


def _directory(directory: str | None) -> str:
    if directory is not None:
        if not os.path.exists(directory):
            raise GuildError(f"directory {directory!r} does not exist", hint="Give an existing directory with -C.")
        if not os.path.isdir(directory):
            raise GuildError(f"{directory!r} is not a directory", hint="Give a directory with -C.")
        # As after `cd`: the scope of a link to a project is the project's.
        path = directory if os.path.isabs(directory) else os.path.join(_existing_directory(), directory)
        return os.path.realpath(path)
    return _existing_directory()


def _existing_directory() -> str:
    path = working_directory()
    if not path:
        raise GuildError("the working directory is gone", hint="Change to another directory, or use -C.")
    return path
