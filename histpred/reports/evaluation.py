"""An evaluation as tables, as JSON and as a page, which reads like the results of a paper."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas
from pydantic import JsonValue

from histpred.evaluation.blocks import FOLDS, GAP
from histpred.evaluation.result import BASELINE, MACRO, METRICS, MICRO, ModelResult, Result
from histpred.genome.genomes import GENOME, within
from histpred.reports import findings as said
from histpred.reports.kinds import kind_findings, kind_tables, nested_kinds
from histpred.reports.page import (
    MOST_GROUPS,
    Cell,
    Row,
    Table,
    count,
    figure,
    number,
    percent,
    render,
    share,
)

if TYPE_CHECKING:
    from histpred.reports.figures import Drawing

TABLE_1 = ("accuracy", "precision", "recall", "f1", "mcc", "auroc", "auprc")
TABLE_2 = {"Macro-AUROC": MACRO, "Micro-AUROC": MICRO}
"""Tables 1 and 2 have the layout of the paper's (section 3)."""

COUNTS = ("positives", "negatives")
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


def write_tables(result: Result, folder: Path) -> None:
    """Write the tables of an evaluation into `folder`, which exists.

    summary.tsv: one row per model, the paper's Table 1 (micro-averages), then Table 2 with
    intervals. marks.tsv: one row per model and mark, each metric with its low and high end.
    groups.tsv: `Result.groups`. kinds.tsv, if genes of several kinds are told apart:
    `Result.kinds`. similarity.tsv and co_targeting.tsv, if defined: one row and one
    column per mark. predictions.tsv.gz: the windows (0-based half-open; with the column genome if
    there are several), then MARK_label (1, 0,
    empty where unlabelled) and MARK_probability of the bundle. Undefined figures are empty. The
    same result gives the same bytes.
    """
    _write_tsv(summary_table(result), folder / "summary.tsv")
    _write_tsv(marks_table(result), folder / "marks.tsv")
    _write_tsv(result.groups, folder / "groups.tsv")
    if not isinstance(result.kinds, str):
        _write_tsv(result.kinds, folder / "kinds.tsv")
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
    ends = [f"{metric}{end}" for metric in METRICS for end in ("", "_low", "_high")]
    tables = {}
    for name, one in result.models.items():
        parts = [one.figures, one.low.add_suffix("_low"), one.high.add_suffix("_high")]
        tables[name] = pandas.concat(parts, axis=1).loc[list(result.marks), [*COUNTS, *ends]]
    table = pandas.concat(tables, names=["model", "mark"]).reset_index()
    return table.astype(dict.fromkeys(COUNTS, int))


def predictions_table(result: Result) -> pandas.DataFrame:
    """The windows, then for each mark MARK_label and MARK_probability of the bundle."""
    bundle = next(iter(result.models.values()))
    columns = {}
    for i, mark in enumerate(result.marks):
        columns[f"{mark}_label"] = pandas.array(result.labels[:, i], dtype="Int8")
        columns[f"{mark}_probability"] = bundle.probabilities[:, i]
    windows = result.windows.reset_index(drop=True)
    if GENOME in windows:
        genome = windows.pop(GENOME)
        pairs = zip(genome, windows["chrom"], strict=True)
        windows["chrom"] = [chrom.removeprefix(within(one, "")) for one, chrom in pairs]
        if genome.nunique() > 1:
            windows.insert(0, GENOME, genome)
    return pandas.concat([windows, pandas.DataFrame(columns)], axis=1)


def metrics_of(result: Result) -> dict[str, JsonValue]:
    """The content of metrics.json; None stands for what is undefined.

    title, about (facts by name), warnings (sentences), windows (their number), marks (names);
    models: by name, the bundle first: kind ('model' or 'baseline'), inputs, thresholds (by mark),
    figures (by 'micro', 'macro' and mark: positives, negatives, and each metric as value, low and
    high of the 95 % interval), lead (of the bundle over it in micro and macro AUROC: difference,
    low and high; None for the bundle);
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
    page = render(
        "reports/evaluation.html.j2",
        result=result,
        facts=_facts(result),
        figures=figures,
        findings={name: list(find(result)) for name, find in FINDINGS.items()},
        averages=Table(
            "Performance on the evaluated rows. All metrics are micro-averaged over the marks, "
            "with each mark's own threshold. Bold: the best value of a column. Grey: baselines.",
            ["Configuration", "Input type", *(METRICS[metric] for metric in TABLE_1)],
            _best_in_bold(result, [(MICRO, metric) for metric in TABLE_1], inputs=True),
        ),
        areas=Table(
            "Macro- and micro-averaged AUROC, with 95 % bootstrap intervals.",
            ["Configuration", *TABLE_2],
            _best_in_bold(result, [(row, "auroc") for row in TABLE_2.values()], inputs=False),
        ),
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


def _write_tsv(table: pandas.DataFrame, path: Path) -> None:
    # Without a time in its header, a gzip file is the same each time.
    compression = {"method": "gzip", "mtime": 0} if path.suffix == ".gz" else None
    layout = {"float_format": "%.6g", "lineterminator": "\n", "encoding": "utf-8"}
    table.to_csv(path, sep="\t", index=False, compression=compression, **layout)


def _facts(result: Result) -> dict[str, str]:
    micro = next(iter(result.models.values())).figures.loc[MICRO]
    pairs = int(micro["positives"] + micro["negatives"])
    positive = f", {percent(micro['positives'] / pairs)} positive" if pairs else ""
    return {
        **result.about,
        "marks": f"{len(result.marks)}",
        "labelled pairs": f"{pairs:,} of window and mark{positive}",
    }


def _best_in_bold(result: Result, columns: Sequence[tuple[str, str]], inputs: bool) -> list[Row]:
    """One row per model, with `inputs` or with intervals.

    The best of each column is bold, with all that print alike.
    """
    models = result.models.items()
    best = []
    for row, metric in columns:
        known = pandas.Series([one.figures.loc[row, metric] for _, one in models]).dropna()
        best.append(number(known.max()) if len(known) and len(models) > 1 else None)
    rows = []
    for name, one in models:
        cells = [Cell(one.inputs)] if inputs else []
        for (row, metric), top in zip(columns, best, strict=True):
            value = one.figures.loc[row, metric]
            note = "" if inputs else said.interval(one, row, metric)
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
        f"{name} by mark. Shaded: the interval of the mark's AUROC reaches down to 0.5. The last "
        "column is the baseline with the highest AUROC.",
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
