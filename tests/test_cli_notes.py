"""What people say about runs, from outside: `guild label`, `tag`, `comment`, `mark`, `protect`, and refusals."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from subprocess import DEVNULL

import pytest

from tests.cli_kit import LOCAL_SCOPE, PATIENCE, Guild, project_of, wait_until
from tests.lab_kit import (
    guild_fixture,  # noqa: F401 - a fixture
    ids_fixture,  # noqa: F401 - a fixture
)

UNDER_WAY = 'import time; print("ready"); time.sleep(600)'


def labels(guild: Guild) -> list[str | None]:
    """Return the labels of the runs, newest run first."""
    return [run["label"] for run in guild.json("runs")]


def tags(guild: Guild, run: str) -> list[str]:
    """Return the tags of a run."""
    return list(guild.json("runs", "info", run)["tags"])


def comments(guild: Guild, *runs: str) -> list[str]:
    """Return the texts of the comments of runs."""
    return [comment["text"] for comment in guild.json("comment", "--list", *runs)]


def undo(guild: Guild, *args: str) -> None:
    """Change something, and then do what its last line says takes it back."""
    told = guild(*args)
    assert told.code == 0, told
    hint = told.err.splitlines()[-1]
    assert hint.startswith("To undo: "), told
    guild.ok(*shlex.split(hint.removeprefix("To undo: "))[1:], "-y")


def writer(folder: Path, text: str) -> str:
    """Return an editor that keeps what it was given in `given` and writes a text."""
    (folder / "text").write_text(text, encoding="utf-8")
    script = folder / "editor"
    script.write_text(
        f'#!/bin/sh\ncp "$1" {shlex.quote(str(folder))}/given\ncat "{folder}/text" "$1" >"$1.new"\nmv "$1.new" "$1"\n'
    )
    script.chmod(0o755)
    return shlex.quote(str(script))


def test_a_label_is_set_added_to_and_taken_from(guild: Guild) -> None:
    """`--append` and `--prepend` join with a blank, `--remove` tidies the blanks; nothing left means no label."""
    guild.ok("label", "0", "--append", "x")
    assert labels(guild)[0] == "good one x"
    guild.ok("label", "0", "--prepend", "very")
    assert labels(guild)[0] == "very good one x"
    guild.ok("label", "0", "--remove", "one")
    assert labels(guild)[0] == "very good x"
    guild.ok("label", "1", "--append", "alone")
    assert labels(guild)[1] == "alone"
    guild.ok("label", "0", "--set", "new")
    guild.ok("label", "0:1", "--remove", "new", "-y")
    assert labels(guild)[:2] == [None, "alone"]


def test_runs_whose_label_would_not_change_are_left_out(guild: Guild, ids: list[str]) -> None:
    """Nothing is recorded of them; when that is all of them, it is said and no failure."""
    guild.ok("label", "1", "good one")
    shown = guild("label", ":", "--set", "good one", "--dry-run")
    assert re.findall(r"\[(\w{8})\]", shown.out) == [run_id[:8] for run_id in ids[2:]]
    before = guild.state()
    for args in (["0:1", "good one"], ["2", "--clear"], ["0", "--remove", "absent"]):
        assert guild("label", *args, "-y") == (0, "", f"{LOCAL_SCOPE}No runs to modify.\n")
    assert guild.state() == before


def test_every_change_of_a_note_says_how_to_take_it_back(guild: Guild, ids: list[str]) -> None:
    """The commands of the hint, executed, bring back what was."""
    guild.ok("tag", "0", "--add", "two words", "--add", "b")
    before = [guild.json("runs", "info", run_id) for run_id in ids]
    undo(guild, "label", "0", "--append", "it's")
    undo(guild, "label", ":", "--set", "same", "-y")
    undo(guild, "label", "0", "4", "--clear", "-y")
    undo(guild, "tag", "0:2", "--add", "b", "--add", "c", "--remove", "two words", "-y")
    undo(guild, "mark", "0:2", "-y")
    undo(guild, "protect", "3")
    assert [{**run, "tags": sorted(run["tags"])} for run in (guild.json("runs", "info", id_) for id_ in ids)] == [
        {**run, "tags": sorted(run["tags"])} for run in before
    ]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--set", "a", "--append", "b"], "--set and --append cannot be used together"),
        (["--remove", "a", "--clear"], "--remove and --clear cannot be used together"),
        (["--append", " "], "the text of --append is empty"),
        (["--set", ""], "the label is empty"),
    ],
)
def test_options_of_label_that_contradict_are_wrong_usage(guild: Guild, args: list[str], message: str) -> None:
    """One thing is done to a label at a time, and with a text."""
    before = guild.state()
    assert message in guild.refused("label", "0", *args, code=2)
    assert guild.state() == before


def test_a_label_of_any_bytes_keeps_them(guild: Guild) -> None:
    """What is not UTF-8, and a line break, stay as they are when something is added."""
    guild.ok("label", "0", "caf\udce9\nx")
    guild.ok("label", "0", "--append", "y")
    assert guild.json("runs", "info", "0")["label"] == "caf\\udce9\nx y"  # as the index lists it
    assert "\\xe9\\nx y" in guild.ok("log", "-n", "1", "-v") or "$text" in guild.ok("log", "-n", "1", "-v")
    undo(guild, "label", "0", "plain")
    assert guild.json("runs", "info", "0")["label"] == "caf\\udce9\nx y"
    assert len(guild.rows()) == 5


def test_tags_are_added_removed_and_cleared(guild: Guild) -> None:
    """A run has any number of tags, each once; the last word is a tag when no option says otherwise."""
    told = guild("tag", "0", "base")
    assert told.out == "Tagged 1 run(s)\n"
    guild.ok("runs", "tag", "0:1", "--add", "a", "--add", "base", "--add", "a", "-y")
    assert (tags(guild, "0"), tags(guild, "1")) == (["base", "a"], ["a", "base"])
    guild.ok("tag", "0:2", "--remove", "base", "--add", "c", "-y")
    assert [tags(guild, run) for run in "012"] == [["a", "c"], ["a", "c"], ["c"]]
    guild.ok("tag", "--clear")
    guild.ok("tag", "1", "--clear", "--add", "only")
    assert [tags(guild, run) for run in "012"] == [[], ["only"], ["c"]]
    assert "  tags: only\n" in guild.ok("runs", "-v")


def test_tagging_many_runs_is_one_transaction_and_leaves_out_those_that_have_it(guild: Guild, ids: list[str]) -> None:
    """Several runs are shown first; those that would not change are not; nothing to change is said."""
    guild.ok("tag", "0", "x")
    told = guild("tag", ":", "x", stdin="y\n")
    assert told.out.startswith("You are about to add tag(s) 'x' to the following runs:\n  [")
    assert re.findall(r"\[(\w{8})\]", told.out) == [run_id[:8] for run_id in ids[1:]]
    assert told.err.startswith(f"{LOCAL_SCOPE}Continue? (y/N) ")
    assert len(guild.json("log", "-n", "1")["events"]) == 4
    before = guild.state()
    for args in (["x"], ["--remove", "y"]):
        assert guild("tag", ":", *args) == (0, "", f"{LOCAL_SCOPE}No runs to modify.\n")
    assert guild("tag", ":", "--clear", stdin="n\n").code == 0
    assert "no answer" in guild.refused("tag", ":", "--clear")
    assert "(--dry-run)" in guild("tag", ":", "--clear", "--dry-run").err
    assert guild.state() == before


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ([], 2, "specify a tag"),
        (["0", ""], 2, "it is empty"),
        (["0", "a,b"], 2, "a comma or a line break"),
        (["0", "a\nb"], 2, "a comma or a line break"),
        (["0", "--", "-x"], 2, "begins with '-'"),
        (["0", "x" * 101], 2, "longer than 100 characters"),
        (["0", "--add", "a", "--remove", "a"], 2, "cannot be added and removed at once"),
        (["99", "a"], 1, "could not find a run matching '99'"),
        (["0", "zzz", "--add", "a"], 1, "could not find a run matching 'zzz'"),
        (["-R", "a"], 1, "No runs to modify."),
    ],
)
def test_a_tag_that_cannot_be_set_changes_nothing(guild: Guild, args: list[str], code: int, message: str) -> None:
    """A tag must be typed and listed again; an error in one word tags nothing."""
    before = guild.state()
    assert message in guild.refused("tag", *args, code=code)
    assert guild.state() == before


def test_a_comment_is_kept_with_author_and_time(guild: Guild, ids: list[str]) -> None:
    """`--list` shows comments, oldest first, of all runs that are named; `runs info` shows them too."""
    undo = "To undo: guild undo 14\n"
    assert guild("comment", "0", "-m", "first") == (0, "Commented on 1 run(s)\n", LOCAL_SCOPE + undo)
    guild.with_env(USER="bob").ok("runs", "comment", "0:1", "--add", "second\nline", "-y")
    shown = guild.ok("comment", "--list", "0:1").splitlines()
    head = re.compile(r"  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  (\w+)@\S+")
    assert shown[0] == f"[{ids[0][:8]}]  ./iris-cnn:train"
    assert [match[1] for line in shown if (match := head.fullmatch(line))] == ["ada", "bob", "bob"]
    assert shown[2] == "    first"
    assert shown[4:6] == ["    second", "    line"]
    assert comments(guild, "1") == ["second\nline"]
    assert re.search(
        r"comments:\n  \S+ \S+  ada: first\n  \S+ \S+  bob: second\\nline\n", guild.ok("runs", "info", "0")
    )
    assert "  comments: 2\n" in guild.ok("runs", "-v")


def test_a_comment_without_text_is_written_in_the_editor(guild: Guild, ids: list[str], tmp_path: Path) -> None:
    """The editor lists the runs below a text; lines with # are left out; having written is a yes."""
    edited = guild.with_env(EDITOR=writer(tmp_path, "a\n\n# not this\nb # this\n"))
    assert edited("comment", "0:1").out == "Commented on 2 run(s)\n"
    assert comments(guild, "0:1") == ["a\n\nb # this"] * 2
    given = (tmp_path / "given").read_text(encoding="utf-8")
    assert all(f"#  [{run_id[:8]}]  " in given for run_id in ids[:2])
    before = guild.state()
    assert "the comment is empty" in guild.with_env(EDITOR=writer(tmp_path, "\n# x\n")).refused("comment", code=2)
    (tmp_path / "given").unlink()
    assert "You are about to comment" in edited.ok("comment", "--dry-run")
    assert not (tmp_path / "given").exists()
    assert guild.with_env(EDITOR="false").refused("comment")
    assert "specify a comment" in guild.refused("comment", code=2)
    assert guild.state() == before


def test_an_editor_that_leaves_no_text_is_told(guild: Guild, tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are refused; nothing is recorded."""
    script = tmp_path / "editor"
    script.write_text('#!/bin/sh\nprintf "caf\\351" > "$1"\n')
    script.chmod(0o755)
    before = guild.state()
    assert "not UTF-8" in guild.with_env(EDITOR=shlex.quote(str(script))).refused("comment")
    assert guild.state() == before


def test_a_comment_is_recorded_whatever_happened_to_the_run_while_it_was_written(guild: Guild, tmp_path: Path) -> None:
    """What somebody typed is not thrown away because the run was labelled meanwhile; a purged run is refused."""
    (tmp_path / "text").write_text("long\n", encoding="utf-8")
    script = tmp_path / "editor"

    def meanwhile(*args: str) -> Guild:
        command = shlex.join(part if isinstance(part, str) else part.decode() for part in guild.command(*args))
        script.write_text(f'#!/bin/sh\n{command} >/dev/null 2>&1\ncp {shlex.quote(str(tmp_path / "text"))} "$1"\n')
        script.chmod(0o755)
        return guild.with_env(EDITOR=shlex.quote(str(script)))

    assert meanwhile("label", "0", "other").ok("comment", "0") == "Commented on 1 run(s)\n"
    assert comments(guild, "0") == ["long"]
    assert "permanently deleted" in meanwhile("runs", "rm", "-p", "0", "-y").refused("comment", "0")


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["0", "-m", ""], 2, "the comment is empty"),
        (["0", "-m", " \n "], 2, "the comment is empty"),
        (["0", "-m", "x" * 65_537], 2, "more than 65536"),
        (["0", "-m", "x", "--list"], 2, "cannot be used together"),
        (["0", "-m", "x", "--json"], 2, "--json goes with --list"),
        (["99", "-m", "x"], 1, "could not find a run matching '99'"),
        (["-R", "-m", "x"], 1, "No runs to modify."),
    ],
)
def test_a_comment_that_cannot_be_made_changes_nothing(guild: Guild, args: list[str], code: int, message: str) -> None:
    """Text and runs must be there."""
    before = guild.state()
    assert message in guild.refused("comment", *args, code=code)
    assert guild.state() == before


def test_a_comment_cannot_command_a_terminal(guild: Guild) -> None:
    """Control characters and bytes that are no text are shown escaped, and kept as they are."""
    guild.ok("comment", "0", "-m", "\x1b[2Jcaf\udce9")
    assert "    \\x1b[2Jcaf\\xe9\n" in guild.ok("comment", "0", "--list")
    assert guild.json("comment", "0", "--list")[0]["text"] == {"$text": "G1sySmNhZu2zqQ=="}
    assert guild.json("comment", "1", "--list") == []


def test_runs_are_marked_and_unmarked(guild: Guild) -> None:
    """Marks are listed with -v and in JSON; a run that is as wanted is left out."""
    assert guild("mark", "0").out == "Marked 1 run(s)\n"
    assert guild("mark", ":", stdin="y\n").out.endswith("Marked 4 run(s)\n")
    assert guild.ok("runs", "-v").count("  marked: yes\n") == 5
    guild.ok("runs", "mark", "--clear", "1:", "-y")
    assert [run["marked"] for run in guild.json("runs")] == [True, False, False, False, False]
    assert "  unmarked 4 runs  (" in guild.ok("log", "-n", "1")
    assert guild("mark", "0") == (0, "", f"{LOCAL_SCOPE}No runs to modify.\n")
    assert "No runs to modify." in guild.refused("mark", "-R")


def test_a_protected_run_cannot_be_deleted_or_purged(guild: Guild, ids: list[str]) -> None:
    """By id, in a range, by a filter, with -p and at --dry-run: refused as a whole, naming the protected runs."""
    guild.ok("protect", "1")
    guild.ok("protect", "-E")
    before = guild.state()
    for args in (["1"], [ids[1]], ["0:2"], [":"], ["-E"], ["-C"], ["-p", "1"], ["-Ep"], []):
        for how in ("-y", "--dry-run"):
            error = guild.refused("runs", "rm", *args, how)
            assert "protected" in error
            assert "guild unprotect" in error
    error = guild.refused("runs", "rm", ":", "-y")
    assert "2 of 5 runs are protected" in error
    assert f"guild unprotect {ids[1][:8]} {ids[4][:8]}" in error
    assert guild.state() == before
    guild.ok("runs", "rm", "0", "2:3", "-y")
    guild.ok("unprotect", ":", "-y")
    assert guild.ok("runs", "rm", ":", "-y") == "Deleted 2 run(s)\n"


def test_a_deleted_run_can_be_protected_against_purging(guild: Guild, ids: list[str]) -> None:
    """`-d` names deleted runs; the purge of all is refused until the protection is lifted."""
    guild.ok("runs", "rm", "0:1", "-y")
    assert "To undo: guild undo 15" in guild("protect", "-d", "0").err
    before = guild.state()
    for args in ([], ["0"], [":"], ["--dry-run"]):
        error = guild.refused("runs", "purge", *args, "-y")
        assert f"guild unprotect -d {ids[0][:8]}" in error
    assert guild.state() == before
    guild.ok("runs", "restore", "0", "-y")
    assert "is protected" in guild.refused("runs", "rm", "0", "-y")
    guild.ok("unprotect", "0")
    guild.ok("runs", "rm", "0", "-y")
    assert guild.ok("runs", "purge", "-y") == "Permanently deleted 2 run(s)\n"


def test_a_protected_run_that_cannot_be_restored_stays_in_the_trash(guild: Guild, ids: list[str]) -> None:
    """The restoring is taken back though the run is protected, and no later command is held up by it."""
    guild.ok("runs", "rm", "0", "-y")
    guild.ok("protect", "-d", "0")
    (guild.home / "runs" / ids[0]).mkdir()
    assert "was not restored" in guild.refused("runs", "restore", "0", "-y")
    assert guild.ids("-d") == ids[:1]
    guild.ok("mark", "0")
    (guild.home / "runs" / ids[0]).rmdir()
    assert guild.ok("runs", "restore", "0", "-y") == "Restored 1 run(s)\n"
    assert guild.json("runs", "info", "0")["protected"] is True


def test_a_running_run_takes_notes_and_a_protected_one_is_not_stopped(tmp_path: Path) -> None:
    """The refusal to delete it comes before it is stopped; it ends, and is deleted, once it is unprotected."""
    guild = project_of(tmp_path, UNDER_WAY)
    process = guild.start("run", "go", "-y")
    try:
        wait_until(lambda: guild.home.exists() and guild("runs", "list", "-R").out)
        guild.ok("protect", "0")
        guild.ok("tag", "0", "live")
        guild.ok("comment", "0", "-m", "slow")
        guild.ok("mark", "0")
        assert "is protected" in guild.refused("runs", "rm", "0", "-y")
        assert [row.status for row in guild.rows()] == ["running"]
        guild.ok("unprotect", "0")
        assert guild.ok("runs", "rm", "0", "-y") == "Deleted 1 run(s)\n"
    finally:
        process.communicate(timeout=PATIENCE)
    details = guild.json("runs", "info", "-d")
    assert (details["tags"], details["marked"], len(details["comments"])) == (["live"], True, 1)


@pytest.mark.parametrize("command", [["label", "x"], ["tag", "x"], ["mark"], ["protect"], ["comment", "-m", "x"]])
def test_deleted_and_purged_runs_take_no_notes(guild: Guild, ids: list[str], command: list[str]) -> None:
    """The message says where the run is."""
    guild.ok("runs", "rm", "0:1", "-y")
    guild.ok("runs", "purge", "1", "-y")
    name, *rest = command
    assert "is deleted" in guild.refused(name, ids[0], *rest)
    assert "permanently deleted" in guild.refused(name, ids[1], *rest)


def test_two_commands_at_once_lose_nothing(guild: Guild) -> None:
    """Each tag of many writers is there, or its command said that the run had changed meanwhile."""
    processes = [guild.start("tag", "0", f"t{number}") for number in range(6)]
    ended = [process.communicate(timeout=PATIENCE)[1].decode() for process in processes]
    done = [number for number, process in enumerate(processes) if process.returncode == 0]
    assert done
    assert sorted(tags(guild, "0")) == [f"t{number}" for number in done]
    assert all("changed meanwhile" in text for number, text in enumerate(ended) if number not in done)
    assert guild("ledger", "verify").code == 0


def test_notes_on_one_run_at_the_same_moment_are_all_taken(guild: Guild) -> None:
    """Nobody was shown how the run was, so each is planned again for how it is now: none is refused, none is lost."""
    words = [f"word{number}" for number in range(6)]
    quiet = dict.fromkeys(("stdin", "stdout", "stderr"), DEVNULL)
    at_once = [guild.start("tag", "1", word, **quiet) for word in words]
    at_once += [guild.start("label", "1", "--append", word, **quiet) for word in words]
    assert [process.wait(PATIENCE) for process in at_once] == [0] * len(at_once)
    assert sorted(tags(guild, "1")) == words
    label = labels(guild)[1]
    assert label is not None
    assert sorted(word for word in label.split() if word in words) == words
