"""The ways in which runs are started, again and later, from outside: staging, restarting, prototypes, background."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.batch_kit import batch_project, begun, check_settled, on_terminal, statuses
from tests.cli_kit import PATIENCE, Guild, make_project, wait_until

MODEL = """
- model: m
  operations:
    t:
      exec: sh -c 'echo run x=$FLAG_X cuda=$CUDA_VISIBLE_DEVICES; echo line >>kept; echo $FLAG_S >said; exit $FLAG_CODE'
      label: x is ${x}
      flags:
        x: {default: 1, description: The one that matters}
        s: {default: a, type: string}
        l: {default: [1, 2]}
        n: {default: 5}
        code: {default: 0}
    slow:
      exec: "sh -c 'echo begun; touch begun; while test ! -e $MODEL_DIR/go; do sleep 0.05; done; echo done'"
      flags: {x: 1}
    u: {exec: "true", flags: {x: 3}}
"""


@pytest.fixture
def guild(tmp_path: Path) -> Guild:
    """Give a project of cheap operations."""
    return batch_project(tmp_path, MODEL)


def info(guild: Guild, run: str = "0") -> dict[str, Any]:
    """Return what is known of a run."""
    found: dict[str, Any] = guild.json("runs", "info", run)
    return found


def output(guild: Guild, run_id: str) -> str:
    """Return what a run has printed."""
    return (guild.home / "runs" / run_id / ".guild" / "output").read_text()


def bodies(guild: Guild, type_: str) -> list[dict[str, Any]]:
    """Return the bodies of all events of a type."""
    with guild.database() as database:
        rows = database.execute("SELECT body FROM event WHERE type = ? ORDER BY position", (type_,)).fetchall()
    database.close()
    return [json.loads(row[0]) for row in rows]


def test_a_staged_run_is_started_as_it_was_staged(guild: Guild) -> None:
    """It has no directory before; flags, tags and the label it was given meanwhile are those of the run."""
    run_id = guild.ok("run", "t", "x=7", "-t", "big", "--stage", "-y").strip()
    assert info(guild)["status"] == "staged"
    assert not (guild.home / "runs" / run_id).exists()
    guild.ok("label", run_id, "mine", "-y")
    assert "run x=7" in guild.ok("run", "--start", run_id[:8], "-t", "late", "-y")
    found = info(guild)
    assert (found["id"], found["status"], found["label"]) == (run_id, "completed", "mine")
    assert found["flags"]["x"] == 7
    assert [event["added"] for event in bodies(guild, "run.tagged")] == [["big"], ["late"]]
    assert statuses(guild) == {"completed": 1}


def test_a_value_that_looks_like_a_reference_survives_staging(guild: Guild) -> None:
    """What was resolved when the run was staged is not resolved again when it starts, nor when it is taken over."""
    guild.ok("run", "t", r"s=a\${x}", "x=2", "--stage", "-y")
    guild.ok("run", "--start", ":", "-y")
    assert info(guild)["flags"]["s"] == "a${x}"
    guild.ok("run", "--proto", "0", "-y")
    assert info(guild)["flags"]["s"] == "a${x}"


def test_a_staged_run_can_be_deleted_restored_and_started(guild: Guild) -> None:
    """It has no directory to be moved, and that is no trouble."""
    run_id = guild.ok("run", "t", "--stage", "-y").strip()
    guild.ok("runs", "rm", run_id, "-y")
    assert guild("run", "--start", run_id, "-y").code == 1
    guild.ok("runs", "restore", run_id, "-y")
    guild.ok("run", "--start", run_id, "-y")
    assert info(guild)["status"] == "completed"
    check_settled(guild)


def test_of_two_commands_that_start_the_same_staged_run_one_does(guild: Guild) -> None:
    """The other says why it did not, and nothing of the run is lost."""
    (guild.cwd / "go").touch()
    run_id = guild.ok("run", "slow", "--stage", "-y").strip()
    both = [guild.start("run", "--start", run_id, "-y") for _ in range(2)]
    ended = [(process.communicate(timeout=PATIENCE), process.returncode) for process in both]
    assert sorted(code for _, code in ended) == [0, 1], ended
    lost = next(told for told, code in ended if code == 1)
    assert b"guild: " in lost[1]
    assert b"Traceback" not in lost[1]
    assert info(guild)["status"] == "completed"
    assert output(guild, run_id) == "begun\ndone\n"
    check_settled(guild)


def test_a_staged_run_that_has_started_cannot_be_started(guild: Guild) -> None:
    """The message tells that the run is not staged, or that none is."""
    run_id = guild.ok("run", "t", "--stage", "-y").strip()
    guild.ok("run", "--start", run_id, "-y")
    before = guild.history()
    guild.refused("run", "--start", run_id, "-y")
    assert guild.history() == before


def test_restarting_goes_on_in_the_same_directory(guild: Guild) -> None:
    """Files are kept, output is appended, the number and status follow, flags and label change as given."""
    assert guild("run", "t", "code=3", "-y").code == 3
    run_id = info(guild)["id"]
    guild.ok("run", "u", "-y")
    assert info(guild, "1")["status"] == "error"
    guild.ok("run", "--restart", "1", "code=0", "x=8", "-y")
    found = info(guild)
    assert (found["id"], found["status"], found["exit_status"]) == (run_id, "completed", 0)
    assert (found["flags"]["x"], found["flags"]["code"], found["label"]) == (8, 0, "x is 1")
    assert (guild.home / "runs" / run_id / "kept").read_text() == "line\nline\n"
    assert [line.split()[1] for line in output(guild, run_id).splitlines()] == ["x=1", "x=8"]
    guild.ok("run", "--restart", run_id[:8], "-l", "other", "-t", "again", "-y")
    assert (info(guild)["flags"]["x"], info(guild)["label"]) == (8, "other")
    assert bodies(guild, "run.tagged") == [{"added": ["again"], "removed": []}]
    assert len(guild.ids()) == 2
    check_settled(guild)


def test_a_running_run_is_not_restarted(guild: Guild) -> None:
    """Nor is one that does not exist, or several; nothing is recorded."""
    process = guild.start("run", "slow", "-y")
    wait_until(lambda: begun(guild) == 1)
    before = guild.history()
    assert "is running" in guild.refused("run", "--restart", "0", "-y")
    guild.refused("run", "--restart", "ffffffff", "-y")
    assert guild.history() == before
    (guild.cwd / "go").touch()
    assert process.wait(PATIENCE) == 0
    process.communicate()


@pytest.mark.parametrize("words", [["x=[1,2]", "s=007"], ["l=[]", "n="], ["n=null", "s=1e3", 'x="12"']])
def test_a_prototype_gives_its_flags_as_they_are(guild: Guild, words: list[str]) -> None:
    """Lists, null over a default, text that looks like a number: equal flags; those given win, the rest counts."""
    words = [word.replace("x=[1,2]", "x=[[1,2]]") for word in words]
    guild.ok("run", "t", *words, "-y")
    first = info(guild)
    guild.ok("run", "--proto", "0", "-y")
    second = info(guild)
    assert second["flags"] == first["flags"]
    assert (second["proto"], second["batch"]) == (first["id"], None)
    guild.ok("run", "--proto", "0", "code=0", "n=6", "-y")
    assert info(guild)["flags"] == {**first["flags"], "n": 6}
    guild.ok("run", "u", "--proto", "0", "-y")
    assert info(guild)["flags"] == {"x": first["flags"]["x"]}


def test_words_and_files_win_over_a_prototype(guild: Guild) -> None:
    """A file of trials names the flags that differ; the prototype gives the others."""
    guild.ok("run", "t", "x=4", "n=9", "-y")
    (guild.cwd / "t.csv").write_text("x\n5\n6\n")
    table = guild.ok("run", "--proto", "0", "@t.csv", "--print-trials").splitlines()
    column = table[0].split().index("x")
    assert [line.split()[column] for line in table[1:]] == ["5", "6"]
    assert all(" 9 " in line for line in table[1:])


def test_a_run_of_another_project_is_a_prototype_by_its_id(guild: Guild, tmp_path: Path) -> None:
    """Its operation is looked for in its own project; when that is gone, the message says so."""
    other = guild.at(make_project(tmp_path / "other", "{name: o, operations: {go: {cmd: w, flags: {q: 1}}}}", w=""))
    other.ok("run", "go", "q=5", "-y")
    run_id = other.ids()[0]
    guild.ok("run", "--proto", run_id[:8], "-y")
    other_ids = other.ids()
    assert len(other_ids) == 2
    assert info(other)["flags"] == {"q": 5}
    os.rename(tmp_path / "other", tmp_path / "moved")
    assert "not there any more" in guild.refused("run", "--proto", run_id, "-y")


def test_a_deleted_run_is_no_prototype(guild: Guild) -> None:
    """The message names the run; after its restoration it is one again."""
    guild.ok("run", "t", "-y")
    run_id = guild.ids()[0]
    guild.ok("runs", "rm", "0", "-y")
    assert run_id[:8] in guild.refused("run", "--proto", run_id[:8], "-y")
    guild.ok("runs", "restore", run_id, "-y")
    guild.ok("run", "--proto", run_id[:8], "-y")


def test_a_run_in_the_background_can_be_watched_and_stopped(guild: Guild) -> None:
    """The command returns when the run is on its way; `watch` finds it; `stop` ends it and waits."""
    run_id = guild.ok("run", "slow", "--background", "-y").strip()
    assert info(guild)["status"] == "running"
    watching = guild.start("watch")
    assert watching.stdout is not None
    assert watching.stdout.readline() == b"begun\n"
    assert guild.ok("stop", "-y") == "Stopped 1 run(s)\n"
    assert info(guild, run_id)["status"] == "terminated"
    out, err = watching.communicate(timeout=PATIENCE)
    assert (watching.returncode, out) == (0, b"")
    assert b"is terminated" in err
    check_settled(guild)


def test_a_batch_in_the_background_goes_on_by_itself(guild: Guild) -> None:
    """All ids are printed; nothing of the trials' output is; in the end all have completed."""
    ids = guild.ok("run", "t", "x=[1,2,3]", "--background", "-j", "2", "-y").split()
    assert len(ids) == 3
    wait_until(lambda: statuses(guild) == {"completed": 3})
    check_settled(guild)


@pytest.mark.parametrize("words", ["-j 2", "--background", ""])
def test_a_word_that_is_no_text_is_handed_on_as_it_is(guild: Guild, words: str) -> None:
    """To workers, to a process in the background and to the steps of an operation: flags, labels and the command."""
    with open(guild.cwd / "guild.yml", "a") as file:
        file.write("    whole: {flags: {s: a}, steps: [{run: t, flags: ['s=${s}']}]}\n")
    run = ["t", "x=[1,2]"] if words else ["whole"]
    guild.ok("run", *run, "s=caf\udce9", "--label", "b\udcff", "-y", *words.split())
    wait_until(lambda: set(statuses(guild)) == {"completed"})
    assert len(guild.ids()) == 2
    assert len({json.dumps(body["flags"]["s"]) for body in bodies(guild, "run.started")}) == 1
    assert b"caf\xe9" in Path(guild.home, "runs", guild.ids()[0], "said").read_bytes()


def test_what_has_run_is_not_needed_again(guild: Guild) -> None:
    """An equal run that completed counts, one that failed does not; of a batch only the others are started."""
    guild.ok("run", "t", "x=1", "-y")
    told = guild("run", "t", "--needed", "-y")
    assert (told.code, told.out) == (0, "")
    assert "Not needed" in told.err
    assert guild("run", "t", "code=4", "--needed", "-y").code == 4
    assert guild("run", "t", "code=4", "--needed", "-y").code == 4
    guild.ok("run", "t", "x=[1,2]", "--needed", "-y")
    assert sorted(info(guild, run_id)["flags"]["x"] for run_id in guild.ids("--completed")) == [1, 2]


def test_a_run_is_stopped_when_its_time_is_up(guild: Guild) -> None:
    """It is terminated, the reason tells why; in a batch it counts as failed and the next goes on."""
    assert guild("run", "slow", "--stop-after", "0.2s", "-y").code == 128 + signal.SIGTERM
    found = info(guild)
    assert (found["status"], found["reason"]) == ("terminated", "stopped because its time was up")
    told = guild("run", "slow", "x=[1,2]", "--stop-after", "0.2s", "-y")
    assert (told.code, "2 failed" in told.out) == (1, True)
    assert statuses(guild) == {"terminated": 3}


def test_devices_and_output_are_as_asked_for(guild: Guild) -> None:
    """--gpus and --no-gpus set what the run sees; --quiet hides the output and captures it all the same."""
    assert "cuda=0,1\n" in guild.ok("run", "t", "--gpus", "0,1", "-y")
    assert "cuda=\n" in guild.with_env(CUDA_VISIBLE_DEVICES="3").ok("run", "t", "--no-gpus", "-y")
    told = guild("run", "t", "x=5", "-q", "-y")
    assert (told.out, told.err) == ("", "")
    assert "run x=5" in output(guild, info(guild)["id"])
    guild.ok("run", "t", "--stage", "-y")
    assert "cuda=7\n" in guild.ok("run", "--start", "0", "--gpus", "7", "-y")


def test_labels_come_from_the_template_or_the_option(guild: Guild) -> None:
    """Each trial has its own; -l replaces them all."""
    guild.ok("run", "t", "x=[1,2]", "-y")
    assert [row.label for row in guild.rows()] == ["x is 2", "x is 1"]
    guild.ok("run", "t", "x=[1,2]", "-l", "mine", "-y", "-j", "2")
    assert [row.label for row in guild.rows()][:2] == ["mine", "mine"]


def test_tags_are_in_the_ledger(guild: Guild) -> None:
    """Of a single run and of every trial of a batch, once each."""
    guild.ok("run", "t", "-t", "a", "-t", "b", "-t", "a", "-y")
    guild.ok("run", "t", "x=[1,2]", "-t", "c", "-y")
    assert [event["added"] for event in bodies(guild, "run.tagged")] == [["a", "b"], ["c"], ["c"]]


def test_a_run_in_a_directory_of_ones_own_is_not_recorded(guild: Guild) -> None:
    """Files and output are there; the ledger hears nothing; a file, or a batch, is refused."""
    guild.ok("runs")
    before = guild.history()
    assert "run x=1" in guild.ok("run", "t", "--run-dir", "here", "-y")
    assert (guild.cwd / "here" / "kept").read_text() == "line\n"
    (guild.cwd / "file").touch()
    assert "cannot be used" in guild.refused("run", "t", "--run-dir", "file", "-y")
    assert "--run-dir" in guild.refused("run", "t", "x=[1,2]", "--run-dir", "here", "-y", code=2)
    assert guild.history() == before
    assert guild.ids() == []


def test_the_environment_that_is_shown_is_only_what_is_added(guild: Guild) -> None:
    """Nothing of the user's own, which may hold secrets; the lines can be read by a shell."""
    shown = guild.with_env(MY_OWN="s3cret", CUDA_VISIBLE_DEVICES="1").ok(
        "run", "t", "s=a b'c", "--print-env", "--gpus", "0"
    )
    assert "s3cret" not in shown
    assert all(line.startswith("export ") for line in shown.splitlines())
    program = shown + 'printf "%s %s" "$FLAG_S" "$CUDA_VISIBLE_DEVICES"'
    read = subprocess.run(["/bin/sh", "-c", program], capture_output=True, text=True, check=True)
    assert read.stdout == "a b'c 0"
    assert guild.ids() == []


@pytest.mark.parametrize("option", ["--print-cmd", "--print-env"])
@pytest.mark.parametrize("way", ["--start", "--restart", "--proto"])
def test_what_only_shows_starts_nothing(guild: Guild, way: str, option: str) -> None:
    """Also of runs that are there already."""
    guild.ok("run", "t", *(["--stage"] if way == "--start" else []), "-y")
    before = guild.history()
    shown = guild.ok("run", way, "0", option)
    assert ("sh -c" if option == "--print-cmd" else "export FLAG_X=1") in shown
    assert guild.history() == before


def editor(guild: Guild, folder: Path, code: str) -> Guild:
    """Return the command with an editor that is a shell script; the file is $1."""
    path = folder / "editor"
    path.write_text(f"#!/bin/sh\n{code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return guild.with_env(EDITOR=str(path), VISUAL=None)


def test_flags_are_edited_in_the_users_editor(guild: Guild, tmp_path: Path) -> None:
    """What is there when the editor is left counts; what is wrong is told, and nothing starts."""
    change = editor(guild, tmp_path, "grep -q 'The one that matters' $1 && sed 's/\"x\": 2/\"x\": 9/' $1 > n; cp n $1")
    guild.ok("runs")
    edited = change("run", "t", "x=2", "s=007", "--edit-flags", "-y")
    assert edited.code == 0, edited
    assert (info(guild)["flags"]["x"], info(guild)["flags"]["s"]) == (9, "007")
    before = guild.history()
    wrong = editor(guild, tmp_path, "echo '[1, 2' > $1")
    assert "cannot be read" in wrong.refused("run", "t", "--edit-flags", "-y")
    assert "mapping" in editor(guild, tmp_path, "echo '- 1' > $1").refused("run", "t", "--edit-flags", "-y")
    assert "no flag 'nix'" in editor(guild, tmp_path, "echo 'nix: 1' > $1").refused("run", "t", "--edit-flags", "-y")
    assert editor(guild, tmp_path, "true")("run", "t", "--edit-flags", "-y").code == 130
    assert guild("run", "t", "x=[1,2]", "--edit-flags", "-y").code == 1
    assert guild.history() == before


@pytest.mark.parametrize(
    "words",
    [
        "t --stage --start 0",
        "--start 0 --restart 0",
        "t --stage --run-dir d",
        "t --stage --background",
        "t --stage --stop-after 5",
        "t --stage --gpus 0",
        "t --background --run-dir d",
        "--proto 0 --start 0",
        "--proto 0 --restart 0",
        "--restart 0 --background",
        "--start 0 --needed",
        "--restart 0 --edit-flags",
        "t --gpus 0 --no-gpus",
        "t --label=",
        "t --tag=",
        "t --start 0",
        "--start 0 x=2",
        "t --stop-after soon",
        "t -j 0",
        "t --max-trials 0",
        "--start : --save-trials f",
        "--start : --help-op",
        "--restart 0 --help-model",
    ],
)
def test_options_that_contradict_each_other_are_refused(guild: Guild, words: str) -> None:
    """As wrong usage, before anything is recorded or shown."""
    result = guild("run", *words.split(), "-y")
    assert (result.code, result.out) == (2, ""), result
    assert not (guild.home / "ledger.db").exists() or guild.ids() == []


def test_a_default_operation_takes_words_and_files(tmp_path: Path) -> None:
    """`guild run x=2` and `guild run @trials.csv` need no name where there is a default."""
    guild = batch_project(tmp_path, "- model: m\n  operations: {t: {exec: 'true', default: yes, flags: {x: 1}}}\n")
    guild.ok("run", "x=2", "-y")
    (guild.cwd / "t.csv").write_text("x\n5\n6\n")
    guild.ok("run", "@t.csv", "-y")
    assert [info(guild, run_id)["flags"]["x"] for run_id in guild.ids()] == [6, 5, 2]


def test_stopping_needs_something_that_runs_and_an_answer(guild: Guild) -> None:
    """Exit code 1 and `Nothing to stop.` without; `n` at the prompt leaves the run alone."""
    guild.ok("run", "t", "-y")
    assert "Nothing to stop." in guild.refused("stop", "-y")
    guild.ok("run", "slow", "--background", "-y")
    assert guild("stop", stdin="n\n").out.startswith("You are about to stop the following runs:\n")
    assert info(guild)["status"] == "running"
    assert "slow" in guild.ok("stop", "--dry-run")
    assert info(guild)["status"] == "running"
    guild.ok("stop", "0", stdin="y\n")
    assert info(guild)["status"] == "terminated"
    check_settled(guild)


def test_watching_shows_all_output_and_leaves_the_run_alone(guild: Guild) -> None:
    """From the beginning, also of a run that has ended; Ctrl-C ends the watching only."""
    guild.ok("run", "t", "x=6", "-y")
    assert "run x=6" in guild.ok("watch", "0")
    assert "no run is running" in guild.refused("watch")
    guild.ok("run", "slow", "--background", "-y")
    assert guild.ok("watch", "0", "--no-follow") in ("begun\n", "")
    terminal = on_terminal(guild, "watch", "0")
    seen = b""
    while b"begun" not in seen:
        seen += os.read(terminal.user, 1000)
    terminal.type(b"\x03")
    assert "The run goes on" in terminal.read_to_end()
    assert terminal.process.returncode == 0
    assert info(guild)["status"] == "running"
    following = guild.start("watch", "0")
    (guild.cwd / "go").touch()
    out, err = following.communicate(timeout=PATIENCE)
    assert out == b"begun\ndone\n"
    assert b"is completed" in err


def test_watching_a_run_whose_supervisor_is_killed_tells_its_end(guild: Guild) -> None:
    """Nobody has recorded the end yet: the watcher does, as any other command would."""
    process = guild.start("run", "slow", "-y")
    wait_until(lambda: begun(guild) == 1)
    following = guild.start("watch")
    assert following.stdout is not None
    assert following.stdout.readline() == b"begun\n"
    process.kill()
    process.communicate()
    out, err = following.communicate(timeout=PATIENCE)
    assert (following.returncode, out) == (0, b"")
    assert b"is terminated" in err
    check_settled(guild)


@pytest.mark.parametrize("way", ["SIGTERM", "SIGHUP", "stop", "time"])
def test_a_run_can_be_stopped_while_what_it_requires_is_fetched(tmp_path: Path, way: str) -> None:
    """By a signal, by `guild stop` and by its time: it is recorded as terminated, with the reason."""
    with socket.create_server(("127.0.0.1", 0)) as mute:  # it never answers
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/data"
        guild = batch_project(
            tmp_path, f"- model: m\n  operations: {{t: {{exec: 'true', requires: [{{url: {url}}}]}}}}\n"
        )
        process = guild.start("run", "t", "-y", *(["--stop-after", "1s"] if way == "time" else []))
        with mute.accept()[0]:
            if way == "stop":
                assert guild.ok("stop", "-y") == "Stopped 1 run(s)\n"
            elif way != "time":
                process.send_signal(signal.Signals[way])
            process.communicate(timeout=PATIENCE)
    number = signal.Signals[way] if way.startswith("SIG") else signal.SIGTERM
    assert process.returncode == 128 + number
    found = info(guild)
    reason = "stopped because its time was up" if way == "time" else f"stopped by {number.name}"
    assert (found["status"], found["reason"]) == ("terminated", reason)
    check_settled(guild)


@pytest.mark.parametrize("hidden", [False, True])
def test_a_start_in_the_background_that_fails_is_told(tmp_path: Path, hidden: bool) -> None:
    """With the reason and exit code 1, whether it can be known before the process is there or is met by it."""
    guild = batch_project(tmp_path)
    (guild.cwd / "data-1.txt").touch()
    run_id = guild.ok("run", "needs", "--stage", "-y").strip()
    if hidden:
        (guild.home / "leases").mkdir(exist_ok=True)
        (guild.home / "leases" / run_id).mkdir()
    else:
        (guild.cwd / "data-1.txt").unlink()
    told = guild.refused("run", "--start", run_id, "--background", "-y")
    assert ("nothing was started in the background: " in told) == hidden
    assert ("data-1.txt" in told) != hidden
    assert statuses(guild) == {"staged": 1}


def test_a_run_that_ends_while_stop_asks_counts_as_stopped(guild: Guild) -> None:
    """There is nothing to stop any more, and that is no failure."""
    run_id = guild.ok("run", "slow", "--background", "-y").strip()
    process = guild.start("stop")
    assert process.stderr is not None
    while b"Stop these runs?" not in os.read(process.stderr.fileno(), 4096):
        pass
    (guild.cwd / "go").touch()
    wait_until(lambda: not (guild.home / "leases" / run_id).exists())
    out, err = process.communicate(b"y\n", timeout=PATIENCE)
    assert (process.returncode, out.decode().splitlines()[-1]) == (0, "Stopped 1 run(s)"), err
    assert info(guild)["status"] == "completed"


def test_new_flags_of_a_restart_are_checked(guild: Guild) -> None:
    """A name that is not known, a value that does not fit and a list of trials are refused; forced ones are not."""
    guild.ok("run", "t", "x=7", "-y")
    guild.refused("run", "--restart", "0", "typo=5", "-y")
    assert "several runs" in guild.refused("run", "--restart", "0", "x=[1,2]", "-y", code=2)
    guild.refused("run", "--restart", "0", "s=[a", "x=${nothing}", "-y")
    guild.ok("run", "--restart", "0", "typo=5", "--force-flags", "-y")
    guild.ok("run", "--restart", "0", "n=${x}", "-y")
    assert [info(guild)["flags"][name] for name in ("x", "n", "typo")] == [7, 7, 5]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_what_is_changed_on_a_staged_trial_stays(guild: Guild, jobs: str) -> None:
    """A label given while an earlier trial runs is not overwritten by that of the command; nor are tags added again."""
    process = guild.start("run", "slow", "x=[1,2,3]", "-l", "first", "-t", "old", "-j", jobs, "-y")
    wait_until(lambda: begun(guild) == int(jobs))
    run_id = guild.ids("--staged")[0]
    guild.ok("label", run_id, "better", "-y")
    (guild.cwd / "go").touch()
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert info(guild, run_id)["label"] == "better"
    assert sorted(info(guild, other)["label"] for other in guild.ids()) == ["better", "first", "first"]


def test_a_run_directory_of_ones_own_may_be_used_again(tmp_path: Path) -> None:
    """What an operation requires is put there anew each time."""
    guild = batch_project(tmp_path, "- model: m\n  operations: {t: {exec: cat a, requires: [{file: a}]}}\n")
    for text in ("one\n", "two\n"):
        (guild.cwd / "a").write_text(text)
        assert guild.ok("run", "t", "--run-dir", str(tmp_path / "own"), "-y") == text


def test_a_run_that_is_only_staged_does_not_make_another_needless(guild: Guild) -> None:
    """Nobody knows whether it will ever be started."""
    guild.ok("run", "t", "--stage", "-y")
    guild.ok("run", "t", "--needed", "-y")
    assert statuses(guild) == {"staged": 1, "completed": 1}


def test_a_step_that_is_not_needed_is_linked(tmp_path: Path) -> None:
    """The equal run that is taken instead has the step's name, so that later steps find its files."""
    steps = "[{run: 'one x=[1,2]', needed: yes, name: all}, {run: one x=2, needed: yes, name: two}]"
    model = f"- model: m\n  operations: {{one: {{exec: touch made, flags: {{x: 1}}}}, both: {{steps: {steps}}}}}\n"
    guild = batch_project(tmp_path, model)
    guild.ok("run", "one", "x=2", "-y")
    run_id = guild.ids()[0]
    guild.ok("run", "both", "-y")
    assert statuses(guild) == {"completed": 3}
    found = guild.home / "runs" / str(guild.json("runs", "list", "--op", "both")[0]["id"])
    assert (found / "two" / "made").exists()
    assert {(found / name).resolve().name for name in ("two", "all-2")} == {run_id}
    assert (found / "all-1" / "made").exists()
