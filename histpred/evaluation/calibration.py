"""Calibration and thresholds of each mark, from the logits of validation rows.

Temperature scaling (Guo et al. 2017, arXiv:1706.04599) has one parameter, Platt scaling (Platt
1999, Advances in Large Margin Classifiers) has two, and isotonic regression (Zadrozny & Elkan 2002,
doi:10.1145/775047.775151) as many as the data support. The method of each mark is chosen on
held-out loci. Thresholds are the lowest that reach a precision, see `precision_curve`, or maximise
Youden's J (paper, appendix F, equation 8).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy.stats import mannwhitneyu
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_curve
from sklearn.model_selection import GroupKFold

from histpred.bundle.calls import NEVER, PRECISION_OF_GENES, point_for
from histpred.bundle.mark_spec import Calibration, Calls, CurvePoint
from histpred.bundle.probability import probabilities_of

FLAT = 1e-2  # a slope so low that probabilities are nearly equal but keep their order
FEWEST = 10  # positives, and negatives, below which methods are not compared
FOLDS = 5
SIGNIFICANT = 0.05  # p value of the ranking above which a mark has no skill
FEWEST_CALLS = 10  # called rows below which nothing is said of their precision
CAUTION = 1.2816  # standard errors, a one-sided 90 % interval, by which precisions are lowered
STEP = 0.025  # of precision, between two points of a curve
BASE_RATE: Literal["base rate"] = "base rate"


class Calibrated(NamedTuple):
    """Calibration of a mark, and the probability from which it is called: never if that is 1."""

    calibration: Calibration
    threshold: float
    calls: Calls


def calibrate(
    logits: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    seed: int,
    wanted: float | None = PRECISION_OF_GENES,
) -> list[Calibrated]:
    """Choose calibration and threshold of each mark from validation rows.

    `logits` and `labels` are [n, marks]; labels are 0, 1, or NaN for unlabelled pairs, which are
    left out. Rows with the same number in `groups`, int [n], are kept together (see
    `histpred.labels.loci.locus_numbers`). `seed` is that of the folds. `wanted`: see
    `choose_calls`. A mark that `choose_calibration` gives its base rate (one class only, or no
    skill) has the threshold 1.
    """
    marks = []
    for score, label in zip(logits.astype(float).T, labels.T, strict=True):
        known = ~np.isnan(label)
        truth = label[known] == 1
        calibration = choose_calibration(score[known], truth, groups[known], seed)
        skilled = calibration.method != BASE_RATE
        rates = calibrated(score[known], calibration)
        found = choose_calls(truth, rates, wanted) if skilled else never_called(wanted)
        marks.append(Calibrated(calibration, *found))
    return marks


def choose_calls(
    labels: np.ndarray, probabilities: np.ndarray, wanted: float | None
) -> tuple[float, Calls]:
    """Choose the threshold of one mark, and state what its calls promise.

    labels: bool [n], with both classes; probabilities: [n], of held-out rows. wanted: the precision
    that calls should have; None: maximise Youden's J. The threshold is 1, never, if no threshold
    reaches that precision.
    """
    curve = precision_curve(labels, probabilities)
    if wanted is None:
        threshold = youden(labels, probabilities)
        called, right = probabilities >= threshold, probabilities[labels] >= threshold
        precision = float(_lower_bound(right.sum(), called.sum()))
        recall = float(right.mean())
    elif point := point_for(curve, wanted):
        threshold, precision, recall = point
    else:
        threshold = NEVER
    if threshold >= NEVER:
        return NEVER, never_called(wanted)[1].model_copy(update={"curve": curve})
    stated = {"precision": precision, "recall": recall, "curve": curve}
    return threshold, never_called(wanted)[1].model_copy(update=stated)


def call_thresholds(
    labels: np.ndarray, probabilities: np.ndarray, wanted: float | None
) -> np.ndarray:
    """The threshold of each mark, [marks], of labels and probabilities [n, marks] of held-out rows.

    Labels are 0, 1 or NaN. `wanted`: see `choose_calls`. It is 1, never, for a mark with one class
    or without skill: if its probabilities do not rank positives above negatives.
    """
    thresholds = np.full(labels.shape[1], NEVER)
    for i in range(len(thresholds)):
        known = ~np.isnan(labels[:, i])
        truth, rates = labels[known, i] == 1, probabilities[known, i]
        if _ranks(rates, truth):
            thresholds[i], _ = choose_calls(truth, rates, wanted)
    return thresholds


def never_called(wanted: float | None) -> tuple[float, Calls]:
    """The threshold of a mark that is never called, and what it promises."""
    return NEVER, Calls(rule="youden" if wanted is None else "precision", wanted=wanted)


def precision_curve(labels: np.ndarray, probabilities: np.ndarray) -> tuple[CurvePoint, ...]:
    """Precision and recall of the calls from some thresholds, ascending.

    labels: bool [n]; probabilities: [n], of held-out rows. A precision is the lower end of Wilson's
    one-sided 90 % interval (1927, doi:10.1080/01621459.1927.10502953), from ten called rows on. The
    precision of a higher threshold is at least that of a lower one: rows are ranked by their
    probability, so the bound of more rows holds for the best of them. There is a point for each
    0.025 of precision, of the lowest threshold that reaches it, and one for the highest precision.
    Rows count as independent.
    """
    order = np.argsort(-probabilities, kind="stable")
    values, called = probabilities[order], np.arange(1, len(order) + 1)
    last = np.append(values[1:] < values[:-1], True) & (called >= FEWEST_CALLS) & (values < NEVER)
    right = np.cumsum(labels[order])[last][::-1]  # from here on by ascending threshold
    values, called = values[last][::-1], called[last][::-1]
    bounds = np.maximum.accumulate(_lower_bound(right, called))
    wanted = np.append(np.arange(1, round(1 / STEP) + 1) * STEP, bounds[-1:])
    places = np.unique(np.searchsorted(bounds, wanted))
    return tuple(
        CurvePoint(float(values[i]), float(bounds[i]), float(right[i] / labels.sum()))
        for i in places[places < len(bounds)]
    )


def _lower_bound(right: np.ndarray, called: np.ndarray) -> np.ndarray:
    """The lower end of Wilson's interval of the share right / called."""
    share, squared = right / called, CAUTION**2 / called
    spread = CAUTION * np.sqrt(share * (1 - share) / called + squared / (4 * called))
    bound: np.ndarray = np.clip((share + squared / 2 - spread) / (1 + squared), 0, 1)
    return bound


def choose_calibration(
    logits: np.ndarray, labels: np.ndarray, groups: np.ndarray, seed: int
) -> Calibration:
    """Choose the calibration of one mark: logits [n], labels bool [n], groups int [n].

    - The base rate, if the logits do not rank positives above negatives (one-sided Mann-Whitney
      test, p >= 0.05) or if there is only one class.
    - Platt scaling, if there are fewer than ten positives or negatives, or only one group.
    - Otherwise temperature, Platt or isotonic, by log loss over at most five folds that keep groups
      together. The first of them, in this order, is taken whose loss exceeds the lowest by no more
      than one standard error of the difference, computed over groups.
    """
    if not _ranks(logits, labels):
        return base_rate(labels)
    numbers, group = np.unique(groups, return_inverse=True)
    if min(labels.sum(), (~labels).sum()) < FEWEST or len(numbers) < 2:
        return platt(logits, labels)

    methods = (temperature, platt, isotonic)
    folds = GroupKFold(min(FOLDS, len(numbers)))
    shuffled = np.random.default_rng(seed).permutation(len(numbers))[group]
    losses = np.empty((len(methods), len(labels)))
    for fitted, held_out in folds.split(logits, labels, shuffled):
        for row, method in enumerate(methods):
            calibration = method(logits[fitted], labels[fitted])
            rates = calibrated(logits[held_out], calibration)
            of_truth = np.where(labels[held_out], rates, 1 - rates)
            losses[row, held_out] = -np.log(np.maximum(of_truth, np.finfo(float).tiny))

    excess = losses - losses[losses.mean(axis=1).argmin()]
    near = [each.mean() <= _standard_error(each, group) for each in excess]
    return methods[near.index(True)](logits, labels)


def _ranks(logits: np.ndarray, labels: np.ndarray) -> bool:
    """Return True if positives tend to have higher logits than negatives."""
    if not labels.any() or labels.all() or np.ptp(logits) == 0:
        return False
    test = mannwhitneyu(logits[labels], logits[~labels], alternative="greater")
    return bool(test.pvalue < SIGNIFICANT)


def _standard_error(values: np.ndarray, group: np.ndarray) -> float:
    """Standard error of the mean of `values` [n], whose groups are numbered from 0."""
    sums = np.bincount(group, values - values.mean())
    return float(np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1)) / len(values))


def temperature(logits: np.ndarray, labels: np.ndarray) -> Calibration:
    """Temperature scaling of one mark: as `platt`, without intercept. Slope: 1 / temperature."""
    slope, _ = _logistic(logits, labels, intercept=False)
    return Calibration(slope=slope, method="temperature") if slope > 0 else base_rate(labels)


def platt(logits: np.ndarray, labels: np.ndarray) -> Calibration:
    """Platt scaling of one mark: logits [n], labels bool [n].

    The targets are those of Platt 1999, (N+ + 1) / (N+ + 2) and 1 / (N- + 2). They prevent
    probabilities near 0 or 1 if there are few rows. A negative slope would reverse the ranking; the
    base rate is returned in its place.
    """
    slope, intercept = _logistic(logits, labels, intercept=True)
    return Calibration(slope=slope, intercept=intercept) if slope > 0 else base_rate(labels)


def _logistic(logits: np.ndarray, labels: np.ndarray, intercept: bool) -> tuple[float, float]:
    """Slope and intercept with the lowest log loss against Platt's targets."""
    logits = logits.astype(float)
    centre = logits.mean() if intercept else 0.0
    scale = np.sqrt(np.mean((logits - centre) ** 2)) or 1.0  # the solver needs numbers around 1
    positives, negatives = labels.sum(), (~labels).sum()
    targets = np.where(labels, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    fitted = LogisticRegression(C=np.inf, tol=1e-8, fit_intercept=intercept).fit(
        np.tile((logits - centre)[:, None] / scale, (2, 1)),
        np.repeat([True, False], len(logits)),
        sample_weight=np.concatenate([targets, 1 - targets]),
    )
    slope = float(fitted.coef_[0, 0] / scale)
    return slope, float(fitted.intercept_[0] - slope * centre) if intercept else 0.0


def isotonic(logits: np.ndarray, labels: np.ndarray) -> Calibration:
    """Isotonic calibration of one mark: logits [n], labels bool [n].

    Rates are kept within [1 / (n + 2), (n + 1) / (n + 2)], as by Laplace's rule.
    """
    n = len(labels)
    fitted = IsotonicRegression(y_min=1 / (n + 2), y_max=(n + 1) / (n + 2)).fit(
        logits.astype(float), labels.astype(float)
    )
    return Calibration(
        logits=tuple(fitted.X_thresholds_.tolist()),
        probabilities=tuple(fitted.y_thresholds_.tolist()),
        method="isotonic",
    )


def base_rate(labels: np.ndarray) -> Calibration:
    """Calibration of a mark that cannot be predicted: nearly its base rate for all logits.

    The rate among `labels`, bool [n], follows Laplace's rule; it is a half without labels.
    """
    odds = (labels.sum() + 1) / ((~labels).sum() + 1)
    return Calibration(slope=FLAT, intercept=float(np.log(odds)), method=BASE_RATE)


def calibrated(logits: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Probabilities [n] of one mark's logits [n]."""
    return probabilities_of(logits[:, None], [calibration])[:, 0]


def youden(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The threshold with the highest sensitivity + specificity - 1 (Youden 1950).

    Probabilities that reach it are called. Of equally good thresholds, the highest is returned.
    Both classes must be present.
    """
    false_rate, true_rate, thresholds = roc_curve(labels, probabilities, drop_intermediate=False)
    return float(thresholds[1:][np.argmax((true_rate - false_rate)[1:])])
