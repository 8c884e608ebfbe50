"""The other ledger that a command line names: a home, a ledger's file, or an export."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from artifacts.home import Home
from commands.app import App
from commands.ledger_files import ledger_path
from ledger.errors import GuildError
from ledger.opening import open_other
from ledger.sqlite_store import SqliteStore
from ledger.text import printable

_SQLITE = b"SQLite format 3\0"


class Other(NamedTuple):
    """Another ledger, open to be read, and its home when it was named by that."""

    store: SqliteStore
    home: Home | None


@contextmanager
def other_ledger(app: App, name: str) -> Iterator[Other]:
    """Give the ledger that `name` stands for.

    Raises:
        GuildError: there is none, or it is this one.
    """
    path, home = _found(os.path.abspath(os.path.expanduser(name)), name)
    own = ledger_path(app)
    if os.path.exists(own) and os.path.samefile(path, own):
        raise GuildError("that is the ledger of this very home", hint="Nothing was changed. Name another home.")
    if home is None and not _is_database(path):
        with _of_export(path) as store:
            yield Other(store, None)
        return
    with closing(open_other(path)) as store:
        yield Other(store, home)


def _found(path: str, name: str) -> tuple[str, Home | None]:
    """Return the file, and the home that it was found in."""
    if not os.path.isdir(path):
        return path, None
    for root in (path, os.path.join(path, ".guild")):
        if os.path.isfile(os.path.join(root, "ledger.db")):
            return os.path.join(root, "ledger.db"), Home(root)
    raise GuildError(
        f"there is no ledger in '{printable(name, 400)}'",
        hint="Nothing was changed. Name the folder of a home, a ledger.db, or a file of `guild ledger export`.",
    )


def _is_database(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError as error:
        raise GuildError(f"'{printable(path, 400)}' cannot be read: {error.strerror}") from error


@contextmanager
def _of_export(path: str) -> Iterator[SqliteStore]:
    """Give a ledger for the moment, made of an export: it is verified as one, and gone afterwards."""
    from tempfile import TemporaryDirectory

    from ledger.importing import Export, import_new

    with TemporaryDirectory(prefix="guild-merge-") as folder:
        made = os.path.join(folder, "ledger.db")
        with open(path, "rb") as file:
            import_new(made, Export(file))
        with closing(SqliteStore(made)) as store:
            yield store
