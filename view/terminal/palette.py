"""Colours: a dark and a light set, and one without colours, in which all that a colour says is said otherwise too."""

from __future__ import annotations

from copy import copy

from rich.style import Style
from textual.theme import BUILTIN_THEMES, Theme

from ledger.dataclass import dataclass

DARK, LIGHT, PLAIN = "guild-dark", "guild-light", "guild-plain"


def _plain_theme() -> Theme:
    """Return the theme that keeps to the colours of the terminal, of which none is left when there shall be none."""
    made = copy(BUILTIN_THEMES["ansi-dark"])
    made.name = PLAIN
    reverse = ("input-cursor-text-style", "block-cursor-text-style", "input-selection-text-style")
    made.variables = {**made.variables, **dict.fromkeys(reverse, "reverse")}
    return made


THEMES = (
    Theme(
        name=DARK, dark=True, primary="#6cb6ff", secondary="#8ddb8c", accent="#f0b765", foreground="#d3d9e3",
        background="#15181e", surface="#1b1f27", panel="#262c37", success="#7fc97f", warning="#f0b765", error="#ff7b72",
    ),
    Theme(
        name=LIGHT, dark=False, primary="#0a5cc0", secondary="#1a7f37", accent="#8f5200", foreground="#1f2630",
        background="#fcfcfa", surface="#f3f4f1", panel="#e3e7ec", success="#1a7f37", warning="#8f5200", error="#c0202b",
    ),
    _plain_theme(),
)  # fmt: skip

SERIES = {
    DARK: ("#6cb6ff", "#f0b765", "#7fc97f", "#ff7b72", "#c9a2ff", "#5fd7d7", "#ff9ecb", "#b8bb26"),
    LIGHT: ("#0a5cc0", "#b35900", "#1a7f37", "#c0202b", "#7b3fc4", "#00797a", "#b8257f", "#6b6b00"),
    PLAIN: ("default",),
}
"""Colours of curves, one behind the other."""


@dataclass(frozen=True, slots=True)
class Palette:
    """The styles of the table.

    Attributes:
        text: what a cell says.
        dim: what is less important.
        fixed: the column that stays when others are moved out of sight.
        number: numbers.
        header: names of columns.
        header_here: the name of the column with the cursor.
        row: laid over the row with the cursor.
        cell: laid over the cell with the cursor.
        selected: laid over rows that are selected.
        sign: the mark of a selected row.
        statuses: by name.
        bar: the lines above and below.
        key: a key's name there.
        good: what went well.
        bad: what did not.
        strong: what the eye should find.
    """

    text: Style
    dim: Style
    fixed: Style
    number: Style
    header: Style
    header_here: Style
    row: Style
    cell: Style
    selected: Style
    sign: Style
    statuses: dict[str, Style]
    bar: Style
    key: Style
    good: Style
    bad: Style
    strong: Style


def _coloured(theme: Theme, *, row: str, cell: str, chosen: str, dim: str) -> Palette:
    text = str(theme.foreground)
    ground = str(theme.background)
    return Palette(
        text=Style(color=text, bgcolor=ground),
        dim=Style(color=dim),
        fixed=Style(color=theme.primary),
        number=Style(color=text),
        header=Style(color=text, bgcolor=theme.panel, bold=True),
        header_here=Style(color=theme.accent, bgcolor=theme.panel, bold=True),
        row=Style(bgcolor=row),
        cell=Style(bgcolor=cell, bold=True),
        selected=Style(bgcolor=chosen),
        sign=Style(color=theme.accent, bold=True),
        statuses={
            "completed": Style(color=theme.success),
            "running": Style(color=theme.primary, bold=True),
            "error": Style(color=theme.error),
            "terminated": Style(color=theme.warning),
        },
        bar=Style(color=text, bgcolor=theme.panel),
        key=Style(color=theme.accent, bold=True),
        good=Style(color=theme.success),
        bad=Style(color=theme.error, bold=True),
        strong=Style(bold=True),
    )


def _plain() -> Palette:
    none, bold, reverse = Style(), Style(bold=True), Style(reverse=True)
    return Palette(
        text=none, dim=Style(dim=True), fixed=bold, number=none, header=Style(bold=True, underline=True),
        header_here=Style(bold=True, underline=True, reverse=True), row=bold, cell=reverse, selected=none, sign=bold,
        statuses={"running": bold}, bar=none, key=bold, good=none, bad=Style(bold=True, reverse=True), strong=bold,
    )  # fmt: skip


PALETTES = {
    DARK: _coloured(THEMES[0], row="#2a3240", cell="#3f5878", chosen="#2b2a22", dim="#8792a2"),
    LIGHT: _coloured(THEMES[1], row="#e4ecf7", cell="#b9d3f5", chosen="#f6edd8", dim="#66707d"),
    PLAIN: _plain(),
}
"""By the name of the theme."""


def palette(theme: str) -> Palette:
    """Return the styles of a theme."""
    return PALETTES.get(theme, PALETTES[DARK])
