"""Models and baselines side by side: accuracy, AUROC, curves, and AUROC by group of windows."""

from __future__ import annotations

from itertools import cycle
from typing import Any, NamedTuple

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from sklearn.metrics import precision_recall_curve, roc_curve

from histpred.core.marks import hex_colour
from histpred.evaluation.result import BASELINE, MACRO, MICRO, MODEL, Result
from histpred.reports.figures import (
    MODEL_COLOURS,
    Draft,
    class_legend,
    empty_figure,
    legend,
    mark_axis,
    mark_figure,
    wrapped,
)
from histpred.reports.page import MOST_GROUPS, decimals
from histpred.reports.readings import HISTPRED, PAPER, figures_of

BASELINE_COLOURS = ("#222222", "#6f6f6f", "#8c8c8c", "#8a7f72", "#5b6770", "#a8a8a8")
MODEL_MARKERS = "oDs^vPX"
BASELINE_MARKERS = "x+|_14"
Dashes = str | tuple[int, tuple[int, ...]]
DASHES: tuple[Dashes, ...] = ("--", ":", "-.", (0, (6, 2)), (0, (1, 3)), (0, (5, 1, 1, 1, 1, 1)))
CURVE_POINTS = 400


class Look(NamedTuple):
    """How one model is drawn in every figure."""

    colour: str
    marker: str
    dashes: Dashes
    width: float


def accuracy_by_mark(result: Result) -> Draft:
    """The accuracy of the models at each mark, baselines left out; the paper's Fig. 2.

    By the paper's reading, if there is one.
    """
    models = {name: one for name, one in result.models.items() if one.kind == MODEL}
    reading = HISTPRED if isinstance(result.validation, str) else PAPER
    every = figures_of(result, reading)
    figures = {name: every[name] for name in models}
    bundle = next(iter(figures.values())).loc[list(result.marks)]
    marks = list(bundle["accuracy"].sort_values(ascending=False, kind="stable").index)
    figure, axes = mark_figure(len(marks), 4.2)
    places = np.arange(len(marks))
    width = 0.82 / len(models)
    looks = _looks(result)
    for number, (name, table) in enumerate(figures.items()):
        left = places + (number - (len(models) - 1) / 2) * width
        colours = [*map(hex_colour, marks)] if len(models) == 1 else looks[name].colour
        axes.bar(left, table["accuracy"].reindex(marks), width * 0.94, color=colours)
    counts = bundle.loc[marks, ["positives", "negatives"]]
    commoner = counts.max(axis=1) / counts.sum(axis=1).where(lambda total: total > 0)
    axes.hlines(commoner, places - 0.45, places + 0.45, color="black", linewidth=1.2)
    axes.set(ylabel="Accuracy", ylim=(0, 1.02))
    axes.grid(axis="y")
    mark_axis(axes, marks, "x")

    names = [*models] if len(models) > 1 else []
    patches = [Patch(color=looks[name].colour) for name in names]
    line = Line2D([], [], color="black", linewidth=1.2)
    labels = [*names, "share of the commoner class"]
    legend(figure, [*patches, line], labels, "outside upper left")
    class_legend(figure, marks)
    whose = "the paper's" if reading == PAPER else "histpred's"
    return Draft(
        "Accuracy by mark",
        f"Accuracy on the evaluated rows at each mark's threshold, by {whose} reading, sorted by "
        f"that of {next(iter(models))}. Line across: the accuracy of always calling the mark's "
        "more common class. Accuracy below it is worse than no model.",
        figure,
    )


def auroc_by_mark(result: Result) -> Draft:
    """The AUROC of every model and baseline at each mark."""
    marks = _sorted_marks(result)
    figure, axes = mark_figure(len(marks), 4.6)
    looks = _looks(result)
    bundle = next(iter(result.models))
    places = np.arange(len(marks))
    # Side by side where there is room: no point hides another.
    shifts = np.linspace(-0.32, 0.32, len(result.models)) if len(marks) <= 25 else None
    handles, names = [], []
    for number, (name, one) in enumerate(result.models.items()):
        look, baseline, first = looks[name], one.kind == BASELINE, name == bundle
        at = places if shifts is None else places + shifts[number]
        if first:
            low, high = one.low["auroc"].reindex(marks), one.high["auroc"].reindex(marks)
            axes.vlines(at, low, high, color=look.colour, linewidth=1.6, zorder=4)
        size, width = (30, 1.5) if baseline else (36 if first else 22, 0.5)
        values, top = one.figures["auroc"].reindex(marks), 5 if first else 3
        axes.scatter(
            at, values, size, color=look.colour, marker=look.marker, linewidths=width, zorder=top
        )
        handles.append(_point(look, one.kind))
        names.append(f"{name} (macro {decimals(one.figures.loc[MACRO, 'auroc'])})")
    axes.axhline(0.5, color="black", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    tables = [result.models[bundle].low, *(one.figures for one in result.models.values())]
    lowest = np.nanmin([0.5, *(table["auroc"].reindex(marks).min() for table in tables)])
    axes.set(ylabel="AUROC", ylim=(max(0, lowest - 0.05), 1.02))
    axes.grid(axis="y")
    for border in places[1:] - 0.5:
        axes.axvline(border, color="#eeeeee", linewidth=0.6, zorder=0)
    mark_axis(axes, marks, "x")
    legend(figure, handles, names, "outside upper left")
    class_legend(figure, marks)
    return Draft(
        "AUROC by mark",
        f"Area under the ROC curve of every model and baseline, sorted by that of {bundle}, whose "
        "bars are 95 % bootstrap intervals. Broken line: chance. Marks with only one class have no "
        "AUROC.",
        figure,
    )


def curves(result: Result) -> Draft | None:
    """Micro-averaged ROC and precision-recall curves; None without both classes."""
    kept = ~np.isnan(result.labels)
    truth = result.labels[kept]
    if len(np.unique(truth)) < 2:
        return None
    figure = empty_figure(8.6, 4.25 + 0.19 * len(result.models))
    left, right = figure.subplots(1, 2)
    looks = _looks(result)
    handles: dict[str, Line2D] = {}
    for name, one in reversed(result.models.items()):  # the bundle on top
        scores = one.probabilities[kept]
        look = looks[name]
        line: dict[str, Any] = {"color": look.colour, "linestyle": look.dashes, "lw": look.width}
        false_rate, recall, _ = roc_curve(truth, scores)
        left.plot(*_thinned(false_rate, recall), **line)
        precision, recall, _ = precision_recall_curve(truth, scores)
        # From the highest score down, as the average precision sums it.
        right.step(*_thinned(recall[::-1], precision[::-1]), where="pre", **line)
        auroc, auprc = map(decimals, one.figures.loc[MICRO, ["auroc", "auprc"]])
        handles[f"{name}: AUROC {auroc}, AUPRC {auprc}"] = Line2D([], [], **line)
    left.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=0.8, zorder=0)
    right.axhline(truth.mean(), color="#bbbbbb", linewidth=0.8, zorder=0)
    left.set(xlabel="False positive rate", ylabel="True positive rate")
    right.set(xlabel="Recall", ylabel="Precision")
    for axes in (left, right):
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        axes.grid()
    names = list(handles)[::-1]
    figure.legend([handles[name] for name in names], names, loc="outside lower center", ncols=1)
    return Draft(
        "ROC and precision-recall curves",
        "Micro-averaged: all labelled pairs of window and mark together. Grey lines: "
        f"chance; {100 * truth.mean():.1f} % of the pairs are positive.",
        figure,
    )


def auroc_by_group(result: Result, by: str) -> Draft | None:
    """Micro- and macro-AUROC `by` 'genome', 'biotype', 'chromosome' or 'block'.

    None for a single group and for more than MOST_GROUPS.
    """
    table = result.groups[result.groups["by"] == by]
    groups = list(dict.fromkeys(table["group"]))
    if not 1 < len(groups) <= MOST_GROUPS:
        return None
    counts = table.drop_duplicates("group").set_index("group")["windows"]
    bundle = next(iter(result.models))
    looks = _looks(result)
    figure = empty_figure(8.6, 1.6 + 0.3 * len(groups))
    panels = figure.subplots(1, 2, sharey=True)
    lowest, rows = [0.5], table.drop_duplicates(["group", "model"])
    for axes, average in zip(panels, (MICRO, MACRO), strict=True):
        values = rows.pivot(index="group", columns="model", values=f"{average}_auroc")
        values = values.reindex(index=groups, columns=list(result.models)).astype(float)
        lowest.append(values.min(axis=None))
        _group_panel(axes, values, result)
        axes.set(xlabel=f"{average.capitalize()}-AUROC", ylim=(-0.6, len(groups) - 0.4))
    for axes in panels:
        axes.set_xlim(max(0, np.nanmin(lowest) - 0.03), 1.0)
    names = ["not stated" if group == "." else group for group in groups]
    ticks = [f"{name} ({counts[group]:,})" for name, group in zip(names, groups, strict=True)]
    panels[0].set_yticks(range(len(groups)), wrapped(ticks))
    panels[0].invert_yaxis()
    handles = [
        Patch(color=looks[bundle].colour),
        *(_point(looks[name], one.kind) for name, one in result.models.items() if name != bundle),
    ]
    legend(figure, handles, [*result.models], "outside upper left")
    return Draft(
        f"AUROC by {by}",
        f"Bars, starting at chance (0.5): {bundle}; points: the others. In brackets: the number of "
        f"windows of each {by}. Figures of small groups are uncertain.",
        figure,
    )


def _group_panel(axes: Axes, values: pandas.DataFrame, result: Result) -> None:
    """The AUROCs [groups, models] of one average: bars for the bundle, points for the others."""
    places = np.arange(len(values))
    bundle = next(iter(result.models))
    for name, look in _looks(result).items():
        if name == bundle:
            axes.barh(places, values[name] - 0.5, 0.7, left=0.5, color=look.colour, alpha=0.3)
            low, high = places - 0.35, places + 0.35
            axes.vlines(values[name], low, high, color=look.colour, linewidth=2.5)
            continue
        baseline = result.models[name].kind == BASELINE
        axes.scatter(
            values[name],
            places,
            26,
            color=look.colour,
            marker=look.marker,
            edgecolors=None if baseline else "white",
            linewidths=1.3 if baseline else 0.6,
            zorder=3,
        )
    axes.axvline(0.5, color="black", linewidth=0.8)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)


def _sorted_marks(result: Result) -> list[str]:
    """Marks sorted by the bundle's AUROC, best first, undefined ones last."""
    figures = next(iter(result.models.values())).figures["auroc"].reindex(list(result.marks))
    return list(figures.sort_values(ascending=False, kind="stable").index)


def _looks(result: Result) -> dict[str, Look]:
    """The look of each model and baseline, by name."""
    models = cycle(zip(MODEL_COLOURS, MODEL_MARKERS, strict=True))
    baselines = cycle(zip(BASELINE_COLOURS, BASELINE_MARKERS, DASHES, strict=True))
    looks: dict[str, Look] = {}
    for name, one in result.models.items():
        if one.kind == MODEL:
            looks[name] = Look(*next(models), "-", 1.6 if looks else 2.4)
        else:
            looks[name] = Look(*next(baselines), 1.3)
    return looks


def _point(look: Look, kind: str) -> Line2D:
    """The handle of a model in a legend."""
    edge = 1.5 if kind == BASELINE else 0.5
    return Line2D([], [], color=look.colour, marker=look.marker, linestyle="", markeredgewidth=edge)


def _thinned(across: np.ndarray, up: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most CURVE_POINTS points of a curve, evenly spaced along it, with both ends."""
    travelled = np.concatenate([[0], np.cumsum(np.abs(np.diff(across)) + np.abs(np.diff(up)))])
    wanted = np.linspace(0, travelled[-1], CURVE_POINTS)
    kept = np.unique(np.append(np.searchsorted(travelled, wanted), [0, len(across) - 1]))
    kept = kept[kept < len(across)]
    return across[kept], up[kept]
