"""Nearest neighbours: a flower is of the species that most of the k flowers most like it are of."""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter

from flowers import SPECIES, Flower, find_result, split, stop

RESULT = "knn.json"


def guess(flower: Flower, known: list[Flower], k: int) -> int:
    """Return the species that the k nearest of the known flowers vote for."""
    nearest = sorted(known, key=lambda other: math.dist(flower.lengths, other.lengths))[:k]
    return Counter(other.species for other in nearest).most_common(1)[0][0]


def train(k: int, seed: int) -> None:
    """Keep the flowers to learn from, which is all that this model needs, and print how well they do."""
    known, held_out = split(seed)
    if not 1 <= k <= len(known):
        stop(f"k is {k}, but the flowers that can vote are {len(known)}")
    print(f"k: {k}\naccuracy: {share_right(held_out, known, k):.4f}")
    rows = [[*flower.lengths, SPECIES[flower.species]] for flower in known]
    with open(RESULT, "w") as file:
        json.dump({"k": k, "seed": seed, "rows": rows}, file, indent=1)


def test(base: str) -> None:
    """Print how well an earlier run does, overall and for each species."""
    saved = json.loads(find_result(base, RESULT).read_text())
    known = [Flower(tuple(lengths), SPECIES.index(species)) for *lengths, species in saved["rows"]]
    _, held_out = split(saved["seed"])
    print(f"accuracy: {share_right(held_out, known, saved['k']):.4f}")
    for position, name in enumerate(SPECIES):
        flowers = [flower for flower in held_out if flower.species == position]
        print(f"accuracy_{name}: {share_right(flowers, known, saved['k']):.4f}")


def share_right(flowers: list[Flower], known: list[Flower], k: int) -> float:
    """Return the share of flowers that are guessed right."""
    return sum(guess(flower, known, k) == flower.species for flower in flowers) / len(flowers)


def main() -> None:
    """Do one of the two operations."""
    parser = argparse.ArgumentParser()
    parser.add_argument("operation", choices=("train", "test"))
    parser.add_argument("--base", default="latest")
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.operation == "train":
        train(args.k, args.seed)
    else:
        test(args.base)


if __name__ == "__main__":
    main()
