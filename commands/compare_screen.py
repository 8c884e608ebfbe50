"""The full screen of `guild compare`: opened on a terminal, and left as the terminal was found."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from commands.app import App
from commands.compare_source import Base, HomeSource
from commands.terminal import note
from ledger.text import ANY_LENGTH, printable
from projections.comparison_columns import Column, asked
from view.terminal.port import Question, Start

if TYPE_CHECKING:
    from view.terminal.app import CompareApp

_TERMINAL = 0


def show(app: App, start: Start, base: Base) -> int:
    """Show the table until it is left; returns the exit code.

    Args:
        app: the command's context.
        start: what the command line asked for.
        base: see `commands.compare_source.Base`.

    Raises:
        GuildError: the home cannot be read.
    """
    from view.terminal.app import CompareApp
    from view.terminal.background import is_dark

    app.close()  # opened again by the thread in which everything is asked
    dark = is_dark(_TERMINAL, os.environ.get("COLORFGBG", ""))
    source = HomeSource(app, start, base)
    screen = CompareApp(lambda: source, start, dark=dark)
    try:
        left_with = screen.run()
    finally:
        screen.desk.close()
    return _ended(app, screen, left_with)


def _ended(app: App, screen: CompareApp, left_with: str | None) -> int:
    if screen.crash is not None:
        raise screen.crash
    if left_with:
        note(f"To print this table: {printable(app.spelled(left_with), ANY_LENGTH)}")
    return 128 + screen.signal if screen.signal else 0


def spelled(start: Start, question: Question, columns: Sequence[Column], most: int | None) -> str:
    """Return the words of the command that prints a table, behind `guild`."""
    import shlex

    words = ["compare", *start.words, "--table"]
    if question.expression:
        words += ["-F", question.expression]
    if question.sort:
        headers = (column.header for column in columns if column.spec == question.sort)
        words += ["--max" if question.reverse else "--min", next(headers, question.sort)]
    words += ["--deleted"] if question.deleted else []
    words += [] if most is None else ["--top", str(most)]
    words += ["--strict-columns", ", ".join(map(asked, columns))]
    return shlex.join(words)
