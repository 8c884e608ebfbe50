"""Runs taken from one home to another in one file: what is shown of them is the same, and so are their files."""

from __future__ import annotations

import json
import os
import shutil
import stat
from contextlib import closing
from pathlib import Path

import pytest

from tests.archive_kit import forged, manifest_in, other_home, shown
from tests.cli_kit import Guild, project_of, report
from tests.crash_checks import Tree, read_tree
from tests.lab_kit import guild_fixture, ids_fixture  # noqa: F401 - fixtures

ENDINGS = (".tar.gz", ".zip")


def tree(guild: Guild, run_id: str) -> Tree:
    """Return what a run directory holds, but for what an import adds."""
    found = read_tree(str(guild.home / "runs" / run_id))
    return {path: what for path, what in found.items() if not path.startswith(".guild/history-")}


def told(guild: Guild, ids: list[str]) -> None:
    """Say all that can be said of runs."""
    guild.ok("runs", "tag", ids[0], "best", "-y")
    guild.ok("runs", "tag", ids[0], "v2", "-y")
    guild.ok("runs", "tag", ids[0], "--remove", "v2", "-y")
    guild.ok("runs", "mark", ids[1], "-y")
    guild.ok("runs", "label", ids[1], "later words", "-y")
    guild.ok("runs", "comment", ids[0], "-m", "first\nthought", "-y")
    guild.ok("runs", "comment", ids[0], "-m", "second", "-y")
    guild.ok("runs", "protect", ids[2], "-y")
    report(guild, ids[0], loss=0.25)


@pytest.mark.parametrize("ending", ENDINGS)
def test_all_that_is_shown_of_runs_is_the_same_in_another_home(guild: Guild, ids: list[str], ending: str) -> None:
    """List, filters, every detail, comments with their authors, and every file: after export and import as before."""
    told(guild, ids)
    archive = f"runs{ending}"
    guild = guild.at(shutil.copytree(guild.cwd, guild.home.parent / "iris"))
    everything = guild.ids("--all")
    guild.ok("runs", "export", str(guild.home.parent / archive), "--all")
    other = other_home(guild).with_env(USER="bob")
    assert "Imported 6 run(s)" in other.ok("runs", "import", str(guild.home.parent / archive), "-y")
    assert other.ids("--all") == everything
    assert [shown(other, run_id) for run_id in everything] == [shown(guild, run_id) for run_id in everything]
    assert [tree(other, run_id) for run_id in everything] == [tree(guild, run_id) for run_id in everything]
    filters = (
        ["-E"], ["-T"], ["--tag", "best"], ["--tag", "v2"], ["--marked"], ["--comment", "thought"],
        ["--label", "words"], ["-F", "loss < 1"], ["-F", "epochs = 5"], ["--op", "train"],
    )  # fmt: skip
    for one in filters:
        assert other.ids("--all", *one) == guild.ids("--all", *one), one
    assert other.ok("runs", "--all") == guild.ok("runs", "--all")
    assert other.ok("ledger", "verify").count("equals a fresh replay") == 1
    assert other("check").code == 0


def test_what_a_forwarded_run_says_is_still_the_same_in_a_third_home(guild: Guild, ids: list[str]) -> None:
    """An imported run is exported like any other; the author of a comment is who wrote it in the first home."""
    told(guild, ids)
    second, third = other_home(guild, "second").with_env(USER="bob"), other_home(guild, "third").with_env(USER="eve")
    one, two = str(guild.home.parent / "one.zip"), str(guild.home.parent / "two.tar.gz")
    guild.ok("runs", "export", one, ids[0])
    second.ok("runs", "import", one, "-y")
    second.ok("runs", "comment", "--all", ids[0], "-m", "of the second", "-y")
    second.ok("runs", "export", two, "--all")
    third.ok("runs", "import", two, "-y")
    assert shown(third, ids[0]) == shown(second, ids[0])
    assert [comment["actor"] for comment in shown(third, ids[0])["comments"]] == ["ada", "ada", "bob"]
    assert tree(third, ids[0]) == tree(guild, ids[0])
    kept = sorted(path.name for path in (third.home / "runs" / ids[0] / ".guild").glob("history-*"))
    assert kept == ["history-1.jsonl", "history-2.jsonl"]


def test_the_history_of_the_other_ledger_is_kept_with_the_run(guild: Guild, ids: list[str]) -> None:
    """Each of its events, with who and when, as lines of JSON that no command rests on."""
    archive = str(guild.home.parent / "a.zip")
    guild.ok("runs", "export", archive, ids[0])
    other = other_home(guild).with_env(USER="bob")
    other.ok("runs", "import", archive, "-y")
    lines = (other.home / "runs" / ids[0] / ".guild/history-1.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["type"] for event in events] == ["run.started", "run.status_changed"]
    assert {event["header"]["actor"] for event in events} == {"ada"}
    assert all(event["ledger_id"] and event["txn_id"] and event["body_hash"] for event in events)


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_runs_give_the_same_bytes(guild: Guild, ids: list[str], ending: str) -> None:
    """An archive does not hold when it was made; only its owner can read it."""
    one, two = (guild.home.parent / f"{name}{ending}" for name in ("one", "two"))
    guild.ok("runs", "export", str(one), "0:1")
    guild.ok("runs", "export", str(two), *ids[:2])
    assert one.read_bytes() == two.read_bytes()
    assert stat.S_IMODE(one.stat().st_mode) == 0o600
    assert [run["id"] for run in manifest_in(one)["runs"]] == ids[:2]


def test_export_takes_what_other_commands_take(guild: Guild, ids: list[str]) -> None:
    """Scope, filters and indexes mean what they mean in the list."""
    archive = guild.home.parent / "some.zip"
    guild.ok("runs", "export", str(archive), "-E")
    assert [run["id"] for run in manifest_in(archive)["runs"]] == [ids[4]]
    guild.ok("runs", "export", "--force", str(archive), "--op", "finetune")
    assert [run["id"] for run in manifest_in(archive)["runs"]] == [ids[1]]
    assert "could not find a run" in guild.refused("runs", "export", str(guild.home.parent / "x.zip"), "9:")


def test_an_export_changes_nothing_and_never_writes_over_a_file_unasked(guild: Guild) -> None:
    """Neither the ledger nor a run directory; a file that is there stays without --force; nothing is left beside it."""
    before = guild.state()
    folder = guild.home.parent / "out"
    folder.mkdir()
    (folder / "a.tar.gz").write_text("mine")
    assert "exists already" in guild.refused("runs", "export", str(folder / "a.tar.gz"), "0")
    assert (folder / "a.tar.gz").read_text() == "mine"
    guild.ok("runs", "export", str(folder / "a.tar.gz"), "0", "--force")
    dry = guild("runs", "export", str(folder / "b.zip"), "0", "--dry-run")
    assert "1 run(s)" in dry.out
    assert os.listdir(folder) == ["a.tar.gz"]
    assert guild.state() == before


@pytest.mark.parametrize("name", ["runs", "runs.tar", "runs.gz", "runs.rar"])
def test_a_name_that_says_no_kind_of_archive_is_refused(guild: Guild, name: str) -> None:
    """Its ending decides, so it must be one of those that there are."""
    assert ".tar.gz, .tgz or .zip" in guild.refused("runs", "export", str(guild.home.parent / name), code=2)


def test_places_where_no_archive_can_be_are_told(guild: Guild) -> None:
    """A folder, a folder that is missing, and no such archive: one line each."""
    (guild.home.parent / "d.zip").mkdir()
    assert "is a folder" in guild.refused("runs", "export", str(guild.home.parent / "d.zip"))
    assert "there is no folder" in guild.refused("runs", "export", str(guild.home.parent / "none/a.zip"))
    assert "No such file" in guild.refused("runs", "import", str(guild.home.parent / "none.zip"))
    assert "Is a directory" in guild.refused("runs", "import", str(guild.home.parent / "d.zip"))


SPECIAL = """
import os
os.mkfifo("pipe")
os.symlink("/etc/passwd", "out")
os.symlink("a/file", "in")
os.makedirs("a/empty")
open("a/file", "w").write("kept")
os.chmod("a/file", 0o755)
open(b"a/\\xff", "w").write("no UTF-8")
"""


def test_special_files_and_links_that_lead_out_are_left_out_and_named(tmp_path: Path) -> None:
    """All else comes along: links inside, empty folders, modes; names that are no UTF-8 only in tar files."""
    guild = project_of(tmp_path, SPECIAL)
    guild.ok("run", "go", "-y")
    (run_id,) = guild.ids()
    before = guild.home / "runs" / run_id
    for ending, odd in ((".tar.gz", True), (".zip", False)):
        said = guild("runs", "export", str(tmp_path / f"a{ending}"))
        assert said.code == 0
        assert "'pipe' (neither a file" in said.err
        assert "'out' (a link out of" in said.err
        assert ("not UTF-8" in said.err) is not odd
        other = other_home(guild, f"home{ending}")
        other.ok("runs", "import", str(tmp_path / f"a{ending}"), "-y")
        files = {"in": "link to a/file", "a": "folder", "a/empty": "folder", "a/file": b"kept"}
        files |= {"a/\udcff": b"no UTF-8"} if odd else {}
        assert {path: what for path, what in tree(other, run_id).items() if not path.startswith(".guild")} == files
        status = (other.home / "runs" / run_id / "a/file").stat()
        assert stat.S_IMODE(status.st_mode) == 0o755
        assert status.st_mtime_ns == (before / "a/file").stat().st_mtime_ns


def test_runs_that_have_not_ended_are_left_out_and_named(tmp_path: Path) -> None:
    """A staged run has no files yet; when nothing else was chosen, nothing is written."""
    guild = project_of(tmp_path, "pass")
    guild.ok("run", "go", "--stage", "-y")
    assert "Nothing to export" in guild.refused("runs", "export", str(tmp_path / "a.zip"))
    guild.ok("run", "go", "-y")
    said = guild("runs", "export", str(tmp_path / "a.zip"))
    assert said.code == 0
    assert "is left out: it is staged" in said.err
    assert len(manifest_in(tmp_path / "a.zip")["runs"]) == 1


def test_what_compresses_like_a_bomb_is_stored_so_that_an_import_takes_it(tmp_path: Path) -> None:
    """A run of half a gigabyte of zeros comes along, though an archive may hold only so many times its own size."""
    guild = project_of(tmp_path, "open('zeros', 'wb').truncate(300 << 20)")
    guild.ok("run", "go", "-y")
    guild.ok("runs", "export", str(tmp_path / "a.tar.gz"))
    assert (tmp_path / "a.tar.gz").stat().st_size > 300 << 20
    other = other_home(guild)
    other.ok("runs", "import", str(tmp_path / "a.tar.gz"), "-y")
    assert (other.home / "runs" / guild.ids()[0] / "zeros").stat().st_size == 300 << 20


def test_runs_that_are_here_are_named_and_left_alone(guild: Guild, ids: list[str]) -> None:
    """Also those in the trash; the others are taken in. Repeating an import changes nothing."""
    archive = str(guild.home.parent / "a.zip")
    guild.ok("runs", "export", archive)
    other = other_home(guild)
    other.ok("runs", "import", archive, ids[0][:8], ids[1], "-y")
    assert other.ids("--all") == ids[:2]
    other.ok("runs", "rm", "--all", ids[0], "-y")
    other.ok("runs", "label", "--all", ids[1], "mine", "-y")
    said = other("runs", "import", archive, "-y")
    assert (said.code, f"runs {ids[0][:8]}, {ids[1][:8]} are here already" in said.err) == (0, True)
    assert other.ids("--all") == ids[1:]
    assert shown(other, ids[1])["label"] == "mine"
    before = other.state()
    assert "Nothing to import" in other.refused("runs", "import", archive, "-y")
    assert other.state() == before


def test_what_was_purged_here_does_not_come_back(guild: Guild, ids: list[str]) -> None:
    """It is refused with the reason, and nothing is taken in; the other runs can be named."""
    archive = str(guild.home.parent / "a.zip")
    guild.ok("runs", "export", archive)
    guild.ok("runs", "rm", "-p", ids[0], ids[1], "-y")
    before = guild.state()
    assert "permanently deleted here" in guild.refused("runs", "import", archive, "-y")
    assert "permanently deleted here" in guild.refused("runs", "import", archive, ids[0], "-y")
    assert guild.state() == before


def test_an_import_shows_and_asks_and_can_be_taken_back(guild: Guild, ids: list[str]) -> None:
    """--dry-run and `n` change nothing; all runs of an archive are one transaction; what is said undoes it."""
    archive = str(guild.home.parent / "a.zip")
    guild.ok("runs", "export", archive, *ids[:3])
    other = other_home(guild)
    other.ok("runs")
    before = other.state()
    dry = other("runs", "import", archive, "--dry-run")
    assert [run_id[:8] in dry.out for run_id in ids] == [True] * 3 + [False] * 2
    other.ok("runs", "import", archive, stdin="n\n")
    assert "no answer" in other.refused("runs", "import", archive)
    assert other.state() == before
    done = other("runs", "import", archive, stdin="y\n")
    with closing(other.database()) as database:
        assert database.execute("SELECT max(seq) FROM txn").fetchone() == (2,)
    other.ok(*done.err.partition("To undo: guild ")[2].split(), "-y")
    assert other.ids("--all") == []
    assert sorted(os.listdir(other.home / "trash")) == sorted(ids[:3])


def test_a_directory_of_no_run_under_the_same_id_is_not_touched(tmp_path: Path) -> None:
    """What the ledger does not explain is neither merged into nor replaced: the import is refused."""
    guild = Guild(tmp_path / "home", tmp_path)
    guild.ok("runs")
    archive = forged().write(tmp_path / "a.zip")
    mine = guild.home / "runs" / forged().run["id"]
    mine.mkdir()
    (mine / "file").write_text("mine")
    before = guild.state()
    assert "is there already, and no run of this ledger" in guild.refused("runs", "import", str(archive), "-y")
    assert guild.state() == before
    assert os.listdir(guild.home / "importing") == []


def test_an_id_that_is_not_in_the_archive_is_refused(tmp_path: Path) -> None:
    """As is one that means several, or an empty one."""
    guild = Guild(tmp_path / "home", tmp_path)
    archive = str(forged().write(tmp_path / "a.zip"))
    for word in ("ff", "", "abx"):
        assert "the beginning of no run ID" in guild.refused("runs", "import", archive, word, "-y")
