"""`--archive FILE`: the runs in a file of `guild runs export`, shown as an import would tell them, and without one.

Nothing of the user's is touched: the events are in memory, and so is the index that is made of them. What the archive
says is checked as for an import, and the content of a file when it is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from artifacts.archived_files import archived_path
from artifacts.run_archive import TOP, ArchivedRun, Manifest
from artifacts.run_archive_reading import manifest_of, one_file, was_read_to_the_end
from artifacts.run_archive_values import RunArchiveError
from commands.archives import archive_path, past_events
from commands.terminal import note
from ledger.errors import GuildError
from ledger.held_store import HeldStore
from ledger.ids import RunId, run_stream
from ledger.log import Ledger
from ledger.text import printable, size
from ledger.transaction import NewEvent
from projections.imported import SenselessError, retold

_MOST_READ = 512 * 1024 * 1024
"""Bytes that an archive holds: some seconds' work."""

_AGAIN = "Get the archive again from where it was made."


class Archived(NamedTuple):
    """An archive that is read in place.

    Attributes:
        text: its name as the user gave it.
        path: absolute.
        manifest: its list.
        ledger: what its runs' events come to; nothing can be appended.
    """

    text: str
    path: str
    manifest: Manifest
    ledger: Ledger

    def run(self, run_id: RunId) -> ArchivedRun:
        """Return a run that it holds."""
        return next(run for run in self.manifest.runs if run.run_id == run_id)

    def folder(self, run_id: RunId) -> str:
        """Return where the files of a run are, for people."""
        return f"{self.text}/{TOP}{run_id}"


def opened(text: str) -> Archived:
    """Return the archive that `--archive` names.

    Raises:
        GuildError: it cannot be read, is no archive of runs, or holds what no archive may.
    """
    path = archive_path(text)
    with _explained(text):
        manifest = manifest_of(path)
        if not was_read_to_the_end(path, _MOST_READ):
            note(f"'{printable(text)}' is large, and only its first {size(_MOST_READ)} were looked at for damage.")
        return Archived(text, path, manifest, _ledger(path, manifest))


def _ledger(path: str, manifest: Manifest) -> Ledger:
    events: list[NewEvent] = []
    newest = 0
    for run in manifest.runs:
        past = past_events(run)
        newest = max(newest, *(event.time for event in past), 0)
        events += [NewEvent(run_stream(run.run_id), event) for event in retold(run.run_id, past, path, "")]
    return Ledger(HeldStore(path, manifest.ledger_id, events, newest))


@contextmanager
def opened_file(archived: Archived, run_id: RunId, path: str) -> Iterator[int]:
    """Give a descriptor to read a file of a run from: the whole archive was looked at, and the file's content compared.

    Raises:
        GuildError: there is no such file, or the archive is damaged or holds what none may.
    """
    from tempfile import TemporaryDirectory

    run = archived.run(run_id)
    name = archived_path(run, path)
    with _explained(archived.text), TemporaryDirectory(prefix="guild-") as folder:
        unpacked = one_file(archived.path, archived.manifest, run, name, folder)
        descriptor = os.open(unpacked, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _explained(text: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise GuildError(
            f"'{printable(text)}' cannot be read: {error.strerror or error}", hint="--archive takes a file."
        ) from error
    except (RunArchiveError, SenselessError) as error:
        refused = "" if "is refused" in error.message else f"'{printable(text)}' is refused: "
        raise GuildError(f"{refused}{error.message}", hint=_AGAIN) from error
