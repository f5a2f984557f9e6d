"""An evaluation as JSON and as a page, which reads like the results of a paper."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas
from pydantic import JsonValue

from histpred.evaluation.blocks import FOLDS, GAP
from histpred.evaluation.result import MACRO, METRICS, MICRO, ModelResult, Result
from histpred.reports import findings as said
from histpred.reports.explained_shapes import panels_of
from histpred.reports.explanation import zone_table
from histpred.reports.kinds import kind_findings, kind_tables, nested_kinds
from histpred.reports.page import (
    MOST_GROUPS,
    Row,
    Table,
    count,
    figure,
    percent,
    render,
    share,
)
from histpred.reports.readings import (
    COUNTS,
    area_table,
    nested_reading,
    nested_validation,
    performance_table,
    readings_of,
)

if TYPE_CHECKING:
    from histpred.reports.figures import Drawing

GROUP_METRICS = {
    "macro_auroc": "Macro-AUROC",
    "micro_auroc": "Micro-AUROC",
    "micro_auprc": "Micro-AUPRC",
}
FINDINGS = {
    "performance": said.performance_findings,
    "marks": said.mark_findings,
    "groups": said.group_findings,
    "kinds": kind_findings,
    "calibration": said.calibration_findings,
    "relations": said.relation_findings,
}


def metrics_of(result: Result) -> dict[str, JsonValue]:
    """The content of metrics.json; None stands for what is undefined.

    title, about (facts by name), warnings (sentences), windows (their number), marks (names);
    models: by name, the bundle first: kind ('model' or 'baseline'), inputs, thresholds (by mark),
    figures (by 'micro', 'macro' and mark: positives, negatives, and each metric as value, low and
    high of the 95 % interval), paper (thresholds by mark, and figures by 'micro', 'macro' and mark:
    positives, negatives, accuracy, precision, recall, f1, mcc and auroc, by the paper's rule; or
    None), lead (of the bundle over it in micro and macro AUROC: difference,
    low and high; None for the bundle);
    readings: what the figures of a model are ('histpred') and those under its key paper ('paper'),
    or why it has none, as a sentence; validation: windows (their number) and one_class (marks that
    lack a class among them and so have no Youden's J) of the paper's reading, or None;
    groups: rows with the columns of `Result.groups`;
    kinds: by kind of gene: windows, and models (by name, then by mark and 'mean': auroc,
    probability, rate, bias and ece), or None;
    similarity, co_targeting: by mark and mark, or None;
    correlation: pearson, spearman, pairs, or None.
    """
    found = {
        "title": result.title,
        "about": result.about,
        "warnings": result.warnings,
        "windows": len(result.windows),
        "marks": result.marks,
        "models": {name: _model(one, result.marks) for name, one in result.models.items()},
        "readings": readings_of(result),
        "validation": nested_validation(result),
        "groups": result.groups.to_dict("records"),
        "kinds": nested_kinds(result.kinds),
        "similarity": _nested(result.similarity),
        "co_targeting": _nested(result.co_targeting),
        "correlation": result.correlation and result.correlation._asdict(),
    }
    return {name: _plain(value) for name, value in found.items()}


def write_report(result: Result, figures: Mapping[str, Drawing], path: Path) -> None:
    """Write the evaluation as one page of HTML to `path`, with `figures` by name inside it.

    The page loads nothing and works without JavaScript, which only sorts tables by a click on a
    column's head. The same result gives the same bytes.
    """
    sources = result.sources
    panels, biotypes = ([], []) if sources is None else panels_of(sources)
    page = render(
        "reports/evaluation.html.j2",
        panels=panels,
        biotypes=biotypes,
        zones=None if sources is None else zone_table(sources),
        result=result,
        facts=_facts(result),
        figures=figures,
        findings={name: list(find(result)) for name, find in FINDINGS.items()},
        readings=readings_of(result),
        validation=nested_validation(result),
        averages=performance_table(result),
        areas=area_table(result),
        marks=_marks(result),
        groups=_groups(result),
        kinds=kind_tables(result),
        folds=FOLDS,
        gap=GAP,
    )
    path.write_text(page, encoding="utf-8")


def _model(one: ModelResult, marks: tuple[str, ...]) -> dict[str, object]:
    ends = {"value": one.figures, "low": one.low, "high": one.high}
    return {
        "kind": one.kind,
        "inputs": one.inputs,
        "thresholds": dict(zip(marks, one.thresholds, strict=True)),
        "lead": _nested(one.lead),
        "paper": nested_reading(one.paper, marks),
        "figures": {
            row: {name: int(one.figures.loc[row, name]) for name in COUNTS}
            | {name: {end: ends[end].loc[row, name] for end in ends} for name in METRICS}
            for row in (MICRO, MACRO, *marks)
        },
    }


def _nested(table: pandas.DataFrame | None) -> dict[str, object] | None:
    """A table as a dictionary by row, then by column."""
    return None if table is None else table.to_dict("index")


def _plain(value: Any) -> JsonValue:
    """A value as JSON takes it; None for NaN and infinity."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def _facts(result: Result) -> dict[str, str]:
    micro = next(iter(result.models.values())).figures.loc[MICRO]
    pairs = int(micro["positives"] + micro["negatives"])
    positive = f", {percent(micro['positives'] / pairs)} positive" if pairs else ""
    return {
        **result.about,
        "marks": f"{len(result.marks)}",
        "labelled pairs": f"{pairs:,} of window and mark{positive}",
    }


def _marks(result: Result) -> Table:
    name, bundle = next(iter(result.models.items()))
    rows = []
    for mark, threshold in zip(result.marks, bundle.thresholds, strict=True):
        figures = bundle.figures.loc[mark]
        positives, negatives = int(figures["positives"]), int(figures["negatives"])
        pairs = positives + negatives
        other = said.best_baseline(result, mark)
        cells = [
            count(positives),
            share(positives / pairs if pairs else np.nan),
            *(
                figure(figures[metric], said.interval(bundle, mark) if metric == "auroc" else "")
                for metric in METRICS
            ),
            figure(threshold),
            figure(other[1], other[0]) if other else figure(np.nan),
        ]
        weak = bundle.low.loc[mark, "auroc"] <= 0.5
        rows.append(Row(mark, cells, True, "weak" if weak else ""))
    return Table(
        f"{name} by mark, in histpred's reading. Shaded: the interval of the mark's AUROC reaches "
        "down to 0.5. The last column is the baseline with the highest AUROC.",
        ["Mark", "Positives", "Share", *METRICS.values(), "Threshold", "Best baseline"],
        rows,
    )


def _groups(result: Result) -> dict[str, Table]:
    """The bundle's figures by each kind of group of which there is more than one."""
    name = next(iter(result.models))
    mine = result.groups[result.groups["model"] == name]
    tables = {}
    for by, table in mine.groupby("by", sort=False):
        rows = []
        for row in table.to_dict("records"):
            cells = [count(int(row["windows"])), count(int(row["marks"]))]
            cells += [figure(row[metric]) for metric in GROUP_METRICS]
            rows.append(Row("not stated" if row["group"] == "." else row["group"], cells))
        if len(rows) > 1:
            caption = f"{name} by {by}. Marks: those with both classes in the group."
            heads = [by.capitalize(), "Windows", "Marks", *GROUP_METRICS.values()]
            tables[by] = Table(caption, heads, rows, tall=len(rows) > MOST_GROUPS)
    return tables
