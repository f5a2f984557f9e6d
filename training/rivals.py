"""Other methods on the tiles of human-promoter, for the table on its card.

    python training/rivals.py --data PATH/human boosting-10kb boosting-30kb deephistone

Writes human_promoter_rivals.tsv, one row per method and block; methods that are not named keep
their rows. Needs the `train` extra and lightgbm. On one core, boosting takes an hour for the six
blocks and the stretch. DeepHistone takes two hours for the stretch alone and for part of the tiles:
it needs 12 GFLOP per training window, a spectra network a few MFLOP.
"""

from __future__ import annotations

import logging
from argparse import ArgumentParser, RawTextHelpFormatter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from blocks import ALONG, BLOCKS, STRETCH, Block, Trains, aurocs, before, block_of, name_of, outside
from members import LENGTHS
from samples import BIN, MARKS, Places, read_chromosome, read_tiles
from tables import RIVALS
from torch import Tensor, nn

from histpred.core.sequence import BASES
from histpred.encoders.kmer import canonical_counts, count_kmers
from histpred.training.deephistone import DeepHistone, vanilla
from histpred.training.fitting import Losses, fit, reproducible
from histpred.training.settings import Settings

logger = logging.getLogger("rivals")

FIELDS = ("method", "block", "macro_auroc", *MARKS)
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
HALF = 500  # bp on either side that DeepHistone reads
TILES_TRAINED, TILES_SCORED = 24_000, 6_000
ONE_PASS = Settings(epochs=1, batch=32, learning_rate=1e-3, weight_decay=1e-2, seed=22)
BINS_AT_ONCE = 10_000

Predict = Callable[[Places, Places], np.ndarray]
"""(training tiles, held-out tiles) to scores [held-out tiles, marks]"""


def main(arguments: list[str] | None = None) -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder human")
    parser.add_argument("methods", nargs="+", choices=METHODS)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)

    codes = read_chromosome(options.data / "chr22" / "hg19.chr22.fa.gz")
    tiles = read_tiles(options.data / "chr22" / "labels_tiles.tsv.gz")
    for name in options.methods:
        title, make, on_blocks = METHODS[name]
        predict = make(codes)
        rows = [row_of(title, ALONG, tiles, predict, STRETCH, before)]
        if on_blocks:
            rows += [row_of(title, name_of(it), tiles, predict, it, outside) for it in BLOCKS]
            mean = np.mean([float(row["macro_auroc"]) for row in rows[1:]])
            rows.append({"method": title, "block": "mean", "macro_auroc": f"{mean:.4f}"})
        record(title, rows)


def row_of(
    title: str, name: str, tiles: Places, predict: Predict, block: Block, trains: Trains
) -> dict[str, str]:
    held_out = tiles.where(block_of(tiles.position, [block]) == 0)
    scores = predict(tiles.where(trains(tiles.position, block)), held_out)
    known = ~np.isnan(scores).any(axis=1)
    figures = aurocs(held_out.labels[known], scores[known])
    logger.info("%s, %s: macro AUROC %.4f", title, name, np.nanmean(figures))
    row = {"method": title, "block": name, "macro_auroc": f"{np.nanmean(figures):.4f}"}
    return row | {mark: f"{figure:.4f}" for mark, figure in zip(MARKS, figures, strict=True)}


def record(title: str, rows: list[dict[str, str]]) -> None:
    """Replace a method's rows in the table."""
    table = pd.DataFrame(rows, columns=FIELDS)
    if RIVALS.exists():
        known = pd.read_csv(RIVALS, sep="\t", dtype=str, keep_default_na=False)
        table = pd.concat([known[known["method"] != title], table])
    table.to_csv(RIVALS, sep="\t", index=False)


def boosting(codes: np.ndarray, lengths: tuple[int, ...]) -> Predict:
    """Boosting on shares of k-mers in stretches around a tile: a model per mark, graded targets."""
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
        trained, scored = features(training.position), features(held_out.position)
        scores = np.empty(held_out.labels.shape)
        options = {"max_bin": BOOSTING["max_bin"], "verbosity": -1}
        data = lightgbm.Dataset(trained, params=options, free_raw_data=False)
        for mark, target in enumerate(training.targets.T):
            data.set_label(target)
            model = lightgbm.train({**BOOSTING, "seed": mark}, data, TREES)
            scores[:, mark] = model.predict(scored)
        return scores

    return predict


def counted(codes: np.ndarray) -> list[np.ndarray]:
    """Canonical k-mers that lie within each bin, for each k: int32 [bins, k-mers]."""
    text = np.frombuffer(BASES, np.uint8)[codes].tobytes()
    bins = [text[first : first + BIN] for first in range(0, len(text) - BIN + 1, BIN)]
    parts = []
    for first in range(0, len(bins), BINS_AT_ONCE):
        counted = count_kmers(bins[first : first + BINS_AT_ONCE], KS)
        parts.append([canonical_counts(k, counts).astype(np.int32) for k, counts in counted])
    return [np.concatenate(tables) for tables in zip(*parts, strict=True)]


def deephistone(codes: np.ndarray) -> Predict:
    """DeepHistone as published, in one pass over a sample of the tiles with graded targets.

    Tiles that are not in the sample to be scored get NaN.
    """

    def windows(positions: np.ndarray) -> Tensor:
        return torch.from_numpy(codes[positions[:, None] + np.arange(-HALF, HALF)])

    def predict(training: Places, held_out: Places) -> np.ndarray:
        rng = np.random.default_rng(ONE_PASS.seed)
        with reproducible(ONE_PASS.seed):
            network = vanilla(len(MARKS))
            fit(network, one_pass(network, training, windows, rng), ONE_PASS)
        scores = np.full(held_out.labels.shape, np.nan)
        chosen = rng.permutation(len(held_out.position))[:TILES_SCORED]
        with torch.inference_mode():
            for rows in np.array_split(chosen, -(-len(chosen) // ONE_PASS.batch)):
                scores[rows] = network(windows(held_out.position[rows])).numpy()
        return scores

    return predict


def one_pass(
    network: DeepHistone,
    training: Places,
    windows: Callable[[np.ndarray], Tensor],
    rng: np.random.Generator,
) -> Losses:
    """Losses over a sample of the tiles, about half of the batches on the other strand."""
    prevalence = training.targets.mean(axis=0)
    weight = torch.from_numpy(((1 - prevalence) / prevalence) ** 0.5)
    loss_of = nn.BCEWithLogitsLoss(pos_weight=weight)
    steps = TILES_TRAINED // ONE_PASS.batch

    def of_epoch(number: int) -> Iterator[Tensor]:
        order = rng.permutation(len(training.position))[: steps * ONE_PASS.batch]
        for step, rows in enumerate(np.array_split(order, steps)):
            bases = windows(training.position[rows])
            if rng.integers(2):  # the other strand
                bases = torch.where(bases < 4, 3 - bases, bases).flip(1)
            loss = loss_of(network(bases), torch.from_numpy(training.targets[rows]))
            yield loss
            if step % 50 == 0:
                logger.info("DeepHistone: step %d of %d, loss %.4f", step, steps, loss.item())

    return Losses(of_epoch, steps)


# Name in the table, how to make it from the chromosome's codes, and True if it runs on every block,
# False if on the stretch alone.
METHODS: dict[str, tuple[str, Callable[[np.ndarray], Predict], bool]] = {
    "boosting-10kb": (
        "gradient boosting, 1- to 5-mers in nested stretches to 10 kb",
        partial(boosting, lengths=LENGTHS[:-1]),
        True,
    ),
    "boosting-30kb": (
        "gradient boosting, 1- to 5-mers in nested stretches to 30 kb",
        partial(boosting, lengths=LENGTHS),
        True,
    ),
    "deephistone": (
        f"DeepHistone, 1 kb (one pass over {TILES_TRAINED:,} tiles, judged on {TILES_SCORED:,})",
        deephistone,
        False,
    ),
}

if __name__ == "__main__":
    main()
