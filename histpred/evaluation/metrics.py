"""Figures of merit, mark by mark and pooled, with bootstrap intervals over loci.

Definitions are those of the paper's appendix F: micro-averages pool all pairs of a row and a mark
(equations 2 to 7). AUPRC is the average precision, of which linear interpolation makes no part.
Nothing that is undefined is given a number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import pandas
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    matthews_corrcoef,
    precision_score,
    recall_score,
    roc_auc_score,
)

from histpred.evaluation.result import MACRO, METRICS, MICRO

BINS = 10
CELLS = 1 << 20  # of resampled weights that are worked on at once
COLUMNS = ["positives", "negatives", *METRICS]
INTERVAL = (0.025, 0.975)
SMALLEST = 20  # windows of a group with figures of its own


def measure(
    labels: np.ndarray, probabilities: np.ndarray, thresholds: np.ndarray, marks: Sequence[str]
) -> pandas.DataFrame:
    """Figures of one model.

    Parameters
    ----------
    labels, probabilities
        [n, marks]; labels are 1, 0, or NaN where unlabelled, and such pairs count nowhere.
    thresholds
        [marks]; a mark is called from its threshold on.

    Returns
    -------
    pandas.DataFrame
        Rows MICRO, MACRO and each mark; columns positives, negatives and the keys of METRICS.

    MICRO pools all labelled pairs, each called by its own mark's threshold; MACRO is the mean over
    those marks that have both classes and for which the figure is defined (its counts are MICRO's).
    NaN: AUROC and AUPRC without both classes, precision where nothing is called, recall where
    nothing is positive, F1 where neither is, MCC where the labels or the calls are all alike, and
    anything where nothing is labelled.
    """
    called = probabilities >= thresholds
    rows = [
        _figures(labels[:, i], probabilities[:, i], called[:, i]) for i in range(labels.shape[1])
    ]
    micro = _figures(labels.ravel(), probabilities.ravel(), called.ravel())
    table = np.array([micro, micro, *rows], np.float64)
    table[1, 2:] = _macro(table[None, 2:])[0]
    return pandas.DataFrame(table, index=[MICRO, MACRO, *marks], columns=COLUMNS)


def _figures(labels: np.ndarray, probabilities: np.ndarray, called: np.ndarray) -> list[float]:
    """One row of `measure`, by scikit-learn."""
    known = ~np.isnan(labels)
    truth, scores, calls = labels[known] == 1, probabilities[known], called[known]
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives + negatives:
        return [0, 0] + [np.nan] * len(METRICS)
    both = positives > 0 and negatives > 0
    ratio = {"zero_division": np.nan}
    figures = {
        "auroc": roc_auc_score(truth, scores) if both else np.nan,
        "auprc": average_precision_score(truth, scores) if both else np.nan,
        "accuracy": accuracy_score(truth, calls),
        "precision": precision_score(truth, calls, **ratio),
        "recall": recall_score(truth, calls, **ratio),
        "f1": f1_score(truth, calls, **ratio),
        "mcc": matthews_corrcoef(truth, calls) if both and 0 < calls.mean() < 1 else np.nan,
        "ece": expected_calibration_error(truth, scores),
    }
    return [positives, negatives, *(float(figures[name]) for name in METRICS)]


def _macro(tables: np.ndarray) -> np.ndarray:
    """Means over the marks of tables [samples, marks, COLUMNS], [samples, METRICS]."""
    both = (tables[..., :2] > 0).all(axis=2, keepdims=True)
    figures = np.where(both, tables[..., 2:], np.nan)
    defined = (~np.isnan(figures)).sum(axis=1)
    means = np.full(defined.shape, np.nan)
    return np.divide(np.nansum(figures, axis=1), defined, out=means, where=defined > 0)


def expected_calibration_error(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = BINS
) -> float:
    """Mean distance of predicted and observed rate over the bins of `reliability`, weighted by
    their counts; NaN where nothing is labelled.

    Naeini, Cooper and Hauskrecht 2015, with bins of equal count.
    """
    table = reliability(labels, probabilities, bins)
    if table.empty:
        return float("nan")
    gaps = (table["observed"] - table["predicted"]).abs()
    return float(np.average(gaps, weights=table["count"]))


def reliability(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = BINS
) -> pandas.DataFrame:
    """Mean probability, share of positives and count of labelled pairs in bins of equal count.

    `labels` and `probabilities` are [n]. Pairs of the same probability are interchangeable: where a
    bin ends among them, each side has their mean label, so the order of rows plays no part. With
    fewer pairs than bins, each is a bin.
    """
    ranking = rank(labels, probabilities, np.arange(len(labels)))
    count, hits, scores = (
        sums[0] for sums in _binned(_sums(ranking, np.ones((1, len(labels)))), bins)
    )
    filled = count > 0
    return pandas.DataFrame(
        {
            "predicted": scores[filled] / count[filled],
            "observed": hits[filled] / count[filled],
            "count": count[filled].astype(np.int64),
        }
    )


def intervals(
    labels: np.ndarray,
    probabilities: np.ndarray,
    thresholds: np.ndarray,
    marks: Sequence[str],
    loci: np.ndarray,
    samples: int = 200,
    seed: int = 0,
) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Lower and upper ends of 95 % percentile bootstrap intervals of what `measure` gives.

    Loci are drawn with replacement, each with all its windows (`loci`, int [n], numbers them):
    windows that overlap are no independent evidence. Of a figure that some samples leave undefined,
    the others count. NaN where fewer than two loci are given.
    """
    index, size = [MICRO, MACRO, *marks], len(np.unique(loci))
    if size < 2:
        empty = pandas.DataFrame(np.nan, index=index, columns=COLUMNS)
        return empty, empty.copy()

    rankings = _rankings(labels, probabilities)
    called = probabilities >= thresholds
    indicators = [  # of TP, FP, FN, TN
        (chosen & (labels == truth)).astype(np.float64)
        for chosen in (called, ~called)
        for truth in (1, 0)
    ]
    tables = []
    for weights in draws(loci, samples, seed, CELLS // max(labels.size, 1)):
        outcomes = np.stack([weights @ indicator for indicator in indicators], axis=2)
        outcomes = np.concatenate([outcomes.sum(axis=1, keepdims=True), outcomes], axis=1)
        hits, false, missed, right = np.moveaxis(outcomes, 2, 0)
        counts = np.stack([hits + missed, false + right], axis=2)
        ranked = np.stack([weighted_figures(each, weights) for each in rankings], axis=1)
        table = np.concatenate([counts, ranked[..., :2], _rates(outcomes), ranked[..., 2:]], axis=2)
        macro = np.concatenate([counts[:, 0], _macro(table[:, 1:])], axis=1)
        tables.append(np.concatenate([table[:, :1], macro[:, None], table[:, 1:]], axis=1))
    drawn = pandas.DataFrame(np.concatenate(tables).reshape(samples, -1))
    low, high = (
        pandas.DataFrame(ends.reshape(len(index), -1), index=index, columns=COLUMNS)
        for ends in drawn.quantile(list(INTERVAL)).to_numpy()
    )
    return low, high


def lead(
    a: np.ndarray,
    b: np.ndarray,
    labels: np.ndarray,
    loci: np.ndarray,
    samples: int = 200,
    seed: int = 0,
) -> pandas.DataFrame:
    """How far the AUROC of probabilities `a` lies above that of `b`, both [n, marks].

    Rows MICRO and MACRO; columns difference, low, high: the ends of the 95 % interval of a paired
    bootstrap over loci (see `intervals`). `a` is better where low is above 0. The ends are NaN
    where fewer than two loci are given.
    """

    def averages(rankings: list[Ranking], weights: np.ndarray) -> np.ndarray:
        """Micro and macro AUROC [samples, 2]."""
        micro, *each = (weighted_figures(ranking, weights)[:, 0] for ranking in rankings)
        return np.column_stack([micro, pandas.DataFrame(each).mean()])

    pair = [_rankings(labels, values) for values in (a, b)]
    several = len(np.unique(loci)) > 1
    weights = draws(loci, samples if several else 0, seed, CELLS // max(labels.size, 1))
    (difference,), *drawn = (
        averages(pair[0], each) - averages(pair[1], each)
        for each in chain([np.ones((1, len(labels)))], weights)
    )
    drawn = np.concatenate(drawn) if drawn else np.full((1, 2), np.nan)
    low, high = pandas.DataFrame(drawn).quantile(list(INTERVAL)).to_numpy()
    return pandas.DataFrame(
        {"difference": difference, "low": low, "high": high}, index=[MICRO, MACRO]
    )


def by_group(
    labels: np.ndarray,
    models: dict[str, np.ndarray],
    groups: Sequence[str],
    by: str,
    smallest: int = SMALLEST,
) -> pandas.DataFrame:
    """Figures within groups of rows, the columns of Result.groups.

    Parameters
    ----------
    labels
        [n, marks], NaN where unlabelled.
    models
        Probabilities [n, marks] by name.
    groups
        The group of each row, [n].
    by
        What the groups are, as it is to be called.
    smallest
        Groups of fewer windows are joined as 'other (k groups)', if they are several.

    Groups come in order of appearance, joined ones last. `marks`: how many have an AUROC there;
    NaN figures where none has.
    """
    names = pandas.Series(list(groups), dtype=object)
    sizes = names.value_counts()
    small = sizes.index[sizes < smallest]
    if len(small) > 1:
        joined = names.isin(small)
        names[joined] = f"other ({len(small)} groups)"
        order = [*names[~joined].unique(), *names[joined].unique()]
    else:
        order = list(names.unique())

    rows = []
    for group in order:
        chosen = (names == group).to_numpy()
        for model, probabilities in models.items():
            each = [
                weighted_figures(ranking, np.ones((1, chosen.sum())))[0]
                for ranking in _rankings(labels[chosen], probabilities[chosen])
            ]
            aurocs = pandas.Series([areas[0] for areas in each[1:]], dtype=np.float64)
            figures = (int(aurocs.count()), each[0][0], aurocs.mean(), each[0][1])
            rows.append((by, group, int(chosen.sum()), model, *figures))
    columns = ["by", "group", "windows", "model", "marks"]
    return pandas.DataFrame(rows, columns=[*columns, "micro_auroc", "macro_auroc", "micro_auprc"])


# Resampling: pairs are ranked once, then weigh as often as their locus is drawn.


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
    """All [pairs]; those without a label (NaN) are left out."""
    known = np.flatnonzero(~np.isnan(labels))
    order = known[np.argsort(-probabilities[known], kind="stable")]
    scores = probabilities[order].astype(np.float64)
    last = np.append(scores[1:] != scores[:-1], True)[: len(scores)]
    return Ranking(rows[order], labels[order].astype(np.float64), scores, np.flatnonzero(last))


def _rankings(labels: np.ndarray, probabilities: np.ndarray) -> list[Ranking]:
    """Of all pairs, then of each mark; both [n, marks]."""
    rows, marks = np.arange(labels.shape[0]), labels.shape[1]
    pooled = rank(labels.ravel(), probabilities.ravel(), np.repeat(rows, marks))
    return [pooled, *(rank(labels[:, i], probabilities[:, i], rows) for i in range(marks))]


def draws(loci: np.ndarray, samples: int, seed: int, block: int) -> Iterator[np.ndarray]:
    """How often each row is drawn in bootstrap samples of whole loci, [up to `block`, n] at once.

    The samples depend on `seed` and the number of loci alone.
    """
    generator = np.random.default_rng(seed)
    names, numbers = np.unique(loci, return_inverse=True)
    size, block = len(names), max(block, 1)
    for first in range(0, samples, block):
        drawn = [
            np.bincount(generator.integers(size, size=size), minlength=size)
            for _ in range(min(block, samples - first))
        ]
        yield np.array(drawn, np.float64)[:, numbers]


def weighted_figures(ranking: Ranking, weights: np.ndarray) -> np.ndarray:
    """AUROC, AUPRC and ECE, [samples, 3], where rows weigh `weights` [samples, n].

    A weight is how often a row is there; for AUROC and AUPRC it may be any number of 0 or more.
    """
    sums = _sums(ranking, weights)
    return np.column_stack([_areas(sums), _gaps(sums)])


class _Sums(NamedTuple):
    """Weighted sums from the top of a ranking to each of its ends, each [samples, 1 + distinct].

    drawn: of the pairs; hits: of the positives; scores: of the probabilities.
    """

    drawn: np.ndarray
    hits: np.ndarray
    scores: np.ndarray


def _sums(ranking: Ranking, weights: np.ndarray) -> _Sums:
    """Where rows weigh `weights` [samples, n]."""
    drawn = np.take(weights, ranking.rows, axis=1)
    sums = []
    for values in (drawn * ranking.truth, drawn * ranking.scores, drawn):
        running = np.zeros((len(weights), 1 + len(ranking.rows)))
        np.cumsum(values, axis=1, out=running[:, 1:])
        tied = len(ranking.ends) < len(ranking.rows)
        sums.append(running[:, np.append(0, ranking.ends + 1)] if tied else running)
    hits, scores, drawn = sums
    return _Sums(drawn, hits, scores)


def _areas(sums: _Sums) -> np.ndarray:
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


def _gaps(sums: _Sums) -> np.ndarray:
    """The expected calibration error [samples], where weights are whole numbers."""
    counts, hits, scores = _binned(sums, BINS)
    total = counts.sum(axis=1)
    gaps = np.full(len(total), np.nan)
    return np.divide(np.abs(hits - scores).sum(axis=1), total, out=gaps, where=total > 0)


def _binned(sums: _Sums, bins: int) -> list[np.ndarray]:
    """Count, positives and summed probability in bins of equal count, each [samples, bins].

    Lowest probabilities first; the first bins have one more where the count does not divide, as in
    numpy's array_split. Between the ends of a stretch of one probability, sums grow evenly.
    """
    size, more = np.divmod(sums.drawn[:, -1:], bins)
    number = np.arange(bins + 1)
    edges = number * size + np.maximum(number - (bins - more), 0)
    at_edges = [
        np.array([np.interp(*sample) for sample in zip(edges, sums.drawn, values, strict=True)])
        for values in (sums.drawn, sums.hits, sums.scores)
    ]
    return [np.diff(values, axis=1)[:, ::-1] for values in at_edges]


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
    return np.stack(
        [
            np.divide(over, under, out=np.full(under.shape, np.nan), where=under > 0)
            for over, under in ratios
        ],
        axis=-1,
    )
