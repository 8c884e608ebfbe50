"""What the keys do that changes runs: plan, preview, question, transaction and undo are those of the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ledger.errors import GuildError
from view.terminal.dialogs import Confirm

if TYPE_CHECKING:
    from projections.rows import RunRow
    from view.actions import Outcome
    from view.terminal.app import CompareApp, Work

_CHUNK = 2_000


async def rows_of(app: CompareApp, numbers: Sequence[int]) -> list[RunRow]:
    """Return runs by their numbers, a few thousand read at a time."""
    found: list[RunRow] = []
    for start in range(0, len(numbers), _CHUNK):
        wanted = numbers[start : start + _CHUNK]
        lines = await app.desk(lambda source, wanted=wanted: source.lines(wanted, ()))  # type: ignore[misc]
        found += [lines[number].row for number in wanted if number in lines]
    return found


async def act(
    app: CompareApp,
    action: str,
    value: str | None = None,
    *,
    rows: Sequence[RunRow] | None = None,
    is_second: bool = False,
) -> bool:
    """Do something with the chosen runs, after asking where the command line asks; tell whether it was done.

    Args:
        app: the screen.
        action: one of `view.actions.ACTIONS`.
        value: what it takes.
        rows: the runs; None for those that are chosen.
        is_second: whether something was done before that what is said must not hide.

    Raises:
        GuildError: it was refused; nothing was changed.
    """
    _refuse_past(app)
    rows = await rows_of(app, app.sheet.chosen()) if rows is None else rows
    ids = [row.run_id for row in rows]
    if not ids:
        app.say(app.sheet.nobody())
        return False
    preview = await app.desk(lambda source: source.actions.preview(action, ids, value))
    if not preview.runs:
        if is_second:
            return False
        app.say(" ".join(preview.warnings) or "Nothing to change: they are so already")
        return False
    if preview.asks and not await app.push_screen_wait(Confirm(preview)):
        app.say("Nothing was changed")
        return False
    app.say("Working …", "dim")
    wanted = [row.run_id for row in preview.runs]
    versions = {str(row.run_id): row.version for row in preview.runs}
    outcome = await app.desk(lambda source: source.actions.perform(action, wanted, value, versions=versions))
    await _tell(app, outcome)
    return True


def _refuse_past(app: CompareApp) -> None:
    if app.start.past:
        raise GuildError("this is the past, which nothing changes", hint="Leave --at out to change runs.")


async def _tell(app: CompareApp, outcome: Outcome, *, is_undo: bool = False) -> None:
    """Say what became of it, and show it."""
    if outcome.undo is not None and not is_undo:
        app.done.append(outcome.undo)
        app.taken_back = 0
    await app.catch_up()
    words = " ".join((outcome.said, *outcome.warnings))
    if outcome.undo is not None and not is_undo:
        words += "   z: undo"
    app.say(words, "bad" if outcome.warnings else "good")


async def mark(app: CompareApp) -> None:
    """Mark the runs; when all of them are marked, take the marks away."""
    rows = await rows_of(app, app.sheet.chosen())
    await act(app, "unmark" if rows and all(row.marked for row in rows) else "mark", rows=rows)


async def label(app: CompareApp) -> None:
    """Ask for a label."""

    async def given(text: str, rows: Sequence[RunRow]) -> None:
        await act(app, "label", text, rows=rows)

    await _ask(app, "label", given, lambda row: row.label or "")


async def tag(app: CompareApp) -> None:
    """Ask for tags to add, and with - in front to take away."""

    async def given(text: str, rows: Sequence[RunRow]) -> None:
        tags = [one.strip() for one in text.split(",") if one.strip()]
        wanted = {
            "tag": [one for one in tags if not one.startswith("-")],
            "untag": [one[1:].strip() for one in tags if one.startswith("-")],
        }
        # One after the other: of two that were begun at once the later would hide the other's word.
        is_second = False
        for action, names in wanted.items():
            if names:
                is_second = await act(app, action, ",".join(names), rows=rows, is_second=is_second) or is_second

    await _ask(app, "tags", given)


async def comment(app: CompareApp) -> None:
    """Ask for a comment."""

    async def given(text: str, rows: Sequence[RunRow]) -> None:
        if text:
            await act(app, "comment", text, rows=rows)

    await _ask(app, "comment", given)


async def _ask(
    app: CompareApp,
    what: str,
    given: Callable[[str, Sequence[RunRow]], Work],
    held: Callable[[RunRow], str] = lambda _row: "",
) -> None:
    """Ask for what is to be said of the chosen runs.

    Args:
        app: the screen.
        what: the word for it.
        given: is called with what was typed, and with the runs.
        held: what a single run has already, to be changed.
    """
    rows = await rows_of(app, app.sheet.chosen())

    async def check(text: str) -> None:
        app.work(given(text.strip(), rows))

    if not rows:
        app.say(app.sheet.nobody())
        return
    _refuse_past(app)
    prompt = what if len(rows) == 1 else f"{what} of {len(rows):,} runs"
    app.asking.ask(prompt, held(rows[0]) if len(rows) == 1 else "", check)


async def delete(app: CompareApp) -> None:
    """Delete the runs, after asking."""
    if app.question.deleted:
        app.say("These are deleted already: R restores them; `guild runs purge` removes them for ever")
    else:
        await _move(app, "delete")


async def restore(app: CompareApp) -> None:
    """Bring deleted runs back."""
    if app.question.deleted:
        await _move(app, "restore")
    else:
        app.say("These are not deleted: b shows the deleted runs")


async def _move(app: CompareApp, action: str) -> None:
    if await act(app, action):
        app.sheet.selected = frozenset()
        app.grid.renew()


async def undo(app: CompareApp) -> None:
    """Take back the last change that was made here."""
    _refuse_past(app)
    if not app.done:
        app.say("Nothing was changed here; `guild undo` takes back earlier changes")
        return
    seq = app.done[-1]
    outcome = await app.desk(lambda source: source.actions.undo(seq))
    app.done.pop()
    app.taken_back += 1
    await _tell(app, outcome, is_undo=True)


async def redo(app: CompareApp) -> None:
    """Do again what was taken back here."""
    _refuse_past(app)
    if not app.taken_back:
        app.say("Nothing was taken back here")
        return
    outcome = await app.desk(lambda source: source.actions.redo())
    app.taken_back -= 1
    if outcome.undo is not None:
        app.done.append(outcome.undo)
    await _tell(app, outcome, is_undo=True)


COMMANDS: Mapping[str, Callable[[CompareApp], Work]] = {
    "mark": mark, "label": label, "tag": tag, "comment": comment, "delete": delete, "restore": restore,
    "undo": undo, "redo": redo,
}  # fmt: skip
