"""Numbers of real runs: in the file within a second, in the ledger from time to time, and complete after any end."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from artifacts.series import FILE, read_series
from commands.reaping import MOST_READ
from operations.scalar_helper import FIRST_SECONDS, Schedule
from tests.cli_kit import Guild, wait_until
from tests.test_event_files import NAME, event, framed

if TYPE_CHECKING:
    import subprocess

    from ledger.canonical import Value

ROOT = Path(__file__).parent.parent
API = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom guild_ledger import log_scalars\n"


@pytest.fixture
def guild(tmp_path: Path) -> Guild:
    """A home and an empty project."""
    (tmp_path / "project").mkdir()
    return Guild(tmp_path / "home", tmp_path / "project")


def run_dir(guild: Guild) -> str:
    """Return the directory of the one run."""
    (found,) = (guild.home / "runs").iterdir()
    return str(found)


def has_series(guild: Guild, *keys: str, points: int = 1) -> bool:
    """Tell whether the one run has series of all these keys, with so many points at least."""
    found = read_series(run_dir(guild)) if any((guild.home / "runs").glob("*")) else {}
    return all(key in found and len(found[key]) >= points for key in keys)


def children(process: subprocess.Popen[bytes]) -> list[int]:
    """Return the processes that a supervisor has started: its run, and what reads the run's numbers."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def scalars(guild: Guild) -> dict[str, dict[str, Value]]:
    """Return what the ledger has of the latest run."""
    found = guild.json("runs", "info", "--json").get("scalars", {})
    assert isinstance(found, dict)
    return found


def lasts(guild: Guild) -> dict[str, Value]:
    """Return the last value of each scalar that the ledger has of the latest run, with its step."""
    return {key: summary["last"] for key, summary in scalars(guild).items()}


def recorded(guild: Guild) -> int:
    """Return how many transactions told of scalars."""
    with closing(sqlite3.connect(f"file:{guild.home}/ledger.db?mode=ro", uri=True)) as ledger:
        (found,) = ledger.execute("SELECT count(*) FROM event WHERE type = 'run.scalars_recorded'").fetchone()
    return int(found)


def first_told(guild: Guild) -> float:
    """Return after how many seconds the ledger was first told of scalars, by its own times."""
    with closing(sqlite3.connect(f"file:{guild.home}/ledger.db?mode=ro", uri=True)) as ledger:
        times = "SELECT recorded_at FROM event JOIN txn ON seq = txn_seq WHERE type = ? ORDER BY position"
        (told,), (begun,) = (
            ledger.execute(times, (type_,)).fetchone() for type_ in ("run.scalars_recorded", "run.started")
        )
    return float(told - begun) / 1_000_000


def test_the_number_of_events_grows_with_the_logarithm_of_the_time() -> None:
    """The first after 5 seconds, then after 5 seconds or a tenth of the time: some hundred in a week."""
    schedule, now, times = Schedule(100.0), 100.0, []
    while now < 100.0 + 7 * 24 * 3600:
        if schedule.is_due(now):
            times.append(now - 100.0)
            schedule.done(now)
        now += max(0.4, (now - 100.0) / 1_000)
    assert FIRST_SECONDS <= times[0] <= FIRST_SECONDS + 0.5
    assert all(later - one >= max(FIRST_SECONDS, one / 10 - 1) for one, later in pairwise(times))
    assert 80 <= len(times) <= 120


def test_numbers_are_seen_while_the_run_goes_on(guild: Guild) -> None:
    """Of all three ways: in the file of series within a second or so, in the ledger after five; and then the rest."""
    (guild.cwd / "events").write_bytes(framed(event(1, tb=0.5)) + framed(event(2, tb=0.25)))
    (guild.cwd / "train.py").write_text(
        f"{API}import os, time\n"
        "print('printed: 1')\n"
        "log_scalars(logged=float('inf'), step=1)\n"
        "os.mkdir('logs')\n"
        f"data = open({str(guild.cwd / 'events')!r}, 'rb').read()\n"
        f"file = open('logs/{NAME}', 'ab', buffering=0)\n"
        "file.write(data[:60])\n"
        "while not os.path.exists('go'):\n    time.sleep(0.05)\n"
        "print('printed: 3')\n"
        "log_scalars(logged=3, step=3)\n"
        "file.write(data[60:])\n"
    )
    started = time.monotonic()
    with guild.start("run", "train.py", "-y") as process:
        wait_until(lambda: has_series(guild, "printed", "logged", "tb"))
        place = run_dir(guild)
        first: dict[str, Value] = {"printed": [1.0, None], "logged": [{"$float": "inf"}, 1], "tb": [0.5, 1]}
        wait_until(lambda: lasts(guild) == first)
        told = recorded(guild)  # on a slow machine the ledger was told before all three were there
        assert 1 <= told <= (time.monotonic() - started) // FIRST_SECONDS
        assert first_told(guild) > FIRST_SECONDS - 1
        assert guild.json("runs", "--json")[0]["status"] == "running"
        assert guild.json("runs", "-F", "logged = inf and printed < 2", "--json")[0]["status"] == "running"
        Path(place, "go").touch()
        process.wait()
    assert lasts(guild) == {"printed": [3.0, None], "logged": [3.0, 3], "tb": [0.25, 2]}
    assert {key: series.values for key, series in read_series(place).items()} == {
        "printed": (1.0, 3.0),
        "logged": (float("inf"), 3.0),
        "tb": (0.5, 0.25),
    }
    assert recorded(guild) == told + 1


def test_very_many_numbers_are_few_events(guild: Guild) -> None:
    """Each of them is in the file, and the ledger gets one summary of a run that is over soon."""
    (guild.cwd / "train.py").write_text(
        "for begin in range(0, 40_000, 1000):\n"
        "    print('\\n'.join(f'step: {step}\\nloss: {step}' for step in range(begin, begin + 1000)))\n"
    )
    assert guild("run", "train.py", "-y").code == 0
    found = scalars(guild)["loss"]
    assert (found["count"], found["last"], found["mean"]) == (40_000, [39_999.0, 39_999], 19_999.5)
    assert recorded(guild) <= 3
    assert len(read_series(run_dir(guild))["loss"]) <= 1_000
    assert Path(run_dir(guild), FILE).read_bytes().count(b"\n") == 40_001


def test_after_kill_9_of_all_the_next_command_completes_the_summary(guild: Guild) -> None:
    """From the file of series, which lacks at most what was said in the last second; the reader dies as well."""
    (guild.cwd / "train.py").write_text(
        f"{API}import time\n"
        "for step in range(3):\n    print('printed:', step)\n    log_scalars(logged=step, step=step)\n"
        "time.sleep(1000)\n"
    )
    started = time.monotonic()
    with guild.start("run", "train.py", "-y") as process:
        wait_until(lambda: has_series(guild, "printed", "logged", points=3))
        below = children(process)
        assert len(below) == 2
        process.kill()
        for pid in below:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below))
    told = recorded(guild)  # by the reader, if more than five seconds have passed
    assert told <= (time.monotonic() - started) // FIRST_SECONDS
    assert [row.status for row in guild.rows("-T")] == ["terminated"]
    assert recorded(guild) == told + 1
    assert {key: (found["count"], found["last"]) for key, found in scalars(guild).items()} == {
        "printed": (3, [2.0, None]),
        "logged": (3, [2.0, 2]),
    }


def test_a_listing_does_not_read_gigabytes_of_a_dead_run(guild: Guild) -> None:
    """Its summary stays as the ledger was last told; its end is recorded all the same."""
    (guild.cwd / "train.py").write_text(f"{API}import time\nlog_scalars(a=1)\ntime.sleep(1000)\n")
    with guild.start("run", "train.py", "-y") as process:
        wait_until(lambda: has_series(guild, "a") and recorded(guild) == 1)
        process.kill()
        process.wait()
    with Path(run_dir(guild), FILE).open("ab") as file:
        file.write(b"a,,1700000000.000000,2\n")
        file.truncate(MOST_READ + 1)
    assert [row.status for row in guild.rows("-T")] == ["terminated"]
    assert (recorded(guild), scalars(guild)["a"]["last"]) == (1, [1.0, None])


@pytest.mark.parametrize(
    ("victim", "status", "logged"), [("supervisor", "terminated", 1.0), ("reader", "completed", 2.0)]
)
def test_neither_reader_nor_supervisor_outlives_the_other_unnoticed(
    guild: Guild, victim: str, status: str, logged: float
) -> None:
    """Killed alone, the supervisor leaves nobody behind; killed alone, the reader is missed aloud: `c` was not read."""
    (guild.cwd / "train.py").write_text(
        f"{API}import os, time\nlog_scalars(a=1)\nprint('b: 2')\n"
        "while not os.path.exists('go'):\n    time.sleep(0.05)\n"
        "log_scalars(a=2)\nprint('c: 3')\n"
    )
    with guild.start("run", "train.py", "-y") as process:
        wait_until(lambda: has_series(guild, "b"))
        below = children(process)
        os.kill(process.pid if victim == "supervisor" else below[-1], signal.SIGKILL)
        if victim == "reader":
            wait_until(lambda: not Path(f"/proc/{below[-1]}").exists())
            Path(run_dir(guild), "go").touch()
        said = process.communicate()[1]
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below))
    assert (b"guild: the numbers that the run reported were not read to their end: " in said) == (victim == "reader")
    assert guild.json("runs", "--json")[0]["status"] == status
    assert (scalars(guild)["a"]["last"], scalars(guild)["b"]["last"]) == ([logged, None], [2.0, None])


def test_large_event_files_of_a_short_run_are_not_read_by_its_supervisor(guild: Guild) -> None:
    """A process of its own reads them, so that the end of the run is heard of, and a hostile file hangs nothing."""
    text = b"\x1a" + bytes((0xA0, 0x8D, 0x06)) + b"x" * 100_000  # a field that is no number
    (guild.cwd / "events").write_bytes(framed(event(1, x=1) + text) * 45)
    (guild.cwd / "train.py").write_text(f"import shutil\nshutil.copyfile({str(guild.cwd / 'events')!r}, {NAME!r})\n")
    result = replace(guild, env={"PYTHONPROFILEIMPORTTIME": "1"})("run", "train.py", "-y")
    loaded = {line.rpartition("|")[2].strip() for line in result.err.splitlines()}
    assert "operations.scalar_reading" in loaded
    assert "artifacts.event_values" not in loaded
    assert (scalars(guild)["x"]["count"], scalars(guild)["x"]["last"]) == (45, [1.0, 1])


def test_a_run_that_is_started_again_begins_new_series(guild: Guild) -> None:
    """The old ones are put aside; neither old lines nor old event files are read again."""
    (guild.cwd / "train.py").write_text(
        f"{API}import os\nagain = os.path.exists('logs')\nos.makedirs('logs', exist_ok=True)\n"
        f"open('logs/{NAME}', 'ab').write({framed(event(1, tb=1))!r})\n"
        "print('printed:', 10 + again)\n"
        "again and log_scalars(logged=1)\n"
    )
    assert guild("run", "train.py", "-y").code == 0
    assert guild("run", "--restart", guild.ids()[0], "-y").code == 0
    place = Path(run_dir(guild))
    assert {key: series.values for key, series in read_series(str(place)).items()} == {
        "tb": (1.0,), "printed": (11.0,), "logged": (1.0,),
    }  # fmt: skip
    assert {key: found["count"] for key, found in scalars(guild).items()} == {"tb": 1, "printed": 1, "logged": 1}
    assert sorted(path.name for path in (place / ".guild").glob("*.csv")) == ["scalars-1.csv", "scalars.csv"]


def test_a_run_without_numbers_leaves_no_series(guild: Guild) -> None:
    """Neither file nor event, also when it prints and writes much else; and nothing is loaded for what there is not."""
    (guild.cwd / "train.py").write_text("open('result', 'w').write('x')\nprint('done: yes')\n")
    result = replace(guild, env={"PYTHONPROFILEIMPORTTIME": "1"})("run", "train.py", "-y")
    loaded = {line.rpartition("|")[2].strip() for line in result.err.splitlines()}
    assert result.code == 0
    assert "operations.scalar_watch" in loaded
    assert loaded.isdisjoint({"operations.scalar_reading", "artifacts.series", "artifacts.event_files"})
    assert not Path(run_dir(guild), FILE).exists()
    assert recorded(guild) == 0


def test_series_in_a_directory_of_the_users(guild: Guild, tmp_path: Path) -> None:
    """A run that is not recorded has its series all the same."""
    (guild.cwd / "train.py").write_text("print('loss: 1')\n")
    started = time.time()
    assert guild("run", "train.py", "--run-dir", str(tmp_path / "there"), "-y").code == 0
    (series,) = read_series(str(tmp_path / "there")).values()
    assert series.values == (1.0,)
    assert started - 1 < series.times[0]
