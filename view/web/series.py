"""Series of numbers for charts: read on where the last request stopped, and thinned out for a screen."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING

from artifacts.home import check_run_id
from artifacts.run_files import OWN
from artifacts.series import Series, SeriesFollower
from projections.query import runs_by_id
from projections.selection import SelectionError
from view.web.answers import BadRequestError, answer
from view.web.files import directory_of
from view.web.params import Params
from view.web.site import Session, Site, asking

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

MOST_RUNS = 200
MOST_KEYS = 50
_MOST_SERIES = 2_000
"""In one answer."""

_POINTS, _MOST_POINTS = 500, 5_000
_KEPT_POINTS = 2_000_000
"""Of all series that are kept in memory, at most."""

_Asked = tuple[str, frozenset[str], int]


class Followers:
    """Readers of series that go on where they stopped; those that were not asked for the longest go first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[_Asked, tuple[SeriesFollower, Lock]] = OrderedDict()
        self._points = 0

    def read(self, folder: str, keys: Sequence[str], points: int) -> Mapping[str, Series]:
        """Return series of the run with this directory, as they are now."""
        if not os.path.isdir(os.path.join(folder, OWN)) or os.path.islink(os.path.join(folder, OWN)):
            return {}
        asked = folder, frozenset(keys), points
        with self._lock:
            if asked not in self._kept:
                self._kept[asked] = SeriesFollower(folder, asked[1], points), Lock()
                self._points += _most_points(asked)
            self._kept.move_to_end(asked)
            follower, lock = self._kept[asked]
            while self._points > _KEPT_POINTS:
                self._points -= _most_points(self._kept.popitem(last=False)[0])
        with lock:
            follower.read()
            return follower.series()


def _most_points(asked: _Asked) -> int:
    _, names, points = asked
    return len(names) * points


def series(request: Request) -> Response:
    """Return series of several runs, each thinned out: first, last, lowest and highest points stay.

    A run without such a series is left out; one that there never was is an error.
    """
    params = Params(request, ("ids", "key", "points"))
    ids = [part for text in params.texts("ids") for part in text.split(",") if part]
    keys = list(dict.fromkeys(params.texts("key")))
    points = params.number("points", _POINTS, 10, _MOST_POINTS)
    if not (ids and keys):
        raise BadRequestError("'ids' and 'key' say which series")
    if len(ids) > MOST_RUNS or len(keys) > MOST_KEYS or len(ids) * len(keys) > _MOST_SERIES:
        raise BadRequestError(
            f"these are more than {MOST_RUNS} runs, {MOST_KEYS} keys or {_MOST_SERIES} series", hint="Ask for fewer."
        )
    site: Site = request.app.state.site
    wanted = [check_run_id(text) for text in dict.fromkeys(ids)]

    def folders(session: Session) -> dict[str, str]:
        known = runs_by_id(session.index, wanted)
        for run_id in wanted:
            if run_id not in known:
                raise SelectionError(f"there is no run {run_id}")
        found = {}
        for run_id, row in known.items():
            try:
                found[str(run_id)] = directory_of(session, row)
            except SelectionError:
                continue  # it has no series
        return found

    where = asking(site, folders)
    followers: Followers = request.app.state.followers
    read = {run_id: followers.read(folder, keys, points) for run_id, folder in where.items()}
    return answer(
        {
            "series": [
                _object(run_id, read[run_id][key])
                for run_id in map(str, wanted)
                if run_id in read
                for key in keys
                if key in read[run_id]
            ]
        }
    )


def _object(run_id: str, one: Series) -> dict[str, object]:
    return {"id": run_id, "key": one.key, "steps": one.steps, "times": one.times, "values": one.values}
