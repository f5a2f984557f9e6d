"""The result of an evaluation, before it is written or drawn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas

MODEL, BASELINE = "model", "baseline"
LOCI = "loci: windows that overlap are drawn together"
MEAN = "mean"  # over marks, in `Result.kinds`
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
"""Columns of a table of figures, and their headings."""


PAPER_METRICS = ("accuracy", "precision", "recall", "f1", "mcc", "auroc")
"""The figures of the paper's reading: those of its appendix F."""


class PaperReading(NamedTuple):
    """Figures of one model by the rule of the paper's appendix F.

    thresholds: float64 [marks], of raw scores. figures: rows MICRO, MACRO and each mark in order,
    columns positives, negatives and PAPER_METRICS; NaN where undefined. validation: raw scores of
    the validation rows that chose the thresholds, float64 [validation rows, marks].
    """

    thresholds: np.ndarray
    figures: pandas.DataFrame
    validation: np.ndarray


class ValidationRows(NamedTuple):
    """Labelled validation rows of the evaluated bundle's split.

    windows: one row per window, columns as in `Result.windows`; labels: float32 [n, marks], NaN
    where unlabelled.
    """

    windows: pandas.DataFrame
    labels: np.ndarray


class ModelResult(NamedTuple):
    """One model or baseline on the evaluated rows.

    kind: MODEL or BASELINE. inputs: what it reads, in a few words ('context windows, kmer').
    probabilities: float64 [n, marks]. thresholds: float64 [marks]; a mark is called if its
    probability reaches its threshold. figures: rows MICRO, MACRO and each mark in order, columns
    positives, negatives and METRICS; NaN where undefined. low, high: the ends of the 95 % bootstrap
    interval of each figure, same shape. lead: how far the bundle's AUROC lies above this one's (see
    `histpred.evaluation.bootstrap.lead`); None for the bundle itself. raw: scores before
    calibration, float64 [n, marks]: the sigmoid of a bundle's logits; None for a baseline, whose
    probabilities are not calibrated afterwards. paper: its figures by the paper's rule; None
    without validation rows, and for baselines that were fitted by block.
    """

    kind: str
    inputs: str
    probabilities: np.ndarray
    thresholds: np.ndarray
    figures: pandas.DataFrame
    low: pandas.DataFrame
    high: pandas.DataFrame
    lead: pandas.DataFrame | None = None
    raw: np.ndarray | None = None
    paper: PaperReading | None = None

    @property
    def raw_scores(self) -> np.ndarray:
        """Scores before calibration, float64 [n, marks]."""
        return self.probabilities if self.raw is None else self.raw


class Correlation(NamedTuple):
    """Correlation of two similarity matrices over `pairs` pairs of different marks."""

    pearson: float
    spearman: float
    pairs: int


class Result(NamedTuple):
    """An evaluation of a bundle.

    title: the bundle's name and version. about: facts, in the order in which they are shown. marks:
    the evaluated ones. windows: one row per window, columns chrom, start, end (0-based half-open),
    name, strand, gene_id, biotype, and genome where genomes have names: their chromosomes are then
    called 'human:chr1'. labels: float32 [n, marks]; 1, 0, NaN where unlabelled. models:
    by name, the bundle first, baselines last. groups: columns by ('genome', 'biotype',
    'chromosome' or 'block'), group, windows, model, marks (how many have a figure), micro_auroc,
    macro_auroc, micro_auprc.
    similarity: cosine of the bundle's mark vectors, [marks, marks], None if it has none.
    co_targeting: cosine of the TF-IDF-weighted label vectors of training rows, [marks, marks], None
    without training rows. correlation: of similarity and co_targeting. drawn: what the bootstrap
    draws, in words. block: length in bp of the blocks by which baselines were fitted; 0: they were
    fitted on training rows, or there are none. kinds: see `histpred.evaluation.kinds.by_kind`; or a
    sentence that says why there are none, empty if there is nothing to say. validation: the rows
    that chose the thresholds of the paper's reading; or a sentence that says why there is none.
    no_vectors: why the bundle has no mark vectors, as a sentence; empty if it has some, or if its
    kind of network has none. sources: what DNA contributes by distance from the TSS, see
    `histpred.scoring.profile`; None for windows without one.
    """

    title: str
    about: dict[str, str]
    warnings: list[str]
    marks: tuple[str, ...]
    windows: pandas.DataFrame
    labels: np.ndarray
    models: dict[str, ModelResult]
    groups: pandas.DataFrame
    similarity: pandas.DataFrame | None
    co_targeting: pandas.DataFrame | None
    correlation: Correlation | None
    drawn: str = LOCI
    block: int = 0
    kinds: pandas.DataFrame | str = ""
    validation: ValidationRows | str = ""
    no_vectors: str = ""
    sources: pandas.DataFrame | None = None
