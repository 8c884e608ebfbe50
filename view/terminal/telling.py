"""What the lines above and below the table say: which runs and how many, the cell of the cursor, what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from view.terminal.cells import SHORT_ID, whole

if TYPE_CHECKING:
    from projections.comparison_columns import Column
    from view.terminal.app import CompareApp
    from view.terminal.bars import Piece
    from view.terminal.port import Line

_Sides = tuple[list["Piece"], list["Piece"]]


def title(app: CompareApp) -> _Sides:
    """Return the line above: from the left what is shown, at the right whether it is up to date."""
    count = len(app.sheet.order)
    what = "deleted run" if app.question.deleted else "run"
    left: list[Piece] = [(" guild compare", "strong")]
    left += [(f"  {count:,} {what}{'' if count == 1 else 's'}", "bar")] if app.every else []
    if where := _where(app):
        left.append((f" {where}", "dim"))
    if app.most is not None:
        left.append((f" (the first {app.most:,} only)", "dim"))
    selected = app.sheet.count_selected()
    left += [(f"  ● {selected:,} selected", "sign")] if selected else []
    if app.question.expression:
        left += [("  filter ", "dim"), (app.question.expression, "key")]
    if app.narrowed is not None:
        left += [("  only columns that differ", "dim")]
    if app.trouble:
        return left, [(f" {app.trouble} ", "bad")]
    if app.start.past:
        return left, [(f" {app.start.past} ", "key")]
    return left, [("live ", "good")] if app.every else []


def status(app: CompareApp) -> _Sides:
    """Return the line below: what was said last, else the cell under the cursor in full; and where the cursor is."""
    if not app.every:
        return [(" Reading the runs …", "dim")], []
    count = len(app.sheet.order)
    right: list[Piece] = [(f"{app.sheet.row + 1:,}/{count:,} ", "dim")] if count else []
    if app.message is not None:
        text, style = app.message
        return [(f" {text}", style)], right
    line, column = app.sheet.current_line(), app.sheet.current_column()
    if line is None or column is None:
        return [], right
    cell: list[Piece] = [(f" {line.row.run_id[:SHORT_ID]} ", "fixed"), (f"{column.header} ", "dim")]
    return [*cell, (_value(app, line, column), "text")], right


def _value(app: CompareApp, line: Line, column: Column) -> str:
    text = whole(column, line.cells.get(column.spec))
    return text or app.sheet.cell(column, line).text or "-"


def empty(app: CompareApp) -> str:
    """Return what stands in a table without runs."""
    if app.question.expression:
        return f"No run matches: {app.question.expression}   (f to change the filter)"
    if app.question.deleted:
        return "No deleted runs   (b to go back)"
    if _where(app):
        return "No run matches"
    return "No runs yet: start one with `guild run`, it will appear here"


def _where(app: CompareApp) -> str:
    """Return what limits the runs, as it was typed; that nothing does is not told."""
    words = " ".join(app.start.words)
    return "" if words == "--all" else words
