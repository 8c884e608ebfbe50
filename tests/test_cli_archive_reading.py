"""`--archive FILE`: runs in an archive are shown as an import would show them, and nothing of the user's is touched.

What is wrong with an archive is refused as by an import: the faults are those of `test_archive_hostile`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from commands.archived import opened, opened_file
from ledger.errors import GuildError, LedgerError
from ledger.ids import RunId, run_stream
from tests.archive_kit import RUN, forged, other_home
from tests.cli_kit import Guild, copied, lab
from tests.lab_kit import guild_fixture, ids_fixture  # noqa: F401 - fixtures
from tests.test_archive_hostile import LIES, MEMBERS, ONLY_TAR, PATHS
from tests.test_cli_archive import told


@pytest.fixture(name="archive", scope="module")
def archive_fixture(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give an archive of the runs of the iris project and another one, about which much was said."""
    folder = tmp_path_factory.mktemp("archive")
    guild = copied(tmp_path_factory, folder)
    told(guild, list(lab(tmp_path_factory).ids))
    guild.ok("runs", "export", str(folder / "a.tar.gz"), "--all")
    return str(folder / "a.tar.gz")


def test_what_is_shown_is_what_an_import_would_show(guild: Guild, archive: str) -> None:
    """List, filters, selection, columns, every detail: the same words, the same JSON, but for where the files are."""
    other = other_home(guild).with_env(USER="bob")
    other.ok("runs", "import", archive, "-y")
    questions = (
        ["runs"], ["runs", "-E"], ["runs", "-F", "loss < 1"], ["runs", "--group-by", "tag"], ["tag", "--list"],
        ["runs", "--columns", "id,loss,epochs,label", "--csv"], ["select", "--each", "1:2"],
        ["comment", "2", "--list", "--json"],
    )  # fmt: skip
    for words in questions:
        assert guild.ok(*words, "--archive", archive) == other.ok(*words, "--all"), words
    for words in (["runs", "--json"], ["runs", "info", "2", "--json"]):
        here, there = (json.loads(out) for out in (guild.ok(*words, "--archive", archive), other.ok(*words, "--all")))
        for one in here if isinstance(here, list) else [here]:
            assert one["run_dir"] is None
        for one in (*here, *there) if isinstance(here, list) else (here, there):
            del one["run_dir"]
        assert here == there, words


def test_nothing_of_the_users_is_touched(guild: Guild, archive: str, ids: list[str], tmp_path: Path) -> None:
    """Neither ledger nor index nor a run directory, not a byte; and no home is made where there is none."""
    guild.ok("runs", "-a")
    before = guild.files()
    questions = (["runs"], ["runs", "info"], ["select"], ["ls", "0"], ["cat", "0", "--output"], ["runs", "-v"])
    for words in questions:
        guild.ok(*words, "--archive", archive)
    assert guild.files() == before
    nobody = Guild(tmp_path / "none", tmp_path)
    assert nobody.ok("select", "--archive", archive).strip() == ids[0]
    assert not (tmp_path / "none").exists()


def test_files_are_listed_and_printed_without_unpacking(guild: Guild, archive: str, ids: list[str]) -> None:
    """As those of the run directory; a path that is not there, a folder, one that leads out: refused."""
    for words in (["--sizes"], ["-A"], ["-n"], ["--json"], ["-n", "-A", "--sizes"]):
        here, there = (guild.ok("ls", ids[0], *words, *more) for more in (["--archive", archive], []))
        assert here.splitlines()[1:] == there.splitlines()[1:], words
    assert guild.ok("ls", ids[0], "--archive", archive).startswith(f"{archive}/runs/{ids[0]}:\n")
    for name in guild.ok("ls", ids[0], "-n", "-A").split():
        assert guild.ok("cat", ids[0], name, "--archive", archive) == guild.ok("cat", ids[0], name)
    assert guild.ok("cat", ids[0], "--output", "--archive", archive) == guild.ok("cat", ids[0], "--output")
    for name, why in (("nothing", "no file"), ("../x", "not a path below"), (".guild", "is a folder")):
        assert why in guild.refused("cat", ids[0], name, "--archive", archive)
    assert "no file" in guild.refused("ls", ids[0], "nothing", "--archive", archive)


def test_what_would_change_something_refuses_it(guild: Guild) -> None:
    """Wrong usage, with a word of what it is for, before the archive is even looked for; nothing is changed."""
    commands = (
        ["runs", "rm", "0", "-y"], ["runs", "purge", "-y"], ["label", "0", "x"], ["mark", "0"], ["runs", "restore"],
        ["tag", "0", "x"], ["comment", "0", "-m", "x"], ["undo", "-y"], ["runs", "--at", "1"], ["runs", "--watch"],
        ["run", "train", "-y"], ["runs", "stop"], ["open", "0"],
    )  # fmt: skip
    before = guild.state()
    for words in commands:
        said = guild(*words, "--archive", "a.zip")
        assert (said.code, "--archive" in said.err) == (2, True), said
    assert guild.state() == before


def test_what_is_no_archive_is_told(guild: Guild, tmp_path: Path) -> None:
    """Nothing there, a folder, another file, an empty name: one line each, and no home is asked instead."""
    (tmp_path / "text.zip").write_text("hello")
    assert "No such file" in guild.refused("runs", "--archive", str(tmp_path / "none.zip"))
    assert "Is a directory" in guild.refused("runs", "--archive", str(tmp_path))
    assert "is refused" in guild.refused("runs", "info", "--archive", str(tmp_path / "text.zip"))
    assert "empty" in guild.refused("runs", "--archive", "", code=2)


def test_an_archive_that_was_cut_off_is_refused(guild: Guild, archive: str, tmp_path: Path) -> None:
    """Wherever: what is left of it would be listed as if it could be had."""
    whole = Path(archive).read_bytes()
    guild.ok("runs", "export", str(tmp_path / "a.zip"), "--all")
    for name, data in (("cut.tar.gz", whole), ("cut.zip", (tmp_path / "a.zip").read_bytes())):
        for left in (len(data) - 1, len(data) // 2 + len(data) // 3):
            cut = tmp_path / name
            cut.write_bytes(data[:left])
            for words in (["runs"], ["select"]):
                assert "is refused" in guild.refused(*words, "--archive", str(cut)), (name, left)


def test_a_large_archive_is_looked_at_as_far_as_that_takes_seconds(
    archive: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is shown, and said that damage behind that is not seen."""
    assert opened(archive).manifest.runs
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("commands.archived._MOST_READ", 1024)
    assert opened(archive).manifest.runs
    assert "only its first 1.0 KiB were looked at for damage" in capsys.readouterr().err


@pytest.mark.parametrize("name", [name for name in LIES | PATHS if not name.startswith("guild's folder")])
def test_an_archive_whose_list_means_harm_is_refused(tmp_path: Path, name: str) -> None:
    """Before any of its runs is shown; where an import is stopped by a member, the list may be shown."""
    change, why = (LIES | PATHS)[name]
    archive = forged()
    change(archive)
    path = str(archive.write(tmp_path / "a.zip"))
    if why == "its list does not name":
        assert opened(path).manifest.runs
        return
    with pytest.raises(GuildError) as refused:
        opened(path)
    assert why in refused.value.message
    assert "imported" not in str(refused.value.hint)


@pytest.mark.parametrize("name", [name for name in MEMBERS | ONLY_TAR if name != "hard link inside"])
def test_a_file_of_a_hostile_archive_is_not_printed(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of all members are held to the list first, and the content of this one; no temporary file stays."""
    change, why = (MEMBERS | ONLY_TAR)[name]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    archive = forged()
    change(archive)
    found = opened(str(archive.write(tmp_path / "a.tar.gz")))
    with pytest.raises(GuildError) as refused, opened_file(found, RunId(RUN), "out.txt"):
        pytest.fail("it was given out")
    assert why in refused.value.message or name == "bomb by its list"
    assert os.listdir(scratch) == []


def test_the_ledger_of_an_archive_can_be_read_and_not_be_written_to(tmp_path: Path) -> None:
    """Its events are found by run and by position, as in any ledger; whatever would change it is refused."""
    archive = opened(str(forged().write(tmp_path / "a.zip")))
    store = archive.ledger.store
    events = store.stream_events([run_stream(RunId(RUN))])
    assert [event.type for event in events] == ["run.imported"]
    assert (list(store.events()), store.txn_events(1), store.head().position) == (events, events, 1)
    assert store.streams("run/ab", 9) == [f"run/{RUN}"]
    assert list(store.seqs_of_types(["run.imported"])) == [1]
    with pytest.raises(LedgerError, match="can only be read"), store.writing():
        pytest.fail("it was opened for writing")
