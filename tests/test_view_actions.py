"""What screens do to runs: the same plans, refusals, transactions and undo as the commands, called from Python."""

from __future__ import annotations

import shutil
import threading

import pytest

from artifacts.home import Home
from commands.app import App
from commands.notes import notes_of
from commands.view_actions import AppActions
from ledger.errors import ConflictError, GuildError, UsageError
from ledger.transaction import Header
from projections.query import Query, RunFilter, RunRow
from projections.selection import SelectionError
from tests.cli_kit import Guild
from tests.lab_kit import guild_fixture  # noqa: F401 - a fixture


@pytest.fixture
def app(guild: Guild, monkeypatch: pytest.MonkeyPatch) -> App:
    """Give the context of a command on that home, of a user called ada."""
    monkeypatch.setenv("LOGNAME", "ada")
    return App(str(guild.cwd), None, Home(str(guild.home)), ["guild", "view"])


@pytest.fixture
def actions(app: App) -> AppActions:
    """Give the actions on that home."""
    return AppActions(app.another)


def rows(app: App, place: str = "live") -> list[RunRow]:
    """Return all runs in a place, as they are now."""
    with app.another() as now:
        return list(Query(now.index, RunFilter(place=place)).rows())


def last(app: App) -> tuple[int, Header, list[str]]:
    """Return the newest transaction: its number, header, and the types of its events."""
    with app.another() as now:
        store = now.ledger.store
        seq = store.head().seq
        txn = store.txn(seq)
        assert txn is not None
        return seq, Header.from_bytes(txn.header), [event.type for event in store.txn_events(seq)]


def test_a_label_is_one_transaction_of_its_actor_and_taken_back(app: App, actions: AppActions) -> None:
    """It says what it did and what takes it back; an empty text clears the label."""
    run_id = rows(app)[0].run_id
    done = actions.perform("label", [run_id], "better")
    assert (done.count, done.of, done.said, done.warnings) == (1, 1, "Labeled 1 run(s)", [])
    seq, header, types = last(app)
    assert (done.seq, done.undo) == (seq, seq)
    assert (header.actor, header.argv, types) == ("ada", ("guild", "view"), ["run.labeled"])
    assert rows(app)[0].label == "better"
    assert actions.perform("label", [run_id], "").said == "Cleared label for 1 run(s)"
    assert rows(app)[0].label is None
    assert done.undo is not None
    with pytest.raises(GuildError, match="later ones built on"):
        actions.undo(done.undo)
    back = actions.undo()
    assert (rows(app)[0].label, back.again) == ("better", True)
    assert back.undo is not None
    assert actions.undo(back.undo).again is False
    assert rows(app)[0].label is None
    actions.undo()
    actions.redo()
    assert rows(app)[0].label is None


def test_deleting_is_shown_done_and_undone_with_directories(guild: Guild, app: App, actions: AppActions) -> None:
    """The preview changes nothing and tells the bytes; undo brings the directories back, restore does so too."""
    ids = [row.run_id for row in rows(app)[:2]]
    before = guild.state()
    shown = actions.preview("delete", ids)
    assert (shown.heading, shown.question) == ("You are about to delete the following runs:", "Delete these runs?")
    assert ([row.run_id for row in shown.runs], shown.asks) == (ids, True)
    assert shown.size is not None
    assert shown.size > 0
    assert guild.state() == before
    done = actions.perform("delete", ids)
    assert (done.count, done.said) == (2, "Deleted 2 run(s)")
    assert last(app)[2] == ["run.deleted"] * 2
    assert {path.name for path in (guild.home / "trash").iterdir()} == set(ids)
    back = actions.undo(done.undo)
    assert (back.said, guild.tree()) == ("Took back transaction 14: restored 2 run(s)", before[1])
    actions.perform("delete", ids)
    assert actions.perform("restore", ids).said == "Restored 2 run(s)"
    assert guild.tree() == before[1]


def test_tags_comments_marks_and_protection(app: App, actions: AppActions) -> None:
    """Each is recorded as by its command; what is so already records nothing."""
    (row, *_) = rows(app)
    actions.perform("tag", [row.run_id], "best, paper")
    actions.perform("untag", [row.run_id], "paper")
    actions.perform("comment", [row.run_id], "hm\nwell")
    actions.perform("mark", [row.run_id])
    actions.perform("protect", [row.run_id])
    with app.another() as now:
        notes = notes_of(now, [row])[row.run_id]
    assert (list(notes.tags), notes.comments[0].text) == (["best"], "hm\nwell")
    now_row = rows(app)[0]
    assert (now_row.marked, now_row.protected) == (1, 1)
    seq = last(app)[0]
    again = actions.perform("mark", [row.run_id])
    assert (again.seq, again.undo, again.said, last(app)[0]) == (None, None, "No runs to modify.", seq)
    assert actions.preview("mark", [row.run_id]).runs == []


def test_protected_runs_are_not_deleted_nor_any_beside_them(guild: Guild, app: App, actions: AppActions) -> None:
    """The refusal names them, in the preview already."""
    ids = [row.run_id for row in rows(app)[:2]]
    actions.perform("protect", ids[:1])
    before = guild.state()
    for act in (actions.preview, actions.perform):
        with pytest.raises(GuildError, match=f"protected:\n  {ids[0][:8]}"):
            act("delete", ids)
    assert guild.state() == before


def test_what_changed_since_it_was_shown_is_not_touched(guild: Guild, app: App, actions: AppActions) -> None:
    """With the versions that were shown, a run that somebody else changed refuses the whole action."""
    shown = actions.preview("delete", [row.run_id for row in rows(app)[:2]]).runs
    versions: dict[str, int] = {row.run_id: row.version for row in shown}
    actions.perform("mark", [shown[0].run_id])
    before = guild.state()
    with pytest.raises(ConflictError):
        actions.perform("delete", list(versions), versions=versions)
    assert guild.state() == before
    assert actions.perform("delete", list(versions)).count == 2


def test_what_cannot_be_meant_is_refused(guild: Guild, app: App, actions: AppActions) -> None:
    """Unknown actions, ids and tags, and runs that are somewhere else: nothing is recorded."""
    (row, *_) = rows(app)
    before = guild.state()
    for action, ids, value in (
        ("rm", [row.run_id], None), ("delete", [], None), ("tag", [row.run_id], "-x"), ("tag", [row.run_id], ""),
        ("comment", [row.run_id], " "),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            actions.perform(action, ids, value)
    for bad in ("../../etc", row.run_id[:8], "0"):
        with pytest.raises(GuildError, match="is not a run ID"):
            actions.perform("delete", [bad])
    with pytest.raises(SelectionError, match="there is no run"):
        actions.perform("delete", ["0" * 32])
    with pytest.raises(GuildError, match="is not deleted"):
        actions.perform("restore", [row.run_id])
    assert guild.state() == before
    actions.perform("delete", [row.run_id])
    with pytest.raises(GuildError, match="is deleted"):
        actions.perform("label", [row.run_id], "x")


def test_a_directory_that_the_system_keeps_is_told_of(guild: Guild, app: App, actions: AppActions) -> None:
    """A run that was removed by hand is deleted all the same, with a warning that nobody has to find on stderr."""
    (row, *_) = rows(app)
    shutil.rmtree(guild.home / "runs" / row.run_id)
    done = actions.perform("delete", [row.run_id])
    assert (done.count, done.warnings) == (1, [f"run {row.run_id[:8]} has no directory: it was removed by hand"])


def test_actions_of_several_threads_are_all_recorded(app: App, actions: AppActions) -> None:
    """Each thread has a context of its own; a note of a single run is planned again when another was quicker."""
    (row, *_) = rows(app)
    first = last(app)[0]
    tags = [f"t{number}" for number in range(8)]
    threads = [threading.Thread(target=actions.perform, args=("tag", [row.run_id], tag)) for tag in tags]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with app.another() as now:
        assert set(notes_of(now, [row])[row.run_id].tags) == set(tags)
    assert last(app)[0] == first + 8
