"""The table of a prediction's marks: what their calls promise, and measured accuracy."""

from __future__ import annotations

from collections.abc import Sequence

from histpred.bundle.calls import NEVER, expected_of
from histpred.bundle.folder import Bundle
from histpred.bundle.mark_spec import MarkSpec
from histpred.bundle.outputs import interval_output
from histpred.core.columns import NA
from histpred.core.marks import by_class, mark
from histpred.genome.windows import WindowSpec
from histpred.reports.landscape import Landscape
from histpred.reports.page import Cell, Row, Table, count

Measured = dict[str, tuple[str, float, float | None]]  # by mark: evaluation, AUROC, ECE
BELOW = -1.0  # what an absent figure of a mark that is not predicted sorts as


def measured_of(marks: Sequence[MarkSpec], bundle: Bundle, window: WindowSpec) -> Measured:
    """How well each mark is predicted, where that was measured: evaluation, AUROC and ECE."""
    evaluations = list(bundle.manifest.metrics.items())
    if not interval_output(bundle, window):
        evaluations.reverse()  # genes come last, and of training's two the one that chose nothing
    measured = {}
    for one in marks:
        for name, evaluation in evaluations:
            if one.name in evaluation.marks:
                model = evaluation.marks[one.name].model
                measured[one.name] = (name, model.auroc, model.ece)
                break
    return measured


def marks_table(landscape: Landscape, marks: Sequence[MarkSpec], measured: Measured) -> Table:
    """One row per mark, by class: calls, threshold, and how well the bundle predicts it.

    Expected precision and recall are columns if the bundle states them for any mark, and measured
    accuracy if there is any.
    """
    stated = any(one.calls for one in marks)
    heads = [
        *("Mark", "Class", "Calls", "Mean probability", "Threshold"),
        *(("Precision", "Recall") if stated else ()),
        *(("AUROC", "ECE", "Measured on") if measured else ()),
    ]
    specs = {one.name: one for one in marks}
    rows = []
    for name in by_class(tuple(specs)):
        one = specs[name]
        if one.unpredicted:
            absent = [Cell(NA, BELOW)] * (len(heads) - (3 if measured else 2))
            last = [Cell("not predicted")] if measured else []
            rows.append(Row(name, [Cell(mark(name).mark_class), *absent, *last], mark=True))
            continue
        number, threshold = landscape.marks.index(name), one.threshold
        called = int(landscape.called[number])
        where, auroc, ece = measured.get(name, ("nothing", None, None))
        expected = [rounded(value) for value in expected_of(one)] if stated else []
        cells = [
            Cell(mark(name).mark_class),
            count(called),
            rounded(landscape.sums[number] / landscape.windows),
            rounded(threshold) if threshold < NEVER else Cell("never", threshold),
            *expected,
            *([rounded(auroc), rounded(ece, 9), Cell(where)] if measured else []),
        ]
        rows.append(Row(name, cells, mark=True))
    accuracy = (
        " AUROC: the chance that a window with the mark ranks above one without it. ECE: the mean "
        "distance of probabilities from observed shares."
    )
    promise = (
        " Precision and recall: expected of the calls, from held-out windows: of the called "
        "windows, the share with the mark; of the windows with the mark, the share called."
    )
    return Table(
        f"What a call of each mark is worth.{promise if stated else ''}"
        f"{accuracy if measured else ''}",
        heads,
        rows,
        name="mark-table",
    )


def share_of(some: int, every: int) -> Cell:
    """A share as a percentage."""
    return Cell(f"{some / every:.1%}", some / every)


def rounded(value: float | None, missing: float = 0) -> Cell:
    """A figure with three decimals; an empty cell that sorts as `missing` if there is none."""
    return Cell("", missing) if value is None else Cell(f"{value:.3f}", value)
