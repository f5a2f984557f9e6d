"""Labels and probabilities for tests of figures."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

MARKS = ("A", "B")
LABELS = np.array([[1, 1], [1, 0], [0, 0], [0, 1]], np.float32)
PROBABILITIES = np.array([[0.9, 0.8], [0.4, 0.3], [0.6, 0.1], [0.2, 0.7]])
THRESHOLDS = np.array([0.5, 0.3])


def made_up(
    rng: np.random.Generator, rows: int, marks: int, ties: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Labels with gaps and probabilities that say something of them, many alike if `ties`."""
    labels = (rng.random((rows, marks)) < 0.3).astype(np.float32)
    probabilities = (0.3 * labels + 0.7 * rng.random((rows, marks))).clip(0, 1)
    labels[rng.random((rows, marks)) < 0.1] = np.nan
    return labels, probabilities.round(1) if ties else probabilities


def auroc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    known = ~np.isnan(labels)
    return roc_auc_score(labels[known], probabilities[known])
