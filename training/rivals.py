"""Other methods on the rows of human-promoter, for the table on its card.

    python training/rivals.py --data PATH/human boosting-10kb boosting-30kb deephistone

Writes human_promoter_rivals.tsv, a row a method and block; methods that are not named keep their
rows. Needs the `train` extra and lightgbm. On one core, boosting takes an hour for the six blocks
and the stretch, DeepHistone two for the stretch alone, and that on part of the tiles: it costs
12 GFLOP a training window, a spectra network a few MFLOP.
"""

from __future__ import annotations

import argparse
import csv
import logging
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from blocks import ALONG, BLOCKS, STRETCH, aurocs, before, block_of, name_of, outside
from samples import BIN, MARKS, Places, read_chromosome, read_tiles
from torch.nn import functional

from histpred.core.sequence import reverse_complement
from histpred.training.deephistone import vanilla

logger = logging.getLogger("rivals")

RIVALS = Path(__file__).with_name("human_promoter_rivals.tsv")
FIELDS = ("method", "block", "macro_auroc", *MARKS)
SEED = 22
KS = (1, 2, 3, 4, 5)
TREES = 250
BOOSTING = {
    "objective": "cross_entropy",
    "num_leaves": 15,
    "learning_rate": 0.05,
    "feature_fraction": 0.1,
    "bagging_fraction": 0.5,
    "bagging_freq": 1,
    "min_data_in_leaf": 50,
    "max_bin": 63,
    "num_threads": 1,
    "verbosity": -1,
}
HALF = 500  # bp either side that DeepHistone reads
TILES_TRAINED, TILES_JUDGED = 24_000, 6_000
BATCH = 32
LEARNING_RATE = 1e-3

Predict = Callable[[Places, Places], np.ndarray]
"""(training tiles, held-out tiles) to scores [held-out tiles, marks]"""


class Method(NamedTuple):
    """As the table names it, how to make it from the chromosome's codes, and whether it is run on
    every block or on the stretch alone.
    """

    title: str
    make: Callable[[np.ndarray], Predict]
    blocks: bool


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder human")
    parser.add_argument("methods", nargs="+", choices=METHODS)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)

    codes = read_chromosome(options.data / "chr22" / "hg19.chr22.fa.gz")
    tiles = read_tiles(options.data / "chr22" / "labels_tiles.tsv.gz")
    for name in options.methods:
        title, make, blocks = METHODS[name]
        predict = make(codes)
        rows = [judged(title, ALONG, tiles, predict, STRETCH, before)]
        if blocks:
            rows += [
                judged(title, name_of(block), tiles, predict, block, outside) for block in BLOCKS
            ]
            mean = np.mean([float(row["macro_auroc"]) for row in rows[1:]])
            rows.append({"method": title, "block": "mean", "macro_auroc": f"{mean:.4f}"})
        record(title, rows)


def judged(
    title: str,
    name: str,
    tiles: Places,
    predict: Predict,
    block: tuple[int, int],
    trains: Callable[[np.ndarray, tuple[int, int]], np.ndarray],
) -> dict[str, str]:
    """A row of the table."""
    held_out = tiles.where(block_of(tiles.position, [block]) == 0)
    scores = predict(tiles.where(trains(tiles.position, block)), held_out)
    known = ~np.isnan(scores).any(axis=1)
    figures = aurocs(held_out.labels[known], scores[known])
    logger.info("%s, %s: macro AUROC %.4f", title, name, np.nanmean(figures))
    row = {"method": title, "block": name, "macro_auroc": f"{np.nanmean(figures):.4f}"}
    return row | {mark: f"{figure:.4f}" for mark, figure in zip(MARKS, figures, strict=True)}


def record(title: str, rows: list[dict[str, str]]) -> None:
    """Put a method's rows into the table, in place of those it had."""
    kept = []
    if RIVALS.exists():
        with open(RIVALS, newline="") as lines:
            kept = [row for row in csv.DictReader(lines, delimiter="\t") if row["method"] != title]
    with open(RIVALS, "w", newline="") as lines:
        writer = csv.DictWriter(lines, FIELDS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, *rows])


def boosting(codes: np.ndarray, lengths: tuple[int, ...]) -> Predict:
    """Gradient boosting on shares of canonical k-mers in nested stretches around a tile, one model
    a mark, on the graded target."""
    import lightgbm

    sums = [np.concatenate([[counts[0] * 0], counts.cumsum(axis=0)]) for counts in counted(codes)]

    def features(positions: np.ndarray) -> np.ndarray:
        columns = []
        for total in sums:
            for length in lengths:
                first = (positions - length // 2) // BIN
                inside = total[first + length // BIN] - total[first]
                columns.append(inside / np.maximum(inside.sum(axis=1, keepdims=True), 1))
        return np.hstack(columns, dtype=np.float32)

    def predict(training: Places, held_out: Places) -> np.ndarray:
        taken, judged = features(training.position), features(held_out.position)
        scores = np.empty(held_out.labels.shape)
        options = {"max_bin": BOOSTING["max_bin"], "verbosity": -1}
        data = lightgbm.Dataset(taken, params=options, free_raw_data=False)
        for mark, target in enumerate(training.targets.T):
            data.set_label(target)
            model = lightgbm.train({**BOOSTING, "seed": mark}, data, TREES)
            scores[:, mark] = model.predict(judged)
        return scores

    return predict


def counted(codes: np.ndarray) -> list[np.ndarray]:
    """Canonical k-mers that lie within each bin, for each k: int32 [bins, k-mers]."""
    rows = codes[: len(codes) // BIN * BIN].reshape(-1, BIN).astype(np.int32)
    tables = []
    for k in KS:
        names = [bytes(word) for word in product(b"ACGT", repeat=k)]
        smallest = [min(name, reverse_complement(name)) for name in names]
        numbers = {name: i for i, name in enumerate(sorted(set(smallest)))}
        column_of = np.array([numbers[name] for name in smallest])
        last = BIN - k + 1
        number, known = np.zeros((len(rows), last), np.int32), np.ones((len(rows), last), bool)
        for i in range(k):
            number = number * 4 + rows[:, i : i + last]
            known &= rows[:, i : i + last] < 4
        width = len(numbers)
        row = np.nonzero(known)[0]
        places = row * width + column_of[number[known]]
        table = np.bincount(places, minlength=len(rows) * width).reshape(-1, width)
        tables.append(table.astype(np.int32))
    return tables


def deephistone(codes: np.ndarray) -> Predict:
    """DeepHistone as published, on 1,000 bp around a tile: one pass over a sample of the tiles, as
    all eight marks' graded targets; NaN for tiles that are not in the sample to judge."""

    def windows(positions: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(codes[positions[:, None] + np.arange(-HALF, HALF)])

    def predict(training: Places, held_out: Places) -> np.ndarray:
        torch.manual_seed(SEED)
        rng = np.random.default_rng(SEED)
        network = vanilla(len(MARKS))
        prevalence = training.targets.mean(axis=0)
        weight = torch.from_numpy(((1 - prevalence) / prevalence) ** 0.5)
        steps = TILES_TRAINED // BATCH
        optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
        order = rng.permutation(len(training.position))[: steps * BATCH]
        for step, rows in enumerate(np.array_split(order, steps)):
            bases = windows(training.position[rows])
            if rng.integers(2):  # the other strand
                bases = torch.where(bases < 4, 3 - bases, bases).flip(1)
            loss = functional.binary_cross_entropy_with_logits(
                network(bases), torch.from_numpy(training.targets[rows]), pos_weight=weight
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            if step % 50 == 0:
                logger.info("DeepHistone: step %d of %d, loss %.4f", step, steps, loss.item())
        network.eval()
        scores = np.full(held_out.labels.shape, np.nan)
        judged = rng.permutation(len(held_out.position))[:TILES_JUDGED]
        with torch.inference_mode():
            for rows in np.array_split(judged, -(-len(judged) // BATCH)):
                scores[rows] = network(windows(held_out.position[rows])).numpy()
        return scores

    return predict


LENGTHS = (200, 600, 1_000, 2_200, 4_200, 10_200, 30_200)
METHODS = {
    "boosting-10kb": Method(
        "gradient boosting, 1- to 5-mers in nested stretches to 10 kb",
        lambda codes: boosting(codes, LENGTHS[:-1]),
        blocks=True,
    ),
    "boosting-30kb": Method(
        "gradient boosting, 1- to 5-mers in nested stretches to 30 kb",
        lambda codes: boosting(codes, LENGTHS),
        blocks=True,
    ),
    "deephistone": Method(
        f"DeepHistone, 1 kb (one pass over {TILES_TRAINED:,} tiles, judged on {TILES_JUDGED:,})",
        deephistone,
        blocks=False,
    ),
}

if __name__ == "__main__":
    main()
