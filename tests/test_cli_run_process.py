"""The process of a run seen from outside: what it is given, how it ends or is stopped, and what it leaves running."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import termios
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path

import pytest

from tests.cli_kit import PATIENCE, Guild, make_project, project_of
from tests.cli_run_kit import (
    iris_fixture,  # noqa: F401 - a fixture
    only_run,
)

SHOW_PROCESS = """\
import json, os, sys
sys.path.insert(0, "")
import neighbour
facts = {"argv": sys.argv[1:], "cwd": os.getcwd(), "env": dict(os.environ), "neighbour": neighbour.WHERE}
print(json.dumps(facts))
"""


def test_the_process_gets_what_is_documented(tmp_path: Path) -> None:
    """Working directory, arguments, variables, the user's environment, and the project's modules."""
    flags = "{a-b: 1, on: yes, off: no, none: null, many: {default: [1, x]}, t: a b}"
    guild = project_of(tmp_path, SHOW_PROCESS, flags)
    (guild.cwd / "neighbour.py").write_text("WHERE = __file__\n")
    bare = guild.with_env(MINE="my own", GUILD_HOME=None)
    facts = json.loads(bare.ok("-H", "../home", "run", "go", "-y"))
    details = guild.json("runs", "info")
    expected = ["--a-b", "1", "--many", '[1,"x"]', "--off", "False", "--on", "--t", "a b"]
    assert facts["argv"] == expected
    assert facts["cwd"] == details["run_dir"] == str(guild.home / "runs" / str(details["id"]))
    assert facts["neighbour"] == str(guild.cwd / "neighbour.py")
    wanted = {
        "RUN_ID": details["id"],
        "RUN_DIR": details["run_dir"],
        "CMD_DIR": str(guild.cwd),
        "MODEL_DIR": str(guild.cwd),
        "GUILD_HOME": str(guild.home),
        "FLAG_A_B": "1",
        "FLAG_T": "a b",
        "MINE": "my own",
    }
    assert {name: facts["env"].get(name) for name in wanted} == wanted
    assert "FLAG_NONE" not in facts["env"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_killed_by_a_signal_is_terminated(tmp_path: Path, number: signal.Signals) -> None:
    """The exit code is 128 plus the signal, the recorded exit status its negative."""
    guild = project_of(tmp_path, f"import os; os.kill(os.getpid(), {int(number)})")
    assert guild("run", "go", "-y").code == 128 + number
    details = only_run(guild)
    assert (details["status"], details["exit_status"]) == ("terminated", -number)


def test_a_script_that_does_not_exist_is_an_error_of_the_run(tmp_path: Path) -> None:
    """The process itself reports a missing module, and the run is listed."""
    guild = Guild(tmp_path / "home", make_project(tmp_path / "project", "{name: m, operations: {go: nothing}}"))
    result = guild("run", "go", "-y")
    assert result.code == 1
    assert "No module named nothing" in result.err
    assert only_run(guild)["status"] == "error"


STUBBORN = """\
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
try:
    print("ready")
    time.sleep(600)
except KeyboardInterrupt:
    print("interrupted")
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_asked_to_stop_is_terminated(tmp_path: Path, number: signal.Signals) -> None:
    """SIGINT, SIGTERM and SIGHUP to guild end the run; it says so and exits with 128 plus the signal."""
    guild = project_of(tmp_path, 'import time; print("ready"); time.sleep(600)')
    with guild.start("run", "go", "-y") as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
    assert f"was stopped ({number.name})" in err.decode()
    assert b"Traceback" not in err or number == signal.SIGINT  # the script's own, not guild's
    assert only_run(guild)["status"] == "terminated"


def test_a_script_that_ignores_every_request_is_ended_by_asking_again(tmp_path: Path) -> None:
    """Who presses Ctrl-C repeatedly does not wait for the time limit: the third one kills."""
    guild = project_of(tmp_path, STUBBORN)
    with guild.start("run", "go", "-y") as process:
        assert process.stdout
        for said in (b"ready\n", b"interrupted\n"):
            assert process.stdout.readline() == said
            process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGINT
    details = only_run(guild)
    assert (details["status"], details["exit_status"]) == ("terminated", -signal.SIGKILL)


def test_ctrl_c_on_a_terminal_stops_the_run(tmp_path: Path) -> None:
    """What is typed at the terminal reaches the script once, and the run ends as terminated."""
    guild = project_of(tmp_path, 'import time; print("ready"); time.sleep(600)')

    def own_terminal() -> None:
        os.setsid()
        ioctl(0, termios.TIOCSCTTY, 0)

    master, slave = pty.openpty()
    command = Guild(guild.home, guild.cwd, guild.env, own_terminal)
    with command.start("run", "go", "-y", stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        said = b""
        while b"ready" not in said:
            said += os.read(master, 1024)
        os.write(master, b"\x03")
        with suppress(OSError):  # a terminal without processes ends with an error
            while chunk := os.read(master, 1024):
                said += chunk
        process.wait(PATIENCE)
    os.close(master)
    assert process.returncode == 128 + signal.SIGINT
    assert said.count(b"KeyboardInterrupt") == 1
    assert only_run(guild)["status"] == "terminated"


def test_a_run_whose_supervisor_was_killed_is_not_running(tmp_path: Path) -> None:
    """After kill -9 of guild its run dies too, and the next listing says so and why."""
    guild = project_of(tmp_path, 'import time; print("ready"); time.sleep(600)')
    with guild.start("run", "go", "-y") as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.kill()
        process.wait()
    assert [row.status for row in guild.rows()] == ["terminated"]
    assert only_run(guild)["reason"]
    assert guild.rows("-R") == []


def test_a_recycled_process_number_is_not_the_run(tmp_path: Path) -> None:
    """A lease that names a living process which is not the run's supervisor does not keep the run running."""
    guild = project_of(tmp_path, 'import time; print("ready"); time.sleep(600)')
    with guild.start("run", "go", "-y") as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        (run_id,) = guild.ids()
        process.kill()
        process.wait()
    lease = guild.home / "leases" / run_id
    text = lease.read_text()
    assert str(process.pid) in text
    lease.write_text(text.replace(str(process.pid), str(os.getpid())))
    assert [row.status for row in guild.rows()] == ["terminated"]
    os.kill(os.getpid(), 0)


def test_a_daemon_does_not_keep_the_run(tmp_path: Path) -> None:
    """A process that the script leaves behind neither holds guild back nor changes how the run ended."""
    code = """\
import os, sys, time
pid = os.fork()
if pid == 0:
    os.setsid()
    with open("daemon.new", "w") as file:
        file.write(str(os.getpid()))
    os.rename("daemon.new", "daemon")
    time.sleep(600)
while not os.path.exists("daemon"):
    time.sleep(0.01)
print("done")
"""
    guild = project_of(tmp_path, code)
    assert guild.ok("run", "go", "-y") == "done\n"
    details = only_run(guild)
    assert details["status"] == "completed"
    daemon = int((Path(str(details["run_dir"])) / "daemon").read_text())
    os.kill(daemon, signal.SIGKILL)


def test_a_script_may_close_its_output(tmp_path: Path) -> None:
    """Closing stdout and stderr neither ends the run nor makes guild spin or fail."""
    guild = project_of(tmp_path, "import os, time; os.close(1); os.close(2); time.sleep(0.3); os._exit(4)")
    assert guild("run", "go", "-y") == (4, "", "")
    assert only_run(guild)["exit_status"] == 4


def test_a_run_without_output_is_complete(tmp_path: Path) -> None:
    """Saying nothing is fine: the output is there and empty."""
    guild = project_of(tmp_path, "")
    assert guild("run", "go", "-y") == (0, "", "")
    details = only_run(guild)
    assert details["output"] == {"bytes": 0, "lines": 0}
    assert (Path(str(details["run_dir"])) / ".guild/output").read_bytes() == b""


@pytest.mark.slow
def test_a_line_of_200_mb_passes_through(tmp_path: Path) -> None:
    """Output is neither collected in memory nor cut, however long a line is."""
    size = 200_000_000
    code = f"""\
import os
block = b"x" * 1_000_000
for _ in range({size // 1_000_000}):
    os.write(1, block)
"""
    guild = project_of(tmp_path, code)
    with guild.start("run", "go", "-y", stdout=subprocess.DEVNULL) as process:
        peak = 0
        while process.poll() is None:
            with suppress(OSError, IndexError):
                text = Path(f"/proc/{process.pid}/status").read_text()
                peak = max(peak, int(text.split("VmHWM:")[1].split()[0]))
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        process.communicate()
    assert process.returncode == 0
    details = only_run(guild)
    assert details["output"] == {"bytes": size, "lines": 1}
    assert (Path(str(details["run_dir"])) / ".guild/output").stat().st_size == size
    assert peak < 100_000


def test_secrets_of_the_environment_are_not_recorded(tmp_path: Path) -> None:
    """A password in the user's environment reaches the process and nothing that guild keeps."""
    secret = "correct-horse-battery"  # noqa: S105 - made up for this test
    guild = project_of(tmp_path, 'import os; assert os.environ["API_TOKEN"].startswith("correct")')
    inside = guild.with_env(
        API_TOKEN=secret,
        MY_PASSWORD=secret,
        CUDA_API_KEY=secret,
        TF_TOKEN=secret,
        DATABASE_URL=f"postgres://ada:{secret}@host/db",
        PYTHONPATH=f"{guild.environment()['PYTHONPATH']}",
    )
    with inside.start("run", "go", "-y") as process:
        process.communicate(b"")
    assert process.returncode == 0
    inside.ok("runs", "label", "0", "x")
    inside.ok("runs", "rm", "0", "-y")
    for path in guild.home.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


def test_a_run_inside_a_run_has_its_own_flags(tmp_path: Path) -> None:
    """A script may start guild itself: the inner run is a run of its own in the same home."""
    models = "{name: m, operations: {outer: {cmd: outer, flags: {a: 1}}, inner: {cmd: inner, flags: {b: 2}}}}\n"
    outer = """\
import os, subprocess, sys
command = [sys.executable, "-m", "guild_ledger", "-C", os.environ["MODEL_DIR"], "run", "inner", "-y"]
raise SystemExit(subprocess.run(command).returncode)
"""
    inner = 'import os; print(sorted(name for name in os.environ if name.startswith("FLAG_")))'
    project = make_project(tmp_path / "project", models, outer=outer, inner=inner)
    guild = Guild(tmp_path / "home", project)
    assert guild.ok("run", "outer", "-y") == "['FLAG_B']\n"
    assert [(row.op, row.status) for row in guild.rows()] == [
        ("./m:inner", "completed"),
        ("./m:outer", "completed"),
    ]


def test_many_runs_at_once_are_all_recorded(iris: Guild) -> None:
    """Runs started at the same moment in a new home neither fail nor get lost."""
    processes = [iris.start("run", "cnn:train", f"epochs={n}", "-y") for n in range(4)]
    for process in processes:
        _, err = process.communicate(b"", timeout=PATIENCE)
        assert (process.returncode, err) == (0, b"")
    flags = sorted(iris.json("runs", "info", str(n))["flags"]["epochs"] for n in range(4))
    assert flags == [0, 1, 2, 3]
    assert {row.status for row in iris.rows()} == {"completed"}
    assert "The ledger is whole." in iris.ok("ledger", "verify")


def test_the_screen_of_a_run_may_be_closed(tmp_path: Path) -> None:
    """When nobody reads the output any more, the run goes on and its output is kept."""
    guild = project_of(tmp_path, 'import sys\nfor n in range(20000): print("line", n)\nsys.exit(5)')
    with guild.start("run", "go", "-y", stdin=subprocess.DEVNULL) as process:
        assert process.stdout
        process.stdout.readline()
        process.stdout.close()
        process.wait(PATIENCE)
    assert process.returncode == 5
    assert only_run(guild)["output"]["lines"] == 20000  # type: ignore[index]  # JSON


def test_a_full_screen_device_does_not_stop_a_run(tmp_path: Path) -> None:
    """Standard output on a full device is no reason to lose a run."""
    guild = project_of(tmp_path, 'print("hello"); raise SystemExit(5)')
    with open("/dev/full", "wb") as full, guild.start("run", "go", "-y", stdout=full) as process:
        process.communicate(b"")
    assert process.returncode == 5
    run_dir = Path(str(only_run(guild)["run_dir"]))
    assert (run_dir / ".guild/output").read_text() == "hello\n"
