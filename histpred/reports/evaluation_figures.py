"""The figures of an evaluation, as PNG for slides and SVG for the report.

They follow the paper's Fig. 2 and Extended Data Figs. 1 to 5; curves, calibration and groups are
added. The bundle and other models are drawn in strong colours, baselines in greys; where marks are
the subject, they have the colours of their classes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from histpred.evaluation.result import Result
from histpred.reports.calibration_figures import reliability_diagrams
from histpred.reports.figures import Draft, Drawing, styled, write
from histpred.reports.label_figures import biotype_counts, class_counts
from histpred.reports.model_figures import (
    accuracy_by_mark,
    auroc_by_group,
    auroc_by_mark,
    curves,
)
from histpred.reports.relation_figures import (
    co_targeting,
    mark_similarity,
    similarity_against_co_targeting,
)

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
    "by_biotype": lambda result: auroc_by_group(result, "biotype"),
    "by_chromosome": lambda result: auroc_by_group(result, "chromosome"),
}

FIGURE_NAMES = tuple(DRAWERS)
"""Every figure that there may be, in the order in which to read them."""


def draw(result: Result, folder: Path) -> dict[str, Drawing]:
    """Write NAME.png (150 dpi) and NAME.svg of each figure into `folder`, which exists.

    Returns the figures by name, in reading order. A figure without data is left out: biotypes and
    groups if there is only one, curves without both classes, relations of marks without vectors.
    The same result gives the same bytes. matplotlib's settings are left as they were.
    """
    drawings = {}
    with styled():
        for name, drawer in DRAWERS.items():
            if draft := drawer(result):
                svg = write(draft.figure, folder / name)
                drawings[name] = Drawing(name, draft.title, draft.caption, svg)
    return drawings
