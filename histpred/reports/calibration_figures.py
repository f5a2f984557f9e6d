"""Reliability diagrams: mean probability against the observed share of positives."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import binomtest

from histpred.evaluation.metrics import BINS, expected_calibration_error, reliability
from histpred.evaluation.result import Result
from histpred.reports.figures import Draft, figure_of, mark_rgb, styled
from histpred.reports.words import decimals

PANELS, PANEL_COLUMNS = 12, 4


def draw_calibration(marks: Sequence[str], labels: np.ndarray, probabilities: np.ndarray) -> bytes:
    """Draw a reliability diagram per mark, of labels and probabilities [n, marks], as SVG."""
    with styled(), io.BytesIO() as content:
        figure = _diagrams(marks, labels, probabilities)
        figure.savefig(content, format="svg", metadata={"Date": None})
        return content.getvalue()


def reliability_diagrams(result: Result) -> Draft | None:
    """The reliability of the bundle for the marks with most positives; None without positives."""
    bundle, one = next(iter(result.models.items()))
    figures = one.figures.loc[list(result.marks)].sort_values(
        "positives", ascending=False, kind="stable"
    )
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


def _diagrams(marks: Sequence[str], labels: np.ndarray, probabilities: np.ndarray) -> Figure:
    """One panel per mark, of labels and probabilities [n, marks]."""
    columns = min(PANEL_COLUMNS, len(marks))
    lines = -(-len(marks) // columns)
    figure = figure_of(max(3.2, 2.3 * columns), 2.4 * lines + 0.3)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, name, truth, scores in zip(panels, marks, labels.T, probabilities.T, strict=False):
        table = reliability(truth, scores, BINS)
        low, high = np.transpose(
            [_wilson(*each) for each in zip(table["observed"], table["count"], strict=True)]
        )
        predicted, observed, colour = table["predicted"], table["observed"], mark_rgb(name)
        top = min(1.02, 1.08 * max(predicted.max(), observed.max(), 0.01))
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, zorder=1)
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


def _wilson(observed: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of `count` (Wilson 1927)."""
    interval = binomtest(round(observed * count), int(count)).proportion_ci(method="wilson")
    return interval.low, interval.high
