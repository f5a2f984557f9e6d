"""Leave blocks out: each stretch of a chromosome is scored by models that never saw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from samples import ENDS, Places
from sklearn.metrics import roc_auc_score

from histpred.evaluation.bootstrap import draws
from histpred.evaluation.ranking import by_locus, drawn_figures, rank

MB = 1_000_000


class Block(NamedTuple):
    """A stretch of a chromosome, in bp."""

    chromosome: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.chromosome} {self.start // MB}-{self.end // MB} Mb"

    def holds(self, positions: np.ndarray, starts: Mapping[str, int], gap: int = 0) -> np.ndarray:
        """True where a position is in the block, or within `gap` bp of it: bool [n].

        starts: where the chromosomes begin.
        """
        first = starts[self.chromosome]
        return (positions >= first + self.start - gap) & (positions < first + self.end + gap)


Fold = tuple[Block, ...]
"""Blocks that are left out together"""

FOLDS: tuple[Fold, ...] = tuple(
    (Block("chr22", *(at * MB for at in one)), Block("chr20", *(at * MB for at in other)))
    for one, other in (
        ((17, 25), (0, 12)),
        ((25, 31), (12, 23)),
        ((31, 36), (23, 34)),
        ((36, 40), (34, 45)),
    )
)
WAYS: tuple[Fold, ...] = tuple((Block(name, 0, end),) for name, end in ENDS.items())
"""Each chromosome, scored by models of the other"""
GAP = 200_000  # bp between a block and the nearest training position
FEWEST = 10  # positives of a mark in a block; with fewer, the block is left out for the mark
LOCUS = 200_000  # bp that are resampled together for an interval
SAMPLES = 500


def outside(
    positions: np.ndarray, fold: Fold, starts: Mapping[str, int], gap: int = GAP
) -> np.ndarray:
    """True where a position is in no block of a fold and farther than `gap` from each: bool [n]."""
    inside = [block.holds(positions, starts, gap) for block in fold]
    return ~np.logical_or.reduce(inside)


def block_of(
    positions: np.ndarray, blocks: Sequence[Block], starts: Mapping[str, int]
) -> np.ndarray:
    """Number of the block in which each position lies, -1 for none: int [n]."""
    numbers = np.full(len(positions), -1)
    for number, block in enumerate(blocks):
        numbers[block.holds(positions, starts)] = number
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
        names, loci = np.unique(places.position[rows] // LOCUS, return_inverse=True)
        drawn = draws(len(names), SAMPLES, seed + number, SAMPLES)
        weights = np.concatenate([np.ones((1, len(names))), *drawn])
        for mark in range(marks):
            truth = places.labels[rows, mark].astype(float)
            if truth.sum() >= FEWEST:
                ranking = rank(truth, scores[rows, mark], np.arange(len(truth)))
                found = drawn_figures(by_locus(ranking, loci), weights)
                figures[number, mark] = found[:, :2].T
    means = np.nanmean(figures, axis=0)
    ends = np.nanquantile(means[..., 1:], [0.025, 0.975], axis=-1)
    return np.stack([means[..., 0], *ends], axis=-1)
