"""Softmax regression by gradient descent: one weight per species and length, and one more for the bias."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass

from flowers import SPECIES, Flower, find_result, split, stop

RESULT = "softmax.json"


@dataclass(slots=True)
class Model:
    """What training changes, and the seed that says which flowers it has seen."""

    weights: list[list[float]]
    seed: int

    def probabilities(self, flower: Flower) -> list[float]:
        """Return how likely each species is."""
        inputs = (*flower.lengths, 1.0)
        scores = [sum(w * x for w, x in zip(row, inputs, strict=True)) for row in self.weights]
        powers = [math.exp(score - max(scores)) for score in scores]
        return [power / sum(powers) for power in powers]

    def step(self, flowers: list[Flower], lr: float) -> None:
        """Go one step down the gradient of the mean loss."""
        slopes = [[0.0] * len(row) for row in self.weights]
        for flower in flowers:
            for species, probability in enumerate(self.probabilities(flower)):
                error = probability - (species == flower.species)
                for position, x in enumerate((*flower.lengths, 1.0)):
                    slopes[species][position] += error * x / len(flowers)
        for row, slope in zip(self.weights, slopes, strict=True):
            row[:] = [weight - lr * change for weight, change in zip(row, slope, strict=True)]

    def loss(self, flowers: list[Flower]) -> float:
        """Return the mean surprise at the true species; infinite when one was thought impossible."""
        chances = [self.probabilities(flower)[flower.species] for flower in flowers]
        return sum(-math.log(chance) if chance else math.inf for chance in chances) / len(flowers)

    def accuracy(self, flowers: list[Flower]) -> float:
        """Return the share of flowers whose likeliest species is the true one."""
        guesses = [self.probabilities(flower) for flower in flowers]
        right = sum(g.index(max(g)) == f.species for g, f in zip(guesses, flowers, strict=True))
        return right / len(flowers)


def learn(model: Model, epochs: int, lr: float) -> None:
    """Train for `epochs` steps, print the progress ten times and leave the weights behind."""
    flowers, held_out = split(model.seed)
    for step in range(1, epochs + 1):
        model.step(flowers, lr)
        if step % max(1, epochs // 10) == 0:
            print(f"step: {step}")
            report(model, held_out)
    with open(RESULT, "w") as file:
        json.dump({"seed": model.seed, "species": SPECIES, "weights": model.weights}, file, indent=1)


def report(model: Model, flowers: list[Flower]) -> None:
    """Print one line per figure; a loss that is not finite means that training went astray."""
    loss = model.loss(flowers)
    print(f"loss: {loss:.4f}\naccuracy: {model.accuracy(flowers):.4f}", flush=True)
    if not math.isfinite(loss):
        stop("loss is not finite: try a lower lr")


def load(base: str) -> Model:
    """Return the model that an earlier run left behind."""
    saved = json.loads(find_result(base, RESULT).read_text())
    return Model(saved["weights"], saved["seed"])


def main() -> None:
    """Do one of the three operations."""
    parser = argparse.ArgumentParser()
    parser.add_argument("operation", choices=("train", "finetune", "test"))
    parser.add_argument("--base", default="latest")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    model = Model([[0.0] * 5 for _ in SPECIES], args.seed) if args.operation == "train" else load(args.base)
    if args.operation == "test":
        report(model, split(model.seed)[1])
    else:
        learn(model, args.epochs, args.lr)


if __name__ == "__main__":
    main()
