"""Tables of the card of human-promoter, in Markdown."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
from blocks import ALONG, Block, aurocs, by_block, intervals, name_of
from held_out import HeldOut, auroc_interval
from members import SEED
from samples import MARKS
from sklearn.metrics import roc_auc_score

from histpred.bundle.manifest import MarkSpec

HERE = Path(__file__).parent
RIVALS = HERE / "human_promoter_rivals.tsv"
ABLATION = HERE / "human_promoter_ablation.tsv"


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def rival_table(tiles: HeldOut, stretch: HeldOut, blocks: Sequence[Block]) -> str:
    """Macro AUROC of each method on each block: this bundle, the baselines, RIVALS."""
    columns = [*map(name_of, blocks), "mean", ALONG]
    figures: dict[str, dict[str, float]] = {}
    for name, of_tiles, of_stretch in (
        ("**this bundle**", tiles.logits, stretch.logits),
        ("1- to 4-mers of 2.2 kb, logistic regression", tiles.kmers, stretch.kmers),
        ("GC of 2.2 kb, logistic regression", tiles.gc, stretch.gc),
    ):
        means = np.nanmean(by_block(tiles.places.labels, tiles.block, of_tiles), axis=1)
        along = np.nanmean(aurocs(stretch.places.labels, of_stretch))
        figures[name] = dict(zip(columns, [*means, means.mean(), along], strict=True))
    with open(RIVALS, newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            figures.setdefault(row["method"], {})[row["block"]] = float(row["macro_auroc"])
    rows = [
        [name, *(f"{known[column]:.3f}" if column in known else "" for column in columns)]
        for name, known in figures.items()
    ]
    return table(["method", *columns], rows)


def interval_table(tiles: HeldOut) -> str:
    """AUROC and AUPRC of each mark with their intervals, as means over blocks."""
    figures = intervals(tiles.places, tiles.block, tiles.logits, SEED)
    rows = []
    for mark, truth, both in zip(MARKS, tiles.places.labels.T, figures, strict=True):
        cells = [f"{mean:.3f} ({low:.3f}-{high:.3f})" for mean, low, high in both]
        rows.append([mark, *cells, f"{truth.mean():.4f}"])
    means = figures[:, :, 0].mean(axis=0)
    rows.append(["**mean**", *(f"**{mean:.3f}**" for mean in means), ""])
    return table(["mark", "AUROC", "AUPRC", "prevalence"], rows)


def region_table(regions: HeldOut, kept: np.ndarray, bootstraps: int) -> str:
    """AUROC of each of FURTHER beside the baselines', and True where the bundle has the mark."""
    rows = []
    columns = (regions.places.labels.T, regions.logits.T, regions.gc.T, regions.kmers.T, kept)
    for mark, truth, logits, gc, kmers, keep in zip(regions.marks, *columns, strict=True):
        low, high = auroc_interval(truth, logits, bootstraps)
        others = [f"{roc_auc_score(truth, score):.3f}" for score in (gc, kmers)]
        cell = f"{roc_auc_score(truth, logits):.3f} ({low:.3f}-{high:.3f})"
        rows.append([mark, str(truth.sum()), cell, *others, "yes" if keep else "no"])
    return table(["mark", "positives", "AUROC", "of GC", "of 4-mers", "kept"], rows)


def ablation_table() -> str:
    """The table of ABLATION."""
    with open(ABLATION, newline="") as lines:
        header, *rows = csv.reader(lines, delimiter="\t")
    return table(header, rows)


def call_table(marks: Sequence[MarkSpec], labels: np.ndarray, probabilities: np.ndarray) -> str:
    """Share of loci called, recall and precision at the thresholds."""
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
    """Observed rates beside mean probabilities, for coding and for non-coding genes."""
    header = ["mark", "coding: observed", "predicted", "non-coding: observed", "predicted"]
    lines = []
    for i, mark in enumerate(marks):
        pairs = product((~non_coding, non_coding), (labels, probabilities))
        lines.append([mark, *(f"{values[rows, i].mean():.2f}" for rows, values in pairs)])
    return table(header, lines)
