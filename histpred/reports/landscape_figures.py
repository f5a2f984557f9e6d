"""The figures of a prediction's report: distributions, groups and a clustered heat map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas
from matplotlib.ticker import PercentFormatter
from scipy.cluster.hierarchy import leaves_list, linkage

from histpred.core.marks import by_class, hex_colour
from histpred.reports.figures import (
    Draft,
    Drawing,
    cell_numbers,
    class_legend,
    colour_bar,
    drawn,
    figure_of,
    mark_axis,
    wrapped,
)
from histpred.reports.landscape import BINS, Landscape

SHARES_SHOWN = 500  # up to this many cells, a heat map holds its numbers
SPREAD = 2.5  # standard deviations at which the colours of a heat map end
LINES = 500  # most lines of a heat map
SAME = 0.05  # s.d. of the log-odds below which a mark does not distinguish windows
LEAST = 0.02  # smallest share at which the colours of a heat map end
FEW = 0.0995  # shares below this are written with one decimal
RIDGE = 0.86  # height of a distribution, in distances between two rows


def draw(landscape: Landscape, thresholds: Sequence[float]) -> dict[str, Drawing]:
    """Draw the figures, by name; `thresholds` are those of the landscape's marks.

    A figure without enough data, such as a clustering of two windows, is left out.
    """
    return drawn(
        {
            "distributions": lambda: _distributions(landscape, thresholds),
            "groups": lambda: _groups(landscape),
            "heat_map": lambda: _heat_map(landscape),
        }
    )


def _distributions(landscape: Landscape, thresholds: Sequence[float]) -> Draft:
    marks = by_class(landscape.marks)
    figure, axes = figure_of(9.2, 1.2 + 0.27 * len(marks))
    edges = np.linspace(0, 1, BINS + 1)
    for place, name in enumerate(marks):
        number = landscape.marks.index(name)
        counts, threshold = landscape.histograms[number], thresholds[number]
        heights = place - RIDGE * np.sqrt(counts / counts.max())
        colour = hex_colour(name)
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
        f"Distribution of the probabilities of {landscape.windows:,} windows. Heights are square "
        "roots of counts, scaled to the highest bin of each row. Black: the bundle's threshold for "
        "a call. Right: the share of windows that are called.",
        figure,
    )


def _groups(landscape: Landscape) -> Draft:
    marks = by_class(landscape.marks)
    shares = landscape.groups[marks].div(landscape.groups["windows"], axis=0)
    figure, axes = figure_of(2.6 + 0.42 * len(marks), 1.6 + 0.34 * len(shares))
    most = max(float(shares.to_numpy().max()), LEAST)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=most, aspect="auto")
    if shares.size <= SHARES_SHOWN:
        cell_numbers(
            axes,
            shares.to_numpy(),
            lambda share: f"{100 * share:.{1 if share < FEW else 0}f}",
            0.6 * most,
        )
    names = [f"{name} ({count:,})" for name, count in landscape.groups["windows"].items()]
    axes.set_yticks(range(len(names)), wrapped(names))
    axes.tick_params(axis="y", length=0)
    mark_axis(axes, marks, "x", upright=True)
    bar = colour_bar(axes, image, "called", shrink=0.8, aspect=15)
    bar.yaxis.set_major_formatter(PercentFormatter(1, 0 if most > FEW else 1))
    class_legend(figure, marks)
    return Draft(
        f"Marks by {landscape.by}",
        f"Percentage of the windows of each {landscape.by} that are called for a mark. In "
        "brackets: the number of windows.",
        figure,
    )


def _heat_map(landscape: Landscape) -> Draft | None:
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
    figure, axes = figure_of(2.4 + 0.3 * max(len(marks), 10), min(7.0, 2.4 + 0.09 * len(scaled)))
    together = -(-len(scaled) // LINES)
    lines = scaled.groupby(np.arange(len(scaled)) // together).mean()
    image = axes.imshow(lines, "RdBu_r", aspect="auto", interpolation="nearest", resample=False)
    image.set_clim(-SPREAD, SPREAD)
    mark_axis(axes, marks, "x", upright=True)
    axes.set_yticks([])
    what, whole = f"{len(scaled):,} windows", len(scaled) == landscape.windows
    axes.set_ylabel(what if whole else f"{what}, evenly spaced")
    colour_bar(axes, image, "log-odds, s.d. from the mark's mean")
    class_legend(figure, marks)
    some = f"{len(scaled):,} of {landscape.windows:,} windows, evenly spaced along the table"
    every = "All windows" if whole else some
    each = "a window" if together == 1 else f"the mean of {together} neighbours"
    return Draft(
        "Windows and marks, clustered",
        f"{every}. Each row is {each}, each column a mark. Colours: the log-odds of the "
        "probability, in standard deviations from the mark's mean (cut at 2.5), which makes rare "
        "and common marks comparable. Rows: Ward's clustering; columns: average linkage of "
        "1 - correlation. Marks with nearly the same probability for all windows are left out.",
        figure,
    )
