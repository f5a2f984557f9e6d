"""How marks relate: similarity of their vectors, co-targeting in the labels, and both together.

They are the paper's Extended Data Figs. 3 to 5.
"""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.cluster.hierarchy import dendrogram

from histpred.core.marks import mark
from histpred.evaluation.analysis import hierarchical_linkage, hierarchical_order
from histpred.evaluation.result import Result
from histpred.reports.figures import (
    MODEL_COLOURS,
    Draft,
    cell_numbers,
    class_legend,
    colour_bar,
    figure_of,
    hide_frame,
    legend,
    mark_axis,
)
from histpred.reports.words import decimals

VALUES_SHOWN = 12  # up to this many marks, the cells of a heat map hold their numbers


def mark_similarity(result: Result) -> Draft | None:
    """The cosine similarity of the marks' vectors, clustered; None for fewer than two marks."""
    if result.similarity is None or len(result.similarity) < 2:
        return None
    figure = _heat_map(
        result.similarity, result.similarity, "RdBu_r", (-1, 1), "Cosine similarity of mark vectors"
    )
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
    figure = figure_of(5.4, 4.6)
    axes = figure.subplots()
    axes.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    axes.scatter(across[~alike], up[~alike], 16, color="#999999", alpha=0.6, linewidths=0)
    axes.scatter(across[alike], up[alike], 22, color=MODEL_COLOURS[1], alpha=0.85, linewidths=0)
    axes.set(
        xlabel="Co-targeting in the labels (TF-IDF cosine)",
        ylabel="Similarity of mark vectors (cosine)",
        title=f"Pearson {decimals(result.correlation.pearson)}, "
        f"Spearman {decimals(result.correlation.spearman)}, {result.correlation.pairs:,} pairs",
    )
    handles = [
        Line2D([], [], color=colour, marker="o", linestyle="")
        for colour in (MODEL_COLOURS[1], "#999999")
    ]
    legend(figure, handles, ["same class of marks", "other pairs"], "outside upper left")
    return Draft(
        "Similarity against co-targeting",
        "Each point is a pair of marks. Where the two agree, the vectors reflect which marks occur "
        "together in the labels.",
        figure,
    )


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
    figure = figure_of(size + 1.4, size + 0.9)
    axes = figure.subplots()
    palette = matplotlib.colormaps[colours].with_extremes(bad="#eeeeee")
    image = axes.imshow(values, cmap=palette, vmin=limits[0], vmax=limits[1])
    hide_frame(axes)
    mark_axis(axes, order, "x", upright=True)
    mark_axis(axes, order, "y")
    if len(order) <= VALUES_SHOWN:
        cell_numbers(axes, values.to_numpy(), "{:.2f}".format, 0.6)
    tree = axes.inset_axes((0, 1.01, 1, 0.1))
    drawn = dendrogram(hierarchical_linkage(clustered), no_plot=True)
    for across, up in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        # scipy puts leaf i at 5 + 10 i.
        tree.plot((np.array(across) - 5) / 10, up, color="#555555", linewidth=0.8)
    tree.set(xlim=(-0.5, len(order) - 0.5))
    tree.set_axis_off()
    colour_bar(figure, axes, image, title, shrink=0.5, aspect=25)
    class_legend(figure, order)
    return figure
