"""What the keys do that change nothing but what is seen: order, filter, columns, search, and the pages about runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ledger.dataclass import replace
from ledger.errors import GuildError
from projections.expression import TIMES
from view.terminal.cells import NOT_FINITE
from view.terminal.palette import DARK, LIGHT, PLAIN
from view.terminal.port import Line

if TYPE_CHECKING:
    from projections.comparison_columns import Column
    from view.terminal.app import CompareApp, Work
    from view.terminal.plot import Drawn

_CHUNK = 500
"""Rows that a search reads at a time."""


async def sort(app: CompareApp) -> None:
    """Sort by the column under the cursor: lowest first, then highest first, then as before."""
    column = app.sheet.current_column()
    if column is None:
        return
    before = app.question
    if before.sort != column.spec:
        asked = replace(before, sort=column.spec, reverse=False)
    elif not before.reverse:
        asked = replace(before, reverse=True)
    else:
        asked = replace(before, sort="", reverse=False)
    await app.ask(asked, follow=False)
    app.grid.to_row(0)
    if asked.sort:
        app.say(f"Sorted by {column.header}, {'highest' if asked.reverse else 'lowest'} first")
    else:
        app.say("As started, latest first")


async def filter_runs(app: CompareApp) -> None:
    """Ask for an expression."""

    async def check(text: str) -> None:
        await app.ask(replace(app.question, expression=text.strip()))

    names = [name for column in app.every for name in _names(column)]
    app.asking.ask("filter", app.question.expression, check, [*names, "and", "or", "not", "contains", "undefined"])


def _names(column: Column) -> list[str]:
    source = column.sources[0]
    return [] if " " in source.name else [source.name]


async def search(app: CompareApp) -> None:
    """Ask for a text, and go to the next run that shows it."""

    async def check(text: str) -> None:
        app.searched = text.strip().lower()
        if app.searched:
            app.work_apart(_search(app, 1))

    app.asking.ask("search", "", check)


async def search_on(app: CompareApp) -> None:
    """Go to the next run with the text that was searched for."""
    await _search_again(app, 1)


async def search_back(app: CompareApp) -> None:
    """Go to the previous one."""
    await _search_again(app, -1)


async def _search_again(app: CompareApp, step: int) -> None:
    if app.searched:
        app.work_apart(_search(app, step))
    else:
        app.say("Nothing was searched for yet: / asks for a text")


async def _search(app: CompareApp, step: int) -> None:
    """Look for the text in what the rows show, from the cursor on and round the end, a few hundred rows at a time."""
    sheet = app.sheet
    order, first = sheet.order, sheet.row
    columns = [column for column in sheet.columns if _may_show(column, app.searched)]
    count = len(order)
    for passed in range(0, count, _CHUNK):
        places = [(first + step * (passed + one)) % count for one in range(1, min(_CHUNK, count - passed) + 1)]
        numbers = [order[place] for place in places]
        lines = await app.desk(lambda source, wanted=numbers: source.lines(wanted, columns))  # type: ignore[misc]
        for number in numbers:
            if number in lines and _shows(app, lines[number], columns):
                if number in sheet.order:
                    app.grid.to_row(sheet.order.index(number))
                    app.say(f"/{app.searched}   n: next   N: previous")
                return
        if count > _CHUNK:
            app.say(f"Searching: {min(passed + _CHUNK, count):,} of {count:,} (Esc to stop)", "dim")
    app.say(f"No run shows {app.searched!r}", "bad")


def _may_show(column: Column, text: str) -> bool:
    """Tell whether a column need be read for a text."""
    return _is_in_numbers(text) or not (column.is_number() or column.sources[0].name in TIMES)


def _is_in_numbers(text: str) -> bool:
    """Tell whether a number or a time may show a text: without a digit none does."""
    return any(character.isdigit() for character in text) or text in NOT_FINITE


def _shows(app: CompareApp, line: Line, columns: Sequence[Column]) -> bool:
    text = app.searched
    is_in_numbers = _is_in_numbers(text)
    if line.row.run_id.startswith(text):
        return True
    for column in columns:
        value = line.cells.get(column.spec)
        if isinstance(value, str):
            if text in value.lower():
                return True
        elif value is not None and (is_in_numbers or isinstance(value, (bool, list))):
            cell = app.sheet.cell(column, line)
            if text in (cell.text + cell.rest).lower():
                return True
    return False


async def differing(app: CompareApp) -> None:
    """Show only columns in which the runs differ, or all as before."""
    if app.narrowed is not None:
        columns, app.narrowed = app.narrowed, None
        app.show_columns(columns)
        return
    columns = list(app.sheet.columns)
    found = await app.desk(lambda source: source.differing(columns))
    app.narrowed = columns
    app.show_columns(app.with_first(found))
    app.say(f"{len(columns) - len(app.sheet.columns)} columns in which all runs are alike are hidden; u shows them")


async def hide(app: CompareApp) -> None:
    """Hide the column under the cursor."""
    column = app.sheet.current_column()
    if column is None or len(app.sheet.columns) == 1:
        app.say("The last column stays")
        return
    app.show_columns([one for one in app.sheet.columns if one is not column])
    app.say(f"{column.header} is hidden; c brings it back")


async def columns(app: CompareApp) -> None:
    """Choose the columns."""
    from view.terminal.choosing import Chooser

    chosen = await app.push_screen_wait(Chooser(app.sheet.columns, app.every))
    if chosen:
        app.narrowed = None
        app.show_columns(chosen)


async def add_column(app: CompareApp) -> None:
    """Ask for the spec of a column, which is shown behind the one under the cursor."""

    async def check(text: str) -> None:
        column, notes = await app.desk(lambda source: source.column(text))
        shown = [one for one in app.sheet.columns if one.spec != column.spec]
        place = min(app.sheet.column + 1, len(shown))
        app.show_columns([*shown[:place], column, *shown[place:]])
        app.grid.to_column(place)
        for note in notes:
            app.say(note)

    app.asking.ask("column", "", check, [column.spec for column in app.every])


async def move_left(app: CompareApp) -> None:
    """Move the column under the cursor to the left."""
    _move(app, -1)


async def move_right(app: CompareApp) -> None:
    """Move it to the right."""
    _move(app, 1)


def _move(app: CompareApp, step: int) -> None:
    sheet = app.sheet
    place = sheet.column + step
    if 0 <= place < len(sheet.columns):
        shown = list(sheet.columns)
        shown.insert(place, shown.pop(sheet.column))
        app.show_columns(shown)


async def bin_(app: CompareApp) -> None:
    """Show the runs that were deleted, or go back to those that were not."""
    app.sheet.selected = frozenset()
    await app.ask(replace(app.question, deleted=not app.question.deleted), follow=False)
    app.grid.to_row(0)
    if app.question.deleted:
        app.say("Deleted runs: R restores, b goes back")


async def reload(app: CompareApp) -> None:
    """Read everything again."""
    app.sheet.forget()
    await app.again()
    app.say("Read again")


async def info(app: CompareApp) -> None:
    """Show everything about the run under the cursor."""
    line = await current_line(app)
    if line is not None:
        from view.terminal.details import Info

        await app.push_screen_wait(Info(line.row.run_id))


async def diff(app: CompareApp) -> None:
    """Show what differs between two selected runs, or between the one selected and the one under the cursor."""
    numbers = [number for number in app.sheet.order if number in app.sheet.selected]
    current = app.sheet.current()
    if len(numbers) == 1 and current is not None and current not in numbers:
        numbers.append(current)
    if len(numbers) != 2:  # noqa: PLR2004 - one and the other
        raise GuildError("select two runs with Space, or one and move the cursor to the other")
    lines = await app.desk(lambda source: source.lines(numbers, ()))
    if len(lines) == len(numbers):
        from view.terminal.differences import Differences

        one, other = (lines[number].row.run_id for number in numbers)
        await app.push_screen_wait(Differences(one, other))


async def plot(app: CompareApp) -> None:
    """Draw the scalars of the selected runs, or of the one under the cursor."""
    from view.terminal.plot import MOST_RUNS, Plot

    numbers = app.sheet.chosen()
    if len(numbers) > MOST_RUNS:
        app.say(f"The first {MOST_RUNS} of {len(numbers):,} selected runs are drawn")
        numbers = numbers[:MOST_RUNS]
    flags = [one for one in app.sheet.columns if one.kind == "flag"]
    lines = await app.desk(lambda source: source.lines(numbers, flags))
    column = app.sheet.current_column()
    key = column.sources[0].name if column is not None and column.kind == "scalar" else ""
    found = [lines[number] for number in numbers if number in lines]
    if found:
        await app.push_screen_wait(Plot(_told_apart(app, found, flags), key))
    else:
        app.say(app.sheet.nobody())


def _told_apart(app: CompareApp, lines: Sequence[Line], flags: Sequence[Column]) -> list[Drawn]:
    """Return runs with the flags in which they differ, or of a single one its label."""
    from view.terminal.plot import Drawn

    telling = [one for one in flags if len({repr(line.cells.get(one.spec)) for line in lines}) > 1]
    drawn = []
    for line in lines:
        cells = [(one.header, app.sheet.cell(one, line)) for one in telling]
        words = " ".join(f"{header}={cell.text}{cell.rest}" for header, cell in cells if cell.text)
        drawn.append(Drawn(line.row, "  ".join(filter(None, (line.row.label, words)))))
    return drawn


async def help_(app: CompareApp) -> None:
    """Show the keys."""
    from view.terminal.dialogs import Help

    await app.push_screen_wait(Help())


async def theme(app: CompareApp) -> None:
    """Change between dark and light."""
    if app.theme == PLAIN:
        app.say("There are no colours: NO_COLOR is set")
        return
    app.theme = LIGHT if app.theme == DARK else DARK
    app.grid.refresh()


async def select(app: CompareApp) -> None:
    """Select the run under the cursor, or no more, and go to the next."""
    number = app.sheet.current()
    if number is not None:
        app.sheet.selected ^= {number}
        app.grid.action_by(1)
        app.grid.renew()


async def select_all(app: CompareApp) -> None:
    """Select all runs of the table, or none."""
    every = frozenset(app.sheet.order)
    app.sheet.selected = frozenset() if every <= app.sheet.selected else every
    app.grid.renew()


async def leave(app: CompareApp) -> None:
    """Stop searching, and select none."""
    app.workers.cancel_group(app, "apart")
    app.sheet.selected = frozenset()
    app.grid.renew()


async def copy(app: CompareApp) -> None:
    """Give the ids to the clipboard of the terminal."""
    from view.terminal.acting import rows_of

    rows = await rows_of(app, app.sheet.chosen())
    if not rows:
        app.say(app.sheet.nobody())
        return
    app.copy_to_clipboard("\n".join(row.run_id for row in rows))
    app.say(f"Copied {rows[0].run_id}" if len(rows) == 1 else f"Copied {len(rows):,} ids")


async def quit_(app: CompareApp) -> None:
    """Leave."""
    await app.leave()


async def current_line(app: CompareApp) -> Line | None:
    """Return the run under the cursor, read if it was not yet."""
    number = app.sheet.current()
    if number is None:
        app.say("There is no run here")
        return None
    line = app.sheet.current_line()
    return line or (await app.desk(lambda source: source.lines([number], ()))).get(number)


COMMANDS: Mapping[str, Callable[[CompareApp], Work]] = {
    "sort": sort, "filter": filter_runs, "search": search, "search_on": search_on, "search_back": search_back,
    "differing": differing, "hide": hide, "columns": columns, "add_column": add_column, "move_left": move_left,
    "move_right": move_right, "bin": bin_, "reload": reload, "info": info, "diff": diff, "plot": plot, "help": help_,
    "theme": theme, "select": select, "select_all": select_all, "leave": leave, "copy": copy, "quit": quit_,
}  # fmt: skip
