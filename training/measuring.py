"""Calibration, baselines and tables of a bundle's card."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from histpred.bundle.manifest import MarkSpec
from histpred.evaluation.calibration import calibrated, platt

BOOTSTRAPS = 1000
FEWEST_TO_CALL = 10  # positives, and negatives, below which no mark is called


Baseline = Callable[[np.ndarray], np.ndarray]


def beats_chance(labels: np.ndarray, scores: np.ndarray, seed: int) -> bool:
    """Whether the 95 % bootstrap interval of the AUROC lies above a half, given enough labels."""
    if min(labels.sum(), (~labels).sum()) < FEWEST_TO_CALL:
        return False
    return auroc_interval(labels, scores, seed)[0] > 0.5


def auroc_interval(labels: np.ndarray, scores: np.ndarray, seed: int) -> tuple[float, float]:
    """The 95 % bootstrap interval over rows."""
    rng = np.random.default_rng(seed)
    figures = []
    for _ in range(BOOTSTRAPS):
        rows = rng.integers(len(labels), size=len(labels))
        if labels[rows].any() and not labels[rows].all():
            figures.append(roc_auc_score(labels[rows], scores[rows]))
    low, high = np.quantile(figures, [0.025, 0.975])
    return float(low), float(high)


def beats(labels: np.ndarray, scores: np.ndarray, others: np.ndarray) -> bool:
    """Whether scores have the higher AUROC, all [n]."""
    return bool(roc_auc_score(labels, scores) > roc_auc_score(labels, others))


def cross_fitted(labels: np.ndarray, logits: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Probabilities [n] of one mark where each block was calibrated on the others."""
    probabilities = np.empty(len(logits))
    for number in np.unique(block):
        inside = block == number
        fitted = platt(logits[~inside], labels[~inside])
        probabilities[inside] = calibrated(logits[inside], fitted)
    return probabilities


def logistic(features: np.ndarray, labels: np.ndarray) -> Baseline:
    """One logistic regression a mark; from features [n, f] to scores [n, marks], 0 for a mark that
    all rows or none have.
    """
    scaler = StandardScaler().fit(features)
    taught = labels.any(axis=0) & ~labels.all(axis=0)
    models = [
        LogisticRegression(C=0.01, max_iter=1000).fit(scaler.transform(features), truth)
        for truth in labels.T[taught]
    ]

    def score(rows: np.ndarray) -> np.ndarray:
        scores = np.zeros((len(rows), len(taught)))
        scores[:, taught] = np.transpose(
            [model.decision_function(scaler.transform(rows)) for model in models]
        )
        return scores

    return score


def call_table(marks: Sequence[MarkSpec], labels: np.ndarray, probabilities: np.ndarray) -> str:
    """What the thresholds do, in Markdown: shares called, found, and right."""
    lines = []
    for i, mark in enumerate(marks):
        called, truth = probabilities[:, i] >= mark.threshold, labels[:, i]
        precision = f"{truth[called].mean():.3f}" if called.any() else ""
        shares = [f"{share:.3f}" for share in (called.mean(), called[truth].mean())]
        lines.append([mark.name, *shares, precision, f"{truth.mean():.3f}"])
    return table(["mark", "called", "recall", "precision", "prevalence"], lines)


def rate_table(
    marks: Sequence[str], labels: np.ndarray, probabilities: np.ndarray, non_coding: np.ndarray
) -> str:
    """Observed rates beside mean probabilities, for coding genes and the others, in Markdown."""
    header = ["mark", "coding: observed", "predicted", "non-coding: observed", "predicted"]
    lines = []
    for i, mark in enumerate(marks):
        cells = [
            f"{values[rows, i].mean():.2f}"
            for rows in (~non_coding, non_coding)
            for values in (labels, probabilities)
        ]
        lines.append([mark, *cells])
    return table(header, lines)


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
