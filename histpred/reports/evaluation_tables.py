"""An evaluation as tables and as JSON.

Tables 1 and 2 have the layout of the paper's (section 3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from pydantic import JsonValue

from histpred.evaluation.result import MACRO, METRICS, MICRO, ModelResult, Result

TABLE_1 = ("accuracy", "precision", "recall", "f1", "mcc", "auroc", "auprc")
TABLE_2 = {"Macro-AUROC": MACRO, "Micro-AUROC": MICRO}
COUNTS = ("positives", "negatives")
FLOATS = "%.6g"


def write_tables(result: Result, folder: Path) -> None:
    """Write the tables of an evaluation into `folder`, which exists.

    summary.tsv: one row per model, the paper's Table 1 (micro-averages), then Table 2 with
    intervals. marks.tsv: one row per model and mark, each metric with its low and high end.
    groups.tsv: `Result.groups`. similarity.tsv and co_targeting.tsv, if defined: one row and one
    column per mark. predictions.tsv.gz: the windows (0-based half-open), then MARK_label (1, 0,
    empty where unlabelled) and MARK_probability of the bundle. Undefined figures are empty. The
    same result gives the same bytes.
    """
    _write_tsv(summary_table(result), folder / "summary.tsv")
    _write_tsv(marks_table(result), folder / "marks.tsv")
    _write_tsv(result.groups, folder / "groups.tsv")
    for name in ("similarity", "co_targeting"):
        matrix = getattr(result, name)
        if matrix is not None:
            _write_tsv(matrix.rename_axis("mark").reset_index(), folder / f"{name}.tsv")
    _write_tsv(predictions_table(result), folder / "predictions.tsv.gz")


def summary_table(result: Result) -> pandas.DataFrame:
    """The paper's Tables 1 and 2 in one: one row per model, in the order of the result."""
    rows = []
    for name, one in result.models.items():
        row: dict[str, object] = {"Configuration": name, "Input type": one.inputs}
        row |= {METRICS[metric]: one.figures.loc[MICRO, metric] for metric in TABLE_1}
        for title, average in TABLE_2.items():
            row[title] = one.figures.loc[average, "auroc"]
            row[f"{title} low"] = one.low.loc[average, "auroc"]
            row[f"{title} high"] = one.high.loc[average, "auroc"]
        rows.append(row)
    return pandas.DataFrame(rows)


def marks_table(result: Result) -> pandas.DataFrame:
    """One row per model and mark: positives, negatives, each metric, its low and high end."""
    rows = []
    for name, one in result.models.items():
        for mark in result.marks:
            figures = one.figures.loc[mark]
            row: dict[str, object] = {"model": name, "mark": mark}
            row |= {count: int(figures[count]) for count in COUNTS}
            for metric in METRICS:
                row[metric] = figures[metric]
                row[f"{metric}_low"] = one.low.loc[mark, metric]
                row[f"{metric}_high"] = one.high.loc[mark, metric]
            rows.append(row)
    return pandas.DataFrame(rows)


def predictions_table(result: Result) -> pandas.DataFrame:
    """The windows, then for each mark MARK_label and MARK_probability of the bundle."""
    bundle = next(iter(result.models.values()))
    columns = {}
    for i, mark in enumerate(result.marks):
        columns[f"{mark}_label"] = pandas.array(result.labels[:, i], dtype="Int8")
        columns[f"{mark}_probability"] = bundle.probabilities[:, i]
    windows = result.windows.reset_index(drop=True)
    return pandas.concat([windows, pandas.DataFrame(columns)], axis=1)


def metrics_of(result: Result) -> dict[str, JsonValue]:
    """The content of metrics.json; None stands for what is undefined.

    title, about (facts by name), warnings (sentences), windows (their number), marks (names);
    models: by name, the bundle first: kind ('model' or 'baseline'), inputs, thresholds (by mark),
    figures (by 'micro', 'macro' and mark: positives, negatives, and each metric as value, low and
    high of the 95 % interval), lead (of the bundle over it in micro and macro AUROC: difference,
    low and high; None for the bundle);
    groups: rows with the columns of `Result.groups`;
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
        "groups": result.groups.to_dict("records"),
        "similarity": _nested(result.similarity),
        "co_targeting": _nested(result.co_targeting),
        "correlation": result.correlation and result.correlation._asdict(),
    }
    return {name: _plain(value) for name, value in found.items()}


def _model(one: ModelResult, marks: tuple[str, ...]) -> dict[str, object]:
    return {
        "kind": one.kind,
        "inputs": one.inputs,
        "thresholds": dict(zip(marks, one.thresholds, strict=True)),
        "lead": _nested(one.lead),
        "figures": {row: _figures(one, row) for row in (MICRO, MACRO, *marks)},
    }


def _figures(one: ModelResult, row: str) -> dict[str, object]:
    ends = {"value": one.figures, "low": one.low, "high": one.high}
    figures: dict[str, object] = {count: int(one.figures.loc[row, count]) for count in COUNTS}
    return figures | {
        metric: {end: table.loc[row, metric] for end, table in ends.items()} for metric in METRICS
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


def _write_tsv(table: pandas.DataFrame, path: Path) -> None:
    # Without a time in its header, a gzip file is the same each time.
    compression = {"method": "gzip", "mtime": 0} if path.suffix == ".gz" else None
    table.to_csv(
        path,
        sep="\t",
        index=False,
        float_format=FLOATS,
        lineterminator="\n",
        encoding="utf-8",
        compression=compression,
    )
