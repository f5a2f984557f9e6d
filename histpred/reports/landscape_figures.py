"""The figures of a prediction's report."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib
import matplotlib.style
import numpy as np
import pandas
from matplotlib.ticker import PercentFormatter
from scipy.cluster.hierarchy import leaves_list, linkage

from histpred.core.marks import by_class
from histpred.reports.figures import (
    STYLE,
    Draft,
    Drawing,
    class_legend,
    colour_bar,
    figure_of,
    mark_axis,
    mark_rgb,
    svg_element,
    wrapped,
)
from histpred.reports.landscape import BINS, Landscape

SHARES_SHOWN = 500  # cells up to which a heat map has its numbers in them
SPREAD = 2.5  # standard deviations at which a heat map's colours end
LINES = 500  # of a heat map at most
SAME = 0.05  # s.d. of the log-odds below which a mark says nothing of windows
LEAST, FEW = 0.02, 0.0995  # shares
RIDGE = 0.86  # of the distance between two rows


def draw(landscape: Landscape, thresholds: Sequence[float]) -> dict[str, Drawing]:
    """The figures by name; one whose data are not there, such as a clustering of two windows, is
    left out. `thresholds`: of the landscape's marks.
    """
    drawings = {}
    with matplotlib.style.context(["default", STYLE]):
        for name, drawer in DRAWERS.items():
            if draft := drawer(landscape, thresholds):
                draft.figure.draw_without_rendering()
                _, svg = svg_element(draft.figure, name)
                drawings[name] = Drawing(name, draft.title, draft.caption, svg)
    return drawings


def _distributions(landscape: Landscape, thresholds: Sequence[float]) -> Draft:
    marks = by_class(landscape.marks)
    figure = figure_of(9.2, 1.2 + 0.27 * len(marks))
    axes = figure.subplots()
    edges = np.linspace(0, 1, BINS + 1)
    for place, name in enumerate(marks):
        number = landscape.marks.index(name)
        counts, threshold = landscape.histograms[number], thresholds[number]
        heights = place - RIDGE * np.sqrt(counts / counts.max())
        colour = mark_rgb(name)
        axes.stairs(heights, edges, baseline=place, fill=True, color=colour, alpha=0.55)
        axes.stairs(heights, edges, baseline=place, color=colour, linewidth=0.8)
        if threshold <= 1:
            axes.plot([threshold] * 2, [place, place - RIDGE], color="black", linewidth=1.4)
        called = landscape.called[number] / landscape.windows
        axes.text(1.015, place - 0.3, f"{called:.1%}", va="center", fontsize=8)
    axes.text(1.015, -1.2, "called", va="center", fontsize=8, color="#555555")
    axes.set(xlim=(0, 1), ylim=(len(marks) - 0.7, -1.15), xlabel="Probability")
    axes.grid(axis="x")
    mark_axis(axes, marks, "y")
    axes.spines["left"].set_visible(False)
    class_legend(figure, marks)
    return Draft(
        "Probabilities of each mark",
        f"How the probabilities of {landscape.windows:,} windows are spread; heights are square "
        "roots of counts, each row to its own highest bin. Black: the threshold from which on the "
        "bundle calls a mark; right: the share of windows that are called.",
        figure,
    )


def _groups(landscape: Landscape, _: Sequence[float]) -> Draft | None:
    marks = by_class(landscape.marks)
    shares = landscape.groups[marks].div(landscape.groups["windows"], axis=0)
    figure = figure_of(2.6 + 0.42 * len(marks), 1.6 + 0.34 * len(shares))
    axes = figure.subplots()
    most = max(float(shares.to_numpy().max()), LEAST)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=most, aspect="auto")
    for spine in axes.spines.values():
        spine.set_visible(False)
    if shares.size <= SHARES_SHOWN:
        for (row, column), share in np.ndenumerate(shares.to_numpy()):
            axes.text(
                *(column, row, f"{100 * share:.{1 if share < FEW else 0}f}"),
                ha="center",
                va="center",
                fontsize=7,
                color="white" if share > 0.6 * most else "black",
            )
    names = [f"{name} ({count:,})" for name, count in landscape.groups["windows"].items()]
    axes.set_yticks(range(len(names)), wrapped(names))
    axes.tick_params(axis="y", length=0)
    mark_axis(axes, marks, "x", upright=True)
    bar = colour_bar(figure, axes, image, "called", shrink=0.8, aspect=15)
    bar.yaxis.set_major_formatter(PercentFormatter(1, 0 if most > FEW else 1))
    class_legend(figure, marks)
    return Draft(
        f"Marks by {landscape.by}",
        f"The percentage of windows of each {landscape.by} that are called for a mark; in "
        "brackets, how many windows there are.",
        figure,
    )


def _heat_map(landscape: Landscape, _: Sequence[float]) -> Draft | None:
    values = landscape.sample.to_numpy(np.float64).clip(1e-6, 1 - 1e-6)
    logits = pandas.DataFrame(np.log(values / (1 - values)), columns=list(landscape.marks))
    logits = logits.loc[:, logits.std() > SAME]
    if len(logits) < 3 or logits.shape[1] < 2:
        return None
    scaled = ((logits - logits.mean()) / logits.std()).clip(-SPREAD, SPREAD)
    rows = leaves_list(linkage(scaled, "ward"))
    columns = leaves_list(linkage(scaled.T, "average", metric="correlation"))
    scaled = scaled.iloc[rows, columns]
    marks = list(scaled.columns)
    figure = figure_of(2.4 + 0.3 * max(len(marks), 10), min(7.0, 2.4 + 0.09 * len(scaled)))
    axes = figure.subplots()
    together = -(-len(scaled) // LINES)
    lines = scaled.groupby(np.arange(len(scaled)) // together).mean()
    limits = {"vmin": -SPREAD, "vmax": SPREAD}
    image = axes.imshow(
        lines, cmap="RdBu_r", aspect="auto", interpolation="nearest", resample=False, **limits
    )
    for spine in axes.spines.values():
        spine.set_visible(False)
    mark_axis(axes, marks, "x", upright=True)
    axes.set_yticks([])
    what = f"{len(scaled):,} windows"
    axes.set_ylabel(what if len(scaled) == landscape.windows else f"{what}, evenly spaced")
    title = "log-odds, s.d. from the mark's mean"
    colour_bar(figure, axes, image, title, shrink=0.5, aspect=25)
    class_legend(figure, marks)
    every = (
        "All windows"
        if len(scaled) == landscape.windows
        else f"{len(scaled):,} of {landscape.windows:,} windows, evenly spaced along the table"
    )
    each = "a window" if together == 1 else f"the mean of {together} neighbours"
    return Draft(
        "Windows and marks, clustered",
        f"{every}. A row is {each}, a column a mark: the log-odds of the probability, in "
        "standard deviations from the mark's mean (cut at 2.5), so that rare and common marks are "
        "seen alike. "
        "Rows: Ward's clustering; columns: average linkage of 1 - correlation. A mark with "
        "nearly the same probability for all windows is left out.",
        figure,
    )


DRAWERS: dict[str, Callable[[Landscape, Sequence[float]], Draft | None]] = {
    "distributions": _distributions,
    "groups": _groups,
    "heat_map": _heat_map,
}
