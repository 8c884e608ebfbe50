"""Pictures of the full-screen table for the documentation, of real runs of the example: see `tests.make_pictures`."""

from __future__ import annotations

import re
import shutil
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cli_kit import ROOT, Guild, wait_until
from tests.compare_screen_kit import driven

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.compare_screen_kit import Driven

PICTURES = ROOT / "docs" / "pictures"
RUNS = (
    ("iris-knn:train", "k=[1,5,15]", "seed=[1,2]"),
    ("iris-softmax:train", "epochs=150", "lr=[0.02,0.05,0.1,0.2]", "seed=[1,2]"),
)
_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def example(folder: Path) -> Guild:
    """Return the example with some runs, in a folder of its own."""
    project = folder / "iris"
    shutil.copytree(ROOT / "examples" / "iris", project)
    guild = Guild(folder / "home", project)
    assert guild("run", "iris-softmax:train", "lr=100", "-y").code == 1
    for words in RUNS:
        guild.ok("run", *words, "-y")
    return guild


@contextmanager
def running(guild: Guild) -> Iterator[None]:
    """Keep a run running."""
    process = guild.start("run", "iris-softmax:train", "epochs=100000", "-y")
    try:
        wait_until(lambda: len(guild.ids("--running")) == 1)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate()


async def look_at_table(at: Driven) -> None:
    """Sort by accuracy, the highest first, mark the best and select some."""
    at.app.grid.to_column(at.headers().index("accuracy"))
    await at.press("s", "s", "m")
    await at.type("l", "candidate", "enter")
    await at.press("space", "space", "down", "space")
    save(at, "compare")


async def look_at_plot(at: Driven) -> None:
    """Draw the loss of the runs with one seed."""
    await at.type("f", "op contains softmax and seed = 1 and loss < 5", "enter")
    at.app.grid.to_column(at.headers().index("loss"))
    await at.press("a", "p")
    save(at, "compare-plot")


def save(at: Driven, name: str) -> None:
    """Write what is on the screen as a picture, which asks no other host for a font."""
    PICTURES.mkdir(exist_ok=True)
    picture = _FONT.sub("", at.app.export_screenshot(title="guild compare")).replace("Fira Code", "ui-monospace")
    (PICTURES / f"{name}.svg").write_text(picture, encoding="utf-8")


def make(folder: Path) -> Iterator[str]:
    """Make all pictures and yield their names."""
    guild = example(folder)
    with running(guild):
        for name, look, size in (("compare", look_at_table, (130, 20)), ("compare-plot", look_at_plot, (104, 24))):
            driven(guild.home, look, size=size, cwd=str(guild.cwd))
            yield name
