"""The table of figures that goes on a bundle's card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from histpred.bundle.manifest import Evaluation, MarkPerformance, Performance
from histpred.evaluation.baselines import PREVALENCE

FEWEST = 5  # positives, and negatives, below which no figure is given


def card_figures(
    description: str,
    marks: Sequence[str],
    labels: np.ndarray,
    scores: np.ndarray,
    baselines: Mapping[str, np.ndarray],
    errors: Sequence[float | None] | None = None,
) -> Evaluation:
    """AUROC and AUPRC of each mark that has enough of both classes.

    Parameters
    ----------
    labels
        [n, marks]; 1, 0, NaN where unlabelled.
    scores
        [n, marks], of any monotone kind.
    baselines
        Name to scores [n, marks]. That of prevalence, a constant, is added: AUROC 0.5, AUPRC the
        prevalence.
    errors
        The calibration error of each mark, where it was measured.
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
    return Evaluation(description=description, windows=len(labels), marks=figures)


def _ranking(truth: np.ndarray, scores: np.ndarray, ece: float | None = None) -> Performance:
    return Performance(
        auroc=float(roc_auc_score(truth, scores)),
        auprc=float(average_precision_score(truth, scores)),
        ece=ece,
    )
