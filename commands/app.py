"""What one command works with: where it is, the home, the ledger and the index, each opened when first needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from artifacts.home import Home
from commands.terminal import note
from guild_ledger import __version__
from ledger.errors import GuildError, NoSpaceError

if TYPE_CHECKING:
    from ledger.log import Ledger
    from ledger.transaction import Header
    from projections.index import Index


class App:
    """The context of one command.

    Attributes:
        cwd: absolute directory that model files, scope and displayed operations are relative to (`-C`).
        directory: what was given with `-C`, or None.
        home: the guild home.
        argv: the command line, as it is recorded.
        fresh: whether indexes mean what they mean now, whatever an earlier listing showed.
        moved: what has moved since the listing that the user's indexes are from, a line each.
    """

    def __init__(self, cwd: str, directory: str | None, home: Home, argv: Sequence[str]) -> None:
        self.cwd = cwd
        self.directory = directory
        self.home = home
        self.argv = tuple(argv)
        self.fresh = False
        self.moved: list[str] = []
        self._ledger: Ledger | None = None
        self._index: Index | None = None

    def header(self, *, reason: str | None = None) -> Header:
        """Return who is asking: recorded with every transaction."""
        from ledger.transaction import Header

        return Header(
            actor=_actor(),
            host=os.uname().nodename,
            argv=self.argv,
            cwd=working_directory(),
            program=f"guild-ledger {__version__}",
            reason=reason,
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
        self.home.ensure()
        return open_url(url, self.header())

    @property
    def index(self) -> Index:
        """The index, caught up with the ledger on first use."""
        if self._index is None:
            from projections.index import open_index

            self._index = open_index(self.home.index_dir, self.ledger, note)
        return self._index

    def rebuild_index(self, why: str) -> Index:
        """Throw the index away in the middle of a command that found it damaged, and return the new one."""
        from projections.rebuild import rebuild, rebuild_in_memory

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

    def close(self) -> None:
        """Let go of everything: no database stays open while a run's process works."""
        self.close_index()
        if self._ledger is not None:
            self._ledger.store.close()
            self._ledger = None


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
    return App(cwd, directory, Home(root), ["guild", *(sys.argv[1:] if argv is None else argv)])


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
