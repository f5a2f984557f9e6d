"""Figures of merit of a model: per mark, pooled, and within groups of rows.

Definitions are those of the paper's appendix F: micro-averages pool all pairs of a row and a mark
(equations 2 to 7). AUPRC is the average precision, without linear interpolation. Undefined figures
are NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
    roc_auc_score,
)

from histpred.bundle.figures import Evaluation, MarkPerformance, Performance
from histpred.evaluation.baselines import PREVALENCE
from histpred.evaluation.ranking import BINS, binned, rank, rankings, running_sums, weighted_figures
from histpred.evaluation.result import MACRO, METRICS, MICRO

COLUMNS = ["positives", "negatives", *METRICS]
FEWEST = 5  # positives, and negatives, of a mark on the card
SMALLEST = 20  # windows of a group with figures of its own


def measure(
    labels: np.ndarray, probabilities: np.ndarray, thresholds: np.ndarray, marks: Sequence[str]
) -> pandas.DataFrame:
    """Figures of one model: rows MICRO, MACRO and each mark, columns COLUMNS.

    `labels` and `probabilities` are [n, marks]; labels are 1, 0, or NaN for unlabelled pairs, which
    count nowhere. A mark is called if its probability reaches its threshold, [marks].

    MICRO pools all labelled pairs, each called by its own mark's threshold; MACRO is the mean over
    the marks that have both classes and a defined figure (its counts are those of MICRO). NaN:
    AUROC and AUPRC without both classes, precision if nothing is called, recall if nothing is
    positive, F1 if neither is, MCC if all labels or all calls are alike, and every figure if
    nothing is labelled.
    """
    called = probabilities >= thresholds
    rows = [
        _figures(labels[:, i], probabilities[:, i], called[:, i]) for i in range(labels.shape[1])
    ]
    micro = _figures(labels.ravel(), probabilities.ravel(), called.ravel())
    table = np.array([micro, micro, *rows], np.float64)
    table[1, 2:] = macro_average(table[None, 2:])[0]
    return pandas.DataFrame(table, index=[MICRO, MACRO, *marks], columns=COLUMNS)


def _figures(labels: np.ndarray, probabilities: np.ndarray, called: np.ndarray) -> list[float]:
    """One row of `measure`, by scikit-learn."""
    known = ~np.isnan(labels)
    truth, scores, calls = labels[known] == 1, probabilities[known], called[known]
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives + negatives:
        return [0, 0] + [np.nan] * len(METRICS)
    both = positives > 0 and negatives > 0
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, calls, average="binary", zero_division=np.nan
    )
    figures = {
        "auroc": roc_auc_score(truth, scores) if both else np.nan,
        "auprc": average_precision(truth, scores) if both else np.nan,
        "accuracy": accuracy_score(truth, calls),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "mcc": matthews_corrcoef(truth, calls) if both and 0 < calls.mean() < 1 else np.nan,
        "ece": expected_calibration_error(truth, scores),
    }
    return [positives, negatives, *(float(figures[name]) for name in METRICS)]


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """The area under the precision-recall curve of labels and scores, [n], without interpolation.

    scikit-learn's sum can exceed 1 in its last digit, as it does for nine positives ranked first.
    """
    return min(1.0, float(average_precision_score(labels, scores)))


def macro_average(tables: np.ndarray) -> np.ndarray:
    """Means over marks, [samples, METRICS], of tables [samples, marks, COLUMNS]."""
    both = (tables[..., :2] > 0).all(axis=2, keepdims=True)
    figures = np.where(both, tables[..., 2:], np.nan)
    defined = (~np.isnan(figures)).sum(axis=1)
    means = np.full(defined.shape, np.nan)
    np.divide(np.nansum(figures, axis=1), defined, out=means, where=defined > 0)
    return means


def expected_calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean distance of predicted and observed rate over the bins of `reliability`.

    Bins are weighted by their counts; NaN if nothing is labelled. Naeini, Cooper and Hauskrecht
    2015, with bins of equal count.
    """
    table = reliability(labels, probabilities)
    if table.empty:
        return float("nan")
    gaps = (table["observed"] - table["predicted"]).abs()
    return float(np.average(gaps, weights=table["count"]))


def reliability(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = BINS
) -> pandas.DataFrame:
    """Mean probability, share of positives and count of labelled pairs in bins of equal count.

    `labels` and `probabilities` are [n]. The order of rows does not matter: a bin that ends among
    pairs of one probability has their mean label. With fewer pairs than bins, each pair is a bin.
    """
    ranking = rank(labels, probabilities, np.arange(len(labels), dtype=np.int32))
    sums = binned(running_sums(ranking, np.ones((1, len(labels)))), bins)
    count, hits, scores = (values[0] for values in sums)
    filled = count > 0
    return pandas.DataFrame(
        {
            "predicted": scores[filled] / count[filled],
            "observed": hits[filled] / count[filled],
            "count": count[filled].astype(np.int64),
        }
    )


def by_group(
    labels: np.ndarray,
    models: dict[str, np.ndarray],
    groups: Sequence[str],
    by: str,
    smallest: int = SMALLEST,
) -> pandas.DataFrame:
    """Figures within groups of rows, with the columns of Result.groups.

    Labels [n, marks] are NaN where unlabelled; models are probabilities [n, marks] by name; groups
    [n] holds the group of each row, and `by` names the grouping. Groups of fewer windows than
    `smallest` are joined as 'other (k groups)' if there are several.

    Groups come in order of appearance, joined ones last. The column marks holds how many marks have
    an AUROC in the group; figures are NaN where none has.
    """
    names = pandas.Series(list(groups), dtype=object)
    sizes = names.value_counts()
    small = sizes.index[sizes < smallest]
    joined = names.isin(small if len(small) > 1 else [])
    names[joined] = f"other ({len(small)} groups)"
    rows = []
    for group in [*names[~joined].unique(), *names[joined].unique()]:
        chosen = (names == group).to_numpy()
        for model, probabilities in models.items():
            micro, *each = (
                weighted_figures(ranking, np.ones((1, chosen.sum())))[0]
                for ranking in rankings(labels[chosen], probabilities[chosen])
            )
            aurocs = pandas.Series([areas[0] for areas in each], dtype=np.float64)
            figures = (int(aurocs.count()), micro[0], aurocs.mean(), micro[1])
            rows.append((by, group, int(chosen.sum()), model, *figures))
    columns = ["by", "group", "windows", "model", "marks"]
    return pandas.DataFrame(rows, columns=[*columns, "micro_auroc", "macro_auroc", "micro_auprc"])


def card_figures(
    description: str,
    marks: Sequence[str],
    labels: np.ndarray,
    scores: np.ndarray,
    baselines: Mapping[str, np.ndarray],
    errors: Sequence[float | None] | None = None,
) -> Evaluation | None:
    """AUROC and AUPRC of each mark with at least FEWEST rows of both classes; None without any.

    `labels` are [n, marks]: 1, 0, or NaN where unlabelled. `scores`, and those of each baseline by
    name, are [n, marks]: probabilities or anything that ranks rows as they do. Prevalence, a
    constant, is added to the baselines. `errors` holds the calibration error of each mark, None for
    a mark without; or is None for all.
    """
    figures = {}
    for i, mark in enumerate(marks):
        known = ~np.isnan(labels[:, i])
        truth = labels[known, i] == 1
        if min(truth.sum(), (~truth).sum()) < FEWEST:
            continue
        prevalence = float(truth.mean())
        beside = {PREVALENCE: Performance(auroc=0.5, auprc=prevalence)}
        beside |= {name: _ranking(truth, values[known, i]) for name, values in baselines.items()}
        figures[mark] = MarkPerformance(
            positives=int(truth.sum()),
            prevalence=prevalence,
            model=_ranking(truth, scores[known, i], errors[i] if errors else None),
            baselines=beside,
        )
    if not figures:
        return None
    return Evaluation(description=description, windows=len(labels), marks=figures)


def _ranking(truth: np.ndarray, scores: np.ndarray, ece: float | None = None) -> Performance:
    return Performance(
        auroc=float(roc_auc_score(truth, scores)),
        auprc=average_precision(truth, scores),
        ece=ece,
    )
