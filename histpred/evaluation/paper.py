"""Figures by the rule of the paper's appendix F: the paper's reading, beside histpred's own.

The scores are raw: the sigmoid of a bundle's logits, or the probabilities of a baseline. A mark is
called from the raw score with the highest Youden's J (equation 8) on the validation rows, whether
or not the mark can be predicted. Micro-averages pool the pairs of all marks (equations 2 to 7).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from histpred.bundle.folder import SPLIT
from histpred.bundle.manifest import Manifest
from histpred.evaluation.calibration import youden
from histpred.evaluation.metrics import measure
from histpred.evaluation.result import PAPER_METRICS, PaperReading

EVEN = 0.5


def read_by_paper(
    labels: np.ndarray,
    scores: np.ndarray,
    validation_labels: np.ndarray,
    validation_scores: np.ndarray,
    marks: Sequence[str],
) -> PaperReading:
    """Read raw scores by the paper's rule.

    `labels` and `scores` are [evaluated rows, marks], those of the validation rows alike; labels
    are 1, 0, or NaN for unlabelled pairs, which count nowhere. Of thresholds with the same J, the
    highest is taken. The threshold is 0.5 where J does not tell thresholds apart: if the validation
    rows of a mark have one class only, or all the same score. Figures are those of
    `histpred.evaluation.metrics.measure`.
    """
    thresholds = _thresholds(validation_labels, validation_scores)
    figures = measure(labels, scores, thresholds, marks)
    columns = ["positives", "negatives", *PAPER_METRICS]
    return PaperReading(thresholds, figures[columns], validation_scores)


def _thresholds(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    thresholds = np.full(labels.shape[1], EVEN)
    for i in range(len(thresholds)):
        known = ~np.isnan(labels[:, i])
        truth, these = labels[known, i] == 1, scores[known, i]
        if truth.any() and not truth.all() and np.ptp(these) > 0:
            thresholds[i] = youden(truth, these)
    return thresholds


def one_class(labels: np.ndarray, marks: Sequence[str]) -> list[str]:
    """The marks of labels [n, marks] that lack a class, and so have no Youden's J."""
    both = (labels == 1).any(axis=0) & (labels == 0).any(axis=0)
    return [mark for mark, has_both in zip(marks, both, strict=True) if not has_both]


def no_validation(manifest: Manifest) -> str:
    """Why there is no reading by the paper's rule, as a sentence."""
    why = (
        "none of the labelled rows is a validation row of its split"
        if SPLIT in manifest.files
        else f"the bundle holds no {SPLIT}, so its validation rows are not known"
    )
    return (
        "There is no reading by the paper's rule, which takes thresholds from the validation rows "
        f"of {manifest.name}: {why}."
    )
