"""Time of one epoch of the marker-conditioned perceptron, against the straightforward way.

    python benchmarks/training.py [--rows 400] [--marks 50] [--dimension 768] [--device cpu]
                                  [--precision auto]

The straightforward way takes the paper's text literally: each pair of row and mark is one vector,
embedding and one-hot mark joined, in shuffled batches of the same number of pairs. histpred
computes the embedding's part of the first layer once per row. Both train the same network (the
paper's five hidden layers) with the same loop on random numbers. Needs the `train` extra.
"""

from __future__ import annotations

import argparse
import resource
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from clocks import clock

from histpred.encoders.devices import choose_training_precision
from histpred.training.fitting import Losses, Rows, fit, reproducible, row_losses
from histpred.training.losses import weighted_bce
from histpred.training.perceptron import MarkNetwork
from histpred.training.settings import Settings

ONE_EPOCH = Settings(epochs=1)
BATCH = ONE_EPOCH.batch
REPEATS = 3


class Epochs(NamedTuple):
    """Seconds of an epoch of each way to train, and the size of the work."""

    seconds: dict[str, float]
    pairs: int
    parameters: int

    @property
    def speed(self) -> float:
        """FLOP/s of the straightforward way."""
        return 6 * self.parameters * self.pairs / self.seconds["pair by pair"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--marks", type=int, default=50)
    parser.add_argument("--dimension", type=int, default=768)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    sizes = options.rows, options.marks, options.dimension
    epochs = measure(*sizes, options.device, options.precision)
    for name, seconds in epochs.seconds.items():
        print(f"{name}: {seconds:.1f} s an epoch, {epochs.pairs / seconds:,.0f} pairs/s")
    print(f"ratio {epochs.seconds['pair by pair'] / epochs.seconds['histpred']:.2f}")
    print(f"{epochs.speed / 1e9:,.0f} GFLOP/s pair by pair")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


def measure(count: int, marks: int, dimension: int, device: str, precision: str = "auto") -> Epochs:
    """Train for an epoch of `count` random rows each way, and take the fastest of REPEATS."""
    chosen = choose_training_precision(torch.device(device), precision)
    rng = np.random.default_rng(0)
    inputs = torch.from_numpy(rng.normal(size=(count, dimension)).astype(np.float32))
    targets = torch.from_numpy((rng.random((count, marks)) < 0.3).astype(np.float32))
    arrays = inputs, targets, torch.ones_like(targets), torch.arange(count)
    rows = Rows(*(array.to(device) for array in arrays))
    few = Rows(*(part[:BATCH] for part in rows))

    def network() -> MarkNetwork:
        with reproducible(0):
            return MarkNetwork(dimension, marks).to(device)

    ways: dict[str, Callable[[MarkNetwork], None]] = {
        "histpred": lambda network: row_by_row(network, rows, few, chosen),
        "pair by pair": lambda network: pair_by_pair(network, rows),
    }
    for way in ways.values():  # the first run of each is slower
        way(network())
    seconds = {
        name: min(clock(way, network(), device=device) for _ in range(REPEATS))
        for name, way in ways.items()
    }
    parameters = sum(p.numel() for p in network().parameters() if p.requires_grad)
    return Epochs(seconds, count * marks, parameters)


def row_by_row(network: MarkNetwork, rows: Rows, validation: Rows, precision: str) -> None:
    """Train for one epoch as `histpred train` does."""
    losses = row_losses(network, rows, validation, weighted_bce, ONE_EPOCH, precision)
    fit(network, losses, ONE_EPOCH)


def pair_by_pair(network: MarkNetwork, rows: Rows) -> None:
    """Train for one epoch over shuffled pairs, BATCH x marks per batch."""
    marks = rows.targets.shape[1]
    batches = torch.randperm(rows.targets.numel()).to(rows.inputs.device).split(BATCH * marks)

    def of_epoch(number: int) -> Iterator[torch.Tensor]:
        for chosen in batches:
            row, mark = chosen // marks, chosen % marks
            logits = network.pairs(rows.inputs[row], mark)
            yield weighted_bce(logits, rows.targets[row, mark], rows.weights[row, mark])

    fit(network, Losses(of_epoch, len(batches)), ONE_EPOCH)


if __name__ == "__main__":
    main()
