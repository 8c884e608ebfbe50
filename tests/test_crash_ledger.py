"""A kill at every step of the commands about the ledger as a whole: it is the old one or the new one, never half."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli_kit import damage
from tests.crash_checks import (
    Kits,
    Prepared,
    added,
    check_all,
    check_directories,
    check_history,
    kits_fixture,  # noqa: F401 - a fixture
    pair_prepared_fixture,  # noqa: F401 - a fixture
    read_story,
)
from tests.crash_kit import Kit, Result, Trouble
from tests.test_crash_loop import crash_at_each_step, mend
from tests.test_docs_format import verified

SECRET = b"size=5"
"""Stands in the command line of the run `e`."""


def ledger_of(home: str) -> bytes:
    """Return the bytes of a ledger and of its log."""
    data = b""
    for name in ("ledger.db", "ledger.db-wal"):
        if os.path.exists(os.path.join(home, name)):
            with open(os.path.join(home, name), "rb") as file:
                data += file.read()
    return data


def test_a_kill_at_any_step_of_a_redaction_is_mended_by_the_next_change(kits: Kits, prepared: Prepared) -> None:
    """Nothing is emptied, or all of it is: then no byte of it is left after the next command that changes something."""
    argv = ["ledger", "redact", prepared.runs["e"], "--reason", "x", "-y"]
    assert SECRET in ledger_of(prepared.home)

    def judge(kit: Kit, crashed: str, result: Result) -> None:
        mend(kit, crashed, ["label", prepared.runs["c"], "mended", "-y"], ["runs", "-a"])
        check_history(crashed)
        assert not os.path.exists(os.path.join(crashed, "ledger.db-unwiped"))
        assert (SECRET in ledger_of(crashed)) == ("append.committed" not in result.seams)
        assert verified(os.path.join(crashed, "ledger.db"))[0] == 0

    crash_at_each_step(kits, prepared.home, argv, judge)


def test_a_kill_at_any_step_of_a_backup_leaves_a_whole_one_or_none(kits: Kits, prepared: Prepared) -> None:
    """The ledger is not touched, and the next backup is not hindered by what was left."""

    def judge(kit: Kit, crashed: str, _result: Result) -> None:
        target = os.path.join(prepared.home, "..", "backup.db")
        if os.path.exists(target):
            assert verified(target)[0] == 0
        mend(kit, crashed, ["ledger", "backup", os.path.join(crashed, "again.db")])
        assert verified(os.path.join(crashed, "again.db"))[0] == 0
        check_all(crashed, prepared.trees)

    target = os.path.join(prepared.home, "..", "backup.db")
    crash_in_turn(kits[0], prepared.home, ["ledger", "backup", target], [target], judge)


def crash_in_turn(
    kit: Kit, home: str, argv: list[str], targets: list[str], judge: Callable[[Kit, str, Result], None]
) -> tuple[str, ...]:
    """Let a command die at each of its seams, one after the other: all of them write to the same places.

    Returns the seams.
    """
    whole = kit.guild(kit.copy(home), *argv)
    assert whole.code in (0, 3), whole
    for at in range(1, len(whole.seams) + 1):
        for target in targets:
            if os.path.exists(target):
                os.unlink(target)
        crash_once(kit, home, argv, at, judge)
    return whole.seams


def crash_once(kit: Kit, home: str, argv: list[str], at: int, judge: Callable[[Kit, str, Result], None]) -> None:
    """Let a command die at one seam, and have what is left judged."""
    crashed = kit.copy(home)
    result = kit.guild(crashed, *argv, trouble=Trouble("die", at))
    assert result.died, result
    judge(kit, crashed, result)
    kit.drop(crashed)


def test_a_kill_at_any_step_of_putting_a_backup_back_leaves_one_ledger_whole(kits: Kits, prepared: Prepared) -> None:
    """The old one or the restored one; what is begun again ends, and every run directory is where it belongs."""
    home = kits[0].copy(prepared.home)
    backup = os.path.join(home, "..", "restore-me.db")
    changed = [["runs", "rm", prepared.runs["a"], "-y"], ["runs", "restore", prepared.runs["d"], "-y"]]
    mend(kits[0], home, ["ledger", "backup", backup], *changed)
    argv = ["ledger", "restore-backup", backup, "-y", "--force"]
    label = ["label", prepared.runs["c"], "mended", "-y"]

    def judge(kit: Kit, crashed: str, result: Result) -> None:
        swapped = "restore.sync" in result.seams
        mend(kit, crashed, label)
        check_history(crashed)
        story = read_story(crashed)
        check_directories(crashed, prepared.trees, story)
        kinds = [event.type for event in story if event.run_id == prepared.runs["a"]]
        assert ("run.deleted" in kinds) != swapped
        kept = [name for name in os.listdir(crashed) if name.startswith("ledger.db.replaced-")]
        assert all(verified(os.path.join(crashed, name))[0] == 0 for name in kept)
        assert kept or not swapped
        mend(kit, crashed, argv, label)
        check_history(crashed)
        check_directories(crashed, prepared.trees, read_story(crashed))
        assert not [name for name in os.listdir(crashed) if "-exchanged" in name or "-restoring" in name]

    crash_at_each_step(kits, home, argv, judge)


def test_a_kill_at_any_step_of_an_import_leaves_the_ledger_or_none(kits: Kits, prepared: Prepared) -> None:
    """In an empty home: no ledger or a whole one, and the import can be given again."""
    path = os.path.join(prepared.home, "..", "export.jsonl")
    mend(kits[0], kits[0].copy(prepared.home), ["ledger", "export", path])
    argv = ["ledger", "import", path]

    def judge(kit: Kit, crashed: str, result: Result) -> None:
        there = os.path.exists(os.path.join(crashed, "ledger.db"))
        assert there == ("import.published" in result.seams)
        mend(kit, crashed, argv, ["label", prepared.runs["c"], "mended", "-y"], ["runs", "-a"])
        assert verified(os.path.join(crashed, "ledger.db"))[0] == 0
        check_history(crashed)

    crash_at_each_step(kits, kits[0].new_home(), argv, judge)


def test_a_kill_at_any_step_of_taking_a_continuation_in_leaves_all_or_nothing_of_it(
    kits: Kits, prepared: Prepared
) -> None:
    """One transaction of the database: given again, it ends in the same history."""
    newer = kits[0].copy(prepared.home)
    path = os.path.join(prepared.home, "..", "newer.jsonl")
    redact = ["ledger", "redact", prepared.runs["e"], "--reason", "x", "-y"]
    mend(kits[0], newer, ["label", prepared.runs["a"], "newer", "-y"], redact, ["ledger", "export", path])
    head = verified(os.path.join(newer, "ledger.db"))[1]
    argv = ["ledger", "import", path]

    def judge(kit: Kit, crashed: str, result: Result) -> None:
        found = verified(os.path.join(crashed, "ledger.db"))
        assert found[0] == 0
        assert (found[1] == head) == ("import.committed" in result.seams)
        mend(kit, crashed, argv)
        assert verified(os.path.join(crashed, "ledger.db"))[1] == head
        mend(kit, crashed, ["label", prepared.runs["c"], "mended", "-y"])
        assert SECRET not in ledger_of(crashed)
        check_history(crashed)

    crash_at_each_step(kits, prepared.home, argv, judge)


def test_a_kill_at_any_step_of_a_salvage_leaves_a_whole_ledger_or_none(kits: Kits, prepared: Prepared) -> None:
    """The damaged file is never touched; what is whole behind the break is named only beside the ledger."""
    bad = Path(kits[0].folder, "bad.db")
    shutil.copy(Path(prepared.home, "ledger.db"), bad)
    damage(bad, ["DELETE FROM event WHERE txn_seq = 4", "DELETE FROM txn WHERE seq = 4"])
    with closing(sqlite3.connect(bad, isolation_level=None)) as raw:
        raw.execute("VACUUM")
    before = bad.read_bytes()
    out, rest = (os.path.join(kits[0].folder, name) for name in ("saved.db", "saved.db.rest.jsonl"))
    argv = ["ledger", "salvage", str(bad), out]

    def judge(kit: Kit, crashed: str, result: Result) -> None:
        assert os.path.exists(out) == ("salvage.rest" in result.seams)
        assert not os.path.exists(rest)
        if os.path.exists(out):
            assert verified(out)[0] == 0
            os.unlink(out)
        assert kit.guild(crashed, *argv).code == 3
        assert (verified(out)[0], os.path.exists(rest), bad.read_bytes() == before) == (0, True, True)

    seams = crash_in_turn(kits[0], prepared.home, argv, [out, rest], judge)
    assert seams[-2:] == ("salvage.publish", "salvage.rest")


def test_a_kill_at_any_step_of_a_ledger_export_leaves_a_whole_one_or_none(kits: Kits, prepared: Prepared) -> None:
    """What stands under the name makes the same ledger; the home is as it was, and the export can be repeated."""
    target = os.path.join(kits[0].folder, "lines.jsonl")

    def judge(kit: Kit, crashed: str, _result: Result) -> None:
        assert not os.path.exists(target), "its name is the last thing that it gets"
        mend(kit, crashed, ["ledger", "export", target])
        check_all(crashed, prepared.trees)

    seams = crash_in_turn(kits[0], prepared.home, ["ledger", "export", target], [target], judge)
    assert seams == ("lines.write", "lines.publish")
    home = kits[0].new_home()
    mend(kits[0], home, ["ledger", "import", target])
    assert verified(os.path.join(home, "ledger.db"))[1] == verified(os.path.join(prepared.home, "ledger.db"))[1]


@pytest.mark.parametrize(
    ("argv", "goes"),
    [
        (["runs", "purge", "--keep-last", "1", "-y"], {"d": ["run.purge_started", "run.purged"]}),
        (["runs", "rm", "--keep-last", "2", "-y"], {"a": ["run.deleted"]}),
    ],
)
def test_a_kill_in_a_clean_up_by_rules_takes_what_no_rule_keeps_or_nothing(
    kits: Kits, prepared: Prepared, argv: list[str], goes: dict[str, list[str]]
) -> None:
    """At every third step; what was recorded is finished by the next change, what the rules keep stays."""

    def judge(kit: Kit, crashed: str, result: Result) -> None:
        mend(kit, crashed, ["label", prepared.runs["c"], "mended", "-y"])
        found = added(prepared, check_all(crashed, prepared.trees))
        del found[prepared.runs["c"]]
        committed = "append.committed" in result.seams
        assert found == ({prepared.runs[name]: types for name, types in goes.items()} if committed else {})

    died = crash_at_each_step(kits, prepared.home, argv, judge, every=3)
    assert sum(died.values()) > 3
