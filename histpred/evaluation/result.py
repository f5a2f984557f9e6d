"""What an evaluation found, before it is written or drawn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas

MODEL, BASELINE = "model", "baseline"
MICRO, MACRO = "micro", "macro"

METRICS = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1-score",
    "mcc": "MCC",
    "ece": "ECE",
}
"""Columns of a table of figures, and how they are headed."""


class Scored(NamedTuple):
    """One model or baseline on the evaluated rows.

    kind: MODEL or BASELINE. inputs: what it reads, in a few words ('context windows, kmer').
    probabilities: float64 [n, marks]. thresholds: float64 [marks]; called from them on. figures:
    one row for MICRO, MACRO and each mark in order (the index), columns positives, negatives and
    METRICS; NaN where undefined. low, high: the 95 % bootstrap interval of each figure, same shape.
    lead: how far the bundle's AUROC lies above this one's, rows MICRO and MACRO, columns
    difference, low, high (`histpred.evaluation.metrics.lead`); None for the bundle itself.
    """

    kind: str
    inputs: str
    probabilities: np.ndarray
    thresholds: np.ndarray
    figures: pandas.DataFrame
    low: pandas.DataFrame
    high: pandas.DataFrame
    lead: pandas.DataFrame | None = None


class Correlation(NamedTuple):
    """Of two similarity matrices of marks, over `pairs` pairs of different marks."""

    pearson: float
    spearman: float
    pairs: int


class Result(NamedTuple):
    """An evaluation of a bundle.

    title: the bundle's name and version. about: facts in the order in which to show them. marks:
    those evaluated. windows: a row each, columns chrom, start, end (0-based half-open), name,
    strand, gene_id, biotype. labels: float32 [n, marks]; 1, 0, NaN where unlabelled. models: by
    name, the bundle first, baselines last. groups: columns by ('biotype' or 'chromosome'), group,
    windows, model, marks (how many had a figure), micro_auroc, macro_auroc, micro_auprc.
    similarity: cosine of the bundle's mark vectors, [marks, marks], None if it has none.
    co_targeting: cosine of the TF-IDF-weighted label vectors of training rows, [marks, marks],
    None where there are none. correlation: of the two.
    """

    title: str
    about: dict[str, str]
    warnings: list[str]
    marks: tuple[str, ...]
    windows: pandas.DataFrame
    labels: np.ndarray
    models: dict[str, Scored]
    groups: pandas.DataFrame
    similarity: pandas.DataFrame | None
    co_targeting: pandas.DataFrame | None
    correlation: Correlation | None
