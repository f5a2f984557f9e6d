"""The figures of an evaluation, as PNG for slides and SVG for the report.

They follow the paper's Fig. 2 and Extended Data Figs. 1 to 5; curves, calibration and groups are
added. The bundle and other models are drawn in strong colours, baselines in greys; where marks are
the subject, they have the colours of their classes.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import matplotlib.style
import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.cluster.hierarchy import dendrogram
from scipy.stats import binomtest
from sklearn.metrics import precision_recall_curve, roc_curve

from histpred.core.marks import mark
from histpred.evaluation.analysis import hierarchical_linkage, hierarchical_order
from histpred.evaluation.metrics import BINS, expected_calibration_error, reliability
from histpred.evaluation.result import BASELINE, MACRO, MICRO, MODEL, Result
from histpred.labels.matrix import LabelMatrix
from histpred.reports.figures import (
    DPI,
    STYLE,
    Draft,
    Drawing,
    class_legend,
    colour_bar,
    figure_of,
    legend,
    mark_axis,
    mark_rgb,
    svg_element,
    wrapped,
)

# Okabe and Ito 2008, in an order in which neighbours differ; the bundle has the first.
MODEL_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#882255")
BASELINE_COLOURS = ("#222222", "#6f6f6f", "#8c8c8c", "#8a7f72", "#5b6770", "#a8a8a8")
MODEL_MARKERS = "oDs^vPX"
BASELINE_MARKERS = "x+|_14"
DASHES = ("--", ":", "-.", (0, (6, 2)), (0, (1, 3)), (0, (5, 1, 1, 1, 1, 1)))
NEGATIVE = "#dcdcdc"

SHARES_SHOWN = 20  # bars up to which a percentage fits above each
VALUES_SHOWN = 12  # marks up to which a heat map's cells hold their numbers
MOST_BIOTYPES = 15
PANELS, PANEL_COLUMNS = 12, 4
CURVE_POINTS = 400


class Look(NamedTuple):
    """How one model is drawn in every figure."""

    colour: str
    marker: str
    dashes: str | tuple[int, tuple[int, ...]]
    width: float


def draw(result: Result, folder: Path) -> dict[str, Drawing]:
    """Write NAME.png (150 dpi) and NAME.svg of each figure into `folder`, which exists.

    Returns the figures by name, in the order in which to read them. A figure whose data the result
    does not have is left out: biotypes and groups where there is one only, curves without both
    classes, relations of marks without vectors. The same result gives the same bytes.
    """
    drawings = {}
    with matplotlib.style.context(["default", STYLE]), warnings.catch_warnings():
        # A name in another script than the font's is drawn as boxes in the PNG, no more.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        for name, drawer in DRAWERS.items():
            draft = drawer(result)
            if draft is None:
                continue
            svg = _write(draft.figure, folder / name)
            drawings[name] = Drawing(name, draft.title, draft.caption, svg)
    return drawings


def draw_labels(matrix: LabelMatrix, folder: Path) -> None:
    """Draw how labels are distributed over marks, and genes over biotypes.

    Writes marks and biotypes, each .png and .svg, into `folder`; as Extended Data Fig. 1 and 2 of
    the paper.
    """
    with matplotlib.style.context(["default", STYLE]):
        drafts = {
            "marks": _class_draft(matrix.marks, matrix.values, "genes"),
            "biotypes": _biotype_draft(matrix.genes["biotype"], "genes"),
        }
        for name, draft in drafts.items():
            if draft:
                _write(draft.figure, folder / name)


# The figures.


def draw_calibration(marks: Sequence[str], labels: np.ndarray, probabilities: np.ndarray) -> bytes:
    """Mean probability against share of positives for each mark, of labels and probabilities
    [n, marks], as an SVG file."""
    with matplotlib.style.context(["default", STYLE]), io.BytesIO() as content:
        figure = _reliability_figure(marks, labels, probabilities)
        figure.savefig(content, format="svg", metadata={"Date": None})
        return content.getvalue()


def _accuracy_by_mark(result: Result) -> Draft:
    models = {name: one for name, one in result.models.items() if one.kind == MODEL}
    bundle = next(iter(models.values()))
    marks = _sorted_marks(result, "accuracy")
    figure, axes = _mark_figure(len(marks), 4.2)
    places = np.arange(len(marks))
    width = 0.82 / len(models)
    looks = _looks(result)
    for number, (name, one) in enumerate(models.items()):
        left = places + (number - (len(models) - 1) / 2) * width
        colours = [mark_rgb(mark) for mark in marks] if len(models) == 1 else looks[name].colour
        axes.bar(left, one.figures["accuracy"].reindex(marks), width * 0.94, color=colours)
    counts = bundle.figures.loc[marks, ["positives", "negatives"]]
    commoner = counts.max(axis=1) / counts.sum(axis=1).where(lambda total: total > 0)
    axes.hlines(commoner, places - 0.45, places + 0.45, color="black", linewidth=1.2)
    axes.set(ylabel="Accuracy", ylim=(0, 1.02))
    axes.grid(axis="y")
    mark_axis(axes, marks, "x")

    handles = [Patch(color=looks[name].colour) for name in models] if len(models) > 1 else []
    names = [*models] if len(models) > 1 else []
    handles.append(Line2D([], [], color="black", linewidth=1.2))
    legend(figure, handles, [*names, "share of the commoner class"], "outside upper left")
    class_legend(figure, marks)
    return Draft(
        "Accuracy by mark",
        f"Accuracy on the evaluated rows at each mark's threshold, sorted by that of "
        f"{next(iter(models))}. The black line is what a mark's commoner class gives when it is "
        "always called: accuracy below it is worse than no model.",
        figure,
    )


def _auroc_by_mark(result: Result) -> Draft:
    marks = _sorted_marks(result, "auroc")
    figure, axes = _mark_figure(len(marks), 4.6)
    looks = _looks(result)
    bundle = next(iter(result.models))
    places = np.arange(len(marks))
    # Side by side where there is room, so that no point hides another.
    shifts = np.linspace(-0.32, 0.32, len(result.models)) if len(marks) <= 25 else None
    handles, names = [], []
    for number, (name, one) in enumerate(result.models.items()):
        values = one.figures["auroc"].reindex(marks)
        look = looks[name]
        at = places if shifts is None else places + shifts[number]
        if name == bundle:
            at = places if shifts is None else places + shifts[0]
            low, high = one.low["auroc"].reindex(marks), one.high["auroc"].reindex(marks)
            axes.vlines(at, low, high, color=look.colour, linewidth=1.6, zorder=4)
        size = 36 if name == bundle else 30 if one.kind == BASELINE else 22
        axes.scatter(
            at,
            values,
            size,
            color=look.colour,
            marker=look.marker,
            linewidths=1.5 if one.kind == BASELINE else 0.5,
            zorder=5 if name == bundle else 3,
        )
        handles.append(_point(look, one.kind))
        names.append(f"{name} (macro {_figure(one.figures.loc[MACRO, 'auroc'])})")
    axes.axhline(0.5, color="black", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    everything = [one.figures["auroc"].reindex(marks).min() for one in result.models.values()]
    everything.append(result.models[bundle].low["auroc"].reindex(marks).min())
    lowest = np.nanmin([0.5, *everything])
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
        "bars are 95 % bootstrap intervals. The broken line is chance. Marks with one class only "
        "have no figure.",
        figure,
    )


def _classes(result: Result) -> Draft:
    return _class_draft(result.marks, result.labels, "windows")


def _class_draft(marks: Sequence[str], labels: np.ndarray, what: str) -> Draft:
    """Of labels [n, marks] of `what`."""
    table = pandas.DataFrame(labels, columns=list(marks))
    counts = pandas.DataFrame({"positives": (table == 1).sum(), "negatives": (table == 0).sum()})
    counts = counts.sort_values("positives", ascending=False, kind="stable")
    marks = list(counts.index)
    figure, axes = _mark_figure(len(marks), 4.2)
    places = np.arange(len(marks))
    axes.bar(places, counts["positives"], 0.8, color=[mark_rgb(mark) for mark in marks])
    axes.bar(places, counts["negatives"], 0.8, bottom=counts["positives"], color=NEGATIVE)
    total = counts.sum(axis=1)
    many = len(marks) > SHARES_SHOWN
    for place, positives, all_of_it in zip(places, counts["positives"], total, strict=True):
        if all_of_it:
            axes.annotate(
                f"{positives / all_of_it:.0%}",
                (place, all_of_it),
                (0, 2),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=7 if many else 8,
                rotation=90 if many else 0,
            )
    axes.set(ylabel=f"Labelled {what}", ylim=(0, total.max() * (1.12 if many else 1.07) or 1))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="y")
    mark_axis(axes, marks, "x")
    class_legend(figure, marks, [Patch(color=NEGATIVE)], ["negative"])
    return Draft(
        "Positives and negatives",
        f"{what.capitalize()} labelled positive (coloured by class of mark) and negative (grey); "
        "above each bar, the share of positives.",
        figure,
    )


def _biotypes(result: Result) -> Draft | None:
    return _biotype_draft(result.windows["biotype"], "windows")


def _biotype_draft(biotypes: pandas.Series, what: str) -> Draft | None:
    counts = biotypes.value_counts()
    if list(counts.index) in ([], ["."]):
        return None
    if len(counts) > MOST_BIOTYPES:
        rest = counts.iloc[MOST_BIOTYPES - 1 :]
        counts = counts.iloc[: MOST_BIOTYPES - 1]
        counts[f"{len(rest)} others"] = rest.sum()
    figure = figure_of(7, 0.9 + 0.27 * len(counts))
    axes = figure.subplots()
    names = ["not stated" if name == "." else name for name in counts.index]
    bars = axes.barh(wrapped(names), counts, 0.75, color=MODEL_COLOURS[0])
    shares = [f"{count:,} ({count / counts.sum():.1%})" for count in counts]
    axes.bar_label(bars, shares, padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel=f"Number of {what}", xlim=(0, counts.max() * 1.25))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.tick_params(axis="y", length=0)
    return Draft("Biotypes", f"Number of {what} of each biotype, and their share.", figure)


def _roc(result: Result) -> Draft | None:
    kept = ~np.isnan(result.labels)
    truth = result.labels[kept]
    if len(np.unique(truth)) < 2:
        return None
    figure = figure_of(8.6, 4.25 + 0.19 * len(result.models))
    left, right = figure.subplots(1, 2)
    looks = _looks(result)
    handles, names = [], []
    for name, one in reversed(result.models.items()):
        scores = one.probabilities[kept]
        look = looks[name]
        line = {"color": look.colour, "linestyle": look.dashes, "linewidth": look.width}
        false_rate, recall, _ = roc_curve(truth, scores)
        left.plot(*_thinned(false_rate, recall), **line)
        precision, recall, _ = precision_recall_curve(truth, scores)
        # From the highest score down, as the average precision sums it.
        right.step(*_thinned(recall[::-1], precision[::-1]), where="pre", **line)
        figures = one.figures.loc[MICRO]
        handles.insert(0, Line2D([], [], **line))
        names.insert(
            0, f"{name}: AUROC {_figure(figures['auroc'])}, AUPRC {_figure(figures['auprc'])}"
        )
    left.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=0.8, zorder=0)
    right.axhline(truth.mean(), color="#bbbbbb", linewidth=0.8, zorder=0)
    left.set(xlabel="False positive rate", ylabel="True positive rate")
    right.set(xlabel="Recall", ylabel="Precision")
    for axes in (left, right):
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        axes.grid()
    figure.legend(handles, names, loc="outside lower center", ncols=1)
    return Draft(
        "ROC and precision-recall curves",
        "Micro-averaged: all labelled pairs of window and mark together. The grey lines are what "
        f"chance gives; {100 * truth.mean():.1f} % of the pairs are positive.",
        figure,
    )


def _reliability(result: Result) -> Draft | None:
    bundle, one = next(iter(result.models.items()))
    figures = one.figures.loc[list(result.marks)].sort_values(
        "positives", ascending=False, kind="stable"
    )
    marks = [mark for mark in figures.index if figures.loc[mark, "positives"] > 0][:PANELS]
    if not marks:
        return None
    columns = [result.marks.index(mark) for mark in marks]
    figure = _reliability_figure(marks, result.labels[:, columns], one.probabilities[:, columns])
    shown = "" if len(marks) == len(result.marks) else f"The {len(marks)} marks with most positives"
    return Draft(
        "Calibration",
        f"{shown or 'Each mark'}: mean probability of {bundle} and share of positives in {BINS} "
        "bins of equal count, with 95 % Wilson intervals. On the diagonal, a probability means "
        "what it says. Axes end where the values do.",
        figure,
    )


def _reliability_figure(
    marks: Sequence[str], labels: np.ndarray, probabilities: np.ndarray
) -> Figure:
    """A panel a mark, of labels and probabilities [n, marks]."""
    columns = min(PANEL_COLUMNS, len(marks))
    lines = -(-len(marks) // columns)
    figure = figure_of(max(3.2, 2.3 * columns), 2.4 * lines + 0.3)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, name, truth, scores in zip(panels, marks, labels.T, probabilities.T, strict=False):
        table = reliability(truth, scores, BINS)
        low, high = np.transpose(
            [_wilson(*each) for each in zip(table["observed"], table["count"], strict=True)]
        )
        top = min(1.02, 1.08 * max(table["predicted"].max(), table["observed"].max(), 0.01))
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, zorder=1)
        axes.vlines(table["predicted"], low, high, color=mark_rgb(name), linewidth=1.2, zorder=2)
        axes.plot(
            *(table["predicted"], table["observed"]),
            "o-",
            color=mark_rgb(name),
            markersize=4,
            zorder=3,
        )
        axes.set(xlim=(0, top), ylim=(0, top), aspect="equal")
        axes.locator_params(nbins=4)
        error = expected_calibration_error(truth, scores)
        axes.set_title(f"{name}\nECE {_figure(error, 3)}", loc="left")
    for axes in panels[len(marks) :]:
        axes.remove()
    figure.supxlabel("Predicted probability", fontsize=9)
    figure.supylabel("Observed share of positives", fontsize=9)
    return figure


def _mark_similarity(result: Result) -> Draft | None:
    if result.similarity is None or len(result.similarity) < 2:
        return None
    figure = _heat_map(
        result.similarity, result.similarity, "RdBu_r", (-1, 1), "Cosine similarity of mark vectors"
    )
    return Draft(
        "Similarity of the marks' vectors",
        "Cosine similarity of the vectors by which the model tells the marks apart, ordered by "
        "average-linkage clustering. Red marks are alike to the model.",
        figure,
    )


def _co_targeting(result: Result) -> Draft | None:
    if result.co_targeting is None or len(result.co_targeting) < 2:
        return None
    order = result.co_targeting if result.similarity is None else result.similarity
    figure = _heat_map(result.co_targeting, order, "YlOrRd", (0, 1), "TF-IDF-weighted cosine")
    same = "its own clustering" if result.similarity is None else "the order of the marks' vectors"
    return Draft(
        "Co-targeting in the labels",
        "TF-IDF-weighted cosine similarity of the marks over training rows, which weighs "
        f"ubiquitous marks down, in {same}. It is a property of the labels, not of the model.",
        figure,
    )


def _similarity_against_co_targeting(result: Result) -> Draft | None:
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
        title=f"Pearson {_figure(result.correlation.pearson)}, "
        f"Spearman {_figure(result.correlation.spearman)}, {result.correlation.pairs:,} pairs",
    )
    handles = [
        Line2D([], [], color=MODEL_COLOURS[1], marker="o", linestyle=""),
        Line2D([], [], color="#999999", marker="o", linestyle=""),
    ]
    legend(figure, handles, ["same class of marks", "other pairs"], "outside upper left")
    return Draft(
        "Similarity against co-targeting",
        "Each point is a pair of marks. Where the two agree, the vectors reflect which marks occur "
        "together in the labels.",
        figure,
    )


def _by(by: str) -> Callable[[Result], Draft | None]:
    def drawer(result: Result) -> Draft | None:
        table = result.groups[result.groups["by"] == by]
        groups = list(dict.fromkeys(table["group"]))
        if len(groups) < 2:
            return None
        counts = table.drop_duplicates("group").set_index("group")["windows"]
        bundle = next(iter(result.models))
        looks = _looks(result)
        figure = figure_of(8.6, 1.6 + 0.3 * len(groups))
        panels = figure.subplots(1, 2, sharey=True)
        places = np.arange(len(groups))
        lowest = [0.5]
        columns = {"micro_auroc": "Micro-AUROC", "macro_auroc": "Macro-AUROC"}
        for axes, (column, title) in zip(panels, columns.items(), strict=True):
            for name, one in result.models.items():
                mine = table[table["model"] == name].drop_duplicates("group").set_index("group")
                values = mine[column].reindex(groups).to_numpy(float)
                lowest += list(values[~np.isnan(values)])
                look = looks[name]
                if name == bundle:
                    axes.barh(places, values - 0.5, 0.7, left=0.5, color=look.colour, alpha=0.3)
                    axes.vlines(
                        values, places - 0.35, places + 0.35, color=look.colour, linewidth=2.5
                    )
                else:
                    axes.scatter(
                        *(values, places, 26),
                        color=look.colour,
                        marker=look.marker,
                        edgecolors=None if one.kind == BASELINE else "white",
                        linewidths=1.3 if one.kind == BASELINE else 0.6,
                        zorder=3,
                    )
            axes.axvline(0.5, color="black", linewidth=0.8)
            axes.set(xlabel=title, ylim=(-0.6, len(groups) - 0.4))
            axes.grid(axis="x")
            axes.tick_params(axis="y", length=0)
        for axes in panels:
            axes.set_xlim(max(0, min(lowest) - 0.03), 1.0)
        names = ["not stated" if group == "." else group for group in groups]
        ticks = [f"{name} ({counts[group]:,})" for name, group in zip(names, groups, strict=True)]
        panels[0].set_yticks(places, wrapped(ticks))
        panels[0].invert_yaxis()
        handles = [_point(looks[name], one.kind) for name, one in result.models.items()]
        handles[0] = Patch(color=looks[bundle].colour)
        legend(figure, handles, [*result.models], "outside upper left")
        return Draft(
            f"AUROC by {by}",
            f"Bars, from chance (0.5) on: {bundle}; points: the others. In brackets, the windows "
            f"of each {by}. Small groups are uncertain.",
            figure,
        )

    return drawer


DRAWERS: dict[str, Callable[[Result], Draft | None]] = {
    "accuracy_by_mark": _accuracy_by_mark,
    "auroc_by_mark": _auroc_by_mark,
    "classes": _classes,
    "biotypes": _biotypes,
    "roc": _roc,
    "reliability": _reliability,
    "mark_similarity": _mark_similarity,
    "co_targeting": _co_targeting,
    "similarity_against_co_targeting": _similarity_against_co_targeting,
    "by_biotype": _by("biotype"),
    "by_chromosome": _by("chromosome"),
}


FIGURE_NAMES = tuple(DRAWERS)
"""Every figure that there may be, in the order in which to read them."""


# What they share.


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
    palette: Colormap = matplotlib.colormaps[colours].with_extremes(bad="#eeeeee")
    image = axes.imshow(values, cmap=palette, vmin=limits[0], vmax=limits[1])
    for spine in axes.spines.values():
        spine.set_visible(False)
    mark_axis(axes, order, "x", upright=True)
    mark_axis(axes, order, "y")
    if len(order) <= VALUES_SHOWN:
        for (row, column), value in np.ndenumerate(values.to_numpy()):
            if not np.isnan(value):
                dark = abs(value) > 0.6
                axes.text(
                    *(column, row, f"{value:.2f}"),
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if dark else "black",
                )
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


def _sorted_marks(result: Result, metric: str) -> list[str]:
    """Marks by the bundle's figure, best first, undefined ones last."""
    figures = next(iter(result.models.values())).figures[metric].reindex(list(result.marks))
    return list(figures.sort_values(ascending=False, kind="stable").index)


def _mark_figure(marks: int, height: float) -> tuple[Figure, Axes]:
    """A figure with room for a column a mark."""
    figure = figure_of(float(np.clip(1.2 + 0.75 * marks, 6, 8.5 if marks < 25 else 13)), height)
    axes = figure.subplots()
    axes.set_xlim(-0.6, marks - 0.4)
    return figure, axes


def _looks(result: Result) -> dict[str, Look]:
    looks, models, baselines = {}, 0, 0
    for name, one in result.models.items():
        if one.kind == MODEL:
            colour = MODEL_COLOURS[models % len(MODEL_COLOURS)]
            marker = MODEL_MARKERS[models % len(MODEL_MARKERS)]
            looks[name] = Look(colour, marker, "-", 1.6 if models else 2.4)
            models += 1
        else:
            number = baselines % len(BASELINE_COLOURS)
            looks[name] = Look(
                BASELINE_COLOURS[number], BASELINE_MARKERS[number], DASHES[number], 1.3
            )
            baselines += 1
    return looks


def _point(look: Look, kind: str) -> Line2D:
    edge = 1.5 if kind == BASELINE else 0.5
    return Line2D([], [], color=look.colour, marker=look.marker, linestyle="", markeredgewidth=edge)


def _figure(value: float, digits: int = 2) -> str:
    return "undefined" if pandas.isna(value) else f"{value:.{digits}f}"


def _wilson(observed: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of `count` (Wilson 1927)."""
    interval = binomtest(round(observed * count), int(count)).proportion_ci(method="wilson")
    return interval.low, interval.high


def _thinned(across: np.ndarray, up: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most CURVE_POINTS points of a curve, evenly spaced along it, with both ends."""
    travelled = np.concatenate([[0], np.cumsum(np.abs(np.diff(across)) + np.abs(np.diff(up)))])
    wanted = np.linspace(0, travelled[-1], CURVE_POINTS)
    kept = np.unique(np.append(np.searchsorted(travelled, wanted), [0, len(across) - 1]))
    kept = kept[kept < len(across)]
    return across[kept], up[kept]


def _write(figure: Figure, stem: Path) -> str:
    """Write PNG and SVG; the SVG comes back as an element for a page of several."""
    figure.savefig(f"{stem}.png", dpi=DPI, metadata={"Software": None})
    svg, element = svg_element(figure, stem.name)
    stem.with_name(f"{stem.name}.svg").write_text(svg, encoding="utf-8")
    return element
