"""Figures of merit and the baselines of a bundle's card."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from histpred.evaluation.metrics import expected_calibration_error
from histpred.models.calibration import calibrated, platt

BOOTSTRAPS = 1000
FEWEST_TO_CALL = 10  # positives, and negatives, below which no mark is called


def macro_auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean AUROC over the columns."""
    return float(
        np.mean(
            [roc_auc_score(truth, score) for truth, score in zip(labels.T, scores.T, strict=True)]
        )
    )


def beats_chance(labels: np.ndarray, scores: np.ndarray, seed: int) -> bool:
    """Whether the 95 % bootstrap interval of the AUROC lies above a half, given enough labels."""
    if min(labels.sum(), (~labels).sum()) < FEWEST_TO_CALL:
        return False
    rng = np.random.default_rng(seed)
    figures = []
    for _ in range(BOOTSTRAPS):
        rows = rng.integers(len(labels), size=len(labels))
        if labels[rows].any() and not labels[rows].all():
            figures.append(roc_auc_score(labels[rows], scores[rows]))
    return bool(np.quantile(figures, 0.025) > 0.5)


def cross_fitted_error(labels: np.ndarray, logits: np.ndarray, first_half: np.ndarray) -> float:
    """ECE of one mark where each half of the windows is calibrated on the other: `first_half` is a
    mask [n].
    """
    probabilities = np.empty(len(logits))
    for half in (first_half, ~first_half):
        probabilities[half] = calibrated(logits[half], platt(logits[~half], labels[~half]))
    return expected_calibration_error(labels, probabilities)


def logistic(features: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A baseline: one logistic regression a mark; from features [n, f] to scores [n, marks]."""
    scaler = StandardScaler().fit(features)
    models = [
        LogisticRegression(C=0.01, max_iter=1000).fit(scaler.transform(features), truth)
        for truth in labels.T
    ]
    return lambda rows: np.stack(
        [m.decision_function(scaler.transform(rows)) for m in models], axis=1
    )


def call_table(
    marks: tuple[str, ...], labels: np.ndarray, probabilities: np.ndarray, thresholds: list[float]
) -> str:
    """What the thresholds do, in Markdown: shares called, found, and right."""
    lines = [
        "| mark | called | recall | precision | prevalence |",
        "| --- | --- | --- | --- | --- |",
    ]
    for i, mark in enumerate(marks):
        called, truth = probabilities[:, i] >= thresholds[i], labels[:, i]
        precision = f"{truth[called].mean():.3f}" if called.any() else ""
        lines.append(
            f"| {mark} | {called.mean():.3f} | {called[truth].mean():.3f} "
            f"| {precision} | {truth.mean():.3f} |"
        )
    return "\n".join(lines)


def rate_table(
    marks: tuple[str, ...], labels: np.ndarray, probabilities: np.ndarray, coding: np.ndarray
) -> str:
    """Observed rates beside mean probabilities, for coding genes and the others, in Markdown."""
    lines = [
        "| mark | coding: observed | predicted | non-coding: observed | predicted |",
        "| --- | --- | --- | --- | --- |",
    ]
    for i, mark in enumerate(marks):
        cells = [
            f"{values[rows, i].mean():.2f}"
            for rows in (coding, ~coding)
            for values in (labels, probabilities)
        ]
        lines.append(f"| {mark} | {' | '.join(cells)} |")
    return "\n".join(lines)
