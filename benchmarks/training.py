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
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

from histpred.encoders.devices import choose_training_precision
from histpred.training.fitting import Losses, Rows, fit, reproducible, row_losses
from histpred.training.losses import weighted_bce
from histpred.training.perceptron import MarkNetwork
from histpred.training.settings import Settings

ONE_EPOCH = Settings(epochs=1)
BATCH = ONE_EPOCH.batch
REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--marks", type=int, default=50)
    parser.add_argument("--dimension", type=int, default=768)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    device = torch.device(options.device)
    precision = choose_training_precision(device, options.precision)
    rng = np.random.default_rng(0)
    inputs = torch.from_numpy(rng.normal(size=(options.rows, options.dimension)).astype(np.float32))
    targets = torch.from_numpy((rng.random((options.rows, options.marks)) < 0.3).astype(np.float32))
    arrays = inputs, targets, torch.ones_like(targets), torch.arange(options.rows)
    rows = Rows(*(array.to(device) for array in arrays))
    few = Rows(*(part[:BATCH] for part in rows))

    def network() -> MarkNetwork:
        with reproducible(0):
            return MarkNetwork(options.dimension, options.marks).to(device)

    ways = {
        "histpred": lambda: row_by_row(network(), rows, few, precision),
        "pair by pair": lambda: pair_by_pair(network(), rows),
    }
    for run in ways.values():  # the first run of each is slower
        run()
    times = {name: min(timed(run) for _ in range(REPEATS)) for name, run in ways.items()}
    pairs = options.rows * options.marks
    for name, seconds in times.items():
        print(f"{name}: {seconds:.1f} s an epoch, {pairs / seconds:,.0f} pairs/s")
    print(f"ratio {times['pair by pair'] / times['histpred']:.2f}")
    parameters = sum(p.numel() for p in network().parameters() if p.requires_grad)
    print(f"{6 * parameters * pairs / times['pair by pair'] / 1e9:,.0f} GFLOP/s pair by pair")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


def timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


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
