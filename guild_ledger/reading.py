"""The series of a run for a notebook: found by the run's id, or its directory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from guild_ledger.series import MOST_POINTS, Series, read_series

if TYPE_CHECKING:
    from collections.abc import Collection

_HEX = frozenset("0123456789abcdef")
_SHORTEST_ID = 4
_PLACES = ("runs", "trash")


def read_scalars(
    run: str | os.PathLike[str],
    keys: Collection[str] | None = None,
    most_points: int = MOST_POINTS,
    *,
    home: str | os.PathLike[str] | None = None,
) -> dict[str, Series]:
    """Return the series of a run by key: each has `steps`, `times` and `values`, equally long.

        loss = read_scalars("3f8a91c2")["loss"]
        plt.plot(loss.steps, loss.values)

    Args:
        run: its id, or the beginning of it (at least 4 characters); or its directory.
        keys: only these; None for all.
        most_points: of each series; a longer one is thinned out, and keeps its peaks.
        home: where the run is; when None: GUILD_HOME, else the nearest `.guild` folder, else `~/.guild`.

    Raises:
        LookupError: there is no such run, or there are several.
    """
    return read_series(_directory(os.fspath(run), home), keys, most_points)


def _directory(run: str, home: str | os.PathLike[str] | None) -> str:
    if run and os.path.isdir(os.path.join(run, ".guild")):
        return run
    place = _home() if home is None else os.fspath(home)
    found = _runs(place, run.lower()) if len(run) >= _SHORTEST_ID and _HEX.issuperset(run.lower()) else []
    if len(found) != 1:
        said = "there is no run" if not found else "there are several runs"
        raise LookupError(f"{said} {run!r} in {place}")
    return found[0]


def _runs(home: str, begin: str) -> list[str]:
    found = []
    for place in _PLACES:
        try:
            names = os.listdir(os.path.join(home, place))
        except OSError:
            continue
        found += [os.path.join(home, place, name) for name in names if name.startswith(begin)]
    return found


def _home() -> str:
    """Return the home as the command line finds it."""
    if given := os.environ.get("GUILD_HOME"):
        return given
    folder = os.getcwd()
    while True:
        if os.path.isdir(os.path.join(folder, ".guild")):
            return os.path.join(folder, ".guild")
        above = os.path.dirname(folder)
        if above == folder:
            return os.path.join(os.path.expanduser("~"), ".guild")
        folder = above
