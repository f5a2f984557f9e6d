"""Leave-one-block-out: every stretch of the chromosome judged by what never saw it or its ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from samples import Places
from sklearn.metrics import roc_auc_score

from histpred.evaluation.bootstrap import draws
from histpred.evaluation.ranking import rank, weighted_figures

BLOCKS = tuple(
    (start * 1_000_000, end * 1_000_000)
    for start, end in ((17, 21), (21, 25), (25, 29), (29, 33), (33, 37), (37, 40))
)
GAP = 200_000  # bp between a block and the nearest place that trains
STRETCH = (30_000_000, 40_000_000)  # that what was trained before it is judged on
FEWEST = 10  # positives of a block, below which its mark is left out
LOCUS = 200_000  # bp that are drawn together for an interval
SAMPLES = 500

ALONG = "30-40 Mb, trained before"


def name_of(block: tuple[int, int]) -> str:
    """A block as tables name it.

    >>> name_of((17_000_000, 21_000_000))
    '17-21 Mb'
    """
    return f"{block[0] // 10**6}-{block[1] // 10**6} Mb"


def outside(positions: np.ndarray, block: tuple[int, int]) -> np.ndarray:
    """Which positions may train for a block, a mask [n]."""
    start, end = block
    return (positions < start - GAP) | (positions >= end + GAP)


def before(positions: np.ndarray, block: tuple[int, int]) -> np.ndarray:
    """Which positions lie before a block, a mask [n]."""
    return positions < block[0]


def block_of(positions: np.ndarray, blocks: Sequence[tuple[int, int]]) -> np.ndarray:
    """The number of the block that each position lies in, -1 for none: int [n]."""
    numbers = np.full(len(positions), -1)
    for number, (start, end) in enumerate(blocks):
        numbers[(positions >= start) & (positions < end)] = number
    return numbers


def aurocs(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """AUROC of each mark, NaN where there are too few positives: float [marks]."""
    return np.array(
        [
            roc_auc_score(truth, score) if truth.sum() >= FEWEST else np.nan
            for truth, score in zip(labels.T, scores.T, strict=True)
        ]
    )


def by_block(labels: np.ndarray, block: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """AUROC of each block and mark, [blocks, marks], of labels and scores [n, marks] and the block
    of each row [n].
    """
    rows = [block == number for number in range(len(BLOCKS))]
    return np.array([aurocs(labels[row], scores[row]) for row in rows])


def intervals(places: Places, block: np.ndarray, scores: np.ndarray, seed: int) -> np.ndarray:
    """Each mark's AUROC and AUPRC, as means over blocks, with their 95 % bootstrap intervals:
    [marks, 2 (AUROC, AUPRC), 3 (mean, lower, upper)].

    Loci of 200 kb are drawn with replacement within each block.
    """
    marks = places.labels.shape[1]
    figures = np.full((len(BLOCKS), marks, 2, 1 + SAMPLES), np.nan)
    for number in range(len(BLOCKS)):
        rows = block == number
        loci = places.position[rows] // LOCUS
        drawn = draws(loci, SAMPLES, seed + number, SAMPLES)
        weights = np.concatenate([np.ones((1, rows.sum())), *drawn])
        for mark in range(marks):
            truth = places.labels[rows, mark].astype(float)
            if truth.sum() >= FEWEST:
                ranking = rank(truth, scores[rows, mark], np.arange(len(truth)))
                figures[number, mark] = weighted_figures(ranking, weights)[:, :2].T
    means = np.nanmean(figures, axis=0)
    ends = np.nanquantile(means[..., 1:], [0.025, 0.975], axis=-1)
    return np.stack([means[..., 0], *ends], axis=-1)
