"""Tables of the card of human-promoter, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from blocks import aurocs, by_block, intervals
from held_out import Found, HeldOut, auroc_interval
from members import SEED
from samples import MARKS
from sklearn.metrics import roc_auc_score

from histpred.bundle.mark_spec import MarkSpec
from histpred.evaluation.baselines import CPG, GC, KMERS
from histpred.evaluation.kinds import KINDS
from histpred.evaluation.metrics import expected_calibration_error
from histpred.reports.evaluation_figures import draw_calibration

ACTIVE = ("H2AFZ", "H3K27ac", "H3K4me1", "H3K4me3", "H3K9ac")
DRAWS = 100  # of labels, for the calibration error by chance
KNOWN = tuple(mark for mark in MARKS if mark != "H3K9me3")  # it is too rare at genes for a mean


class Marks(NamedTuple):
    """The marks of each output, with calibrations and thresholds."""

    tiles: tuple[MarkSpec, ...]
    genes: tuple[MarkSpec, ...]
    regions: tuple[MarkSpec, ...]


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def block_table(tiles: HeldOut) -> str:
    """Macro AUROC of this bundle and of the baselines on each block."""
    rows = []
    for name, scores in (("**this bundle**", tiles.logits), *tiles.beside.items()):
        means = np.nanmean(by_block(tiles.places.labels, tiles.block, scores), axis=1)
        rows.append([name, *(f"{mean:.3f}" for mean in means), f"{means.mean():.3f}"])
    return table(["method", *map(str, tiles.blocks), "mean"], rows)


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
    """AUROC of each of FURTHER beside the baselines', and where the bundle has the mark."""
    rows = []
    for i, (mark, keep) in enumerate(zip(regions.marks, kept, strict=True)):
        truth, logits = regions.places.labels[:, i], regions.logits[:, i]
        low, high = auroc_interval(regions, i, bootstraps)
        others = [f"{roc_auc_score(truth, each[:, i]):.3f}" for each in regions.beside.values()]
        cell = f"{roc_auc_score(truth, logits):.3f} ({low:.3f}-{high:.3f})"
        rows.append([mark, str(truth.sum()), cell, *others, "yes" if keep else "no"])
    header = ["mark", "positives", "AUROC", *(f"of {name}" for name in regions.beside), "kept"]
    return table(header, rows)


def kinds_of(genes: HeldOut) -> dict[str, np.ndarray]:
    """The rows of each kind of genes."""
    coding, far = genes.places.coding, genes.places.far
    return dict(zip(KINDS, (coding, ~coding, far), strict=True))


def kind_table(genes: HeldOut) -> str:
    """AUROC beside the baselines', bias and calibration error, by kind of gene and chromosome.

    The last column is the error that labels drawn from the probabilities themselves would have.
    """
    rng = np.random.default_rng(SEED)
    chromosomes = genes.chromosomes
    active = [MARKS.index(mark) for mark in ACTIVE]
    ranked = [MARKS.index(mark) for mark in KNOWN]
    probabilities = genes.probabilities()
    rows = []
    for kind, of_kind in kinds_of(genes).items():
        both = {"both": np.ones(len(of_kind), bool)} if len(chromosomes) > 1 else {}
        for name, on_it in (chromosomes | both).items():
            here = of_kind & on_it
            labels = genes.places.labels[here]
            scores = genes.logits, *(genes.beside[each] for each in (GC, CPG, KMERS))
            ranks = [np.nanmean(aurocs(labels, each[here])[ranked]) for each in scores]
            found = probabilities[here]
            bias = found[:, active].mean() - labels[:, active].mean()
            error = largest_error(labels[:, active], found[:, active])
            chances = rng.random((DRAWS, *found.shape)) < found
            by_chance = np.mean(
                [largest_error(one[:, active], found[:, active]) for one in chances]
            )
            cells = [f"{value:.3f}" for value in ranks]
            cells += [f"{bias:+.3f}", f"{error:.3f}", f"{by_chance:.3f}"]
            rows.append([kind, name, str(here.sum()), *cells])
    header = ["genes", "chromosome", "number", "AUROC", GC, CPG, KMERS]
    return table([*header, "bias of active marks", "largest ECE of these", "by chance"], rows)


def largest_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The largest expected calibration error of the columns of [n, marks]."""
    columns = zip(labels.T, probabilities.T, strict=True)
    return max(expected_calibration_error(*column) for column in columns)


def call_table(
    held_out: HeldOut, marks: Sequence[MarkSpec], groups: Mapping[str, np.ndarray]
) -> str:
    """Precision and recall of the calls of each mark, by group, with their number."""
    probabilities = held_out.probabilities()
    lines = []
    for i, mark in enumerate(marks):
        called = probabilities[:, i] >= mark.called_from
        cells = []
        for rows in groups.values():
            carried = held_out.places.labels[rows, i]
            right = int(carried[called[rows]].sum())
            number = int(called[rows].sum())
            shares = f"{right / number:.2f} / {right / carried.sum():.2f}" if number else "none"
            cells.append(f"{shares} ({number})" if number else shares)
        line = "NA" if mark.unpredicted else "never" if not called.any() else None
        lines.append([mark.name, line or f"{mark.threshold:.2f}", *cells])
    return table(["precision / recall (calls)", "from", *groups], lines)


def rate_table(genes: HeldOut) -> str:
    """Observed rates beside mean probabilities, by mark and kind of gene."""
    kinds = kinds_of(genes)
    probabilities = genes.probabilities()
    lines = []
    for i, mark in enumerate(MARKS):
        cells = [
            f"{genes.places.labels[rows, i].mean():.2f} / {probabilities[rows, i].mean():.2f}"
            for rows in kinds.values()
        ]
        lines.append([mark, *cells])
    return table(["observed / predicted", *kinds], lines)


def pictures_of(found: Found) -> dict[str, bytes]:
    """Reliability plots of tiles, regions, genes and each kind of genes, by file name."""
    tiles, genes, regions = found
    each_of = {"tiles": tiles, "regions": regions, "genes": genes}
    for kind, rows in kinds_of(genes).items():
        each_of[f"{kind.replace(' ', '-')}-genes"] = genes.where(rows)
    return {
        f"calibration-{name}.svg": draw_calibration(
            held.marks, held.places.labels, held.probabilities()
        )
        for name, held in each_of.items()
        if held.marks
    }


def tables_of(found: Found, marks: Marks) -> dict[str, object]:
    """Tables and numbers of the card, by their names in the notes."""
    tiles, genes, regions = found
    return {
        "blocks": block_table(tiles),
        "intervals": interval_table(tiles),
        "tile_calls": call_table(tiles, marks.tiles, tiles.chromosomes),
        "kinds": kind_table(genes),
        "calls": call_table(genes, marks.genes, kinds_of(genes)),
        "rates": rate_table(genes),
        "regions": len(regions.block),
        "genes": len(genes.block),
        "coding": int(genes.places.coding.sum()),
        "far": int(genes.places.far.sum()),
    }
