"""How what is required gets into the run: copies that fail, archives, and what is fetched from the net."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from artifacts.placing import Placer, PlacingError
from operations.definitions import OperationDef, RequirementDef, ResourceDef, SourceDef
from operations.dependencies import DependencyError
from operations.resolving import materialise
from tests.dependencies_kit import (
    RUN_ID,
    World,
    file,
    operation,
    url_fixture,  # noqa: F401 - a fixture
    world_fixture,  # noqa: F401 - a fixture
)

# --- Steps of a copy --------------------------------------------------------------------------------------------------


def test_what_is_no_file_is_not_copied(world: World) -> None:
    """Opening a pipe must not wait for a writer."""
    os.mkfifo(world.elsewhere / "pipe")
    with pytest.raises(PlacingError, match="not a regular file"):
        Placer(str(world.run_dir)).copy(str(world.elsewhere / "pipe"), "x")


def test_a_large_file_and_one_of_the_kernel_are_copied_whole(world: World) -> None:
    """By whatever way the system offers; files of /proc seem empty and are not."""
    content = os.urandom(3 << 20)
    (world.elsewhere / "big").write_bytes(content)
    placer = Placer(str(world.run_dir))
    placer.copy(str(world.elsewhere / "big"), "big")
    placer.copy("/proc/version", "version")
    assert (world.run_dir / "big").read_bytes() == content
    assert (world.run_dir / "version").read_bytes() == Path("/proc/version").read_bytes()


# --- Archives and URLs ------------------------------------------------------------------------------------------------


def make_zip(path: Path, *names: str) -> None:
    """Write a zip file whose members hold their names."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name)


def test_an_archive_is_unpacked_into_the_target(world: World) -> None:
    """What lies at its top goes to the target path; two archives may fill the same folder."""
    make_zip(world.project / "train.zip", "data/train/1", "notes.txt")
    make_zip(world.project / "test.zip", "data/test/1")
    placed = world.place(file("train.zip"), file("test.zip"), target_path="in")
    assert list(world.found()) == ["in/data/test/1", "in/data/train/1", "in/notes.txt"]
    assert placed[0].origin == f"{world.project}/train.zip!data/train/1"


def test_select_and_rename_choose_from_an_archive(world: World) -> None:
    """Only what is selected is unpacked at all."""
    make_zip(world.project / "a.zip", "d/one.csv", "d/two.csv")
    world.place(file("a.zip", select=(r"d/one\.csv",), rename=(("one", "1"),)))
    assert world.found() == {"1.csv": "d/one.csv"}


def test_an_archive_that_a_failed_start_did_not_get_to_is_unpacked_by_the_next(world: World) -> None:
    """One that was unpacked as a whole is left alone from then on: the run may have changed its files."""
    for name in ("one", "two"):
        make_zip(world.project / f"{name}.zip", name, "x/" + name)
    world.write("data.csv")
    plan = world.plan(file("one.zip"), file("data.csv"), file("two.zip"))
    (world.project / "data.csv").unlink()
    with pytest.raises(DependencyError, match=r"data\.csv"):
        world.materialise(plan)
    world.write("data.csv")
    (world.run_dir / "one").write_text("changed")
    for _ in range(2):
        world.materialise(plan, again=True)
        assert (world.run_dir / "one").read_text() == "changed"
        assert (world.run_dir / "two").read_text() == "two"


def make_linked_tar(path: Path, links: Mapping[str, str], *names: str) -> None:
    """Write a tar file of symbolic links, then of files that hold their names."""
    with tarfile.open(path, "w") as archive:
        for name, target in links.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))


def test_a_link_at_the_top_of_an_archive_stays_one_and_takes_nothing_away(world: World) -> None:
    """To a file or a folder, by way of another link, and by the name that a file gets."""
    make_linked_tar(world.project / "a.tar", {"a.csv": "b.csv", "b.csv": "data.csv", "new": "v1"}, "data.csv", "v1/w")
    world.place(file("a.tar", rename=(("data", "x"),)), target_path="in")
    links = {"in/a.csv": "-> x.csv", "in/b.csv": "-> x.csv", "in/new": "-> v1"}
    assert world.found() == {**links, "in/x.csv": "data.csv", "in/v1/w": "v1/w"}


def test_what_only_links_lead_to_in_an_archive_is_copied(world: World) -> None:
    """Two links to one folder, of which only a file is selected: each gets it, and so does the file's own place."""
    make_linked_tar(world.project / "a.tar", {"one": "d", "two": "d"}, "d/w", "x")
    world.place(file("a.tar", select=("one", "two", "d/w")))
    assert world.found() == dict.fromkeys(("one/w", "two/w", "w"), "d/w")


@pytest.mark.parametrize("where", ["source", "resource"])
def test_an_archive_that_is_not_to_be_unpacked_is_copied(world: World, where: str) -> None:
    """The source says so, or its resource for all of them."""
    make_zip(world.project / "a.zip", "x")
    source = file("a.zip", unpack=False) if where == "source" else file("a.zip")
    inline = ResourceDef("data", (source,), default_unpack=False if where == "resource" else None)
    world.place(operation=OperationDef("train", requires=(RequirementDef("data", inline),)))
    assert os.listdir(world.run_dir) == ["a.zip"]


def test_a_hostile_archive_fails_and_leaves_nothing(world: World) -> None:
    """Not even what came before in the same archive."""
    with tarfile.open(world.project / "a.tar", "w") as archive:
        for name in ("good", "../bad"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(DependencyError, match=r"could not resolve 'file:a\.tar' in data resource: it holds"):
        world.place(file("a.tar"))
    assert os.listdir(world.run_dir) == []


def test_a_url_is_downloaded_after_the_start_and_kept_for_the_next_run(world: World, url: str) -> None:
    """Planning fetches nothing; the cache of the home has it afterwards."""
    world.write("x.csv", base=world.elsewhere)
    plan = world.plan(SourceDef("url", f"{url}/x.csv"))
    assert not os.path.exists(world.home.cache_dir)
    materialise(plan, str(world.run_dir), cache_dir=world.home.cache_dir, told=world.told.append)
    assert world.found() == {"x.csv": "x.csv"}
    (world.elsewhere / "x.csv").unlink()
    (world.run_dir / "x.csv").unlink()
    materialise(plan, str(world.run_dir), cache_dir=world.home.cache_dir, told=world.told.append)
    assert world.told == [f"Downloading {url}/x.csv (5 bytes)"]


def test_a_download_that_fails_is_told(world: World, url: str) -> None:
    """As a dependency that was not met."""
    with pytest.raises(DependencyError, match=r"could not resolve 'url:http.*' in data resource: .*says 404"):
        world.place(SourceDef("url", f"{url}/none.csv"))


def test_an_archive_of_the_net_is_unpacked(world: World, url: str) -> None:
    """Whatever follows its name in the URL."""
    make_zip(world.elsewhere / "a.zip", "x")
    world.place(SourceDef("url", f"{url}/a.zip?version=1"))
    assert world.found() == {"x": "x"}


def test_a_file_url_is_a_file(world: World) -> None:
    """Which is looked for before the start."""
    world.write("a b.csv", base=world.elsewhere)
    world.place(SourceDef("url", f"file://{world.elsewhere}/a%20b.csv"))
    assert world.found() == {"a b.csv": "a b.csv"}
    with pytest.raises(DependencyError, match=r"not started .* does not exist"):
        world.plan(SourceDef("url", "file:///nowhere/at/all"))


# --- Operations -------------------------------------------------------------------------------------------------------


def test_the_files_of_a_run_are_copied_without_what_guild_keeps_there(world: World) -> None:
    """All that lies at the top of its directory."""
    world.add_run("prepare", "a.csv", "sub/b.csv")
    (Path(world.home.runs_dir, RUN_ID) / "latest").symlink_to("sub")
    world.place(operation("prepare"))
    assert world.found() == {"a.csv": "a.csv", "sub/b.csv": "sub/b.csv", "latest/b.csv": "sub/b.csv"}
