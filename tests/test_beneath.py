"""Opening what lies below a folder: nothing leads out of it, not even what is exchanged between two steps."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from artifacts.beneath import folder_below, open_below
from artifacts.run_files import RunFilesError


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Give a folder with files, beside a secret."""
    folder = tmp_path / "run"
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "sub" / "deep" / "file").write_text("inside")
    (folder / ".guild").mkdir()
    (folder / ".guild" / "output").write_text("printed")
    (tmp_path / "secret").write_text("outside")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_text("outside")
    return folder


def read(folder: Path, path: str, *, own: bool = False) -> str:
    """Return what a file below a folder holds."""
    descriptor = open_below(str(folder), path, own=own)
    try:
        return os.read(descriptor, 100).decode()
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("sub/deep/file", "inside"),
        ("./sub//deep/../deep/file", "inside"),
        ("{run}/sub/deep/file", "inside"),
        ("../run/sub/deep/file", None),
        ("../secret", None),
        ("{run}/../secret", None),
        ("{run}extra", None),
        ("link", None),
        (".guild/output", None),
        ("sub/deep", None),
        ("gone", None),
    ],
)
def test_links_are_followed_inside_only(run: Path, target: str, found: str | None) -> None:
    """Relative or absolute, in one step or many; those that lead out, in a circle or nowhere are refused."""
    (run.parent / "runextra").write_text("outside")
    (run / "link").symlink_to(target.format(run=run))
    (run / "chain").symlink_to("sub/../link")
    for name in ("link", "chain"):
        if found is not None:
            assert read(run, name) == found
        else:
            with pytest.raises(RunFilesError):
                read(run, name)


def test_guilds_own_folder_is_opened_for_guild_alone(run: Path) -> None:
    """Only who says so reaches it, and only at the top is it special."""
    assert read(run, ".guild/output", own=True) == "printed"
    (run / "sub" / ".guild").mkdir()
    (run / "sub" / ".guild" / "x").write_text("inside")
    assert read(run, "sub/.guild/x") == "inside"
    with pytest.raises(RunFilesError), folder_below(str(run), ".guild"):
        pass
    with folder_below(str(run), "sub") as descriptor:
        assert sorted(os.listdir(descriptor)) == [".guild", "deep"]


@pytest.mark.parametrize("name", ["deep", "file"])
def test_what_is_exchanged_for_a_link_between_two_steps_is_not_followed(
    run: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A run that goes on may put a link in place of a folder or file just after it was looked at."""
    stat: Callable[..., os.stat_result] = os.stat

    def looked(path: str, **options: int) -> os.stat_result:
        found = stat(path, **options)
        if path == name:
            place = run / "sub" / "deep" / ("" if name == "deep" else "file")
            place.rename(run / "aside")
            place.symlink_to(run.parent / ("deep" if name == "deep" else "secret"))
        return found

    monkeypatch.setattr(os, "stat", looked)
    with pytest.raises(RunFilesError):
        read(run, "sub/deep/file")


def test_a_folder_that_is_moved_out_while_it_is_walked_does_not_take_the_walk_along(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`..` in a link is the folder that the walk came from, wherever the folder lies by then."""
    (run / "sub" / "deep" / "up").symlink_to("../../../secret")
    (run / "sub" / "deep" / "in").symlink_to("../deep/file")
    readlink = os.readlink

    def moved(path: str, **options: int) -> str:
        target = readlink(path, **options)
        (run / "sub" / "deep").rename(run.parent / "elsewhere")
        (run / "sub" / "deep").mkdir()
        (run / "sub" / "deep" / "file").write_text("new")
        return target

    with pytest.raises(RunFilesError, match="leads out"):
        read(run, "sub/deep/up")
    monkeypatch.setattr(os, "readlink", moved)
    assert read(run, "sub/deep/in") == "new"


def test_nothing_stays_open(run: Path) -> None:
    """Neither what was opened on the way nor what was refused."""
    gc.collect()  # or what an earlier test left could be closed meanwhile
    before = len(os.listdir("/dev/fd"))
    (run / "out").symlink_to("sub/../../secret")
    os.mkfifo(run / "pipe")
    for path in ("sub/deep/file", "out", "pipe", "sub/deep", "sub/gone", "../x", "a\0"):
        try:
            os.close(open_below(str(run), path))
        except RunFilesError:
            continue
    assert len(os.listdir("/dev/fd")) == before
