"""95 % percentile intervals of figures, from a bootstrap over loci with all their windows.

Loci are drawn with replacement: windows that overlap are no independent evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
import pandas
from scipy.sparse import csr_array

from histpred.evaluation.metrics import COLUMNS, macro_average
from histpred.evaluation.ranking import by_locus, drawn_figures, rankings
from histpred.evaluation.result import MACRO, MICRO

CELLS = 1 << 20  # of resampled sums that are worked on at once
INTERVAL = [0.025, 0.975]
SAMPLES = 200


def intervals(
    labels: np.ndarray,
    probabilities: np.ndarray,
    thresholds: np.ndarray,
    marks: Sequence[str],
    loci: np.ndarray,
    samples: int = SAMPLES,
    seed: int = 0,
) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Lower and upper ends of the intervals of the figures that `metrics.measure` gives.

    `loci`, int [n], numbers the locus of each row. Samples that leave a figure undefined do not
    count for it. NaN with fewer than two loci.
    """
    index, (names, numbers) = [MICRO, MACRO, *marks], np.unique(loci, return_inverse=True)
    if len(names) < 2:
        empty = pandas.DataFrame(np.nan, index=index, columns=COLUMNS)
        return empty, empty.copy()

    ranked_pairs = _by_locus(labels, probabilities, numbers)
    called = probabilities >= thresholds
    indicators = [  # of TP, FP, FN, TN
        _sums(chosen & (labels == truth), numbers)
        for chosen in (called, ~called)
        for truth in (1, 0)
    ]
    tables = []
    for weights in draws(len(names), samples, seed, _at_once(ranked_pairs)):
        outcomes = np.stack([weights @ indicator for indicator in indicators], axis=2)
        outcomes = np.concatenate([outcomes.sum(axis=1, keepdims=True), outcomes], axis=1)
        hits, false, missed, right = np.moveaxis(outcomes, 2, 0)
        counts = np.stack([hits + missed, false + right], axis=2)
        ranked = np.stack([drawn_figures(each, weights) for each in ranked_pairs], axis=1)
        table = np.concatenate([counts, ranked[..., :2], _rates(outcomes), ranked[..., 2:]], axis=2)
        macro = np.concatenate([counts[:, 0], macro_average(table[:, 1:])], axis=1)
        tables.append(np.concatenate([table[:, :1], macro[:, None], table[:, 1:]], axis=1))
    drawn = pandas.DataFrame(np.concatenate(tables).reshape(samples, -1))
    low, high = (
        pandas.DataFrame(ends.reshape(len(index), -1), index=index, columns=COLUMNS)
        for ends in drawn.quantile(INTERVAL).to_numpy()
    )
    return low, high


def lead(
    a: np.ndarray,
    b: np.ndarray,
    labels: np.ndarray,
    loci: np.ndarray,
    samples: int = SAMPLES,
    seed: int = 0,
) -> pandas.DataFrame:
    """How far the AUROC of probabilities `a` lies above that of `b`, both [n, marks].

    Rows MICRO and MACRO; columns difference, and low and high, the ends of the interval of a paired
    bootstrap over `loci`. `a` is better where low is above 0. The ends are NaN with fewer than two
    loci.
    """

    def averages(ranked_pairs: list[csr_array], weights: np.ndarray) -> np.ndarray:
        """Micro and macro AUROC [samples, 2]."""
        micro, *each = (drawn_figures(ranking, weights)[:, 0] for ranking in ranked_pairs)
        return np.column_stack([micro, pandas.DataFrame(each).mean()])

    names, numbers = np.unique(loci, return_inverse=True)
    size = len(names)
    first, second = (_by_locus(labels, values, numbers) for values in (a, b))
    weights = draws(size, samples if size > 1 else 0, seed, _at_once(first + second))
    (difference,), *drawn = (
        averages(first, each) - averages(second, each)
        for each in chain([np.ones((1, size))], weights)
    )
    differences = np.concatenate(drawn) if drawn else np.full((1, 2), np.nan)
    low, high = pandas.DataFrame(differences).quantile(INTERVAL).to_numpy()
    return pandas.DataFrame(
        {"difference": difference, "low": low, "high": high}, index=[MICRO, MACRO]
    )


def draws(size: int, samples: int, seed: int, block: int) -> Iterator[np.ndarray]:
    """How often each of `size` loci is drawn in samples of as many.

    Yields arrays [up to `block`, size]. The samples depend only on `seed` and `size`.
    """
    generator = np.random.default_rng(seed)
    block = max(block, 1)
    for first in range(0, samples, block):
        drawn = [
            np.bincount(generator.integers(size, size=size), minlength=size)
            for _ in range(min(block, samples - first))
        ]
        yield np.array(drawn, np.float64)


def _by_locus(labels: np.ndarray, probabilities: np.ndarray, loci: np.ndarray) -> list[csr_array]:
    return [by_locus(ranking, loci) for ranking in rankings(labels, probabilities)]


def _at_once(ranked: list[csr_array]) -> int:
    """The number of samples to work on at once."""
    largest: int = max(max(each.shape) for each in ranked)
    return CELLS // max(largest, 1)


def _sums(rows: np.ndarray, loci: np.ndarray) -> np.ndarray:
    """How many rows are True, float64 [loci, marks], of a mask [n, marks]."""
    columns = [np.bincount(loci, column, loci.max() + 1) for column in rows.T]
    return np.column_stack(columns)


def _rates(outcomes: np.ndarray) -> np.ndarray:
    """Accuracy, precision, recall, F1 and MCC [..., 5] of TP, FP, FN, TN [..., 4]."""
    hits, false, missed, right = np.moveaxis(outcomes, -1, 0)
    margins = (hits + false) * (hits + missed) * (right + false) * (right + missed)
    ratios = [
        (hits + right, outcomes.sum(axis=-1)),
        (hits, hits + false),
        (hits, hits + missed),
        (2 * hits, 2 * hits + false + missed),
        (hits * right - false * missed, np.sqrt(margins)),
    ]
    over, under = (np.stack(parts, axis=-1) for parts in zip(*ratios, strict=True))
    rates: np.ndarray = np.divide(over, under, out=np.full(under.shape, np.nan), where=under > 0)
    return rates
