"""Leave one block out: each stretch of the chromosome is scored by models that never saw it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from samples import Places
from sklearn.metrics import roc_auc_score

from histpred.evaluation.bootstrap import draws
from histpred.evaluation.ranking import rank, weighted_figures

Block = tuple[int, int]
"""Start and end in bp"""
Trains = Callable[[np.ndarray, Block], np.ndarray]
"""(positions [n], block) to a mask [n]: the positions that may train for the block"""

BLOCKS = tuple(
    (start * 1_000_000, end * 1_000_000)
    for start, end in ((17, 21), (21, 25), (25, 29), (29, 33), (33, 37), (37, 40))
)
GAP = 200_000  # bp between a block and the nearest training position
STRETCH = (30_000_000, 40_000_000)  # scored by models trained on what lies before it
FEWEST = 10  # positives of a mark in a block; with fewer, the block is left out for the mark
LOCUS = 200_000  # bp that are resampled together for an interval
SAMPLES = 500

ALONG = "30-40 Mb, trained before"


def name_of(block: Block) -> str:
    """Name of a block in tables, such as '17-21 Mb'."""
    return f"{block[0] // 10**6}-{block[1] // 10**6} Mb"


def outside(positions: np.ndarray, block: Block, gap: int = GAP) -> np.ndarray:
    """True where a position lies outside a block and farther than `gap` from it, bool [n]."""
    return (positions < block[0] - gap) | (positions >= block[1] + gap)


def before(positions: np.ndarray, block: Block) -> np.ndarray:
    """True where a position lies before a block, bool [n]."""
    return positions < block[0]


def block_of(positions: np.ndarray, blocks: Sequence[Block]) -> np.ndarray:
    """Number of the block in which each position lies, -1 for none: int [n]."""
    numbers = np.full(len(positions), -1)
    for number, (start, end) in enumerate(blocks):
        numbers[(positions >= start) & (positions < end)] = number
    return numbers


def aurocs(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """AUROC of each mark, NaN if it has too few positives: float [marks]."""
    marks = zip(labels.T, scores.T, strict=True)
    return np.array([roc_auc_score(*mark) if mark[0].sum() >= FEWEST else np.nan for mark in marks])


def by_block(labels: np.ndarray, block: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """AUROC of each block and mark, [blocks, marks]; `block` is that of each row, [n]."""
    rows = [block == number for number in range(block.max() + 1)]
    return np.array([aurocs(labels[row], scores[row]) for row in rows])


def intervals(places: Places, block: np.ndarray, scores: np.ndarray, seed: int) -> np.ndarray:
    """AUROC and AUPRC with 95 % intervals, means over blocks: [marks, 2, 3 (mean, lower, upper)].

    Loci of 200 kb are drawn with replacement within each block.
    """
    marks = places.labels.shape[1]
    figures = np.full((block.max() + 1, marks, 2, 1 + SAMPLES), np.nan)
    for number in range(len(figures)):
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
