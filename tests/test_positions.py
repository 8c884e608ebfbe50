"""Positions stay true: an index means the run that the list showed, or the user is told."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli_kit import IRIS, WORK, Guild, make_project

GUILD = f"{sys.executable} -m guild_ledger"
OTHER = f"(cd . && exec setsid {GUILD} run iris-svm:train -y </dev/null >/dev/null 2>&1)"


def in_terminal(guild: Guild, script: str) -> str:
    """Run a shell script as a person's shell on a terminal would; return all that was shown there."""
    ours, theirs = pty.openpty()
    env = {**guild.environment(), "PAGER": "cat", "NO_COLOR": "1"}
    shell = subprocess.Popen(
        ["sh", "-c", script], cwd=guild.cwd, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # the end of a terminal is an error on Linux
        while piece := os.read(ours, 65_536):
            shown += piece
    shell.wait()
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


@pytest.fixture
def guild(tmp_path: Path) -> Guild:
    """Give the command in a project with two runs of `iris-cnn:train`."""
    project = make_project(tmp_path / "project", IRIS, work=WORK)
    guild = Guild(tmp_path / "home", project)
    for epochs in (1, 2):
        guild.ok("run", "cnn:train", f"epochs={epochs}", "-y")
    return guild


def test_a_moved_index_is_refused_with_yes(guild: Guild) -> None:
    """Somebody started a run between the listing and `rm 0 -y`: nothing is deleted, and the message says what moved."""
    listed = guild.ids()
    shown = in_terminal(guild, f"{GUILD} runs; {OTHER}; {GUILD} runs rm 0 -y; echo code $?")
    new = guild.ids()[0]
    assert f"0 was run {listed[0][:8]} when you listed the runs; now it is run {new[:8]}" in shown
    assert "code 1" in shown
    assert guild.ids() == [new, *listed]


def test_a_moved_index_is_told_at_the_prompt(guild: Guild) -> None:
    """Who is asked sees it above the question, and may go on."""
    listed = guild.ids()
    shown = in_terminal(guild, f"{GUILD} runs; {OTHER}; echo y | {GUILD} runs rm 0; echo code $?")
    assert f"WARNING: 0 was run {listed[0][:8]} when you listed the runs" in shown
    assert "Deleted 1 run(s)" in shown
    assert guild.ids() == listed


def test_one_run_is_not_labelled_at_once_when_it_is_another(guild: Guild) -> None:
    """What usually goes without a question asks, and the end of input is no answer."""
    shown = in_terminal(guild, f"{GUILD} runs; {OTHER}; {GUILD} label 0 good </dev/null; echo code $?")
    assert "now it is run" in shown
    assert "code 1" in shown
    assert guild.rows("--label", "good") == []


def test_fresh_means_the_list_as_it_is_now(guild: Guild) -> None:
    """With `--fresh` an index is what it is at this moment."""
    listed = guild.ids()
    shown = in_terminal(guild, f"{GUILD} runs; {OTHER}; {GUILD} runs rm 0 -y --fresh; echo code $?")
    assert "code 0" in shown
    assert guild.ids() == listed


@pytest.mark.parametrize("spec", ["1:2", ":", "0:1"])
def test_a_range_that_means_other_runs_is_refused(guild: Guild, spec: str) -> None:
    """A range is held to the list as well, an open one when the whole list was shown."""
    shown = in_terminal(guild, f"{GUILD} runs; {OTHER}; {GUILD} runs rm {spec} -y; echo code $?")
    assert "code 1" in shown
    assert f"{spec} means other runs than when you listed them" in shown
    assert len(guild.ids()) == 3


def test_ids_and_other_lists_are_not_held_to_it(guild: Guild) -> None:
    """An id is an id; an index in another list (here: of failed runs) was never shown."""
    listed = guild.ids()
    shown = in_terminal(guild, f"{GUILD} runs; {OTHER}; {GUILD} runs rm {listed[0][:8]} -y; {GUILD} runs rm -C 0 -y")
    assert "when you listed" not in shown
    assert guild.ids() == [listed[1]]


@pytest.mark.parametrize("listing", ["runs -l second", "runs list second", "runs -l second -s", "runs -al second"])
def test_an_index_is_held_to_the_list_that_was_seen_last(guild: Guild, listing: str) -> None:
    """A filtered list showed 0 beside another run than `rm 0` would delete: that is refused."""
    newest, oldest = guild.ids()
    guild.ok("label", oldest, "second")
    shown = in_terminal(guild, f"{GUILD} runs; {GUILD} {listing}; {GUILD} runs rm 0 -y; echo code $?")
    assert f"0 was run {oldest[:8]} in the list that you saw last, with other options; here it is run" in shown
    assert "code 1" in shown
    assert guild.ids() == [newest, oldest]
    again = in_terminal(guild, f"{GUILD} {listing}; {GUILD} runs; {GUILD} runs rm 0 -y; echo code $?")
    assert "code 0" in again
    assert guild.ids() == [oldest]


def test_a_command_that_says_which_list_is_not_held_to_another(guild: Guild) -> None:
    """With the filters of the list, or others of its own, an index counts among what these leave."""
    newest, oldest = guild.ids()
    guild.ok("label", oldest, "second")
    script = f"{GUILD} runs -l second; {GUILD} runs rm -C 0 --dry-run -y; {GUILD} runs rm -l second 0 -y; echo code $?"
    shown = in_terminal(guild, script)
    assert "that you saw" not in shown
    assert "code 0" in shown
    assert guild.ids() == [newest]


def test_an_index_beyond_the_list_seen_last_is_held_to_the_one_before(guild: Guild) -> None:
    """The last list showed one run only: 1 was never shown in it, but it was in the list before."""
    newest, oldest = guild.ids()
    guild.ok("label", newest, "one")
    shown = in_terminal(guild, f"{GUILD} runs; {GUILD} runs -l one; {OTHER}; {GUILD} runs rm 1 -y; echo code $?")
    assert f"1 was run {oldest[:8]} when you listed the runs; now it is run {newest[:8]}" in shown
    assert "code 1" in shown


@pytest.mark.parametrize(
    "listing",
    ["runs --sort label", "runs --reverse", "runs --sort epochs -s", "runs --columns id,epochs -r", "runs -d"],
)
def test_a_list_without_indexes_changes_nothing(guild: Guild, listing: str) -> None:
    """A sorted list or one of columns shows no indexes, and one of deleted runs is about others."""
    newest, oldest = guild.ids()
    listing = listing.replace(" -r", "")
    shown = in_terminal(guild, f"{GUILD} runs; {GUILD} {listing}; {GUILD} runs rm 1 -y; echo code $?")
    assert "code 0" in shown
    assert shown.count("[0:") == 1
    assert guild.ids() == [newest]
    assert oldest not in guild.ids()


def test_indexes_in_columns_are_held_to_as_well(guild: Guild) -> None:
    """`--columns index,...` shows them."""
    shown = in_terminal(guild, f"{GUILD} runs --columns index,epochs; {OTHER}; {GUILD} runs rm 0 -y; echo code $?")
    assert "when you listed the runs" in shown
    assert "code 1" in shown


def test_a_part_of_a_list_is_not_taken_for_the_whole(guild: Guild) -> None:
    """After `-n 1` an open range is served as things stand; a run that was not shown is not missed."""
    shown = in_terminal(guild, f"{GUILD} runs -n 1; {GUILD} runs rm 0: --dry-run -y; echo code $?")
    assert "Showing the first 1 of 2 runs (-m shows more)" in shown
    assert "code 0" in shown


def test_an_unchanged_list_asks_nothing(guild: Guild) -> None:
    """As long as indexes mean what they meant, nothing is said."""
    listed = guild.ids()
    shown = in_terminal(guild, f"{GUILD} runs; {GUILD} runs rm 1 -y; echo code $?")
    assert "code 0" in shown
    assert guild.ids() == listed[:1]


def test_a_script_that_never_listed_is_served_as_things_stand(guild: Guild) -> None:
    """A script on the same terminal has a process of its own; so has whatever lists into a pipe."""
    listed = guild.ids()
    shown = in_terminal(guild, f"{GUILD} runs; {OTHER}; sh -c '{GUILD} runs rm 0 -y; true'; {GUILD} runs | cat")
    assert "Deleted 1 run(s)" in shown
    assert guild.ids() == listed


def test_info_says_what_has_moved_and_shows_what_is_there(guild: Guild) -> None:
    """A command that changes nothing goes on, with a note."""
    shown = in_terminal(guild, f"{GUILD} runs; {OTHER}; {GUILD} runs info 0")
    assert "when you listed the runs" in shown
    assert f"id: {guild.ids()[0]}" in shown


def test_starting_again_is_held_to_the_list(guild: Guild) -> None:
    """Another run's directory must not be written into because that run took a number; `--fresh` means it."""
    before = guild.history()
    again = f"{GUILD} run --restart 0 -y"
    shown = in_terminal(guild, f"{GUILD} runs; {OTHER}; {again}; echo code $?; {again} --fresh; echo code $?")
    assert "when you listed the runs" in shown
    assert "code 1" in shown
    assert "code 0" in shown
    assert len(guild.history()) == len(before) + 8  # two starts and two ends, each with its transaction


def test_stopping_is_held_to_the_list(tmp_path: Path) -> None:
    """The run that took a number goes on."""
    project = make_project(
        tmp_path / "project", "- name: m\n  operations: {t: slow}\n", slow="import time; time.sleep(1000)"
    )
    guild = Guild(tmp_path / "home", project)
    start = f"(exec setsid {GUILD} run t --background -y </dev/null >/dev/null 2>&1)"
    shown = in_terminal(guild, f"{start}; {GUILD} runs -R; {start}; {GUILD} stop 0 -y; echo code $?")
    assert "when you listed the runs" in shown
    assert "code 1" in shown
    assert [row.status for row in guild.rows()] == ["running", "running"]
    guild.ok("stop", "-y")


def test_a_comment_is_not_written_on_another_run_without_asking(guild: Guild) -> None:
    """A moved index asks before a single run is commented on, and with -y refuses before the editor is opened."""
    script = (
        f"{GUILD} runs; {OTHER}; {GUILD} comment 0 -m x </dev/null; EDITOR=false {GUILD} comment 0 -y; echo code $?"
    )
    shown = in_terminal(guild, script)
    assert "no answer: the input ended" in shown
    assert "the list is not the one that you saw" in shown
    assert "Editing failed" not in shown
    assert guild.json("comment", "--list", ":") == []


def test_reading_a_file_of_a_run_says_what_has_moved(guild: Guild) -> None:
    """`guild cat`, `ls` and `select` go on, with a note."""
    shown = in_terminal(guild, f"{GUILD} runs; {OTHER}; {GUILD} cat 0 --output; {GUILD} select 0; {GUILD} ls 0")
    assert shown.count("Note: 0 was run") == 3
