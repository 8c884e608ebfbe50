"""`start_run` in processes that do odd things of their own: threads, forks, signals, closed files; odd flags too."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections import UserDict
from pathlib import Path
from typing import NoReturn

import pytest

from artifacts.lease import read_lease
from guild_ledger import Run
from guild_ledger.run_facts import fate, mark_shown, plain_flags
from tests.cli_kit import PATIENCE, ROOT, Guild, wait_until

BEGIN = "import os, signal, subprocess, sys, threading, time\nfrom guild_ledger import log_scalars, start_run\n"


@pytest.fixture
def guild(tmp_path: Path) -> Guild:
    """The command in the directory of a script."""
    (tmp_path / "project").mkdir()
    return Guild(tmp_path / "home", tmp_path / "project")


def started(guild: Guild, code: str, path: str = "fit.py", streams: str = "") -> subprocess.Popen[str]:
    """Start a script as a user does, with redirections such as `>&-`."""
    (guild.cwd / "fit.py").write_text(BEGIN + code)
    words = ["/bin/sh", "-c", f'exec "$0" "$@" {streams}', sys.executable, path]
    env, pipe = {**guild.environment(), "PYTHONPATH": str(ROOT)}, subprocess.PIPE
    return subprocess.Popen(words, cwd=guild.cwd, env=env, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def done(guild: Guild, code: str, **how: str) -> tuple[int, str, str]:
    """Run a script to its end; return its exit code and what it printed."""
    process = started(guild, code, **how)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def line(process: subprocess.Popen[str]) -> str:
    """Wait for the next line that a script prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def statuses(guild: Guild) -> list[str]:
    """Return the statuses of all runs, the latest first."""
    return [row["status"] for row in guild.json("runs")]


def test_a_script_that_waits_for_all_its_children_meets_none_of_guilds(guild: Guild) -> None:
    """Otherwise it would wait for a process that waits for it."""
    code = (
        "start_run()\nif os.fork() == 0: os._exit(0)\nos.wait()\n"
        "try: os.wait()\nexcept ChildProcessError: print('alone')\n"
    )
    assert done(guild, code) == (0, "alone\n", "")
    assert statuses(guild) == ["completed"]


def test_a_script_that_closes_everything_finds_nothing_in_its_files(guild: Guild) -> None:
    """The descriptors are its own by then; it is told that its run is over."""
    code = (
        "run = start_run()\nlog_scalars(loss=1)\nos.closerange(3, 256)\n"
        "files = [open(f'{n}.txt', 'w') for n in range(9)]\nrun.end()\n"
        "[file.close() for file in files]\nprint([open(f'{n}.txt').read() for n in range(9)] == [''] * 9)\n"
    )
    status, out, err = done(guild, code)
    assert (status, out) == (0, "True\n")
    assert "is gone" in err
    wait_until(lambda: statuses(guild) == ["terminated"])


def test_what_a_script_ignores_or_blocks_does_not_keep_its_run_from_being_stopped(guild: Guild) -> None:
    """It passes that on to what it starts, guild's own process included."""
    process = started(
        guild,
        "for name in ('SIGTERM', 'SIGCHLD'): signal.signal(getattr(signal, name), signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
        "with start_run(): print('begun', flush=True); time.sleep(1000)\n",
    )
    assert line(process) == "begun"
    assert guild.ok("stop", "-y") == "Stopped 1 run(s)\n"
    assert "KeyboardInterrupt" in process.communicate(timeout=PATIENCE)[1]
    assert guild.json("runs", "info")["reason"] == "stopped by SIGTERM"


def test_a_script_that_dies_of_broken_pipes_does_not_die_of_this_one(guild: Guild) -> None:
    """When the process beside it is gone nothing is said to it."""
    process = started(
        guild,
        "signal.signal(signal.SIGPIPE, signal.SIG_DFL)\nrun = start_run()\nprint(run.id, flush=True)\ninput()\n"
        "run.end()\nprint('alive')\n",
    )
    lease = read_lease(str(guild.home / "leases" / line(process)))
    assert lease is not None
    os.kill(lease.pid, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{lease.pid}").exists() or sys.platform != "linux")
    assert process.communicate("\n", timeout=PATIENCE)[0] == "alive\n"
    assert process.returncode == 0


def test_what_is_written_to_a_stream_that_was_closed_is_no_word_of_its_end(guild: Guild) -> None:
    """A library that prints by the descriptor would otherwise say it."""
    code = (
        "run = start_run()\nfor n in (1, 2):\n    try: os.write(n, b'garbage\\n')\n    except OSError: pass\nrun.end(3)"
    )
    assert done(guild, code, streams="<&- >&- 2>&-") == (0, "", "")
    assert statuses(guild) == ["error"]


def test_threads_that_begin_runs_at_once_end_each_others(guild: Guild) -> None:
    """A process has one run at a time; none is lost on the way."""
    code = (
        "threads = [threading.Thread(target=start_run, args=(f'n{n}',)) for n in range(3)]\n"
        "for thread in threads: thread.start()\n"
    )
    assert done(guild, code) == (0, "", "")
    assert statuses(guild) == ["completed"] * 3


def test_a_process_forked_while_a_run_begins_does_not_keep_it_going(guild: Guild) -> None:
    """Another thread forks when it likes, such as one that loads data."""
    code = """
def fork():
    while True:
        child = os.fork()
        if child == 0:
            [os.close(n) for n in (0, 1, 2)]
            time.sleep(PATIENCE)
            os._exit(0)
        children.append(str(child))
        time.sleep(0.05)
children = []
threading.Thread(target=fork, daemon=True).start()
start_run()
print(*children, flush=True)
os.kill(os.getpid(), 9)
"""
    _, out, _ = done(guild, code.replace("PATIENCE", str(PATIENCE)))
    try:
        wait_until(lambda: statuses(guild) == ["terminated"])
        assert out
    finally:
        for child in out.split():
            os.kill(int(child), signal.SIGKILL)


def test_a_start_that_is_interrupted_leaves_no_run_behind_that_goes_on(guild: Guild) -> None:
    """A notebook keeps the traceback, and with it all that was open at that moment."""
    code = """
def interrupt(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)
before = len(os.listdir('/dev/fd'))
try:
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    start_run()
except KeyboardInterrupt as error: kept = error
print(len(os.listdir('/dev/fd')) - before, 'RUN_ID' in os.environ, flush=True)
input()
"""
    process = started(guild, code)
    assert line(process) == "0 False"
    wait_until(lambda: "running" not in statuses(guild))
    process.communicate("\n", timeout=PATIENCE)
    assert process.returncode == 0


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_ends_its_own_run_and_no_others(guild: Guild, method: str) -> None:
    """It leaves without what runs at the exit of a process, and shows its exceptions itself."""
    code = f"""
import multiprocessing
def work(run, number):
    if run: run.end(7); return
    start_run("worker")
    if number: raise ValueError
if __name__ == "__main__":
    context = multiprocessing.get_context("{method}")
    workers = [context.Process(target=work, args=(None, number)) for number in range(2)]
    for worker in workers: worker.start(); worker.join()
    run = start_run("main")
    last = context.Process(target=work, args=(run, 0))
    last.start(); last.join()
    print(last.exitcode, os.environ["RUN_ID"] == run.id)
"""
    status, out, err = done(guild, code)
    assert (status, out) == (0, "0 True\n"), err
    assert statuses(guild) == ["completed", "error", "completed"]


def test_what_is_registered_for_the_exit_after_the_import_belongs_to_the_run(guild: Guild) -> None:
    """Even when it was registered before the run began."""
    code = "import atexit\natexit.register(lambda: log_scalars(final=1))\nstart_run()\n"
    assert done(guild, code) == (0, "", "")
    assert guild.json("runs", "info")["scalars"]["final"]["count"] == 1


def test_deleting_such_a_run_kills_nothing_that_its_user_has_started(guild: Guild) -> None:
    """A notebook's servers are not its run's, however the run ended."""
    code = "start_run()\nprint(subprocess.Popen(['sleep', '99'], stderr=2).pid, flush=True)\nraise KeyboardInterrupt"
    process = started(guild, code)
    server = int(line(process))
    try:
        process.wait(PATIENCE)
        assert statuses(guild) == ["terminated"]
        assert guild.ok("runs", "rm", "0", "-y").startswith("Deleted 1 run(s)")
        os.kill(server, 0)
    finally:
        os.kill(server, signal.SIGKILL)
        process.communicate(timeout=PATIENCE)


def test_a_script_started_from_the_home_directory_takes_its_own_for_its_project(guild: Guild) -> None:
    """All and sundry lies in the home directory; an installed program is not the user's and counts where it is used."""
    (guild.cwd / "fit.py").write_text("import sys\n")
    installed = guild.cwd / "site-packages" / "tool"
    installed.mkdir(parents=True)
    (installed / "__main__.py").write_text(BEGIN + "start_run()\n")
    assert done(guild, "os.chdir('..')\nstart_run()\n")[2] == ""
    assert done(guild, "", path=str(installed))[2] == ""
    assert [row["operation"] for row in guild.json("runs")] == ["./tool", "./fit.py"]


def test_without_a_working_directory_there_is_no_run(guild: Guild) -> None:
    """It says so."""
    code = "os.mkdir('d'); os.chdir('d'); os.rmdir('../d')\nstart_run()\n"
    assert "RuntimeError: start_run: there is no working directory" in done(guild, code)[2]


class Odd:
    """What cannot be shown, nor be asked."""

    shape = ()

    def __str__(self) -> str:
        raise ValueError("not that")

    def item(self) -> NoReturn:
        """Refuse."""
        raise RuntimeError("nor that")


def test_no_flag_keeps_a_run_from_beginning() -> None:
    """What has no text gets one; what holds itself many times over has an end; any mapping is one."""
    many: list[object] = []
    many += [many] * 3
    found = plain_flags(UserDict({"many": many, "map": UserDict({1: 2}), "odd": Odd(), "long": 10**5000, "b": b"\xff"}))
    assert str(found["odd"]).startswith("<tests.test_start_run_strangers.Odd object")
    assert str(found["long"]).startswith("<int object")
    assert (found["many"], found["map"], found["b"]) == (["[[...], [...], [...]]"] * 3, {"1": 2}, "b'\\xff'")
    with pytest.raises(TypeError, match=r"no mapping but Odd: try flags=vars\(\.\.\.\)"):
        plain_flags(Odd())  # type: ignore[arg-type]


class FrozenError(Exception):
    """An exception that nothing can be written on."""

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(name)


def test_only_an_exception_shown_since_the_run_began_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter keeps the last one, wherever in memory the next may come to lie."""
    monkeypatch.setattr(sys, "last_value", FrozenError(), raising=False)
    assert fate()["failure"] == "ended by FrozenError"
    mark_shown()
    assert fate() == {"exit_status": 0}
    monkeypatch.setattr(sys, "last_value", FrozenError())
    assert fate()["exit_status"] == 1


def test_a_run_that_is_handed_to_another_process_is_not_ended_there() -> None:
    """Descriptors mean something else there."""
    copy = pickle.loads(pickle.dumps(Run("a" * 32, "/runs/a")))  # noqa: S301 - our own
    copy.end()
    assert (copy.id, copy.dir, repr(copy)) == ("a" * 32, "/runs/a", "<run aaaaaaaa in /runs/a>")
