"""The paper's reading, against sums and thresholds worked out without histpred."""

from __future__ import annotations

import numpy as np
import pandas
import pytest

pytest.importorskip("sklearn", reason="needs the extra train")

from sklearn.metrics import matthews_corrcoef, roc_auc_score

from histpred.evaluation.paper import one_class, read_by_paper

MARKS = ("H3K4me3", "H3K27me3", "H3K9me3")


def best_by_trying(truth: np.ndarray, scores: np.ndarray) -> float:
    """The highest of the scores with the largest sensitivity + specificity - 1."""
    tried = [
        ((scores[truth] >= score).mean() + (scores[~truth] < score).mean(), score)
        for score in np.unique(scores)
    ]
    top = max(value for value, _ in tried)
    return max(score for value, score in tried if value > top - 1e-12)


def random_rows(rng, rows: int) -> tuple[np.ndarray, np.ndarray]:
    labels = (rng.random((rows, len(MARKS))) < 0.4).astype(np.float32)
    labels[rng.random(labels.shape) < 0.1] = np.nan
    scores = np.round(1 / (1 + np.exp(-(np.nan_to_num(labels) + rng.normal(size=labels.shape)))), 2)
    return labels, scores


def test_a_mark_without_skill_is_called_as_any_other(rng):
    """Its best Youden's J on the validation rows is low, but it has one."""
    (labels, scores), (held_out, before) = random_rows(rng, 150), random_rows(rng, 120)
    before[:, 1] = np.round(rng.random(len(before)), 2)
    reading = read_by_paper(labels, scores, held_out, before, MARKS)
    assert np.isfinite(reading.thresholds).all()
    assert (reading.thresholds < 1).all()
    assert (scores[:, 1] >= reading.thresholds[1]).any()


def test_pooled_counts_and_areas_are_those_of_appendix_f(rng):
    (labels, scores), (held_out, before) = random_rows(rng, 150), random_rows(rng, 120)
    reading = read_by_paper(labels, scores, held_out, before, MARKS)
    truth, called, pooled, areas = [], [], [], []
    for i in range(len(MARKS)):
        known = ~np.isnan(held_out[:, i])
        threshold = best_by_trying(held_out[known, i] == 1, before[known, i])
        assert reading.thresholds[i] == threshold
        known = ~np.isnan(labels[:, i])
        truth += [*(labels[known, i] == 1)]
        called += [*(scores[known, i] >= threshold)]
        pooled += [*scores[known, i]]
        areas.append(roc_auc_score(labels[known, i], scores[known, i]))
    table = pandas.crosstab(pandas.Series(truth), pandas.Series(called))
    hits, false, missed = table.loc[True, True], table.loc[False, True], table.loc[True, False]
    micro = reading.figures.loc["micro"]
    assert micro["accuracy"] == pytest.approx((hits + table.loc[False, False]) / len(truth))
    assert micro["precision"] == pytest.approx(hits / (hits + false))
    assert micro["recall"] == pytest.approx(hits / (hits + missed))
    assert micro["f1"] == pytest.approx(2 * hits / (2 * hits + false + missed))
    assert micro["mcc"] == pytest.approx(matthews_corrcoef(truth, called))
    assert micro["auroc"] == pytest.approx(roc_auc_score(truth, pooled))
    assert reading.figures.loc["macro", "auroc"] == pytest.approx(np.mean(areas))


def test_marks_that_youden_s_j_does_not_decide_are_called_from_a_half():
    """One class among the validation rows, no label at all, and one score for all rows."""
    held_out = np.array([[1, np.nan, 1], [1, np.nan, 0]], np.float32)
    before = np.array([[0.2, 0.3, 0.7], [0.9, 0.4, 0.7]])
    labels = np.array([[1, 0, 1], [0, 1, 0]], np.float32)
    scores = np.array([[0.6, 0.4, 0.7], [0.4, 0.5, 0.7]])
    reading = read_by_paper(labels, scores, held_out, before, MARKS)
    assert reading.thresholds.tolist() == [0.5, 0.5, 0.5]
    assert one_class(held_out, MARKS) == ["H3K4me3", "H3K27me3"]
    assert list(reading.figures.loc["micro", ["precision", "recall"]]) == [0.75, 1]
