"""What a person sees of a list on a terminal: kept, so that indexes can be held to it; imported only there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from commands.positions import MOST_SHOWN, remember
from commands.terminal import note

if TYPE_CHECKING:
    from commands.app import App
    from commands.listing_options import Layout
    from projections.query import Query, RunRow


class Seen:
    """The rows of one list, as they are shown.

    A list without indexes (a sorted one, or one of columns without `index`) is not kept, nor is one of the past or of
    an archive: what was seen before stays what an index is held to.
    """

    def __init__(self, app: App, query: Query, layout: Layout) -> None:
        self._app = app
        self._query = query
        self._most = layout.most()
        self._is_kept = not (app.is_elsewhere or layout.is_sorted()) and has_indexes(layout)
        self._rows: list[RunRow] = []
        self._count = 0
        self._is_over = False

    def taken(self, rows: Iterable[RunRow]) -> Iterator[RunRow]:
        """Yield the rows, and keep them."""
        for row in rows:
            self._count += 1
            if self._count <= MOST_SHOWN:
                self._rows.append(row)
            yield row
        self._is_over = True

    def remember(self) -> None:
        """Keep what was shown, so that an index can be held to it."""
        if not self._is_kept:
            return
        # A list that was cut at -n may go on.
        is_whole = self._is_over and (self._most is None or self._count < self._most or self._count == self._all())
        remember(self._app, self._query, self._rows, complete=is_whole and self._count <= MOST_SHOWN)

    def tell_more(self) -> None:
        """Say that the list was cut, when it is known to be."""
        if self._is_over and self._most and self._count == self._most and (self._all() or 0) > self._count:
            note(f"Showing the first {self._count} of {self._all()} runs (-m shows more)")

    def _all(self) -> int | None:
        """Return how many runs match, None where counting them would take long."""
        return None if self._query.filter.has_conditions() else self._query.most()


def has_indexes(layout: Layout) -> bool:
    """Tell whether indexes are among what is shown of each run."""
    if not layout.columns:
        return True
    return "index" in (name.strip().removeprefix("attr:") for text in layout.columns for name in text.split(","))
