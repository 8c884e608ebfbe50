"""`start_run`: runs that scripts begin themselves, without `guild run`; by real scripts in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from artifacts.lease import read_lease
from guild_ledger.run_facts import ending_of, plain_flags
from tests.cli_kit import PATIENCE, ROOT, Guild, wait_until

TRAIN = """\
import sys
from guild_ledger import log_scalars, start_run
with start_run(flags={"lr": 0.1, "layers": (1, 2)}, label="by hand", tags=["first"]) as run:
    for step in range(3):
        log_scalars(loss=1 / (step + 1), step=step)
    open(run.dir + "/model", "w").close()
print(run.id)
"""


@pytest.fixture
def guild(tmp_path: Path) -> Guild:
    """The command in a project with a script that begins its run itself."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "train.py").write_text(TRAIN)
    return Guild(tmp_path / "home", tmp_path / "project")


def python(guild: Guild, *args: str, **env: str) -> subprocess.Popen[str]:
    """Start the interpreter as a user does."""
    environment = {**guild.environment(), "PYTHONPATH": str(ROOT), **env}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, *args], cwd=guild.cwd, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )


def done(guild: Guild, code: str, *args: str, name: str = "fit.py") -> subprocess.CompletedProcess[str]:
    """Run a script to its end."""
    (guild.cwd / name).write_text(f"import os, sys\nfrom guild_ledger import log_scalars, start_run\n{code}")
    process = python(guild, name, *args)
    out, err = process.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def info(guild: Guild, spec: str = "0") -> dict[str, object]:
    """Return what is known of a run."""
    found = guild.json("runs", "info", spec, "--json")
    assert isinstance(found, dict)
    return found


def test_a_script_begins_its_run_itself(guild: Guild) -> None:
    """It is a run like any other: flags, label, tags, source, numbers, files, command; and the ledger is whole."""
    out, err = python(guild, "train.py").communicate(timeout=PATIENCE)
    assert err == ""
    found = info(guild)
    assert found["id"] == out.strip()
    assert (found["status"], found["exit_status"], found["label"]) == ("completed", 0, "by hand")
    assert (found["flags"], found["tags"]) == ({"lr": 0.1, "layers": [1, 2]}, ["first"])
    assert found["command"] == [sys.executable, "train.py"]
    assert found["scalars"]["loss"]["count"] == 3  # type: ignore[index]  # a mapping
    assert found["sources"]["files"] == 1  # type: ignore[index]
    assert guild.ok("ls", "0").split()[1:] == ["model"]
    assert [row["operation"] for row in guild.json("runs", "--json")] == ["./train.py"]
    assert "The ledger is whole" in guild.ok("ledger", "verify")


def test_the_same_script_works_when_guild_starts_it(guild: Guild) -> None:
    """There is one run, the one that guild has started, with the flags that guild was given."""
    out = guild.ok("run", "train.py", "-y")
    found = info(guild)
    assert guild.ids() == [str(found["id"])] == out.split()
    assert (found["status"], found["label"], found["flags"]) == ("completed", None, {})
    assert found["scalars"]["loss"]["count"] == 3  # type: ignore[index]


@pytest.mark.parametrize(
    ("code", "status", "exit_status", "kept"),
    [
        ("with start_run(): raise ValueError('no such layer')", "error", 1, "ValueError: no such layer"),
        ("start_run(); raise ValueError('no such layer')", "error", 1, "ValueError: no such layer"),
        ("with start_run(): sys.exit(3)", "error", 3, ""),
        ("with start_run(): sys.exit()", "completed", 0, ""),
        ("start_run().end(2)", "error", 2, ""),
        ("start_run()", "completed", 0, ""),
        ("with start_run(): raise KeyboardInterrupt", "terminated", None, "KeyboardInterrupt"),
        ("start_run(); os.kill(os.getpid(), 9)", "terminated", None, ""),
        ("start_run(); os._exit(0)", "terminated", None, ""),
    ],
)
def test_how_the_script_ends_is_how_the_run_ends(
    guild: Guild, code: str, status: str, exit_status: int | None, kept: str
) -> None:
    """Its traceback is kept as the run's output, not in the ledger; who goes without a word has been terminated."""
    done(guild, code)
    wait_until(lambda: info(guild)["status"] != "running")
    found = info(guild)
    assert (found["status"], found["exit_status"]) == (status, exit_status)
    assert guild.ok("watch", "0", "--no-follow").strip().endswith(kept)
    assert "no such layer" not in guild.ok("log", "--json")


def test_a_killed_script_loses_no_number(guild: Guild) -> None:
    """What `log_scalars` has returned from is in the summary of the run."""
    done(guild, "start_run()\nfor step in range(9): log_scalars(loss=step, step=step)\nos.kill(os.getpid(), 9)")
    wait_until(lambda: info(guild)["status"] != "running")
    found = info(guild)
    assert found["scalars"]["loss"]["last"] == [8.0, 8]  # type: ignore[index]
    assert found["reason"] == "its process is gone, and has not said how it ended"


def test_when_the_process_beside_it_is_killed_the_script_goes_on(guild: Guild) -> None:
    """It is told at the end that the run is recorded by the next command, and it is, with its numbers."""
    code = (
        "run = start_run()\nlog_scalars(loss=1)\nprint(run.id, flush=True); input()\nlog_scalars(loss=2)\nrun.end()\n"
        "print('after')\n"
    )
    (guild.cwd / "fit.py").write_text(f"from guild_ledger import log_scalars, start_run\n{code}")
    process = python(guild, "fit.py")
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    lease = read_lease(str(guild.home / "leases" / run_id))
    assert lease is not None
    os.kill(lease.pid, signal.SIGKILL)
    out, err = process.communicate("\n", timeout=PATIENCE)
    assert (process.returncode, out) == (0, "after\n")
    assert "the next command records its end" in err
    found = info(guild)
    assert (found["status"], found["reason"]) == ("terminated", "supervisor lost")
    assert found["scalars"]["loss"]["count"] == 2  # type: ignore[index]


def test_stopping_the_run_interrupts_the_script(guild: Guild) -> None:
    """As Ctrl-C would; one that goes on all the same is left alone, and the run is over."""
    (guild.cwd / "fit.py").write_text(
        "import time\nfrom guild_ledger import start_run\nwith start_run():\n    print('begun', flush=True)\n"
        "    time.sleep(1000)\n"
    )
    process = python(guild, "fit.py")
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    assert guild.ok("stop", "-y") == "Stopped 1 run(s)\n"
    assert "KeyboardInterrupt" in process.communicate(timeout=PATIENCE)[1]
    assert (info(guild)["status"], info(guild)["reason"]) == ("terminated", "stopped by SIGTERM")
    assert not list((guild.home / "leases").iterdir())


def test_forked_processes_report_but_do_not_end_the_run(guild: Guild) -> None:
    """Nor does one that lives on keep the run going; a new process that it starts belongs to the run as well."""
    code = """
import subprocess, time
run = start_run()
child = os.fork()
if child == 0:
    assert start_run().id == run.id
    start_run().end(7)
    log_scalars(child=1)
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
lingering = os.fork()
if lingering == 0:
    os.close(1), os.close(2)
    time.sleep(1000)
    os._exit(0)
again = "from guild_ledger import log_scalars, start_run; print(start_run().id); log_scalars(started=1)"
assert subprocess.check_output([sys.executable, "-c", again], text=True).strip() == run.id
print(lingering, flush=True)
os.kill(os.getpid(), 9)
"""
    result = done(guild, code)
    try:
        wait_until(lambda: info(guild)["status"] != "running")
        assert Path(f"/proc/{result.stdout.strip()}").exists() or sys.platform != "linux"  # it is still there
    finally:
        os.kill(int(result.stdout), signal.SIGKILL)
    assert set(info(guild)["scalars"]) == {"child", "started"}  # type: ignore[call-overload]
    assert len(guild.ids()) == 1


def test_a_process_has_one_run_at_a_time(guild: Guild) -> None:
    """The next one ends the one before; what is logged belongs to the one at work, and afterwards to none."""
    code = """
for number in range(3):
    run = start_run("sweep", flags={"number": number})
    log_scalars(number=number)
run.end(); run.end()
print(os.environ.get("RUN_DIR"))
log_scalars(number=7)
"""
    result = done(guild, code)
    assert result.stdout == "None\n"
    assert "belongs to no run" in result.stderr
    rows = [info(guild, str(place)) for place in range(3)]
    assert [row["status"] for row in rows] == ["completed"] * 3
    assert [row["scalars"]["number"]["last"][0] for row in rows] == [2, 1, 0]  # type: ignore[index]
    assert [row["operation"] for row in rows] == ["./sweep"] * 3


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("start_run(label=' ')", "RuntimeError: start_run: the label or tag is empty"),
        ("start_run(' ')", "RuntimeError: start_run: the name of the operation is empty"),
        ("start_run(label=3)", "TypeError: start_run: the label 3 is no text"),
        ("start_run(flags={3: 4})", "TypeError: start_run: the name of a flag is no text: 3"),
        ("start_run(flags={'data': 'x' * 5_000_000})", "too long to be recorded. Flags are for settings"),
        ("start_run(home='/dev/null/x')", "RuntimeError: start_run: "),
    ],
)
def test_what_cannot_be_recorded_is_an_error_and_no_run(guild: Guild, call: str, said: str) -> None:
    """It says why, and nothing is there afterwards."""
    result = done(guild, call)
    assert (result.returncode, said in result.stderr) == (1, True), result.stderr
    assert not guild.home.exists() or guild.ids() == []


def test_where_the_script_lies_says_what_it_is_called(guild: Guild) -> None:
    """Below the working directory by its path, elsewhere in its own directory, typed in: interactive."""
    code = "import sys; from guild_ledger import start_run; start_run()"
    (guild.cwd / "deep").mkdir()
    (guild.cwd.parent / "else").mkdir()
    for path in (guild.cwd / "deep" / "a.py", guild.cwd.parent / "else" / "b.py"):
        path.write_text(code)
        assert python(guild, str(path)).communicate(timeout=PATIENCE)[1] == ""
    assert python(guild, "-c", code).communicate(timeout=PATIENCE)[1] == ""
    names = [info(guild.at("/"), str(place))["operation"] for place in range(3)]
    project, elsewhere = str(guild.cwd)[1:], str(guild.cwd.parent / "else")[1:]
    assert names == [f"./{project}/interactive", f"./{elsewhere}/b.py", f"./{project}/deep/a.py"]


def test_a_file_that_is_called_like_a_module_of_python_does_not_stand_in_the_way(guild: Guild) -> None:
    """Neither of a run that a script begins, nor of processes that guild starts of itself."""
    (guild.cwd / "json.py").write_text("raise SystemExit('mine')\n")
    (guild.cwd / "sub").mkdir()
    (guild.cwd / "sub" / "x.py").write_text("from guild_ledger import start_run\nprint(start_run().id)\n")
    (guild.cwd / "fit.py").write_text("a = 1\n")
    guild.ok("run", "fit.py", "a=[1,2]", "-j", "2", "-y")
    guild.ok("run", "fit.py", "--background", "-y")
    code = "import runpy; runpy.run_path('sub/x.py')"
    out, err = python(guild, "-P", "-c", code).communicate(timeout=PATIENCE)
    assert (len(out), err) == (33, "")
    wait_until(lambda: len(guild.ids("--completed")) == 4)


class Scalar:
    """What a number of NumPy answers."""

    shape = ()

    def item(self) -> float:
        """Return it as Python's own."""
        return 0.5


def test_flags_are_recorded_as_what_they_are() -> None:
    """Numbers, texts and truth values; what is of another kind as its text; endless nesting has an end."""
    endless: list[object] = []
    endless.append(endless)
    given = {"n": Scalar(), "p": Path("/x"), "b": True, "none": None, "t": (1, [2.5]), "m": {1: "x"}, "kind": int}
    found = plain_flags({**given, "endless": endless})
    assert found.pop("endless") == ["[[...]]"]
    assert found == {
        "n": 0.5, "p": "/x", "b": True, "none": None, "t": [1, [2.5]], "m": {"1": "x"}, "kind": "<class 'int'>",
    }  # fmt: skip


def test_how_the_interpreter_would_exit_is_how_the_run_ends() -> None:
    """`sys.exit` with a text means 1, with nothing success."""
    assert [ending_of(error)["exit_status"] for error in (SystemExit("no"), SystemExit(None), None)] == [1, 0, 0]
