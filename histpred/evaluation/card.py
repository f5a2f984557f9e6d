"""The figures on a bundle's card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from histpred.bundle.manifest import Evaluation, MarkPerformance, Performance
from histpred.evaluation.baselines import PREVALENCE

FEWEST = 5  # positives, and negatives, that a mark needs


def card_figures(
    description: str,
    marks: Sequence[str],
    labels: np.ndarray,
    scores: np.ndarray,
    baselines: Mapping[str, np.ndarray],
    errors: Sequence[float | None] | None = None,
) -> Evaluation:
    """AUROC and AUPRC of each mark with at least FEWEST rows of both classes.

    Parameters
    ----------
    labels
        [n, marks]; 1, 0, or NaN where unlabelled.
    scores
        [n, marks]; probabilities or anything that ranks rows as they do.
    baselines
        Scores [n, marks] by name. Prevalence, a constant, is added to them.
    errors
        The calibration error of each mark, None for a mark without; or None for all.
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
