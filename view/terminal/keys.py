"""The keys of the table: one list, from which come the bindings, the line at the bottom and the help."""

from __future__ import annotations

from typing import NamedTuple


class Key(NamedTuple):
    """A key.

    Attributes:
        keys: as the terminal names them, with commas between.
        action: name of what it does, in `COMMANDS` of `looking.py` or `acting.py`.
        shown: as people read it.
        short: for the line at the bottom; empty to leave it out there.
        long: for the help.
    """

    keys: str
    action: str
    shown: str
    short: str
    long: str


GROUPS: dict[str, tuple[Key, ...]] = {
    "Look": (
        Key("question_mark,f1", "help", "?", "Help", "this help"),
        Key("s", "sort", "s", "Sort", "sort by this column; again: the other way round; once more: newest first"),
        Key("f", "filter", "f", "Filter", "show only runs of which an expression is true; empty: all"),
        Key("slash", "search", "/", "Search", "go to the next run that shows a text; n and N: further, back"),
        Key("n", "search_on", "n", "", "the next run with the text that was searched for"),
        Key("N", "search_back", "N", "", "the previous run with it"),
        Key("i,enter", "info", "i Enter", "Info", "everything about the run"),
        Key("p", "plot", "p", "Plot", "draw scalars of the selected runs, or of this one"),
        Key("D", "diff", "D", "Diff", "what differs between two selected runs, or the selected and this one"),
        Key("b", "bin", "b", "", "the runs that were deleted, and back"),
        Key("r", "reload", "r", "", "read everything again"),
    ),
    "Columns": (
        Key("u", "differing", "u", "Differ", "only columns in which the runs differ; again: all as before"),
        Key("h", "hide", "h", "Hide", "hide this column"),
        Key("c", "columns", "c", "Columns", "choose which columns are shown, and in which order"),
        Key("plus", "add_column", "+", "", "add a column: min loss, flag:lr, loss step as last, ..."),
        Key("less_than_sign", "move_left", "<", "", "move this column to the left"),
        Key("greater_than_sign", "move_right", ">", "", "move this column to the right"),
    ),
    "Runs": (
        Key("space", "select", "Space", "Select", "select this run, or no more; the keys below are about those"),
        Key("a", "select_all", "a", "", "select all runs of the table, or none"),
        Key("escape", "leave", "Esc", "", "select none; stop searching"),
        Key("m", "mark", "m", "Mark", "mark, or take the mark away"),
        Key("l", "label", "l", "Label", "label them; empty: no label"),
        Key("t", "tag", "t", "Tag", "add tags, and take away those with - in front: good,-draft"),
        Key("number_sign", "comment", "#", "", "comment on them"),
        Key("d,delete", "delete", "d", "Delete", "delete them, after asking"),
        Key("R", "restore", "R", "", "bring them back from the deleted runs"),
        Key("z", "undo", "z", "Undo", "take back the last change that was made here"),
        Key("Z", "redo", "Z", "", "do again what was taken back"),
        Key("y", "copy", "y", "", "copy the ids to the clipboard of the terminal"),
    ),
    "The screen": (
        Key("T", "theme", "T", "", "dark or light"),
        Key("q", "quit", "q", "Quit", "leave; the command that prints this table is told"),
    ),
}
"""All keys but those that move the cursor, which `grid.py` has."""

MOVING = (
    ("↑ ↓ ← →", "move from cell to cell"),
    ("PgUp PgDn", "a screen up or down"),
    ("Home End", "the first or the last run (also g and G)"),
    ("Ctrl+← Ctrl+→", "the first or the last column"),
)

FOOTER = (
    "question_mark,f1",
    "q",
    "s",
    "f",
    "slash",
    "space",
    "i,enter",
    "p",
    "D",
    "d,delete",
    "z",
    "u",
    "h",
    "c",
    "m",
    "l",
    "t",
)
"""Keys of the line at the bottom, the most wanted first: as many are shown as there is room for."""
