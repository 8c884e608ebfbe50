"""The page with curves: one scalar of several runs, as they were reported, and as they go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Static

from ledger.dataclass import dataclass
from ledger.errors import GuildError
from ledger.text import printable
from view.terminal.cells import SHORT_ID, cut
from view.terminal.chart import SIGNS, Curve, drawing
from view.terminal.dialogs import Dialog
from view.terminal.palette import SERIES

if TYPE_CHECKING:
    from textual.containers import VerticalScroll

    from artifacts.series import Series
    from projections.rows import RunRow
    from view.terminal.app import CompareApp

MOST_RUNS = 20
_POINTS = 2_000
_PULSE = 1.0
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Drawn:
    """A run whose scalars are drawn.

    Attributes:
        row: the run.
        words: what tells it from the others.
    """

    row: RunRow
    words: str


class Plot(Dialog[None]):
    """See the head of this module."""

    TITLE = "Scalars"
    KEYS = "← →: scalar   x: steps or time   y: logarithms   Esc: back"
    DEFAULT_CSS = """
    Plot.-tall > Vertical { max-width: 100%; }
    Plot #chart { height: 1fr; }
    Plot #legend { height: auto; max-height: 40%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,up,p", "scalar(-1)", show=False),
        Binding("right,down,n", "scalar(1)", show=False),
        Binding("x", "across", show=False),
        Binding("y,l", "logarithms", show=False),
    ]

    def __init__(self, runs: Sequence[Drawn], key: str) -> None:
        super().__init__(classes="-tall")
        self._runs = runs
        self._key = key
        self._series: list[Mapping[str, Series]] = []
        self._by_time = False
        self._log = False
        self._trouble = ""

    @property
    def table(self) -> CompareApp:
        """The program."""
        return cast("CompareApp", self.app)

    def content(self) -> Iterator[Static | VerticalScroll | Chart]:  # type: ignore[override]
        """Give the chart, and what its curves are."""
        yield Chart(self)
        yield Static(id="legend")

    def on_mount(self) -> None:
        """Read, and read on."""
        self._refresh()
        self.set_interval(_PULSE, self._refresh)

    def _refresh(self) -> None:
        if not any(worker.group == "series" and worker.is_running for worker in self.workers):
            self.run_worker(self._read(), group="series")

    async def _read(self) -> None:
        ids = [one.row.run_id for one in self._runs]
        try:
            series = await self.table.desk(lambda source: [source.series(run_id, _POINTS) for run_id in ids])
            self._trouble = ""
        except GuildError as error:
            series, self._trouble = [], error.message
        if not self._series or [list(map(len, one.values())) for one in series] != [
            list(map(len, one.values())) for one in self._series
        ]:
            self._series = series
            self._draw()
        else:
            self.query_one("#legend", Static).update(self._legend(self.key()))

    def _draw(self) -> None:
        key = self.key()
        at = f" {self.keys().index(key) + 1} of {len(self.keys())}" if len(self.keys()) > 1 else ""
        scale = ", logarithms" if self._log else ""
        title = f" {printable(key, 80)}{scale}{'  ·' + at if at else ''} " if key else " Scalars "
        self.query_one("Vertical").border_title = title.replace("[", r"\[")
        self.query_one(Chart).refresh()
        self.query_one("#legend", Static).update(self._legend(key))

    def keys(self) -> list[str]:
        """Return the names of the scalars of these runs."""
        return list(dict.fromkeys(key for series in self._series for key in series))

    def key(self) -> str:
        """Return the one that is drawn."""
        keys = self.keys()
        return self._key if self._key in keys else keys[0] if keys else ""

    def lines(self, width: int, height: int) -> list[Text]:
        """Return the chart."""
        key = self.key()
        curves = [self._curve(one, series[key]) if key in series else () for one, series in self._drawn()]
        unit = "seconds" if self._by_time else "step"
        drawn = drawing(curves, width, height, log=self._log, unit=unit) if self._series else None
        if drawn is None:
            said = "Reading …" if not self._series and not self._trouble else self._trouble or self._nothing(key)
            return [Text(), Text(f"  {said}", self.colours.dim)]
        return [self._line(pieces) for pieces in drawn]

    def _nothing(self, key: str) -> str:
        if key and self._log:
            return "No point is above 0: y for the numbers themselves"
        return "No points" if key else "These runs have reported no scalars"

    def _drawn(self) -> Iterator[tuple[Drawn, Mapping[str, Series]]]:
        yield from zip(self._runs, self._series, strict=False)

    def _line(self, pieces: Sequence[tuple[str, int]]) -> Text:
        line = Text(no_wrap=True)
        for text, curve in pieces:
            line.append(text, self._colour(curve))
        return line

    def _colour(self, curve: int) -> str:
        colours = SERIES.get(self.app.theme, ("default",))
        return "dim" if curve < 0 else colours[curve % len(colours)]

    def _curve(self, one: Drawn, series: Series) -> Curve:
        if self._by_time:
            start = one.row.started / _MICROSECONDS
            return [(at - start, value) for at, value in zip(series.times, series.values, strict=True)]
        has_steps = any(step is not None for step in series.steps)
        steps = series.steps if has_steps else range(len(series.values))
        return [(float(step), value) for step, value in zip(steps, series.values, strict=True) if step is not None]

    def _legend(self, key: str) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        for number, (one, series) in enumerate(self._drawn()):
            colour = self._colour(number)
            last = f"{series[key].values[-1]:.5g}" if key in series and len(series[key]) else "-"
            text.append(f" {SIGNS[number % len(SIGNS)]} ━━ {one.row.run_id[:SHORT_ID]}", colour)
            text.append(f"  {last:>11}", "bold")
            status = self._status(one)
            text.append(f"  {status:<10} ", self.colours.statuses.get(status, self.colours.dim))
            text.append(f"{cut(printable(one.words, 300), 200)}\n")
        text.rstrip()
        return text

    def _status(self, one: Drawn) -> str:
        """Return the status of a run as the table has it now."""
        line = self.table.sheet.lines.get(one.row.number)
        return one.row.status if line is None else line.row.status

    def action_scalar(self, step: int) -> None:
        """Draw the next scalar, or the one before."""
        keys = self.keys()
        if keys:
            self._key = keys[(keys.index(self.key()) + step) % len(keys)]
            self._draw()

    def action_across(self) -> None:
        """From left to right steps, or time since the start of each run."""
        self._by_time = not self._by_time
        self._draw()

    def action_logarithms(self) -> None:
        """Draw the numbers, or their logarithms."""
        self._log = not self._log
        self._draw()


class Chart(Widget):
    """Where the curves are; drawn for the room there is."""

    def __init__(self, plot: Plot) -> None:
        super().__init__(id="chart")
        self._plot = plot

    def render(self) -> Text:
        """Return the chart."""
        return Text("\n", no_wrap=True).join(self._plot.lines(self.size.width, self.size.height))
