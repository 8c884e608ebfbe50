"""The pictures of the documentation, made anew: `python -m tests.make_pictures`, or with the names of some of them.

Real runs of `examples/iris` in a home that is thrown away, shown by the real program. Each picture has a function that
is given the command in the project; a new one is added to PICTURES. Nobody else's machine has the same typefaces: with
`fonts-inter` and `fonts-jetbrains-mono` installed the pages look as they are meant to.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests import compare_pictures
from tests.browser_kit import Sight, running_browser, seen
from tests.cli_kit import ROOT, Guild, wait_until
from tests.view_kit import serving

FOLDER = compare_pictures.PICTURES
MOST_BYTES = 200_000
"""A page of the documentation is loaded by people on trains."""

_SHARP, _PLAIN = 1.25, 1.0
"""Pixels of a picture for each of the page's; a page full of slanting lines would be too large."""


def view_run(guild: Guild) -> None:
    """The page of a run, with its charts."""
    run = guild.ids("-F", "epochs = 300 and lr = 0.1")[0]
    with _page(guild, f"#/run/{run}") as sight:
        sight.page.wait_for_selector(".plot canvas")
        _shot(sight, "view-run")


def view_compare(guild: Guild) -> None:
    """Runs beside each other."""
    with _page(guild, f"#/compare?{urlencode(_COMPARED, doseq=True)}", height=900, sharp=_PLAIN) as sight:
        sight.page.wait_for_selector(".plot canvas")
        wait_until(lambda: not sight.text(".chart h2 .muted"))  # how many of the runs are still to be drawn
        _shot(sight, "view-compare")


def view_list(guild: Guild) -> None:
    """The list, with a run that goes on and two that are chosen."""
    with _going_on(guild), _page(guild, height=590) as sight:
        sight.says(".grid-row .state", "running")
        for key in "jjjxjx":
            sight.page.keyboard.press(key)
        _shot(sight, "view-list")


_COMPARED = {
    "op": "softmax:train", "filter": "lr < 0.5", "colour": "flag:lr", "log": "1", "x": "flag:lr", "y": "scalar:loss",
    "axes": ["flag:epochs", "flag:lr", "flag:seed", "scalar:accuracy", "scalar:loss"],
}  # fmt: skip

PICTURES: dict[str, Callable[[Guild], None]] = {"run": view_run, "compare": view_compare, "list": view_list}


@contextmanager
def _page(guild: Guild, place: str = "", height: int = 680, sharp: float = _SHARP) -> Iterator[Sight]:
    options: dict[str, Any] = {"viewport": {"width": 1240, "height": height}, "device_scale_factor": sharp}
    with running_browser() as browser, serving(guild) as server, seen(browser, server, place, **options) as sight:
        yield sight


def _shot(sight: Sight, name: str) -> None:
    sight.page.mouse.move(0, 0)
    sight.page.wait_for_timeout(1_000)  # until what appears softly has appeared
    taken = sight.page.screenshot(path=FOLDER / f"{name}.png")
    assert len(taken) < MOST_BYTES, f"{name}.png has {len(taken)} bytes"


@contextmanager
def _going_on(guild: Guild) -> Iterator[None]:
    """Give a time in which a run goes on."""
    process = guild.start("run", "softmax:train", "lr=0.2", "epochs=4000", "-l", "a long one", "-y")
    try:
        wait_until(lambda: guild.json("runs", "list", "-R"))
        yield
    finally:
        process.terminate()
        process.communicate()


def _runs(folder: Path) -> Guild:
    """Return the command in a copy of the example, with real runs of it."""
    project = shutil.copytree(ROOT / "examples" / "iris", folder / "iris")
    guild = Guild(folder / "home", Path(project))
    guild.ok("run", "knn:train", "k=[1,3,5,9]", "-y")
    guild.ok("run", "softmax:train", "lr=[0.01,0.03,0.1,0.3,1]", "epochs=[100,300]", "seed=[1,2]", "-j", "2", "-y")
    assert guild("run", "softmax:train", "lr=25", "epochs=60", "-y").code != 0
    guild.ok("run", "softmax:test", "base=latest", "-y")
    guild.ok("label", ":", "too far", "-F", "lr = 25", "-y")
    guild.ok("label", ":", "nearest neighbours", "-o", "knn:train", "-F", "k = 5", "-y")
    guild.ok("label", ":", "slow and sure", "-F", "lr = 0.03 and epochs = 300 and seed = 1", "-y")
    guild.ok("tag", ":", "--add", "baseline", "-o", "knn", "-y")
    guild.ok("tag", ":", "--add", "paper", "-F", "lr = 0.1 and epochs = 300", "-y")
    guild.ok("mark", ":", "-F", "lr = 0.1 and epochs = 300 and seed = 1", "-y")
    return guild


def main(names: list[str]) -> None:
    """Make the pictures with these names; all of them without any."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="guild-") as folder:
        guild = _runs(Path(folder))
        for name in names or PICTURES:
            PICTURES[name](guild)
            print(f"made {name}")
        if not names:
            for name in compare_pictures.make(Path(folder, "compare")):
                print(f"made {name}")


if __name__ == "__main__":
    main(sys.argv[1:])
