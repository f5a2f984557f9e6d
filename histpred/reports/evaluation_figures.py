"""The figures of an evaluation, as PNG for slides and SVG for the report.

They follow the paper's Fig. 2 and Extended Data Figs. 1 to 5; curves, calibration and groups are
added. The bundle and other models are drawn in strong colours, baselines in greys; where marks are
the subject, they have the colours of their classes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
import pandas
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.cluster.hierarchy import dendrogram
from scipy.stats import binomtest

from histpred.core.marks import hex_colour, mark
from histpred.evaluation.analysis import hierarchical_linkage, hierarchical_order
from histpred.evaluation.metrics import BINS, expected_calibration_error, reliability
from histpred.evaluation.result import Result
from histpred.reports.figures import (
    MODEL_COLOURS,
    Draft,
    Drawing,
    cell_numbers,
    class_legend,
    colour_bar,
    drawn,
    empty_figure,
    figure_of,
    legend,
    mark_axis,
    styled,
)
from histpred.reports.label_figures import biotype_counts, class_counts
from histpred.reports.model_figures import accuracy_by_mark, auroc_by_group, auroc_by_mark, curves
from histpred.reports.page import decimals

PANELS, PANEL_COLUMNS = 12, 4  # of reliability diagrams
VALUES_SHOWN = 12  # up to this many marks, the cells of a heat map hold their numbers


def draw_calibration(marks: Sequence[str], labels: np.ndarray, probabilities: np.ndarray) -> bytes:
    """Draw a reliability diagram per mark, of labels and probabilities [n, marks], as SVG."""
    with styled(), io.BytesIO() as content:
        figure = _diagrams(marks, labels, probabilities)
        figure.savefig(content, format="svg", metadata={"Date": None})
        return content.getvalue()


def reliability_diagrams(result: Result) -> Draft | None:
    """The reliability of the bundle for the marks with most positives; None without positives."""
    bundle, one = next(iter(result.models.items()))
    figures = one.figures.loc[list(result.marks)]
    figures = figures.sort_values("positives", ascending=False, kind="stable")
    marks = [mark for mark in figures.index if figures.loc[mark, "positives"] > 0][:PANELS]
    if not marks:
        return None
    columns = [result.marks.index(mark) for mark in marks]
    figure = _diagrams(marks, result.labels[:, columns], one.probabilities[:, columns])
    every = len(marks) == len(result.marks)
    shown = "Each mark" if every else f"The {len(marks)} marks with most positives"
    return Draft(
        "Calibration",
        f"{shown}: mean probability of {bundle} and share of positives in {BINS} bins of equal "
        "count, with 95 % Wilson intervals. On the diagonal, probabilities are the observed "
        "shares. Axes end at the largest value.",
        figure,
    )


def mark_similarity(result: Result) -> Draft | None:
    """The cosine similarity of the marks' vectors, clustered; None for fewer than two marks."""
    table = result.similarity
    if table is None or len(table) < 2:
        return None
    figure = _heat_map(table, table, "RdBu_r", (-1, 1), "Cosine similarity of mark vectors")
    return Draft(
        "Similarity of the marks' vectors",
        "Cosine similarity of the vectors by which the model tells the marks apart, ordered by "
        "average-linkage clustering. Red: the model treats the two marks as similar.",
        figure,
    )


def co_targeting(result: Result) -> Draft | None:
    """How often marks occur together in the labels; None for fewer than two marks."""
    if result.co_targeting is None or len(result.co_targeting) < 2:
        return None
    order = result.co_targeting if result.similarity is None else result.similarity
    figure = _heat_map(result.co_targeting, order, "YlOrRd", (0, 1), "TF-IDF-weighted cosine")
    same = "its own clustering" if result.similarity is None else "the order of the marks' vectors"
    return Draft(
        "Co-targeting in the labels",
        "TF-IDF-weighted cosine similarity of the marks over training rows, which gives ubiquitous "
        f"marks less weight, in {same}. It is a property of the labels, not of the model.",
        figure,
    )


def similarity_against_co_targeting(result: Result) -> Draft | None:
    """One point per pair of marks; None where either table is missing."""
    if result.similarity is None or result.co_targeting is None or result.correlation is None:
        return None
    marks = list(result.similarity.index)
    rows, columns = np.triu_indices(len(marks), 1)
    across = result.co_targeting.reindex(index=marks, columns=marks).to_numpy()[rows, columns]
    up = result.similarity.to_numpy()[rows, columns]
    classes = np.array([mark(name).mark_class for name in marks])
    alike = classes[rows] == classes[columns]
    figure, axes = figure_of(5.4, 4.6)
    axes.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    axes.scatter(across[~alike], up[~alike], 16, color="#999999", alpha=0.6, linewidths=0)
    axes.scatter(across[alike], up[alike], 22, color=MODEL_COLOURS[1], alpha=0.85, linewidths=0)
    axes.set(
        xlabel="Co-targeting in the labels (TF-IDF cosine)",
        ylabel="Similarity of mark vectors (cosine)",
        title=f"Pearson {decimals(result.correlation.pearson)}, "
        f"Spearman {decimals(result.correlation.spearman)}, {result.correlation.pairs:,} pairs",
    )
    colours = (MODEL_COLOURS[1], "#999999")
    handles = [Line2D([], [], color=colour, marker="o", linestyle="") for colour in colours]
    legend(figure, handles, ["same class of marks", "other pairs"], "outside upper left")
    return Draft(
        "Similarity against co-targeting",
        "Each point is a pair of marks. Where the two agree, the vectors reflect which marks occur "
        "together in the labels.",
        figure,
    )


def _diagrams(marks: Sequence[str], labels: np.ndarray, probabilities: np.ndarray) -> Figure:
    """One panel per mark, of labels and probabilities [n, marks]."""
    columns = min(PANEL_COLUMNS, len(marks))
    lines = -(-len(marks) // columns)
    figure = empty_figure(max(3.2, 2.3 * columns), 2.4 * lines + 0.3)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, name, truth, scores in zip(panels, marks, labels.T, probabilities.T, strict=False):
        table = reliability(truth, scores, BINS)
        shares = zip(table["observed"], table["count"], strict=True)
        tests = [binomtest(round(share * count), int(count)) for share, count in shares]
        intervals = [test.proportion_ci(method="wilson") for test in tests]
        predicted, observed, colour = table["predicted"], table["observed"], hex_colour(name)
        top = min(1.02, 1.08 * max(predicted.max(), observed.max(), 0.01))
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, zorder=1)
        low, high = [one.low for one in intervals], [one.high for one in intervals]
        axes.vlines(predicted, low, high, color=colour, linewidth=1.2, zorder=2)
        axes.plot(predicted, observed, "o-", color=colour, markersize=4, zorder=3)
        axes.set(xlim=(0, top), ylim=(0, top), aspect="equal")
        axes.locator_params(nbins=4)
        error = expected_calibration_error(truth, scores)
        axes.set_title(f"{name}\nECE {decimals(error, 3)}", loc="left")
    for axes in panels[len(marks) :]:
        axes.remove()
    figure.supxlabel("Predicted probability", fontsize=9)
    figure.supylabel("Observed share of positives", fontsize=9)
    return figure


def _heat_map(
    matrix: pandas.DataFrame,
    clustered: pandas.DataFrame,
    colours: str,
    limits: tuple[float, float],
    title: str,
) -> Figure:
    """`matrix` in the order in which `clustered` clusters, its tree above."""
    order = [clustered.index[i] for i in hierarchical_order(clustered)]
    values = matrix.reindex(index=order, columns=order)
    size = float(np.clip(2.2 + 0.19 * len(order), 4, 11))
    figure, axes = figure_of(size + 1.4, size + 0.9)
    palette = matplotlib.colormaps[colours].with_extremes(bad="#eeeeee")
    image = axes.imshow(values, cmap=palette, vmin=limits[0], vmax=limits[1])
    mark_axis(axes, order, "x", upright=True)
    mark_axis(axes, order, "y")
    if len(order) <= VALUES_SHOWN:
        cell_numbers(axes, values.to_numpy(), "{:.2f}".format, 0.6)
    tree = axes.inset_axes((0, 1.01, 1, 0.1))
    joins = dendrogram(hierarchical_linkage(clustered), no_plot=True)
    for across, up in zip(joins["icoord"], joins["dcoord"], strict=True):
        # scipy puts leaf i at 5 + 10 i.
        tree.plot((np.array(across) - 5) / 10, up, color="#555555", linewidth=0.8)
    tree.set(xlim=(-0.5, len(order) - 0.5))
    tree.set_axis_off()
    colour_bar(axes, image, title)
    class_legend(figure, order)
    return figure


DRAWERS: dict[str, Callable[[Result], Draft | None]] = {
    "accuracy_by_mark": accuracy_by_mark,
    "auroc_by_mark": auroc_by_mark,
    "classes": lambda result: class_counts(result.marks, result.labels, "windows"),
    "biotypes": lambda result: biotype_counts(result.windows["biotype"], "windows"),
    "roc": curves,
    "reliability": reliability_diagrams,
    "mark_similarity": mark_similarity,
    "co_targeting": co_targeting,
    "similarity_against_co_targeting": similarity_against_co_targeting,
    "by_genome": lambda result: auroc_by_group(result, "genome"),
    "by_biotype": lambda result: auroc_by_group(result, "biotype"),
    "by_chromosome": lambda result: auroc_by_group(result, "chromosome"),
    "by_block": lambda result: auroc_by_group(result, "block"),
}

FIGURE_NAMES = tuple(DRAWERS)
"""Every figure that there may be, in the order in which to read them."""


def draw(result: Result, folder: Path) -> dict[str, Drawing]:
    """Write NAME.png (150 dpi) and NAME.svg of each figure into `folder`, which exists.

    Returns the figures by name, in reading order. A figure without data is left out: biotypes and
    groups if there is only one, curves without both classes, relations of marks without vectors.
    The same result gives the same bytes. matplotlib's settings are left as they were.
    """
    return drawn({name: partial(drawer, result) for name, drawer in DRAWERS.items()}, folder)
