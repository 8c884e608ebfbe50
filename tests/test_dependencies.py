"""Files that a run requires: copied or linked to where they belong, checked, and refused before the start."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from artifacts.home import Home
from ledger.seams import install
from operations.definitions import SourceDef
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

# --- Files ------------------------------------------------------------------------------------------------------------


def test_a_file_is_copied_with_its_mode_and_time(world: World) -> None:
    """The copy is the run's own: writing to it does not reach the project."""
    world.write("in/data.csv")
    original = world.project / "in/data.csv"
    original.chmod(0o750)
    os.utime(original, ns=(5, 1_000_000_007))
    (placed,) = world.place(file("in/data.csv"))
    copy = world.run_dir / "data.csv"
    assert (placed.path, placed.origin, placed.bytes, placed.is_link) == ("data.csv", str(original), 11, False)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o750
    assert copy.stat().st_mtime_ns == 1_000_000_007
    copy.write_text("changed")
    assert original.read_text() == "in/data.csv"


def test_a_file_that_is_missing_refuses_the_run_before_it_starts(world: World) -> None:
    """The message names the source, the resource and the absolute path."""
    with pytest.raises(DependencyError) as caught:
        world.plan(file("no.csv"))
    path = world.project / "no.csv"
    assert caught.value.message == (
        "the run was not started because a dependency was not met: "
        f"could not resolve 'file:no.csv' in data resource: '{path}' does not exist"
    )


def test_a_file_that_vanishes_after_the_start_is_told(world: World) -> None:
    """The message is that of a run that failed."""
    world.write("data.csv")
    plan = world.plan(file("data.csv"))
    (world.project / "data.csv").unlink()
    with pytest.raises(DependencyError) as caught:
        materialise(plan, str(world.run_dir), cache_dir=world.home.cache_dir, told=world.told.append)
    assert caught.value.message.startswith("could not resolve 'file:data.csv' in data resource: No such file")
    assert world.found() == {}


def test_a_directory_is_copied_whole(world: World) -> None:
    """With folders, empty ones as well, and links that stay inside; a link out of it is left out and told."""
    world.write("data/a.csv", "data/sub/b.csv", "secret")
    (world.project / "data/empty").mkdir()
    (world.project / "data/sub/same").symlink_to("../a.csv")
    (world.project / "data/out").symlink_to("../secret")
    os.mkfifo(world.project / "data/pipe")
    world.place(file("data"), target_path="input")
    assert world.found() == {
        "input/data/a.csv": "data/a.csv",
        "input/data/sub/b.csv": "data/sub/b.csv",
        "input/data/sub/same": "-> ../a.csv",
    }
    assert (world.run_dir / "input/data/empty").is_dir()
    assert world.told == [
        "input/data/out is left out: it is a link out of it",
        "input/data/pipe is left out: it is a pipe, socket or device",
    ]


def test_a_home_in_the_project_is_not_copied_into_itself(tmp_path: Path) -> None:
    """A run directory inside what is copied would be copied without end."""
    world = World(tmp_path)
    world.write("all/a.txt")
    home = Home(str(world.project / "all" / ".guild"))
    home.ensure()
    run_dir = Path(home.run_dir("a" * 32))  # type: ignore[arg-type] # a run id is a text
    run_dir.mkdir()
    plan = world.plan(file("all"))
    materialise(plan, str(run_dir), cache_dir=home.cache_dir, told=world.told.append)
    assert sorted(path.name for path in run_dir.rglob("*")) == ["a.txt", "all"]


def test_a_link_that_the_user_names_is_followed(world: World) -> None:
    """Naming it is meaning it; the copy is a file, or a folder."""
    world.write("one.csv", "store/two.csv", base=world.elsewhere)
    (world.project / "one").symlink_to(world.elsewhere / "one.csv")
    (world.project / "more").symlink_to(world.elsewhere / "store")
    world.place(file("one"), file("more"))
    assert world.found() == {"one": "one.csv", "more/two.csv": "store/two.csv"}


def test_target_type_link_makes_links_that_survive_a_move_of_the_home(world: World) -> None:
    """To a file of the project by its absolute path, to one of a run by a relative one."""
    world.write("data.csv")
    world.add_run("prepare", "model/weights")
    world.place(file("data.csv"), operation("prepare", select=("model/weights",)), target_type="link")
    assert world.found() == {"data.csv": f"-> {world.project}/data.csv", "weights": f"-> ../{RUN_ID}/model/weights"}
    assert (world.run_dir / "weights").read_text() == "model/weights"


def test_select_takes_what_matches_from_the_start_to_the_end_of_the_path(world: World) -> None:
    """Files by their own name, folders with all that is in them; several expressions add up."""
    world.write("d/a.csv", "d/a.csv.bak", "d/sub/b.csv", "d/keep/x", "d/keep/y/z", "d/other/q")
    world.place(file("d", select=(r"a\.csv", "sub/.+csv", "keep")))
    assert world.found() == {"a.csv": "d/a.csv", "b.csv": "d/sub/b.csv", "keep/x": "d/keep/x", "keep/y/z": "d/keep/y/z"}


@pytest.mark.parametrize(("attribute", "name"), [("select_min", "m-2.pt"), ("select_max", "m-10.pt")])
def test_the_least_or_greatest_number_in_a_name_selects_one_file(world: World, attribute: str, name: str) -> None:
    """By value, not by letters."""
    world.write("d/m-2.pt", "d/m-10.pt", "d/m-9.pt", "d/m-x.txt")
    world.place(file("d", **{attribute: r"m-([0-9]+)\.pt"}))
    assert list(world.found()) == [name]


@pytest.mark.parametrize(
    ("rename", "name"),
    [
        ((("data", "input"),), "input.csv"),
        (((r"(.+)\.csv", r"\1.txt"),), "data.txt"),
        ((("nothing", "x"), ("a", "A"), ("t", "T")), "dAta.csv"),
        (((r"(.+)", r"sub/\1"),), "sub/data.csv"),
    ],
)
def test_rename_changes_the_name_by_the_first_pair_that_fits(
    world: World, rename: tuple[tuple[str, str], ...], name: str
) -> None:
    """Once in each name; a replacement may say a folder."""
    world.write("data.csv")
    world.place(file("data.csv", rename=rename))
    assert list(world.found()) == [name]


def test_the_target_path_of_a_source_goes_before_that_of_its_resource(world: World) -> None:
    """Others go where the resource says."""
    world.write("a", "b")
    world.place(file("a", target_path="one/two"), file("b"), target_path="three")
    assert list(world.found()) == ["one/two/a", "three/b"]


@pytest.mark.parametrize("path", ["/abs", "..", "a/../../b", ".guild", "./.guild/x"])
def test_a_target_outside_the_run_directory_is_refused_before_the_start(world: World, path: str) -> None:
    """Also by a rename; and what belongs to guild itself."""
    world.write("a")
    for source in (file("a", target_path=path), file("a", rename=(("a", path),))):
        with pytest.raises(DependencyError, match="not started"):
            world.plan(source)


def test_nothing_is_written_through_a_link_in_the_run_directory(world: World) -> None:
    """A folder that is linked belongs to someone else."""
    world.write("d/x", "a")
    with pytest.raises(DependencyError, match="placed twice"):
        world.plan(file("d", target_type="link"), file("a", target_path="d"))
    (world.run_dir / "out").symlink_to(world.elsewhere)
    with pytest.raises(DependencyError, match="is no folder"):
        world.place(file("a", target_path="out"))
    assert list(world.elsewhere.iterdir()) == []


def test_two_files_of_one_place_are_refused_and_the_same_file_twice_is_not(world: World) -> None:
    """Whichever came last would win, and nobody would know."""
    world.write("one/x.csv", "two/x.csv")
    with pytest.raises(DependencyError, match=r"'x\.csv' is placed twice") as caught:
        world.plan(file("one/x.csv"), file("two/x.csv"))
    assert "target-path" in (caught.value.hint or "")
    assert len(world.place(file("one/x.csv"), file("one/x.csv"))) == 1


def test_folders_of_two_sources_become_one(world: World) -> None:
    """Only files collide."""
    world.write("one/data/x", "two/data/y")
    world.place(file("one/data"), file("two/data"))
    assert list(world.found()) == ["data/x", "data/y"]


def test_a_file_that_is_there_already_is_not_replaced(world: World) -> None:
    """Whoever wrote it."""
    world.write("x")
    world.write("x", base=world.run_dir)
    with pytest.raises(DependencyError, match="there already"):
        world.place(file("x"))


@pytest.mark.parametrize("target_type", ["copy", "link"])
def test_a_digest_is_checked_before_the_start_and_when_placed(world: World, target_type: str) -> None:
    """Both digests are told; nothing is placed when the file changed in between."""
    world.write("x")
    good = hashlib.sha256(b"x").hexdigest()
    with pytest.raises(DependencyError, match=f"expected {'0' * 64}, found {good}"):
        world.plan(file("x", sha256="0" * 64))
    with pytest.raises(DependencyError, match="is not a sha256"):
        world.plan(file("x", sha256="abc"))
    plan = world.plan(file("x", sha256=good.upper(), target_type=target_type))
    (world.project / "x").write_text("other")
    with pytest.raises(DependencyError, match="another sha256"):
        materialise(plan, str(world.run_dir), cache_dir=world.home.cache_dir, told=world.told.append)
    assert world.found() == {}
    (world.project / "x").write_text("x")
    (placed,) = materialise(plan, str(world.run_dir), cache_dir=world.home.cache_dir, told=world.told.append)
    assert placed.sha256 == good.upper()


def test_nothing_found_warns_or_fails_as_the_source_says(world: World) -> None:
    """A warning by default, silence or an error before the start when asked for."""
    world.write("d/x")
    world.place(file("d", select=("y",)))
    assert world.told == ["Nothing was found for 'file:d' in data resource"]
    world.told.clear()
    world.place(file("d", select=("y",), warn_if_empty=False))
    assert world.told == []
    with pytest.raises(DependencyError, match=r"not started .* nothing was found that matches y"):
        world.plan(file("d", select=("y",), fail_if_empty=True))


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (file("d", select=("(",)), "not a regular expression"),
        (file("d", rename=(("[", "x"),)), "not a regular expression"),
        (file("d", rename=(("x", r"\1"),)), "cannot stand for"),
        (file("d", select_max="no-group"), "need a group"),
        (file("d", sha256="0" * 64), "a directory has none"),
        (file("d/x", unpack=True), "cannot be unpacked"),
        (file("d\0"), "null byte"),
        (SourceDef("url", "ftp://host/x"), "scheme"),
        (SourceDef("config", "d/x"), "format is not known"),
    ],
)
def test_a_definition_that_cannot_be_used_is_refused_before_the_start(
    world: World, source: SourceDef, why: str
) -> None:
    """Whatever the kind, with the source in the message."""
    world.write("d/x")
    with pytest.raises(DependencyError, match=why) as caught:
        world.plan(source)
    assert "could not resolve" in caught.value.message


# --- Steps of a copy --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["placing.write", "placing.rename"])
def test_a_copy_that_fails_leaves_nothing(world: World, step: str) -> None:
    """Neither a part under its name nor a file that nobody knows."""
    world.write("x")

    def fail(name: str) -> None:
        if name == step:
            raise OSError(28, "No space left on device")

    install(fail)
    with pytest.raises(DependencyError, match="No space left"):
        world.place(file("x"))
    assert os.listdir(world.run_dir) == []
