"""Looking for what is new: one look for everybody who listens, cheap as long as nothing has happened."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from artifacts.output import OUTPUT
from artifacts.run_files import OWN
from artifacts.series import FILE
from ledger.dataclass import dataclass, field, replace
from ledger.errors import GuildError
from ledger.ids import RunId, run_of
from ledger.store import Store
from view.web.site import Session, Site, asking

MOST_RUNS = 200
"""Runs that one event names."""

_MOST_EVENTS = 2_000
_LOOK_SECONDS = 2.0
"""So often the ledger is looked at even if its files seem unchanged, or if it has none because it is in a server.

A run may be over without anybody saying so.
"""

_FOLLOWED = {"output": f"{OWN}/{OUTPUT}", "series": FILE}
"""Files of a run that grow, by the event that tells it."""

Sizes = Mapping[tuple[str, str], int]
"""Sizes in bytes, by the kind of event and the run."""


@dataclass(frozen=True, slots=True)
class News:
    """What has happened.

    Attributes:
        seq: the newest transaction; None when the ledger cannot be read.
        runs: ids of runs that were touched, at most `MOST_RUNS`.
        more: whether others were, too, or what was cannot be said.
        since: the transaction behind which they were.
        is_new: whether anything of this is new.
        sizes: of the files that are followed.
        trouble: why the ledger cannot be read: message and hint.
    """

    seq: int | None
    runs: tuple[str, ...] = ()
    more: bool = False
    since: int = 0
    is_new: bool = False
    sizes: Sizes = field(default_factory=dict)
    trouble: tuple[str, str | None] | None = None


class _Seen(NamedTuple):
    """How far the ledger was read."""

    ledger_id: str
    seq: int


class Watch:
    """Remembers what was seen; its looks come one after the other, from whichever thread."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._seen: _Seen | None = None
        self._files: object = None
        self._looked = 0.0
        self._trouble: tuple[str, str | None] | None = None

    def look(self, followed: Iterable[RunId]) -> News:
        """Return what has happened since the last look.

        Args:
            followed: runs whose output and series are watched.
        """
        news = self._ledger_news()
        return replace(news, sizes=self._sizes(followed))

    def forget(self) -> None:
        """Begin anew: nobody has listened for a while, and what happened meanwhile is no news for who comes now."""
        self._seen = None

    def _ledger_news(self) -> News:
        files, now = self._signature(), time.monotonic()
        if self._seen and files == self._files and now - self._looked < _LOOK_SECONDS:
            return News(self._seen.seq, since=self._seen.seq)
        self._files, self._looked = files, now
        try:
            news = asking(self._site, self._read)
        except GuildError as error:
            return self._troubled(error.message, error.hint)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others who listen are told, and it is tried again
            return self._troubled(f"something went wrong that was not foreseen: {type(error).__name__}", None)
        if self._trouble is not None:
            self._trouble = None
            return News(news.seq, more=True, is_new=True)
        return news

    def _troubled(self, message: str, hint: str | None) -> News:
        is_new, self._trouble = self._trouble != (message, hint), (message, hint)
        return News(None, is_new=is_new, trouble=self._trouble)

    def _read(self, session: Session) -> News:
        ledger = session.ledger
        before = self._seen or _Seen(ledger.ledger_id, ledger.store.head().seq)
        session.reap()
        self._seen = now = _Seen(ledger.ledger_id, ledger.store.head().seq)
        if now == before:
            return News(now.seq, since=now.seq)
        if now.ledger_id != before.ledger_id or now.seq < before.seq:
            return News(now.seq, more=True, is_new=True)  # another ledger has taken its place
        runs, more = touched(ledger.store, before.seq)
        return News(now.seq, runs, more, before.seq, is_new=True)

    def _signature(self) -> object:
        """Return what changes when the ledger's files do; nothing of those that are not there."""
        found: list[tuple[int, int, int] | None] = []
        for path in self._site.files():
            try:
                status = os.stat(path)
            except OSError:
                found.append(None)
            else:
                found.append((status.st_ino, status.st_size, status.st_mtime_ns))
        return found

    def _sizes(self, followed: Iterable[RunId]) -> Sizes:
        found = {}
        for run_id in followed:
            for kind, name in _FOLLOWED.items():
                try:
                    status = os.lstat(os.path.join(self._site.home.run_dir(run_id), name))
                except OSError:
                    continue
                found[kind, str(run_id)] = status.st_size
        return found


def touched(store: Store, after: int) -> tuple[tuple[str, ...], bool]:
    """Return the runs that transactions behind `after` are about, at most `MOST_RUNS`, and whether there are more."""
    last = store.txn_events(after) if after else []
    events = list(islice(store.events(last[-1].position if last else 0), _MOST_EVENTS + 1))
    runs = list(dict.fromkeys(run_id for event in events if (run_id := run_of(event.stream))))
    return tuple(runs[:MOST_RUNS]), len(runs) > MOST_RUNS or len(events) > _MOST_EVENTS
