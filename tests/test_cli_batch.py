"""Batches from outside: which trials there are, how they are told and recorded, and what a signal leaves of them."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
from pathlib import Path

import pytest

from tests.batch_kit import batch_project, begun, check_settled, on_terminal, processes, statuses
from tests.cli_kit import PATIENCE, Guild, wait_until


@pytest.fixture
def guild(tmp_path: Path) -> Guild:
    """Give a project of cheap operations."""
    return batch_project(tmp_path)


def trials(guild: Guild, *words: str) -> list[list[str]]:
    """Return the cells of `--print-trials`, without the numbers."""
    return [line.split()[1:] for line in guild.ok("run", *words, "--print-trials").splitlines()[1:]]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["x=[1,2]"], ["1 2", "2 2"]),
        (["x=[1,2]", "y=[a,b]"], ["1 a", "1 b", "2 a", "2 b"]),
        (["x=range[1:3]"], ["1 2", "2 2", "3 2"]),
        (["x=linspace[0:1:3]"], ["0.0 2", "0.5 2", "1.0 2"]),
        (["@t.csv"], ["5 6", "7 2"]),
        (["@t.json", "y=9"], ["1 9", "2 9"]),
        (["@t.yml"], ["1 2", "3 2"]),
    ],
)
def test_words_ask_for_trials(guild: Guild, words: list[str], expected: list[str]) -> None:
    """Lists, ranges and files give the trials that the documentation says; nothing is started by looking."""
    (guild.cwd / "t.csv").write_text("x,y\n5,6\n7,\n")
    (guild.cwd / "t.json").write_text(json.dumps([{"x": 1, "y": 1}, {"x": 2}]))
    (guild.cwd / "t.yml").write_text("x: [1, 3]\n")
    shown = trials(guild, "t", *words)
    assert [re.sub(r"\.0\b", "", " ".join(row)) for row in shown] == [re.sub(r"\.0\b", "", row) for row in expected]
    assert guild.ids() == []


def test_chance_is_repeatable(guild: Guild) -> None:
    """The same seed gives the same trials, another one others; without a seed the one used is told."""
    words = ["t", "x=uniform[0:1]", "--max-trials", "4"]
    assert trials(guild, *words, "--random-seed", "1") == trials(guild, *words, "--random-seed", "1")
    assert trials(guild, *words, "--random-seed", "1") != trials(guild, *words, "--random-seed", "2")
    told = guild("run", *words, "--print-trials")
    seed = re.search(r"--random-seed (\d+)", told.err)
    assert seed
    assert trials(guild, *words, "--random-seed", seed[1]) == [row.split()[1:] for row in told.out.splitlines()[1:]]
    assert len(trials(guild, "t", "x=range[1:50]", "-m", "7")) == 7


def test_saved_trials_are_the_same_trials_when_run(tmp_path: Path) -> None:
    """Whatever a value is: empty, null over a default, a list, text that looks like a number or a reference."""
    flags = "{a: 1, n: 5, t: {type: string, default: z}, l: {default: [1, 2]}}"
    guild = batch_project(tmp_path, f"- model: m\n  operations:\n    t: {{exec: 'true', flags: {flags}}}\n")
    rows: list[dict[str, object]] = [
        {"a": "7", "n": None, "t": "007", "l": [3]},
        {"a": "", "n": 1.5, "t": "", "l": []},
        {"a": [1, 2], "n": True, "t": "[x, y]", "l": [[1], [2]]},
        {"a": "12", "n": "null", "t": "a b", "l": "x"},
        {"a": {"k": 1}, "n": 1e-5, "t": '"q", r', "l": [None]},
    ]
    plan = [{name: [value] if isinstance(value, list) else value for name, value in row.items()} for row in rows]
    (guild.cwd / "rows.json").write_text(json.dumps(plan))
    guild.ok("run", "t", "@rows.json", "a=[[8,9]]", "--save-trials", "saved.csv")
    with open(guild.cwd / "saved.csv", newline="") as file:
        assert len(list(csv.reader(file))) == len(rows) + 1
    guild.ok("run", "t", "@rows.json", "-y", "-q")
    guild.ok("run", "t", "@rows.json", "--save-trials", "again.csv")
    guild.ok("run", "t", "@again.csv", "-y", "-q")
    flags_of = [guild.json("runs", "info", run_id)["flags"] for run_id in guild.ids()]
    assert len(flags_of) == 2 * len(rows)
    assert flags_of[: len(rows)] == flags_of[len(rows) :]


def test_saving_trials_costs_no_other_file(guild: Guild) -> None:
    """Only a CSV file is written over, and only by a whole one; what fails leaves all as it was."""
    for name in ("guild.yml", "notes"):
        path = guild.cwd / name
        path.touch()
        before = path.read_bytes()
        assert "is there already" in guild.refused("run", "t", "x=[1,2]", "--save-trials", name)
        assert path.read_bytes() == before
    guild.ok("run", "t", "x=[1,2]", "--save-trials", "t.csv")
    before = (guild.cwd / "t.csv").read_bytes()
    files = sorted(os.listdir(guild.cwd))
    assert "no UTF-8" in guild.refused("run", "t", "x=[1,b\udcff]", "--save-trials", "t.csv")
    assert ((guild.cwd / "t.csv").read_bytes(), sorted(os.listdir(guild.cwd))) == (before, files)
    guild.ok("run", "t", "x=[1,2,3]", "--save-trials", "t.csv")
    assert len((guild.cwd / "t.csv").read_text().splitlines()) == 4


def test_a_batch_is_shown_and_asked_for(guild: Guild) -> None:
    """The preview tells operation, number and flags; `n` starts and records nothing."""
    guild.ok("runs")
    told = guild("run", "t", "x=[1,2,3]", stdin="n\n")
    assert (told.code, told.out) == (0, "")
    assert "3 trials" in told.err
    assert guild.ids() == []


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_batch_is_staged_at_once_and_its_trials_know_it(guild: Guild, jobs: str) -> None:
    """One transaction holds all trials; they share a batch id, which no other run has; 0 when all went well."""
    assert "Completed 3 of 3" in guild.ok("run", "t", "x=[1,2,3]", "-y", "-j", jobs)
    guild.ok("run", "t", "-y")
    log = [json.loads(line) for line in guild.ok("log", "--json").splitlines()]
    assert [json.dumps(entry).count('"run.staged"') for entry in log if "run.staged" in json.dumps(entry)] == [3]
    batches = [guild.json("runs", "info", run_id)["batch"] for run_id in guild.ids()]
    assert batches[0] is None
    assert re.fullmatch("[0-9a-f]{32}", batches[1])
    assert len(set(batches[1:])) == 1
    check_settled(guild)


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_a_failing_trial_does_not_stop_the_others(guild: Guild, jobs: str) -> None:
    """The exit code is 1 and the summary counts; of a single run it is the process's own."""
    told = guild("run", "some", "x=[1,2,3,4]", "-y", "-j", jobs)
    assert told.code == 1, told
    assert "Completed 3 of 4 trial(s), 1 failed" in told.out
    assert statuses(guild) == {"completed": 3, "error": 1}
    assert ("x is 3" in told.out) == (jobs == "1")
    check_settled(guild)


def test_staged_runs_that_are_named_start_in_the_order_of_their_names(guild: Guild) -> None:
    """Whenever they were staged; a range of them starts in the order of the staging."""
    first = guild.ok("run", "t", "x=[1,2]", "--stage", "-y").split()
    last = guild.ok("run", "t", "x=[3,4]", "--stage", "-y").split()
    named = [last[1], first[1], last[0]]
    guild.ok("run", *(word for run_id in named for word in ("--start", run_id)), "-y", "-q")
    guild.ok("run", "--start", ":", "-y", "-q")
    assert list(reversed(guild.ids())) == [*named, first[0]]


def test_staged_trials_are_started_in_their_order(guild: Guild) -> None:
    """The order in which they were staged, though a listing begins with what is newest."""
    first = guild.ok("run", "t", "x=range[1:4]", "--stage", "-y").split()
    second = guild.ok("run", "t", "x=[5,6]", "--stage", "-y").split()
    told = guild("run", "--start", ":", "-y")
    assert re.findall("run ([0-9a-f]{8})", told.err) == [run_id[:8] for run_id in first + second]
    assert guild.ids() == [*reversed(first + second)]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_trial_that_cannot_be_planned_is_told_and_stays_staged(guild: Guild, jobs: str) -> None:
    """Something that only one trial requires is missing: the others run, and it can be started when it is there."""
    (guild.cwd / "data-1.txt").write_text("1")
    (guild.cwd / "data-3.txt").write_text("3")
    told = guild("run", "needs", "x=[1,2,3]", "-y", "-j", jobs)
    assert told.code == 1
    assert "data-2.txt" in told.err
    assert statuses(guild) == {"completed": 2, "staged": 1}
    (guild.cwd / "data-2.txt").write_text("2")
    guild.ok("run", "--start", ":", "-y")
    assert statuses(guild) == {"completed": 3}


def test_a_flag_that_does_not_fit_refuses_the_whole_batch(tmp_path: Path) -> None:
    """Nothing is staged when one of the trials cannot be; the message tells which."""
    model = "- model: m\n  operations:\n    t: {exec: 'true', flags: {x: {type: int, default: 1}}}\n"
    guild = batch_project(tmp_path, model)
    guild.ok("runs")
    assert "trial 2 of 3" in guild.refused("run", "t", "x=[1,a,3]", "-y")
    assert guild.ids() == []


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_trial_that_reads_standard_input_takes_nothing_from_the_batch(guild: Guild, jobs: str) -> None:
    """With workers a trial finds its input empty: what its worker is told is not for it."""
    assert "Completed 4 of 4" in guild.ok("run", "eat", "x=[1,2,3,4]", "-y", "-j", jobs)
    outputs = [path.read_text() for path in guild.home.glob("runs/*/.guild/output")]
    assert [text.strip() for text in outputs] == ["0"] * 4


def slow_trials(jobs: int) -> list[str]:
    """Return the words of a batch of five slow trials."""
    return ["run", "slow", "x=[1,2,3,4,5]", "-y", "-j", str(jobs)]


def check_stopped_and_finished(guild: Guild, jobs: int, name: str) -> None:
    """Check what a signal left of five slow trials, and that the rest can be started."""
    check_settled(guild)
    assert statuses(guild) == {"terminated": jobs, "staged": 5 - jobs}
    reasons = {guild.json("runs", "info", run_id)["reason"] for run_id in guild.ids("--terminated")}
    assert reasons == {f"stopped by {name}"}
    (guild.cwd / "go").touch()
    guild.ok("run", "--start", ":", "-y", "-j", "2")
    assert statuses(guild) == {"terminated": jobs, "completed": 5 - jobs}
    check_settled(guild)


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_typed_interrupt_stops_a_batch_cleanly(guild: Guild, jobs: int) -> None:
    """Ctrl-C: what ran is terminated, what did not stays staged, no process is left, the rest can be started."""
    terminal = on_terminal(guild, *slow_trials(jobs))
    wait_until(lambda: begun(guild) == jobs)
    terminal.type(b"\x03")
    shown = terminal.read_to_end()
    assert terminal.process.returncode == 128 + signal.SIGINT, shown
    assert "Stopped by SIGINT" in shown
    assert f"{5 - jobs} stay staged" in shown
    check_stopped_and_finished(guild, jobs, "SIGINT")


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_to_the_command_alone_stops_a_batch_cleanly(guild: Guild, jobs: int, name: str) -> None:
    """As from `kill` or a service manager: the same as Ctrl-C."""
    process = guild.start(*slow_trials(jobs), start_new_session=True)
    wait_until(lambda: begun(guild) == jobs)
    process.send_signal(signal.Signals[name])
    out, err = process.communicate(timeout=PATIENCE)
    told = (out + err).decode()
    assert process.returncode == 128 + signal.Signals[name], told
    assert f"Stopped by {name}" in told
    assert f"{5 - jobs} stay staged" in told
    check_stopped_and_finished(guild, jobs, name)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("tenths", [1, 3, 6])
def test_a_signal_at_any_moment_loses_no_trial(guild: Guild, jobs: int, tenths: int) -> None:
    """Also while trials are planned, started or recorded: each is completed, terminated or still staged."""
    guild.ok("runs")
    process = guild.start("run", "t", "x=range[1:30]", "-y", "-j", str(jobs), start_new_session=True)
    wait_until(lambda: len(list(guild.home.glob("runs/*"))) >= tenths * 3)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode in (0, 128 + signal.SIGTERM), (out, err)
    assert b"Traceback" not in err
    wait_until(lambda: not processes(guild))
    found = statuses(guild)
    assert sum(found.values()) == 30
    assert found.keys() <= {"completed", "terminated", "staged"}
    assert found["terminated"] <= jobs
    if found["staged"]:
        guild.ok("run", "--start", ":", "-y", "-q")
    check_settled(guild)


def ignore_hangups() -> None:
    """Do what `nohup` does."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def test_an_ignored_signal_stays_ignored(guild: Guild) -> None:
    """`nohup guild run ... -j 2` survives the end of its terminal."""
    (guild.cwd / "go").touch()
    ignoring = Guild(guild.home, guild.cwd, prepare=ignore_hangups)
    process = ignoring.start("run", "slow", "x=range[1:6]", "-y", "-j", "2")
    wait_until(lambda: begun(guild) > 0)
    process.send_signal(signal.SIGHUP)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, (out, err)
    assert statuses(guild) == {"completed": 6}


def test_progress_is_shown_on_a_terminal_only(guild: Guild) -> None:
    """A line that is written over tells how far the batch is; nothing of it gets into a pipe or a file."""
    shown = on_terminal(guild, "run", "t", "x=range[1:4]", "-y", "-j", "2").read_to_end()
    assert re.search(r"\r\x1b\[K  \d/4 done, \d running", shown)
    assert "Completed 4 of 4 trial(s)" in shown
    told = guild("run", "t", "x=range[1:4]", "-y", "-j", "2")
    assert told.out == "Completed 4 of 4 trial(s)\n"
    assert ("\r" in told.both, "\x1b" in told.both, "running" in told.err) == (False, False, False)


def test_stopping_one_trial_ends_its_batch(guild: Guild) -> None:
    """`guild stop` of one of two that run: it is terminated, the other goes on, no further one is started."""
    process = guild.start(*slow_trials(2), start_new_session=True)
    wait_until(lambda: begun(guild) == 2)
    guild.ok("stop", "0", "-y")
    assert statuses(guild) == {"terminated": 1, "running": 1, "staged": 3}
    (guild.cwd / "go").touch()
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM, (out, err)
    assert statuses(guild) == {"terminated": 1, "completed": 1, "staged": 3}
    check_settled(guild)


def test_the_command_line_of_a_big_batch_is_not_recorded_with_every_trial(guild: Guild) -> None:
    """Each trial's transactions tell the command, but not thousands of words of it again and again."""
    values = ",".join(str(10_000 + number) for number in range(600))
    guild.ok("run", "t", f"x=[{values}]", "--stage", "-y")
    ids = [word for run_id in guild.ids()[:100] for word in ("--start", run_id)]
    guild.ok("run", *ids, "-y", "-q")
    with guild.database() as database:
        longest = database.execute("SELECT max(length(header)) FROM txn WHERE seq > 3").fetchone()[0]
    database.close()
    assert longest < 2_500
    assert os.path.isdir(guild.home / "runs")


@pytest.mark.parametrize("way", ["at once", "two at a time", "staged", "in the background"])
def test_what_stands_in_for_a_required_file_is_kept_when_staged(tmp_path: Path, way: str) -> None:
    """However its trials come to be started, a path is the one that was meant where the command was given."""
    model = "- model: m\n  operations:\n    t: {exec: cat data.csv, flags: {x: 1}, requires: [{file: data.csv}]}\n"
    guild = batch_project(tmp_path, model)
    (guild.cwd / "data.csv").write_text("default\n")
    (guild.cwd / "sub").mkdir()
    (guild.cwd / "sub" / "data.csv").write_text("mine\n")
    options = {"two at a time": ["-j", "2"], "staged": ["--stage"], "in the background": ["--background"]}.get(way, [])
    guild.ok("run", "t", "x=[1,2]", "data.csv=sub/data.csv", "-y", *options)
    if way == "staged":
        guild.at(tmp_path).ok("run", *(f"--start={run_id}" for run_id in guild.ids()), "-y")
    wait_until(lambda: statuses(guild) == {"completed": 2})
    assert [path.read_text() for path in guild.home.glob("runs/*/.guild/output")] == ["mine\n"] * 2


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_trials_that_another_command_has_started_are_not_failed(guild: Guild, jobs: str) -> None:
    """Two commands that start all staged trials at once both succeed, and each trial runs once."""
    (guild.cwd / "go").touch()
    guild.ok("run", "slow", "x=[1,2,3,4]", "--stage", "-y")
    both = [guild.start("run", "--start", ":", "-y", "-q", "-j", jobs) for _ in range(2)]
    told = [process.communicate(timeout=PATIENCE) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert statuses(guild) == {"completed": 4}
    assert not any(b"failed" in out or b"stay staged" in err for out, err in told), told


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_trial_that_fails_is_told_with_what_to_do(guild: Guild, jobs: str) -> None:
    """The advice is not lost on the way, and the run is named once."""
    ids = guild.ok("run", "slow", "x=[1,2]", "--stage", "-y").split()
    (guild.cwd / "guild.yml").write_text("- model: m\n  operations: {slw: {exec: 'true'}}\n")
    told = guild("run", "--start", ":", "-y", "-j", jobs)
    assert told.code == 1
    line = next(line for line in told.err.splitlines() if ids[0][:8] in line and "WARNING" in line)
    assert line.count(ids[0][:8]) == 1
    assert ". " in line
