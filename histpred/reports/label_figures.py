"""How labels are distributed over marks and biotypes: the paper's Extended Data Figs. 1 and 2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from histpred.core.marks import hex_colour
from histpred.labels.matrix import LabelMatrix
from histpred.reports.figures import (
    MODEL_COLOURS,
    Draft,
    class_legend,
    drawn,
    figure_of,
    mark_axis,
    mark_figure,
    wrapped,
)

NEGATIVE = "#dcdcdc"
SHARES_SHOWN = 20  # up to this many bars, a percentage fits above each
MOST_BIOTYPES = 15


def draw_labels(labels: LabelMatrix, folder: Path) -> None:
    """Draw how labels are distributed over marks, genes over biotypes, and entries over categories.

    Writes marks, biotypes and categories, each .png and .svg, into `folder`. Without biotypes or
    categories, their figure is left out.
    """
    drawers = {
        "marks": lambda: class_counts(labels.marks, labels.values, "genes"),
        "biotypes": lambda: biotype_counts(labels.genes["biotype"], "genes"),
        "categories": lambda: category_counts(labels.categories),
    }
    drawn(drawers, folder)


def class_counts(marks: Sequence[str], labels: np.ndarray, what: str) -> Draft:
    """Positives and negatives of each mark, of labels [n, marks] of `what` ('windows')."""
    table = pandas.DataFrame(labels, columns=list(marks))
    counts = pandas.DataFrame({"positives": (table == 1).sum(), "negatives": (table == 0).sum()})
    counts = counts.sort_values("positives", ascending=False, kind="stable")
    marks = list(counts.index)
    figure, axes = mark_figure(len(marks), 4.2)
    places = np.arange(len(marks))
    axes.bar(places, counts["positives"], 0.8, color=[*map(hex_colour, marks)])
    axes.bar(places, counts["negatives"], 0.8, bottom=counts["positives"], color=NEGATIVE)
    totals = counts.sum(axis=1)
    many = len(marks) > SHARES_SHOWN
    for place, positives, total in zip(places, counts["positives"], totals, strict=True):
        if total:
            axes.annotate(
                f"{positives / total:.0%}",
                (place, total),
                (0, 2),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=7 if many else 8,
                rotation=90 if many else 0,
            )
    axes.set(ylabel=f"Labelled {what}", ylim=(0, totals.max() * (1.12 if many else 1.07) or 1))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.locator_params(axis="y", integer=True)
    axes.grid(axis="y")
    mark_axis(axes, marks, "x")
    class_legend(figure, marks, [Patch(color=NEGATIVE)], ["negative"])
    return Draft(
        "Positives and negatives",
        f"{what.capitalize()} labelled positive (coloured by class of mark) and negative (grey). "
        "Above each bar: the share of positives.",
        figure,
    )


def biotype_counts(biotypes: pandas.Series, what: str) -> Draft | None:
    """The number of `what` ('windows') of each biotype; None if no biotype is known."""
    counts = biotypes.value_counts()
    if list(counts.index) in ([], ["."]):
        return None
    title, caption = "Biotypes", f"Number of {what} of each biotype, and their share."
    return Draft(title, caption, _bars(counts, what))


def category_counts(categories: pandas.DataFrame | None) -> Draft | None:
    """Entries of RNAInter's table by kind of RNA (paper, Extended Data Fig. 2).

    `categories` has the columns category and entries. None: the source has no kinds of RNA.
    """
    if categories is None:
        return None
    counts = categories.set_index("category")["entries"]
    caption = "Number of entries of the table with each kind of RNA, and their share."
    return Draft("Kinds of RNA", caption, _bars(counts, "entries"))


def _bars(counts: pandas.Series, what: str) -> Figure:
    """A bar with number and share of `what` for each name, most first; the last ones together."""
    if len(counts) > MOST_BIOTYPES:
        rest = counts.iloc[MOST_BIOTYPES - 1 :]
        counts = counts.iloc[: MOST_BIOTYPES - 1].copy()
        counts[f"{len(rest)} others"] = rest.sum()
    figure, axes = figure_of(7, 0.9 + 0.27 * len(counts))
    names = ["not stated" if name == "." else name for name in counts.index]
    bars = axes.barh(wrapped(names), counts, 0.75, color=MODEL_COLOURS[0])
    shares = [f"{count:,} ({count / counts.sum():.1%})" for count in counts]
    axes.bar_label(bars, shares, padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel=f"Number of {what}", xlim=(0, counts.max() * 1.25))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.locator_params(axis="x", integer=True)
    axes.tick_params(axis="y", length=0)
    return figure
