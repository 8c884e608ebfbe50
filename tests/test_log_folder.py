"""The folder that TensorBoard looks at: links to the event files of runs, series as event files, up to date."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from artifacts import log_folder
from artifacts.event_writing import number_event, record
from artifacts.log_folder import LogFolder, LoggedRun, logged_files

OWN = "events.out.tfevents.0000000000.guild"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Give the folder, empty."""
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


def a_run(folder: Path, *files: str, run_id: str = "a" * 32, is_over: bool = True, series: str = "") -> LoggedRun:
    """Make a run directory with files and series, and return the run."""
    (folder / ".guild").mkdir(parents=True, exist_ok=True)
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    if series:
        (folder / ".guild" / "scalars.csv").write_text("key,step,time,value\n" + series)
    return LoggedRun(run_id, f"{run_id[:8]} op", str(folder), is_over, 1.0, {"lr": 0.1})


def below(folder: Path) -> set[str]:
    """Return the paths of the files in a folder."""
    return {os.path.relpath(os.path.join(top, name), folder) for top, _, names in os.walk(folder) for name in names}


def test_files_beside_event_files_are_linked_and_no_others(tmp_path: Path, logs: Path) -> None:
    """With what plugins wrote below them; no checkpoints elsewhere, nothing of guild's, and nothing through links."""
    run = a_run(
        tmp_path / "run", "model.bin", "tb/events.out.tfevents.1.x", "tb/projector_config.pbtxt",
        "tb/plugins/profile/1/a.pb", "tb/other/big.bin", ".guild/events.out.tfevents.2",
    )  # fmt: skip
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "events.out.tfevents.3").write_text("secret")
    (tmp_path / "run" / "out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "run" / "loop").symlink_to(tmp_path / "run")
    (tmp_path / "run" / "tb" / "passwd").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "run" / "tb" / "pipe.tfevents")
    LogFolder(str(logs)).update([run])
    expected = {"tb/events.out.tfevents.1.x", "tb/projector_config.pbtxt", "tb/plugins/profile/1/a.pb"}
    assert below(logs / "aaaaaaaa op") == {OWN, *expected}
    assert (logs / "aaaaaaaa op/tb/plugins/profile/1/a.pb").read_text() == "tb/plugins/profile/1/a.pb"
    assert set(logged_files(str(tmp_path / "run"))) == expected
    assert list(logged_files(str(tmp_path / "nowhere"))) == []


def test_a_run_without_event_files_gets_one_that_grows(tmp_path: Path, logs: Path) -> None:
    """Each point once, as it comes; a step that nobody gave is counted; after the end nothing is read any more."""
    folder, path = LogFolder(str(logs)), logs / "aaaaaaaa op" / OWN
    run = a_run(tmp_path / "run", is_over=False, series="loss,10,100.5,0.5\nacc,,101,nan\n")
    folder.update([run])
    first = path.read_bytes()
    assert first.endswith(
        record(number_event(100.5, 10, "loss", 0.5)) + record(number_event(101, 0, "acc", float("nan")))
    )
    with open(tmp_path / "run" / ".guild" / "scalars.csv", "a") as file:
        file.write("acc,,102,1\n")
    folder.update([run])
    folder.update([replace(run, is_over=True)])
    assert path.read_bytes() == first + record(number_event(102, 1, "acc", 1.0))
    a_run(tmp_path / "run", series="acc,,103,1\n" * 9)
    folder.update([replace(run, is_over=True)])
    assert len(path.read_bytes()) == len(first) + len(record(number_event(102, 1, "acc", 1.0)))


def test_a_run_with_event_files_is_not_shown_twice(tmp_path: Path, logs: Path) -> None:
    """Its series hold what it wrote itself: only its flags are added."""
    run = a_run(tmp_path / "run", "events.out.tfevents.1", series="loss,1,2,3\n")
    LogFolder(str(logs)).update([run])
    assert b"loss" not in (logs / "aaaaaaaa op" / OWN).read_bytes()
    assert b"_hparams_" in (logs / "aaaaaaaa op" / OWN).read_bytes()


def test_long_series_are_thinned_out(tmp_path: Path, logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much a run reported, what is written for it stays bounded; the last point is there."""
    monkeypatch.setattr(log_folder, "MOST_OF_RUN", 500)
    rows = "".join(f"k{key},{step},{step},{step}\n" for step in range(200) for key in range(20))
    LogFolder(str(logs)).update([a_run(tmp_path / "run", series=rows)])
    data = (logs / "aaaaaaaa op" / OWN).read_bytes()
    assert record(number_event(199, 199, "k19", 199)) in data
    assert 400 < data.count(b"\x03k1") + data.count(b"\x02k") < 700


def test_runs_come_and_go_and_are_renamed(tmp_path: Path, logs: Path) -> None:
    """The folder has exactly the runs that were given last; two of one name are told apart; files of runs stay."""
    one = a_run(tmp_path / "one", "events.tfevents.1")
    other = replace(a_run(tmp_path / "other", "sub/events.tfevents.2", run_id="b" * 32), name=one.name)
    folder = LogFolder(str(logs))
    folder.update([one, other])
    assert sorted(os.listdir(logs)) == ["aaaaaaaa op", f"aaaaaaaa op {'b' * 32}"]
    folder.update([replace(other, name="best")])
    assert below(logs) == {f"best/{OWN}", "best/sub/events.tfevents.2"}
    folder.update([])
    assert os.listdir(logs) == []
    assert (tmp_path / "one" / "events.tfevents.1").exists()
    folder.close()
    assert not logs.exists()


def test_a_file_that_becomes_a_folder_leads_nowhere(tmp_path: Path, logs: Path) -> None:
    """Nothing is ever written through a link into the directory of a run; what is in the folder is shown."""
    run = a_run(tmp_path / "run", "logs/events.tfevents.1", "logs/plugins", is_over=False)
    folder = LogFolder(str(logs))
    folder.update([run])
    (tmp_path / "run" / "logs" / "plugins").unlink()
    a_run(tmp_path / "run", "logs/plugins/profile/1/a.pb")
    before = below(tmp_path / "run")
    folder.update([run])
    folder.update([run])
    assert below(tmp_path / "run") == before
    shown = logs / "aaaaaaaa op" / "logs" / "plugins"
    assert not shown.is_symlink()
    assert (shown / "profile" / "1" / "a.pb").is_symlink()
    (shown / "profile" / "1" / "a.pb").unlink()
    assert below(tmp_path / "run") == before


def test_a_folder_that_becomes_a_file_is_left(tmp_path: Path, logs: Path) -> None:
    """Nothing fails, and the other files are shown."""
    run = a_run(tmp_path / "run", "logs/events.tfevents.1", "logs/plugins/a.pb", is_over=False)
    folder = LogFolder(str(logs))
    folder.update([run])
    (tmp_path / "run" / "logs" / "plugins" / "a.pb").unlink()
    (tmp_path / "run" / "logs" / "plugins").rmdir()
    a_run(tmp_path / "run", "logs/plugins", "logs/events.tfevents.2")
    folder.update([run])
    assert "logs/events.tfevents.2" in below(logs / "aaaaaaaa op")
