"""The page of an evaluation, which reads like the results of a paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from histpred.evaluation.result import BASELINE, METRICS, MICRO, Result
from histpred.reports.evaluation_tables import TABLE_1, TABLE_2
from histpred.reports.findings import (
    best_baseline,
    calibration_findings,
    group_findings,
    interval,
    mark_findings,
    performance_findings,
    relation_findings,
)
from histpred.reports.page import Cell, Row, Table, count, figure, render, share
from histpred.reports.words import number, percent

if TYPE_CHECKING:
    from histpred.reports.figures import Drawing

MARK_METRICS = ("auroc", "auprc", "accuracy", "precision", "recall", "f1", "mcc", "ece")
GROUP_METRICS = {
    "macro_auroc": "Macro-AUROC",
    "micro_auroc": "Micro-AUROC",
    "micro_auprc": "Micro-AUPRC",
}
FINDINGS = {
    "performance": performance_findings,
    "marks": mark_findings,
    "groups": group_findings,
    "calibration": calibration_findings,
    "relations": relation_findings,
}


def write_report(result: Result, figures: Mapping[str, Drawing], path: Path) -> None:
    """Write the evaluation as one page of HTML to `path`, with `figures` by name inside it.

    The page loads nothing and works without JavaScript, which only sorts tables by a click on a
    column's head. The same result gives the same bytes.
    """
    page = render(
        "reports/evaluation.html.j2",
        result=result,
        facts=_facts(result),
        figures=figures,
        findings={name: list(find(result)) for name, find in FINDINGS.items()},
        averages=_averages(result),
        areas=_areas(result),
        marks=_marks(result),
        groups=_groups(result),
    )
    path.write_text(page, encoding="utf-8")


def _facts(result: Result) -> dict[str, str]:
    micro = next(iter(result.models.values())).figures.loc[MICRO]
    pairs = int(micro["positives"] + micro["negatives"])
    positive = f", {percent(micro['positives'] / pairs)} positive" if pairs else ""
    return {
        **result.about,
        "marks": f"{len(result.marks)}",
        "labelled pairs": f"{pairs:,} of window and mark{positive}",
    }


def _averages(result: Result) -> Table:
    return Table(
        "Performance on the evaluated rows. All metrics are micro-averaged over the marks, with "
        "each mark's own threshold. Bold: the best value of a column. Grey: baselines.",
        ["Configuration", "Input type", *(METRICS[metric] for metric in TABLE_1)],
        _best_in_bold(result, [(MICRO, metric) for metric in TABLE_1], inputs=True),
    )


def _areas(result: Result) -> Table:
    return Table(
        "Macro- and micro-averaged AUROC, with 95 % bootstrap intervals over loci.",
        ["Configuration", *TABLE_2],
        _best_in_bold(result, [(row, "auroc") for row in TABLE_2.values()], intervals=True),
    )


def _best_in_bold(
    result: Result,
    columns: Sequence[tuple[str, str]],
    inputs: bool = False,
    intervals: bool = False,
) -> list[Row]:
    """One row per model; the best of each column is bold, with all that print alike."""
    models = result.models.items()
    best = []
    for row, metric in columns:
        known = [one.figures.loc[row, metric] for _, one in models]
        known = [value for value in known if not np.isnan(value)]
        best.append(number(max(known)) if known and len(models) > 1 else None)
    rows = []
    for name, one in models:
        cells = [Cell(one.inputs)] if inputs else []
        for (row, metric), top in zip(columns, best, strict=True):
            value = one.figures.loc[row, metric]
            note = interval(one, row, metric) if intervals else ""
            cells.append(figure(value, note, number(value) == top))
        rows.append(Row(name, cells, kind="baseline" if one.kind == BASELINE else ""))
    return rows


def _marks(result: Result) -> Table:
    name, bundle = next(iter(result.models.items()))
    rows = []
    for mark, threshold in zip(result.marks, bundle.thresholds, strict=True):
        figures = bundle.figures.loc[mark]
        positives, negatives = int(figures["positives"]), int(figures["negatives"])
        pairs = positives + negatives
        other = best_baseline(result, mark)
        cells = [
            count(positives),
            share(positives / pairs if pairs else np.nan),
            *(
                figure(figures[metric], interval(bundle, mark) if metric == "auroc" else "")
                for metric in MARK_METRICS
            ),
            figure(threshold),
            figure(other[1], other[0]) if other else figure(np.nan),
        ]
        weak = bundle.low.loc[mark, "auroc"] <= 0.5
        rows.append(Row(mark, cells, True, "weak" if weak else ""))
    heads = [METRICS[metric] for metric in MARK_METRICS]
    return Table(
        f"{name} by mark. Shaded: the interval of the mark's AUROC reaches down to 0.5. The last "
        "column is the baseline with the highest AUROC.",
        ["Mark", "Positives", "Share", *heads, "Threshold", "Best baseline"],
        rows,
    )


def _groups(result: Result) -> dict[str, Table]:
    """The bundle's figures by biotype and by chromosome, where there is more than one."""
    name = next(iter(result.models))
    mine = result.groups[result.groups["model"] == name]
    return {
        by: Table(
            f"{name} by {by}. Marks: those with both classes in the group.",
            [by.capitalize(), "Windows", "Marks", *GROUP_METRICS.values()],
            [
                Row(
                    "not stated" if row["group"] == "." else row["group"],
                    [
                        *(count(int(row[column])) for column in ("windows", "marks")),
                        *(figure(row[metric]) for metric in GROUP_METRICS),
                    ],
                )
                for row in table.to_dict("records")
            ],
        )
        for by, table in mine.groupby("by", sort=False)
        if len(table) > 1
    }
