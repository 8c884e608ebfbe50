"""Fisher's 150 irises as rows of numbers, and where earlier runs left what they learned."""

from __future__ import annotations

import csv
import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

SPECIES = ("setosa", "versicolor", "virginica")
HELD_OUT = 30


@dataclass(frozen=True, slots=True)
class Flower:
    """Four lengths in centimetres and the species, as a position in SPECIES."""

    lengths: tuple[float, ...]
    species: int


def split(seed: int) -> tuple[list[Flower], list[Flower]]:
    """Return 120 flowers to learn from and 30 held out to test on; the same ones for the same seed."""
    here = os.environ.get("MODEL_DIR") or os.path.dirname(__file__)
    with open(os.path.join(here, "iris.csv"), newline="") as file:
        flowers = [
            Flower(tuple(float(cell) for cell in cells), SPECIES.index(species))
            for *cells, species in list(csv.reader(file))[1:]
        ]
    random.Random(seed).shuffle(flowers)
    return flowers[HELD_OUT:], flowers[:HELD_OUT]


def find_result(base: str, file_name: str) -> Path:
    """Return the file that `base` means: a file, a run directory, a run id or its beginning, or `latest`."""
    if os.path.isfile(base):
        return Path(base)
    runs = Path(os.environ.get("GUILD_HOME", ""), "runs")
    if os.path.isdir(base):
        found = list(Path(base).glob(file_name))
    else:
        found = list(runs.glob(f"*/{file_name}" if base == "latest" else f"{base}*/{file_name}"))
    if not found:
        stop(f"no run with a file {file_name} matches '{base}' (looked in {runs})")
    if base != "latest" and len(found) > 1:
        stop(f"several runs begin with '{base}': write more of the id")
    return max(found, key=os.path.getmtime)


def stop(reason: str) -> NoReturn:
    """End the run as failed."""
    sys.exit(f"error: {reason}")
