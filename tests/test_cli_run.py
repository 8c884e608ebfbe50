"""`guild run` from outside: which operation, which flags, what the process is given, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import termios
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path

import pytest

from tests.cli_kit import WORK, Guild, make_project, project_of

SHOW_PROCESS = """\
import json, os, sys
sys.path.insert(0, "")
import neighbour
facts = {"argv": sys.argv[1:], "cwd": os.getcwd(), "env": dict(os.environ), "neighbour": neighbour.WHERE}
print(json.dumps(facts))
"""


@pytest.fixture
def iris(tmp_path: Path) -> Guild:
    """Give the command in a project without runs."""
    return Guild(tmp_path / "home", make_project(tmp_path / "iris"))


def only_run(guild: Guild) -> dict[str, object]:
    """Return what `runs info --json` tells of the only run there is."""
    (run_id,) = guild.ids("-a")
    details = guild.json("runs", "info", run_id)
    assert isinstance(details, dict)
    return details


def test_part_of_a_name_that_is_unique_is_enough(iris: Guild) -> None:
    """`finetune`, `cnn:finetune`, `iris-cnn:finetune` and `./iris-cnn:finetune` are one operation."""
    for name in ("finetune", "cnn:finetune", "iris-cnn:finetune", "./iris-cnn:finetune"):
        assert iris.ok("run", name, "base=x", "-y") == "working --base x --rate 0.5\n"
    assert [row.op for row in iris.rows()] == ["./iris-cnn:finetune"] * 4


@pytest.mark.parametrize("name", ["train", "iris:train"])
def test_an_ambiguous_operation_names_its_candidates_and_starts_nothing(iris: Guild, name: str) -> None:
    """When several operations fit, none is chosen."""
    error = iris.refused("run", name, "-y")
    assert "  ./iris-cnn:train\n  ./iris-svm:train\n" in error
    assert not iris.home.exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nope", "cannot find operation 'nope'"),
        ("tran", "did you mean 'train'?"),
        ("rose:train", "cannot find a model matching 'rose'"),
        ("iris-cnn:nope", "operation 'nope' is not defined for model './iris-cnn'"),
        ("a:b:c", "'a:b:c' is not the name of an operation"),
        (":", "':' is not the name of an operation"),
        ("../iris-cnn:train", "cannot find a model matching '../iris-cnn'"),
        ("", "'' is not the name of an operation"),
    ],
)
def test_an_unknown_operation_is_refused(iris: Guild, name: str, message: str) -> None:
    """What is not defined does not start, and the message helps."""
    assert message in iris.refused("run", name, "-y")
    assert not iris.home.exists()


def test_no_operation_is_a_usage_error(iris: Guild) -> None:
    """`guild run` alone says what is missing."""
    error = iris.refused("run", code=2)
    assert error == ("guild: missing argument for [MODEL:]OPERATION\n`guild operations` lists what can be run.\n")


def test_without_a_model_file_nothing_can_be_run(iris: Guild, tmp_path: Path) -> None:
    """Outside a project the error says which files make one."""
    (tmp_path / "empty").mkdir()
    error = iris.at(tmp_path / "empty").refused("run", "train", "-y")
    assert "MODELS, MODEL or guild.yml" in error


def test_a_missing_required_flag_is_named_with_its_description(iris: Guild) -> None:
    """Nothing starts before every required flag has a value."""
    error = iris.refused("run", "finetune", "-y")
    assert "missing flags:\n\n  base  Base checkpoint\n\nRun the command again" in error
    assert not iris.home.exists()


@pytest.mark.parametrize(("value", "words"), [("0", "0"), ("no", "False"), ("''", "")])
def test_a_falsy_value_is_a_given_value(iris: Guild, value: str, words: str) -> None:
    """A required flag may be set to 0, no or empty text."""
    assert iris.ok("run", "finetune", f"base={value}", "-y") == f"working --base {words} --rate 0.5\n"


def test_operation_help_works_without_required_flags(iris: Guild) -> None:
    """`--help-op` describes flags, marks the required ones and tells the defaults of others."""
    text = iris.ok("run", "finetune", "--help-op")
    assert "iris-cnn:finetune" in text.splitlines()[0]
    assert "  base  Base checkpoint (required)\n" in text
    assert "  rate  How fast (default is 0.5)\n" in text
    assert not iris.home.exists()


def test_print_cmd_prints_and_starts_nothing(iris: Guild) -> None:
    """`--print-cmd` is one line that a shell understands; required flags are checked first."""
    text = iris.ok("run", "cnn:train", "epochs=a b", "--print-cmd")
    assert text.endswith(" -u -m work --epochs 'a b'\n")
    assert len(text.splitlines()) == 1
    assert "base" in iris.refused("run", "finetune", "--print-cmd")
    assert not iris.home.exists()


def test_an_undefined_flag_needs_force(iris: Guild) -> None:
    """A mistyped flag does not silently run with the default; --force-flags passes it."""
    assert "has no flag 'epoch' (did you mean 'epochs'?)" in iris.refused("run", "cnn:train", "epoch=1", "-y")
    assert "expected NAME=VALUE" in iris.refused("run", "cnn:train", "word", "-y")
    assert "given twice" in iris.refused("run", "cnn:train", "epochs=1", "epochs=2", "-y")
    assert not iris.home.exists()
    assert iris.ok("run", "cnn:train", "x=1", "--force-flags", "-y") == "working --epochs 3 --x 1\n"


def test_an_empty_label_is_refused(iris: Guild) -> None:
    """A shell variable that is not set must not become a label."""
    assert "the label or tag is empty" in iris.refused("run", "cnn:train", "-l", "", "-y", code=2)


@pytest.mark.parametrize("answer", ["", "y\n", "YES\n", " yes \n", "\n"])
def test_the_prompt_shows_the_flags_and_goes_on_by_default(iris: Guild, answer: str) -> None:
    """Enter, y and yes start the run; the prompt is on stderr."""
    result = iris("run", "finetune", "base=x", stdin=answer)
    question = "You are about to run ./iris-cnn:finetune\n  base: x\n  rate: 0.5\nContinue? (Y/n) "
    assert result.err.startswith(question)
    if answer:
        assert (result.code, result.out) == (0, "working --base x --rate 0.5\n")
    else:
        assert result.code == 1
        assert "-y" in result.err.removeprefix(question)
        assert not iris.home.exists()


@pytest.mark.parametrize("answer", ["n\n", "no\n", "nope\n", "yy\n", "y e s\n", "0\n"])
def test_any_other_answer_starts_nothing(iris: Guild, answer: str) -> None:
    """Only y or yes goes on; a refusal is no error."""
    result = iris("run", "cnn:train", stdin=answer)
    assert (result.code, result.out) == (0, "")
    assert not iris.home.exists()


def test_flags_reach_the_process_and_are_kept(iris: Guild) -> None:
    """Each run has its own directory, its flags are stored and its output is captured."""
    iris.ok("run", "cnn:train", "epochs=3", "-y")
    assert iris.ok("run", "cnn:train", "epochs=4", "-y") == "working --epochs 4\n"
    new, old = iris.ids()
    for run_id, epochs in ((new, 4), (old, 3)):
        details = iris.json("runs", "info", run_id)
        assert details["flags"] == {"epochs": epochs}
        assert details["run_dir"] == str(iris.home / "runs" / run_id)
        output = iris.home / "runs" / run_id / ".guild/output"
        assert output.read_text() == f"working --epochs {epochs}\n"
    assert f"  epochs: {3}\n" in iris.ok("runs", "info", "1")


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


def test_the_command_directory_is_where_guild_was_called(tmp_path: Path) -> None:
    """With -C the model file is elsewhere, and the process can tell both places."""
    guild = project_of(tmp_path, 'import os; print(os.environ["CMD_DIR"], os.environ["MODEL_DIR"])')
    assert guild.at(tmp_path).ok("-C", "project", "run", "go", "-y") == f"{tmp_path} {guild.cwd}\n"


def test_output_is_shown_as_it_is_written(tmp_path: Path) -> None:
    """Standard output of the script is not held back until its end, and each stream stays itself."""
    guild = project_of(tmp_path, 'import sys; print("now"); print("oops", file=sys.stderr); sys.stdin.read()')
    with guild.start("run", "go", "-y") as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == b"now\n"
        assert process.stderr.readline() == b"oops\n"
        assert [row.status for row in guild.rows()] == ["running"]
        process.stdin.close()
    assert process.returncode == 0
    run_dir = Path(str(only_run(guild)["run_dir"]))
    assert sorted((run_dir / ".guild/output").read_text().splitlines()) == ["now", "oops"]


@pytest.mark.parametrize("code", [0, 3, 255])
def test_the_exit_code_is_passed_on(tmp_path: Path, code: int) -> None:
    """`guild run` ends as the process did; 0 is completed and anything else an error."""
    guild = project_of(tmp_path, f"raise SystemExit({code})")
    assert guild("run", "go", "-y").code == code
    details = only_run(guild)
    assert details["exit_status"] == code
    assert details["status"] == ("error" if code else "completed")


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
print("ready")
try:
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
        _, err = process.communicate(timeout=30)
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
        process.communicate(timeout=30)
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
        process.wait(30)
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
    with open("daemon", "w") as file:
        file.write(str(os.getpid()))
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


def test_the_sources_of_a_run_are_kept(iris: Guild) -> None:
    """The code that ran can be read again after the project was changed; equal code is kept once."""
    iris.ok("run", "cnn:train", "-y")
    iris.ok("run", "cnn:train", "-y")
    first, second = (iris.json("runs", "info", index)["sources"] for index in ("0", "1"))
    assert first == second
    (iris.cwd / "work.py").write_text("print('other')\n")
    iris.ok("run", "cnn:train", "-y")
    third = iris.json("runs", "info", "0")["sources"]
    assert third["digest"] != first["digest"]
    kept = {path.name for path in (iris.home / "sources").iterdir()}
    assert {first["digest"], third["digest"]} <= kept
    copies = [p.read_text() for p in (iris.home / "sources" / first["digest"]).rglob("work.py")]
    assert copies == [WORK]


def git(folder: Path, *args: str) -> str:
    """Run git with an identity of its own and no configuration of the machine."""
    env = {
        **{name: os.environ[name] for name in ("PATH",) if name in os.environ},
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }
    done = subprocess.run(["git", *args], cwd=folder, env=env, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_the_commit_of_a_run_is_kept(iris: Guild) -> None:
    """In a git repository the commit is recorded, and whether the work tree had other changes."""
    git(iris.cwd, "init", "-q")
    git(iris.cwd, "add", ".")
    git(iris.cwd, "commit", "-qm", "start")
    commit = git(iris.cwd, "rev-parse", "HEAD")
    iris.ok("run", "cnn:train", "-y")
    assert iris.json("runs", "info")["git"] == {"commit": commit, "dirty": False}
    (iris.cwd / "work.py").write_text("print('other')\n")
    iris.ok("run", "cnn:train", "-y")
    assert iris.json("runs", "info")["git"] == {"commit": commit, "dirty": True}


def test_the_interpreter_of_the_active_environment_is_used(iris: Guild, tmp_path: Path) -> None:
    """With an activated virtual environment its python runs the operation."""
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "env/bin/python").symlink_to(sys.executable)
    text = iris.with_env(VIRTUAL_ENV=str(tmp_path / "env")).ok("run", "cnn:train", "--print-cmd")
    assert text.startswith(f"{tmp_path}/env/bin/python -u -m work")


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
        _, err = process.communicate(b"", timeout=60)
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
        process.wait(60)
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


def test_odd_values_arrive_as_typed(tmp_path: Path) -> None:
    """Line breaks, emoji, long text and bytes that are no UTF-8 pass through flags unharmed, and show on one line."""
    values = ["two\nlines", "🌷 tulip", "x" * 10_000, "caf\udce9", "a  b\t'\"$(x)`", "-x", "--exit", "=="]
    flags = [f"f{number}" for number in range(len(values))]
    code = (
        "import argparse, json\nparser = argparse.ArgumentParser()\n"
        f"for number in range({len(values)}): parser.add_argument(f'--f{{number}}')\n"
        "print(json.dumps(list(vars(parser.parse_args()).values())))"
    )
    guild = project_of(tmp_path, code, f"{{{', '.join(f'{name}: null' for name in flags)}}}")
    given = [f"{name}={value}" for name, value in zip(flags, values, strict=True)]
    assert json.loads(guild.ok("run", "go", *given, "-y")) == values
    shown = [line for line in guild.ok("runs", "info").splitlines() if line.startswith("  f")]
    assert [line.partition(":")[0].strip() for line in shown] == [*flags, "files"]
    assert "  f0: two\\nlines" in shown
    assert "  f3: caf\\xe9" in shown
    kept = guild.json("runs", "info")["flags"]
    assert kept.pop("f3") == {"$text": "Y2Fm7bOp"}  # JSON cannot say it as text
    assert list(kept.values()) == values[:3] + values[4:]
    assert "The ledger is whole." in guild.ok("ledger", "verify")


def test_the_preview_of_odd_values_stays_on_its_lines(tmp_path: Path) -> None:
    """A value cannot forge another line of the prompt or command the terminal."""
    guild = project_of(tmp_path, "", "{text: null}")
    error = guild("run", "go", "text=a\n  other: b\x1b[2J", stdin="n\n").err
    assert error == "You are about to run ./m:go\n  text: a\\n  other: b\\x1b[2J\nContinue? (Y/n) "


def test_run_shows_its_help(iris: Guild) -> None:
    """`guild run --help` is on stdout and tells every option."""
    text = iris.ok("run", "--help")
    for option in ("--yes", "--label", "--print-cmd", "--help-op", "--force-flags"):
        assert option in text


def test_an_operation_may_write_where_it_likes_in_its_directory(tmp_path: Path) -> None:
    """Files of a run are found in its directory, and only there."""
    guild = project_of(tmp_path, 'open("model.bin", "w").write("x"); import os; os.mkdir("sub")')
    guild.ok("run", "go", "-y")
    run_dir = Path(str(only_run(guild)["run_dir"]))
    assert sorted(os.listdir(run_dir)) == [".guild", "model.bin", "sub"]
    assert sorted(set(os.listdir(guild.cwd)) - {"__pycache__"}) == ["MODELS", "main.py"]


def test_all_model_file_names_are_found(tmp_path: Path) -> None:
    """MODELS, MODEL and guild.yml all make a project."""
    for name in ("MODELS", "MODEL", "guild.yml"):
        project = make_project(tmp_path / name)
        (project / "MODELS").rename(project / name)
        guild = Guild(tmp_path / "home", project)
        assert guild.ok("run", "cnn:train", "-y") == "working --epochs 3\n"
        assert [row.op for row in guild.rows()] == ["./iris-cnn:train"]


def test_the_output_kept_is_what_was_said(tmp_path: Path) -> None:
    """Bytes that are no text, no line break at the end, and lines of both streams are kept as they are."""
    code = 'import os; os.write(1, b"\\xff\\x00\\r\\nlast")'
    guild = project_of(tmp_path, code)
    result = guild("run", "go", "-y")
    assert result.out.encode("utf-8", "surrogateescape") == b"\xff\x00\r\nlast"
    run_dir = Path(str(only_run(guild)["run_dir"]))
    assert (run_dir / ".guild/output").read_bytes() == b"\xff\x00\r\nlast"
