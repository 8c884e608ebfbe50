"""Dependencies: what is missing refuses the run before it starts, and what is there arrives whole and in its place."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from artifacts.home import Home
from artifacts.placing import Placed, Placer, PlacingError
from ledger.canonical import encode
from ledger.errors import GuildError
from ledger.ids import RunId
from ledger.seams import install
from operations.definitions import (
    FlagDef,
    FlagValue,
    ModelDef,
    OperationDef,
    RequirementDef,
    ResourceDef,
    SourceDef,
)
from operations.dependencies import DependencyError, DependencyPlan, FoundRun, plan_dependencies
from operations.dependencies_modules import check_modules, missing_modules
from operations.planning import module_asker
from operations.requirements import RequirementError, override_names, required_resources
from operations.resolving import materialise
from operations.run_plan import RunPlan

RUN_ID = "0123456789abcdef0123456789abcdef"
OTHER_ID = "0123ffffffffffffffffffffffffffff"


class World:
    """A project, a home, and runs in it."""

    def __init__(self, root: Path) -> None:
        self.project = root / "project"
        self.home = Home(str(root / "home"))
        self.run_dir = root / "home" / "runs" / ("f" * 32)
        self.elsewhere = root / "elsewhere"
        self.told: list[str] = []
        self.asked: list[tuple[str, str | None, str | None]] = []
        self.runs: dict[str, FoundRun] = {}
        for folder in (self.project, self.elsewhere):
            folder.mkdir()
        self.home.ensure()
        self.run_dir.mkdir()

    def write(self, *names: str, base: Path | None = None) -> None:
        """Write files whose content is their name."""
        for name in names:
            path = (base or self.project) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)

    def add_run(self, spec: str, *names: str, run_id: str = RUN_ID) -> Path:
        """Make a run that `spec` finds."""
        path = Path(self.home.runs_dir, run_id)
        path.mkdir()
        self.write(".guild/output", *names, base=path)
        self.runs[spec] = FoundRun(run_id, str(path), spec)
        return path

    def find_run(self, spec: str, *, select_min: str | None, select_max: str | None) -> FoundRun | None:
        """Find a run as the command line would."""
        self.asked.append((spec, select_min, select_max))
        return self.runs.get(spec)

    def plan(
        self,
        *sources: SourceDef,
        flags: Mapping[str, FlagValue] | None = None,
        overrides: Mapping[str, str] | None = None,
        operation: OperationDef | None = None,
        model: ModelDef | None = None,
        **resource: str,
    ) -> DependencyPlan:
        """Plan an operation that requires the sources, as one resource called `data`."""
        inline = ResourceDef("data", sources, **resource)  # type: ignore[arg-type] # only texts are given here
        requires = (RequirementDef("data", inline),) if sources else ()
        operation = operation or OperationDef("train", main="train", requires=requires)
        model = model or ModelDef("", operations=(operation,))
        return plan_dependencies(
            operation,
            model,
            (model,),
            flags or {},
            project=str(self.project),
            home=self.home,
            find_run=self.find_run,
            overrides=overrides or {},
            cwd=str(self.elsewhere),
        )

    def place(self, *sources: SourceDef, **more: object) -> tuple[Placed, ...]:
        """Plan and put everything into the run directory."""
        return self.materialise(self.plan(*sources, **more))  # type: ignore[arg-type] # handed on

    def materialise(self, plan: DependencyPlan, *, again: bool = False) -> tuple[Placed, ...]:
        """Put what is planned into the run directory."""
        return materialise(plan, str(self.run_dir), cache_dir=self.home.cache_dir, told=self.told.append, again=again)

    def found(self) -> dict[str, str]:
        """Return what is in the run directory: content of files, `-> target` of links."""
        result = {}
        for path in sorted(self.run_dir.rglob("*")):
            name = str(path.relative_to(self.run_dir))
            if name.startswith(".guild/"):
                continue
            if path.is_symlink():
                result[name] = f"-> {path.readlink()}"
            elif path.is_file():
                result[name] = path.read_text()
        return result


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give an empty world."""
    return World(tmp_path)


@pytest.fixture(autouse=True)
def _no_seams() -> Iterator[None]:
    """Leave no hook behind."""
    yield
    install(None)


def file(target: str, **more: object) -> SourceDef:
    """Make a file source."""
    return SourceDef("file", target, **more)  # type: ignore[arg-type] # handed on


def operation(target: str, **more: object) -> SourceDef:
    """Make an operation source."""
    return SourceDef("operation", target, **more)  # type: ignore[arg-type] # handed on


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


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the server uses
        """Say nothing."""


@pytest.fixture
def url(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve the folder `elsewhere`."""
    monkeypatch.setenv("no_proxy", "*")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(world.elsewhere)))
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


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


def test_a_run_is_looked_for_in_the_same_model_unless_one_is_named(world: World) -> None:
    """An expression with a group chooses a file, one without a scalar that chooses the run."""
    for spec in ("cnn:prepare", "rnn:prepare", "cnn:prepare,rnn:prepare"):
        world.runs[spec] = FoundRun(RUN_ID, str(world.elsewhere), None)
    sources = (
        operation("prepare", select_min="loss"),
        operation("rnn:prepare", select_max="m-([0-9]+)"),
        operation("prepare, rnn:prepare"),
    )
    op = OperationDef("train", requires=(RequirementDef("data", ResourceDef("data", sources)),))
    world.plan(operation=op, model=ModelDef("cnn", operations=(op,)))
    assert world.asked == [
        ("cnn:prepare", "loss", None),
        ("rnn:prepare", None, None),
        ("cnn:prepare,rnn:prepare", None, None),
    ]


def test_no_run_refuses_the_start_and_says_how_to_get_one(world: World) -> None:
    """By running it, or by naming a run."""
    with pytest.raises(DependencyError, match="no completed run of prepare") as caught:
        world.plan(operation("prepare"))
    assert caught.value.hint == "Run it first: guild run prepare. Or name a run or a directory: prepare=RUN."


@pytest.mark.parametrize("name", ["prepare", "operation:prepare", "data"])
@pytest.mark.parametrize("value", [RUN_ID, RUN_ID[:8], "folder"])
def test_the_user_may_name_a_run_or_a_directory(world: World, name: str, value: str) -> None:
    """By the start of its ID, relative to where the user is; nothing is searched then."""
    world.add_run("x", "a.csv")
    world.add_run("y", "b.csv", run_id=OTHER_ID)
    world.write("folder/a.csv", base=world.elsewhere)
    world.place(operation("prepare"), overrides={name: value})
    assert list(world.found()) == ["a.csv"]
    assert world.asked == []


@pytest.mark.parametrize(("value", "why"), [("0123", "2 runs have"), ("abc", "neither the ID"), ("", "neither the ID")])
def test_a_run_that_cannot_be_told_is_refused(world: World, value: str, why: str) -> None:
    """Nothing is guessed."""
    world.add_run("x")
    world.add_run("y", run_id=OTHER_ID)
    with pytest.raises(DependencyError, match=why):
        world.plan(operation("prepare"), overrides={"prepare": value})


# --- Configuration and modules ----------------------------------------------------------------------------------------


def config(world: World, **more: object) -> SourceDef:
    """Write a configuration file and make a source of it."""
    (world.project / "in").mkdir(exist_ok=True)
    (world.project / "in/c.json").write_text('{"lr": 1, "net": {"depth": 2}, "kept": "x"}')
    return SourceDef("config", "in/c.json", **more)  # type: ignore[arg-type] # handed on


def test_a_configuration_file_holds_parameters_and_the_flags_it_knows(world: World) -> None:
    """Flags go over parameters, a flag without a value changes nothing, others are none of its business."""
    source = config(world, params={"net.depth": "${deep}", "note": "lr is ${lr}"}, rename=(("c", "conf"),))
    world.place(source, flags={"lr": 0.5, "deep": 7, "kept": None, "unknown": 1})
    import json

    assert json.loads(world.found()["conf.json"]) == {
        "lr": 0.5,
        "net": {"depth": 7},
        "kept": "x",
        "note": "lr is 0.5",
    }


def test_flags_that_go_into_a_file_bring_it_along(world: World) -> None:
    """All of them, where the program looks for the file; written out as well it is there once."""
    source = config(world)
    flags = (FlagDef("lr"), FlagDef("new", arg_name="net.width"), FlagDef("skipped", arg_skip=True))
    op = OperationDef("train", flags=flags, flags_dest="config:in/c.json")
    world.place(operation=op, flags={"lr": 3, "new": 4, "skipped": 5})
    assert '"width":4' in world.found()["in/c.json"].replace(" ", "")
    assert "skipped" not in world.found()["in/c.json"]
    written = replace(op, requires=(RequirementDef("c", ResourceDef("c", (source,))),))
    assert len(world.plan(operation=written).items) == 1


def ask(argv: Sequence[str]) -> tuple[int, str]:
    """Start an interpreter as a run would."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_the_interpreter_of_the_run_is_asked_for_modules(world: World) -> None:
    """Dotted names as well; a name that makes no sense is missing."""
    names = ("json", "os.path", "json.no", "no_such_module", "no_such.thing", "")
    assert missing_modules(sys.executable, names, ask) == ("json.no", "no_such_module", "no_such.thing", "")
    plan = world.plan(SourceDef("module", "json, os"), SourceDef("module", "no_such_module"))
    assert plan.modules == ("json", "os", "no_such_module")
    with pytest.raises(DependencyError, match=r"'module:no_such_module' in data resource: .* has no module"):
        check_modules(plan, sys.executable, ask)
    assert materialise(plan, str(world.run_dir), cache_dir=world.home.cache_dir, told=world.told.append) == ()


def test_an_interpreter_that_does_not_answer_is_told() -> None:
    """It may be no Python at all; without modules it is not asked."""
    with pytest.raises(DependencyError, match="did not say"):
        missing_modules("/bin/false", ["json"], ask)
    assert missing_modules("/nowhere", [], ask) == ()


def test_modules_are_looked_for_where_the_run_has_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the project, not in the directory that the program was called in; an interpreter cannot take for ever."""
    world.write("mine.py")
    world.write("other.py", base=world.elsewhere)
    monkeypatch.chdir(world.elsewhere)
    command, nothing = (sys.executable,), dict[str, str]()
    plan = RunPlan(RunId(RUN_ID), str(world.project), "", "train", command, {}, nothing, None, "/", nothing)
    ask = module_asker(plan)
    assert missing_modules(sys.executable, ["mine", "other"], ask) == ("other",)
    with pytest.raises(GuildError, match="cannot be started"):
        missing_modules("/nowhere", ["mine"], ask)
    monkeypatch.setattr("operations.planning.ANSWER_SECONDS", 0.01)
    with pytest.raises(GuildError, match="did not say within"):
        missing_modules(sys.executable, ["mine"], ask)


# --- Names and overriding ---------------------------------------------------------------------------------------------


def test_resources_are_found_by_name_in_models_with_flags_filled_in(world: World) -> None:
    """`RES` in the own model, `MODEL:RES` in another; names and texts may refer to flags."""
    world.write("small.csv", "big.csv")
    shared = ModelDef("common", resources=(ResourceDef("big", (file("${size}.csv"),), target_path="${size}"),))
    own = ModelDef("cnn", resources=(ResourceDef("small", (file("small.csv"),)),))
    op = OperationDef("train", requires=(RequirementDef("small"), RequirementDef("common:${size}")))
    required = required_resources(op, own, (own, shared), {"size": "big"}, project=str(world.project))
    assert [one.name for one in required] == ["small", "common:big"]
    assert [one.resource.target_path for one in required] == ["", "big"]
    assert [one.resource.sources[0].target for one in required] == ["small.csv", "big.csv"]
    assert {"small", "file:small.csv", "small.csv", "big", "common:big", "big.csv"} <= override_names(required)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("smal", r"no resource of that name \(did you mean 'small'\?\)"),
        ("cn:small", r"there is no model 'cn' \(did you mean 'cnn'\?\)"),
        ("package/small", "no package that is installed"),
        ("${no}", "not defined"),
    ],
)
def test_a_name_that_is_not_found_is_told_with_what_it_may_be(world: World, name: str, why: str) -> None:
    """Before anything else is looked at."""
    model = ModelDef("cnn", resources=(ResourceDef("small", (file("small.csv"),)),))
    op = OperationDef("train", requires=(RequirementDef(name),))
    with pytest.raises(GuildError, match=why):
        world.plan(operation=op, model=model)


def test_a_resource_of_a_package_has_paths_of_the_package(world: World) -> None:
    """Whoever knows packages finds it."""
    world.write("p.csv", base=world.elsewhere)
    found = {"pkg/data": (ResourceDef("data", (file("p.csv"),)), str(world.elsewhere))}
    op = OperationDef("train", requires=(RequirementDef("pkg/data"),))
    required = required_resources(op, ModelDef(""), (), {}, project=str(world.project), find_package_resource=found.get)
    assert required[0].folder == str(world.elsewhere)
    with pytest.raises(RequirementError):
        required_resources(op, ModelDef(""), (), {}, project="", find_package_resource=lambda _name: None)


@pytest.mark.parametrize("name", ["raw", "file:data.csv", "data.csv", "data"])
def test_the_user_may_put_another_file_in_place_of_a_source(world: World, name: str) -> None:
    """Relative to where the user is; the run has it under its own name."""
    world.write("data.csv")
    world.write("mine.csv", base=world.elsewhere)
    world.place(file("data.csv", name="raw"), overrides={name: "mine.csv"})
    assert world.found() == {"mine.csv": "mine.csv"}


def test_the_user_may_put_a_file_in_place_of_a_url_and_the_other_way_round(world: World) -> None:
    """So that a run works without a net."""
    world.write("data.csv")
    world.write("mine.csv", base=world.elsewhere)
    remote = SourceDef("url", "https://host.invalid/x.csv", name="raw")
    plan = world.plan(remote, overrides={"raw": "mine.csv"})
    assert (plan.items[0].kind, plan.items[0].origin) == ("file", str(world.elsewhere / "mine.csv"))
    plan = world.plan(file("data.csv"), overrides={"data.csv": "https://host.invalid/x.csv"})
    assert (plan.items[0].kind, plan.items[0].origin) == ("url", "https://host.invalid/x.csv")


@pytest.mark.parametrize(
    ("name", "why"), [("dat", r"not the name .* \(did you mean 'data'\?\)"), ("data", "has 2 sources")]
)
def test_a_word_that_fits_nothing_or_several_sources_is_refused(world: World, name: str, why: str) -> None:
    """With what may be written instead."""
    world.write("one", "two")
    with pytest.raises(DependencyError, match=why):
        world.plan(file("one"), file("two"), overrides={name: "x"})


def test_a_module_cannot_be_replaced(world: World) -> None:
    """There is nothing that could stand for it."""
    with pytest.raises(DependencyError, match="cannot be replaced"):
        world.plan(SourceDef("module", "json"), overrides={"json": "x"})


def test_what_is_recorded_says_where_everything_is_from(world: World) -> None:
    """Run, path or URL, and the digest where it is known; it can be recorded as it is."""
    world.write("data.csv")
    world.add_run("prepare", "m")
    source = config(world)
    digest = hashlib.sha256(b"data.csv").hexdigest()
    remote = SourceDef("url", "https://host.invalid/x.csv", sha256="a" * 64)
    body = world.plan(file("data.csv", sha256=digest), operation("prepare"), source, remote).to_body()
    encode(body)
    assert [(one["source"], one["from"]) for one in body if isinstance(one, dict)] == [
        ("file:data.csv", f"{world.project}/data.csv"),
        ("operation:prepare", RUN_ID),
        ("config:in/c.json", f"{world.project}/in/c.json"),
        ("url:https://host.invalid/x.csv", "https://host.invalid/x.csv"),
    ]
    digests = [one.get("sha256") for one in body if isinstance(one, dict)]
    assert digests[0] == digest
    assert digests[1] is None
    assert digests[2] is not None
    assert digests[3] == "a" * 64


def test_an_operation_that_requires_nothing_has_an_empty_plan(world: World) -> None:
    """And nothing is looked at."""
    assert world.plan() == DependencyPlan()
    assert world.plan().to_body() == []
