"""Evaluations of made-up models on made-up rows: seeded, small, and shaped as a real one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas

from histpred.evaluation.result import (
    BASELINE,
    METRICS,
    MODEL,
    PAPER_METRICS,
    Correlation,
    ModelResult,
    Result,
    ValidationRows,
)

MARKS = ("H3K4me3", "H3K27ac", "H3K36me3", "H3K27me3", "H3K9me3", "H2AFZ", "H3K23ac", "H3T11ph")
NAMES = {
    "tiny 1.0": (MODEL, "promoter windows, kmer", 0.9),
    "no mark vectors": (MODEL, "promoter windows, kmer", 1.1),
    "prevalence": (BASELINE, "nothing", np.inf),
    "CpG o/e": (BASELINE, "composition", 1.8),
    "4-mers + logistic": (BASELINE, "k-mers", 1.2),
}
BIOTYPES = ("lncRNA", "miRNA", "snoRNA")


def make(
    marks: Sequence[str] = MARKS, models: int = 5, rows: int = 300, relations: bool = True
) -> Result:
    """An evaluation of the first `models` of NAMES; the first mark is the most common.

    The last mark has no positive row, the first is unlabelled in the first ten rows. Every third
    row is a validation row as well. Raw scores are the squares of probabilities.
    """
    from histpred.evaluation.metrics import by_group, measure
    from histpred.evaluation.paper import read_by_paper

    rng = np.random.default_rng(0)
    prevalence = np.linspace(0.6, 0.05, len(marks))
    hardness = np.resize([0.6, 1.0, 0.8, 2.5, 6.0, 1.2, 0.9, 1.0], len(marks))
    shared = rng.normal(size=(rows, 1))
    truth = 0.6 * shared + 0.8 * rng.normal(size=(rows, len(marks)))
    labels = (truth > np.quantile(truth, 1 - prevalence)).astype(np.float32)
    if len(marks) > 1:
        labels[:, -1] = 0
    labels[:10, 0] = np.nan

    def model(kind: str, inputs: str, probabilities: np.ndarray) -> ModelResult:
        thresholds = np.nanmean(labels, axis=0)
        figures = measure(labels, probabilities, thresholds, marks)
        spread = pandas.DataFrame(dict.fromkeys(figures, 0.4 / np.sqrt(figures["positives"] + 1)))
        low, high = figures - spread, figures + spread
        raw = probabilities**2 if kind == MODEL else None
        one = ModelResult(kind, inputs, probabilities, thresholds, figures, low, high, raw=raw)
        scores = one.raw_scores
        paper = read_by_paper(labels, scores, labels[::3], scores[::3], marks)
        return one._replace(paper=paper)

    found = {}
    for name, (kind, inputs, noise) in list(NAMES.items())[:models]:
        seen = truth + noise * hardness * rng.normal(size=truth.shape)
        probabilities = prevalence + (0.95 - prevalence) * np.tanh(np.maximum(seen, 0)) / 1.1
        probabilities = np.where(seen < 0, prevalence * np.exp(seen), probabilities)
        if np.isinf(noise):
            probabilities = np.tile(prevalence, (rows, 1))
        found[name] = model(kind, inputs, probabilities)

    starts = rng.integers(0, 50_000_000, rows)
    windows = pandas.DataFrame(
        {
            "chrom": np.where(np.arange(rows) % 3, "chr8", "chr21"),
            "start": starts,
            "end": starts + 2500,
            "name": [f"gene{i}" for i in range(rows)],
            "strand": np.where(np.arange(rows) % 2, "+", "-"),
            "gene_id": [f"ENSG{i:011d}" for i in range(rows)],
            "biotype": rng.choice(BIOTYPES, rows, p=[0.7, 0.2, 0.1]),
        }
    )
    vectors = rng.normal(size=(len(marks), 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = pandas.DataFrame(vectors @ vectors.T, index=list(marks), columns=list(marks))
    pairs = len(marks) * (len(marks) - 1) // 2
    several = relations and len(marks) > 2
    values = {name: one.probabilities for name, one in found.items()}
    places = (("biotype", "biotype"), ("chrom", "chromosome"))
    groups = [by_group(labels, values, windows[column], by, 1) for column, by in places]
    halves = windows["chrom"] + np.where(starts < 25_000_000, ":0-25000000", ":25000000-50000000")
    groups.append(by_group(labels, values, halves, "block", 1))
    genome = np.where(np.arange(len(windows)) % 2, "human", "mouse")
    groups.append(by_group(labels, values, genome, "genome", 1))
    return Result(
        title="tiny 1.0",
        about={"Bundle": "tiny 1.0", "Genome": "hg19", "Split": "by chromosome: chr8, chr21"},
        warnings=[],
        marks=tuple(marks),
        windows=windows,
        labels=labels,
        models=found,
        groups=pandas.concat(groups, ignore_index=True),
        similarity=similarity if relations else None,
        co_targeting=similarity.abs() if relations else None,
        correlation=Correlation(0.41, 0.38, pairs) if several else None,
        validation=ValidationRows(windows[::3].reset_index(drop=True), labels[::3]),
    )


def undefined(result: Result) -> Result:
    """The same with no figure defined at all."""
    nothing = dict.fromkeys(METRICS, np.nan)
    models = {
        name: one._replace(
            figures=one.figures.assign(**nothing),
            low=one.low * np.nan,
            high=one.high * np.nan,
            paper=one.paper._replace(
                figures=one.paper.figures.assign(**dict.fromkeys(PAPER_METRICS, np.nan))
            ),
        )
        for name, one in result.models.items()
    }
    figures = dict.fromkeys(["micro_auroc", "macro_auroc", "micro_auprc"], np.nan)
    return result._replace(models=models, groups=result.groups.assign(**figures))
