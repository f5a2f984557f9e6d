"""Labelled pairs ranked by probability, and weighted figures of a ranking.

Pairs are ranked once. A bootstrap sample is then no more than weights of their rows, or of the loci
in which the rows lie: pairs of a locus are added up once, for all samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, vstack

BINS = 10  # of the expected calibration error
MOST_ENDS = 1 << 14  # distinct probabilities of a ranking by locus


class Ranking(NamedTuple):
    """Labelled pairs, highest probability first.

    rows, truth, scores [pairs]: the row of each, its label and its probability; ends [distinct]:
    the last pair of each probability.
    """

    rows: np.ndarray
    truth: np.ndarray
    scores: np.ndarray
    ends: np.ndarray


def rank(labels: np.ndarray, probabilities: np.ndarray, rows: np.ndarray) -> Ranking:
    """Rank pairs, given as three arrays [pairs]; pairs without a label (NaN) are left out."""
    known = np.flatnonzero(~np.isnan(labels))
    descending = np.negative(probabilities[known])
    order = known[np.argsort(descending, kind="stable")]
    del known, descending  # all pairs of a genome's tiles may be here
    scores = probabilities[order].astype(np.float64, copy=False)
    last = np.append(scores[1:] != scores[:-1], True)[: len(scores)]
    return Ranking(rows[order], labels[order], scores, np.flatnonzero(last))


def rankings(labels: np.ndarray, probabilities: np.ndarray) -> Iterator[Ranking]:
    """The ranking of all pairs, then that of each mark; both inputs are [n, marks]."""
    rows, marks = np.arange(labels.shape[0], dtype=np.int32), labels.shape[1]
    yield rank(labels.ravel(), probabilities.ravel(), np.repeat(rows, marks))
    for i in range(marks):
        yield rank(labels[:, i], probabilities[:, i], rows)


def weighted_figures(ranking: Ranking, weights: np.ndarray) -> np.ndarray:
    """AUROC, AUPRC and expected calibration error, [samples, 3], for weighted rows.

    `weights` [samples, n] are how often each row is there; for AUROC and AUPRC they may be any
    numbers from 0 on. Figures are NaN where they are undefined.
    """
    sums = running_sums(ranking, weights)
    return np.column_stack([_areas(sums), _calibration_error(sums)])


def by_locus(ranking: Ranking, loci: np.ndarray) -> csr_array:
    """The pairs of each probability and locus, added up: a sparse matrix [3 * ends, loci].

    Three numbers of each probability, highest first: of pairs, of positives, and the sum of the
    probabilities. `loci`, int [n], numbers the locus of each row. With more than MOST_ENDS
    probabilities, neighbouring ones count as one, which moves a figure by less than its last digit
    shown.
    """
    ends = ranking.ends
    if len(ends) > MOST_ENDS:
        ends = ends[np.linspace(0, len(ends) - 1, MOST_ENDS).astype(np.int64)]
    before = np.diff(ends, prepend=-1)
    place = np.repeat(np.arange(len(ends), dtype=np.int32), before)
    columns = loci.astype(np.int32)[ranking.rows]
    shape = (len(ends), int(loci.max(initial=-1)) + 1)
    numbers = (np.ones(len(place)), ranking.truth.astype(np.float64), ranking.scores)
    return vstack([csr_array((one, (place, columns)), shape=shape) for one in numbers], "csr")


def drawn_figures(sums: csr_array, weights: np.ndarray) -> np.ndarray:
    """The figures of `weighted_figures`, for a ranking `by_locus` and weights [samples, loci]."""
    drawn = (sums @ weights.T).reshape(3, -1, len(weights)).transpose(0, 2, 1)
    running = np.zeros((*drawn.shape[:2], 1 + drawn.shape[2]))
    np.cumsum(drawn, axis=2, out=running[:, :, 1:])
    found = RunningSums(*running)
    return np.column_stack([_areas(found), _calibration_error(found)])


class RunningSums(NamedTuple):
    """Weighted sums from the top of a ranking to each of its ends, each [samples, 1 + distinct].

    drawn: number of pairs; hits: of positives; scores: sum of probabilities.
    """

    drawn: np.ndarray
    hits: np.ndarray
    scores: np.ndarray


def running_sums(ranking: Ranking, weights: np.ndarray) -> RunningSums:
    """Sums of pairs whose rows have the given weights [samples, n]."""
    drawn = np.take(weights, ranking.rows, axis=1)
    tied = len(ranking.ends) < len(ranking.rows)
    sums = []
    for factor in (None, ranking.truth, ranking.scores):
        values = drawn if factor is None else drawn * factor
        running = np.zeros((len(weights), 1 + len(ranking.rows)))
        np.cumsum(values, axis=1, out=running[:, 1:])
        sums.append(running[:, np.append(0, ranking.ends + 1)] if tied else running)
    return RunningSums(*sums)


def _areas(sums: RunningSums) -> np.ndarray:
    """AUROC and AUPRC [samples, 2]."""
    hits, false = sums.hits, sums.drawn - sums.hits
    pairs = hits[:, -1] * false[:, -1]
    steps, mean_hits = np.diff(hits, axis=1), (hits[:, 1:] + hits[:, :-1]) / 2
    above = np.einsum("ij,ij->i", np.diff(false, axis=1), mean_hits)
    precision = np.divide(hits, sums.drawn, out=np.zeros_like(hits), where=sums.drawn > 0)
    summed = np.einsum("ij,ij->i", steps, precision[:, 1:])
    defined = pairs > 0
    areas = np.full((len(pairs), 2), np.nan)
    areas[defined, 0] = above[defined] / pairs[defined]
    areas[defined, 1] = summed[defined] / hits[defined, -1]
    return areas


def _calibration_error(sums: RunningSums) -> np.ndarray:
    """The expected calibration error [samples]; weights must be whole numbers."""
    counts, hits, scores = binned(sums, BINS)
    total = counts.sum(axis=1)
    errors = np.full(len(total), np.nan)
    np.divide(np.abs(hits - scores).sum(axis=1), total, out=errors, where=total > 0)
    return errors


def binned(sums: RunningSums, bins: int) -> list[np.ndarray]:
    """Count, positives and summed probability in bins of equal count, each [samples, bins].

    Lowest probabilities first; if the count does not divide, the first bins have one more, as in
    numpy's array_split. Among pairs of one probability, sums grow evenly.
    """
    size, more = np.divmod(sums.drawn[:, -1:], bins)
    number = np.arange(bins + 1)
    edges = number * size + np.maximum(number - (bins - more), 0)
    at_edges = [
        np.array([np.interp(*sample) for sample in zip(edges, sums.drawn, values, strict=True)])
        for values in sums
    ]
    return [np.diff(values, axis=1)[:, ::-1] for values in at_edges]
