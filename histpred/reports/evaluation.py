"""An evaluation as tables, as JSON, and as one page that reads like the results of a paper.

Tables 1 and 2 have the layout of the paper's (section 3). Its sentences are made from the numbers:
the bundle is said to be better than another only where the 95 % interval of its lead is above 0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas

from histpred.core.marks import hex_colour, mark
from histpred.evaluation.analysis import off_diagonal_summary
from histpred.evaluation.result import BASELINE, MACRO, METRICS, MICRO, ModelResult, Result
from histpred.reports.page import counted, render

if TYPE_CHECKING:
    from histpred.reports.evaluation_figures import Drawing

TABLE_1 = ("accuracy", "precision", "recall", "f1", "mcc", "auroc", "auprc")
MARK_COLUMNS = ("auroc", "auprc", "accuracy", "precision", "recall", "f1", "mcc", "ece")
COUNTS = ("positives", "negatives")
MISCALIBRATED = 0.05  # an ECE that is worth a sentence
UNRELATED = 0.2  # a correlation that is next to none
FLOATS = "%.6g"

BETTER, WORSE, OPEN, UNDEFINED = "better", "worse", "open", "undefined"


class Finding(NamedTuple):
    """A sentence of the report; `weak` where it speaks against the model."""

    text: str
    weak: bool = False


class Cell(NamedTuple):
    """A number in a table of the page. value: what to sort by. interval: '' if none."""

    text: str
    value: float
    interval: str = ""
    best: bool = False


# Files.


def write_tables(result: Result, folder: Path) -> None:
    """Write the tables of an evaluation and metrics.json into `folder`, which exists.

    summary.tsv: a row a model, the paper's Table 1 (micro-averages), then Table 2 with intervals.
    marks.tsv: a row a model and mark, each metric with its low and high end. groups.tsv:
    `Result.groups`. similarity.tsv and co_targeting.tsv: a row and a column a mark, if there are
    any. predictions.tsv.gz: the windows (0-based half-open), then MARK_label (1, 0, empty where
    unlabelled) and MARK_probability of the bundle. metrics.json: see `metrics_of`. Undefined
    figures are empty, null in JSON. The same result gives the same bytes.
    """
    _write_tsv(summary_table(result), folder / "summary.tsv")
    _write_tsv(marks_table(result), folder / "marks.tsv")
    _write_tsv(result.groups, folder / "groups.tsv")
    for name in ("similarity", "co_targeting"):
        matrix = getattr(result, name)
        if matrix is not None:
            _write_tsv(matrix.rename_axis("mark").reset_index(), folder / f"{name}.tsv")
    _write_tsv(predictions_table(result), folder / "predictions.tsv.gz")
    text = json.dumps(metrics_of(result), indent=1, allow_nan=False, ensure_ascii=False)
    (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")


def summary_table(result: Result) -> pandas.DataFrame:
    """The paper's Tables 1 and 2 in one: a row a model, in the order of the result."""
    rows = []
    for name, one in result.models.items():
        row: dict[str, Any] = {"Configuration": name, "Input type": one.inputs}
        row |= {METRICS[metric]: one.figures.loc[MICRO, metric] for metric in TABLE_1}
        for average, title in ((MACRO, "Macro-AUROC"), (MICRO, "Micro-AUROC")):
            row[title] = one.figures.loc[average, "auroc"]
            row[f"{title} low"] = one.low.loc[average, "auroc"]
            row[f"{title} high"] = one.high.loc[average, "auroc"]
        rows.append(row)
    return pandas.DataFrame(rows)


def marks_table(result: Result) -> pandas.DataFrame:
    """A row a model and mark: positives, negatives, each metric, its low and high end."""
    rows = []
    for name, one in result.models.items():
        for each in result.marks:
            figures = one.figures.loc[each]
            row: dict[str, Any] = {"model": name, "mark": each}
            row |= {count: int(figures[count]) for count in COUNTS}
            for metric in METRICS:
                row[metric] = figures[metric]
                row[f"{metric}_low"] = one.low.loc[each, metric]
                row[f"{metric}_high"] = one.high.loc[each, metric]
            rows.append(row)
    return pandas.DataFrame(rows)


def predictions_table(result: Result) -> pandas.DataFrame:
    """The windows, then for each mark MARK_label and MARK_probability of the bundle."""
    bundle = next(iter(result.models.values()))
    columns = {}
    for i, each in enumerate(result.marks):
        columns[f"{each}_label"] = pandas.array(result.labels[:, i], dtype="Int8")
        columns[f"{each}_probability"] = bundle.probabilities[:, i]
    windows = result.windows.reset_index(drop=True)
    return pandas.concat([windows, pandas.DataFrame(columns)], axis=1)


def metrics_of(result: Result) -> dict[str, Any]:
    """What metrics.json holds; None stands for what is undefined.

    title, about (facts by name), warnings (sentences), windows (how many), marks (names);
    models: by name, the bundle first: kind ('model' or 'baseline'), inputs, thresholds (by mark),
    figures (by 'micro', 'macro' and mark: positives, negatives, and each metric as value, low and
    high of the 95 % interval), lead (of the bundle over it in micro and macro AUROC: difference,
    low and high; None for the bundle);
    groups: rows with the columns of `Result.groups`;
    similarity, co_targeting: by mark and mark, or None;
    correlation: pearson, spearman, pairs, or None.
    """
    return {
        "title": result.title,
        "about": dict(result.about),
        "warnings": list(result.warnings),
        "windows": len(result.windows),
        "marks": list(result.marks),
        "models": {
            name: {
                "kind": one.kind,
                "inputs": one.inputs,
                "thresholds": {
                    each: _plain(value)
                    for each, value in zip(result.marks, one.thresholds, strict=True)
                },
                "lead": None
                if one.lead is None
                else {
                    average: {name: _plain(value) for name, value in row.items()}
                    for average, row in one.lead.to_dict("index").items()
                },
                "figures": {row: _figures(one, row) for row in (MICRO, MACRO, *result.marks)},
            }
            for name, one in result.models.items()
        },
        "groups": [
            {name: _plain(value) for name, value in row.items()}
            for row in result.groups.to_dict("records")
        ],
        "similarity": _nested(result.similarity),
        "co_targeting": _nested(result.co_targeting),
        "correlation": None
        if result.correlation is None
        else {name: _plain(value) for name, value in result.correlation._asdict().items()},
    }


def write_report(result: Result, figures: Mapping[str, Drawing], path: Path) -> None:
    """Write the evaluation as one page of HTML to `path`, with `figures` (`plots.draw`) inside it.

    The page loads nothing and works without JavaScript, which only sorts tables by a click on a
    column's head. The same result gives the same bytes.
    """
    bundle, scored = next(iter(result.models.items()))
    page = render(
        "reports/evaluation.html.j2",
        result=result,
        bundle=bundle,
        facts=_facts(result, scored),
        figures=figures,
        performance=performance_findings(result),
        by_mark=mark_findings(result),
        by_group=group_findings(result),
        calibration=calibration_findings(result),
        relations=relation_findings(result),
        table_1=_best_in_bold(result, [(MICRO, metric) for metric in TABLE_1]),
        table_2=_best_in_bold(result, [(MACRO, "auroc"), (MICRO, "auroc")], intervals=True),
        heads_1=[METRICS[metric] for metric in TABLE_1],
        heads_2=["Macro-AUROC", "Micro-AUROC"],
        mark_heads=[METRICS[metric] for metric in MARK_COLUMNS],
        mark_rows=_mark_rows(result),
        group_rows=_group_rows(result),
    )
    path.write_text(page, encoding="utf-8")


# Sentences.


def performance_findings(result: Result) -> list[Finding]:
    """How the bundle does over all marks, and beside each other model and baseline."""
    name, bundle = next(iter(result.models.items()))
    micro = bundle.figures.loc[MICRO]
    defined = int(bundle.figures.loc[list(result.marks), "auroc"].notna().sum())
    findings = [
        Finding(
            f"{name} reaches a macro-AUROC of {_with_interval(bundle, MACRO, 'auroc')} and a "
            f"micro-AUROC of {_with_interval(bundle, MICRO, 'auroc')} over "
            f"{counted(len(result.windows), 'window')} and "
            f"{counted(len(result.marks), 'mark')}"
            + ("." if defined == len(result.marks) else f", {defined} of them with both classes.")
        )
    ]
    others = {other: one for other, one in result.models.items() if other != name}
    baselines = {other: one for other, one in others.items() if one.kind == BASELINE}
    for average in (MACRO, MICRO):
        findings += _comparison(bundle, others, average)
    if not baselines:
        findings.append(
            Finding(
                "There is no baseline beside it: these figures have nothing to be judged by.", True
            )
        )
    as_good = [
        other for other, one in baselines.items() if standing(bundle, one, MACRO) in (OPEN, WORSE)
    ]
    if as_good:
        findings.append(
            Finding(
                f"These rows do not show that {name} tells windows apart better than "
                f"{_listed(as_good)}.",
                True,
            )
        )
    for other, one in baselines.items():
        constant = len(result.marks) > 1 and not np.ptp(one.probabilities, axis=0).any()
        pooled = one.figures.loc[MICRO, "auroc"]
        if constant and pooled > 0.5:
            findings.append(
                Finding(
                    f"{other} gives every window the same probabilities, and has a micro-AUROC of "
                    f"{_number(pooled)} all the same: pooled pairs reward knowing how common each "
                    "mark is. Macro-AUROC does not."
                )
            )
    kept = ~np.isnan(result.labels)
    called = (bundle.probabilities >= bundle.thresholds)[kept].mean() if kept.any() else np.nan
    findings.append(
        Finding(
            f"At its thresholds it calls {_percent(called)} of the labelled pairs; of its calls, "
            f"{_percent(micro['precision'])} are labelled positive, and of the positives it finds "
            f"{_percent(micro['recall'])} (MCC {_number(micro['mcc'])})."
        )
    )
    total = micro["positives"] + micro["negatives"]
    commoner = max(micro["positives"], micro["negatives"]) / total if total else np.nan
    if micro["accuracy"] < commoner:
        always = "negative" if micro["negatives"] >= micro["positives"] else "positive"
        findings.append(
            Finding(
                f"Its accuracy of {_number(micro['accuracy'])} is below the {_number(commoner)} of "
                f"calling every pair {always}: thresholds that weigh both classes alike pay for "
                "recall with accuracy where classes are unequal.",
                True,
            )
        )
    return findings


def mark_findings(result: Result) -> list[Finding]:
    """Best and worst marks, those no better than chance, those where a baseline is as good."""
    name, bundle = next(iter(result.models.items()))
    figures = bundle.figures.loc[list(result.marks), "auroc"]
    defined = figures.dropna()
    findings = []
    if len(defined) > 1:
        best, worst = defined.idxmax(), defined.idxmin()
        findings.append(
            Finding(
                f"AUROC is highest for {best}, {_with_interval(bundle, best, 'auroc')}, and lowest "
                f"for {worst}, {_with_interval(bundle, worst, 'auroc')}."
            )
        )
    chance = [each for each in defined.index if bundle.low.loc[each, "auroc"] <= 0.5]
    if chance:
        findings.append(
            Finding(
                f"For {len(chance)} of {counted(len(defined), 'mark')} the interval reaches down "
                f"to 0.5: {name} is not shown to beat chance at {_listed(chance)}.",
                True,
            )
        )
    elif len(defined) and bundle.low.loc[defined.index, "auroc"].notna().all():
        every = (
            "For every mark with both classes" if len(defined) > 1 else f"For {defined.index[0]}"
        )
        findings.append(Finding(f"{every} the interval lies above chance (0.5)."))
    matched = [
        f"{each} ({other[0]}, {_number(other[1])})"
        for each in defined.index
        if (other := _best_baseline(result, each)) and other[1] >= defined[each]
    ]
    if matched:
        findings.append(
            Finding(
                f"A baseline has an AUROC at least as high for {counted(len(matched), 'mark')}: "
                f"{_listed(matched)}.",
                True,
            )
        )
    below = [
        each
        for each in result.marks
        if bundle.figures.loc[each, "accuracy"] < _commoner(bundle.figures.loc[each])
    ]
    if below:
        findings.append(
            Finding(
                "Accuracy is below that of always calling the commoner class for "
                f"{len(below)} of {counted(len(result.marks), 'mark')}: {_listed(below)}.",
                True,
            )
        )
    absent = [each for each in result.marks if each not in defined.index]
    if absent:
        findings.append(
            Finding(f"No AUROC is defined for {_listed(absent)}: both classes are needed.", True)
        )
    return findings


def group_findings(result: Result) -> list[Finding]:
    """The range of the bundle's AUROC over biotypes and over chromosomes."""
    name = next(iter(result.models))
    findings = []
    mine = result.groups[result.groups["model"] == name]
    for by, table in mine.groupby("by", sort=False):
        table = table.dropna(subset=["macro_auroc"])
        if len(table) < 2:
            continue
        best, worst = (
            table.loc[index] for index in (table.macro_auroc.idxmax(), table.macro_auroc.idxmin())
        )
        findings.append(
            Finding(
                f"By {by}, macro-AUROC goes from {_number(worst.macro_auroc)} "
                f"({worst.group}, {counted(worst.windows, 'window')}) to "
                f"{_number(best.macro_auroc)} ({best.group}, {counted(best.windows, 'window')})."
            )
        )
        if chance := list(table.loc[table.macro_auroc <= 0.5, "group"]):
            findings.append(Finding(f"It does not exceed 0.5 for {_listed(chance)}.", True))
    return findings


def calibration_findings(result: Result) -> list[Finding]:
    """The bundle's calibration error, and the marks where it is large."""
    bundle = next(iter(result.models.values()))
    errors = bundle.figures.loc[list(result.marks), "ece"].dropna()
    if errors.empty:
        return []
    pooled = bundle.figures.loc[MICRO, "ece"]
    findings = [
        Finding(
            f"Over all pairs the expected calibration error is {_number(pooled)}; by mark it goes "
            f"from {_number(errors.min())} ({errors.idxmin()}) to {_number(errors.max())} "
            f"({errors.idxmax()})."
        )
    ]
    if large := list(errors[errors > MISCALIBRATED].sort_values(ascending=False).index):
        findings.append(
            Finding(
                f"It exceeds {MISCALIBRATED} for {_listed(large)}: do not read their scores as "
                "probabilities here.",
                True,
            )
        )
    return findings


def relation_findings(result: Result) -> list[Finding]:
    """The spread of the marks' similarities, and whether they follow co-targeting."""
    findings = []
    if result.similarity is not None and len(result.similarity) > 1:
        summary = off_diagonal_summary(result.similarity)
        findings.append(
            Finding(
                f"The similarity of two marks' vectors is {_number(summary['mean'], sign=True)} "
                f"\N{PLUS-MINUS SIGN} {_number(summary['sd'])} on average (mean and standard "
                f"deviation); {_percent(summary['share_above_quarter'])} of the pairs lie beyond "
                "0.25 in either direction."
            )
        )
    if result.correlation is not None and not math.isnan(result.correlation.pearson):
        pearson = result.correlation.pearson
        findings.append(
            Finding(
                f"With co-targeting in the labels it correlates with Pearson's r = "
                f"{_number(pearson, sign=True)} (Spearman "
                f"{_number(result.correlation.spearman, sign=True)}, "
                f"{counted(result.correlation.pairs, 'pair')} of marks)."
            )
        )
        if pearson < UNRELATED:
            findings.append(
                Finding("The vectors do not follow which marks occur together in the labels.", True)
            )
    return findings


def standing(one: ModelResult, other: ModelResult, row: str, metric: str = "auroc") -> str:
    """Whether `one` is BETTER or WORSE than `other` in a row of their figures.

    By the interval of the bundle's lead over `other` (OPEN where 0 lies in it); where that was not
    measured, OPEN if the two intervals overlap, which is cautious for models on the same rows.
    UNDEFINED without intervals.
    """
    if other.lead is not None and metric == "auroc":
        low, high = other.lead.loc[row, ["low", "high"]]
        if np.isnan([low, high]).any():
            return UNDEFINED
        return BETTER if low > 0 else WORSE if high < 0 else OPEN
    ends = one.low, one.high, other.low, other.high
    low, high, other_low, other_high = (table.loc[row, metric] for table in ends)
    if np.isnan([low, high, other_low, other_high]).any():
        return UNDEFINED
    if low > other_high:
        return BETTER
    return WORSE if high < other_low else OPEN


def _comparison(
    bundle: ModelResult, others: Mapping[str, ModelResult], average: str
) -> list[Finding]:
    says = {
        BETTER: "higher than that of",
        OPEN: "not clearly different from that of",
        WORSE: "lower than that of",
        UNDEFINED: "without an interval to compare with that of",
    }
    parts, weak = [], False
    for verdict, words in says.items():
        names = [
            f"{name} ({_number(one.figures.loc[average, 'auroc'])})"
            for name, one in others.items()
            if standing(bundle, one, average) == verdict
        ]
        if names:
            parts.append(f"{words} {_listed(names)}")
            weak |= verdict in (OPEN, WORSE)
    return [Finding(f"Its {average}-AUROC is {'; '.join(parts)}.", weak)] if parts else []


# What the page shows.


def _facts(result: Result, bundle: ModelResult) -> dict[str, str]:
    micro = bundle.figures.loc[MICRO]
    pairs = int(micro["positives"] + micro["negatives"])
    share = f", {_percent(micro['positives'] / pairs)} positive" if pairs else ""
    return {
        **result.about,
        "marks": f"{len(result.marks)}",
        "labelled pairs": f"{pairs:,} of window and mark{share}",
    }


def _best_in_bold(
    result: Result, columns: Sequence[tuple[str, str]], intervals: bool = False
) -> list[dict[str, Any]]:
    """Rows of a table, a model each; the best of a column is marked, with all that print alike."""
    best = []
    for row, metric in columns:
        values = [one.figures.loc[row, metric] for one in result.models.values()]
        known = [value for value in values if not np.isnan(value)]
        best.append(_number(max(known)) if known and len(values) > 1 else None)
    return [
        {
            "name": name,
            "inputs": one.inputs,
            "baseline": one.kind == BASELINE,
            "cells": [
                Cell(
                    text := _number(one.figures.loc[row, metric]),
                    _sortable(one.figures.loc[row, metric]),
                    _interval(one, row, metric) if intervals else "",
                    text == top,
                )
                for (row, metric), top in zip(columns, best, strict=True)
            ],
        }
        for name, one in result.models.items()
    ]


def _mark_rows(result: Result) -> list[dict[str, Any]]:
    bundle = next(iter(result.models.values()))
    rows = []
    for i, each in enumerate(result.marks):
        figures = bundle.figures.loc[each]
        positives, negatives = int(figures["positives"]), int(figures["negatives"])
        share = positives / (positives + negatives) if positives + negatives else np.nan
        other = _best_baseline(result, each)
        rows.append(
            {
                "mark": each,
                "colour": hex_colour(each),
                "mark_class": mark(each).mark_class,
                "positives": positives,
                "share": Cell(_percent(share), _sortable(share)),
                "weak": bundle.low.loc[each, "auroc"] <= 0.5,
                "cells": [
                    Cell(
                        _number(figures[metric]),
                        _sortable(figures[metric]),
                        _interval(bundle, each, metric) if metric == "auroc" else "",
                    )
                    for metric in MARK_COLUMNS
                ],
                "threshold": Cell(_number(bundle.thresholds[i]), _sortable(bundle.thresholds[i])),
                "baseline": Cell(_number(other[1]), other[1], other[0])
                if other
                else Cell(_number(np.nan), -1),
            }
        )
    return rows


def _group_rows(result: Result) -> dict[str, list[dict[str, Any]]]:
    """The bundle's figures by biotype and by chromosome, where there is more than one."""
    mine = result.groups[result.groups["model"] == next(iter(result.models))]
    columns = ("macro_auroc", "micro_auroc", "micro_auprc")
    return {
        by: [
            {
                "group": "not stated" if row["group"] == "." else row["group"],
                "windows": int(row["windows"]),
                "marks": int(row["marks"]),
                "cells": [Cell(_number(row[name]), _sortable(row[name])) for name in columns],
            }
            for row in table.to_dict("records")
        ]
        for by, table in mine.groupby("by", sort=False)
        if len(table) > 1
    }


def _best_baseline(result: Result, each: str) -> tuple[str, float] | None:
    """The baseline with the highest AUROC at a mark, None where none has one."""
    figures = {
        name: float(one.figures.loc[each, "auroc"])
        for name, one in result.models.items()
        if one.kind == BASELINE and not np.isnan(one.figures.loc[each, "auroc"])
    }
    name = max(figures, key=figures.__getitem__, default=None)
    return None if name is None else (name, figures[name])


def _commoner(figures: pandas.Series) -> float:
    total = figures["positives"] + figures["negatives"]
    return max(figures["positives"], figures["negatives"]) / total if total else np.nan


# Numbers and words.


def _number(value: float, digits: int = 3, sign: bool = False) -> str:
    if pandas.isna(value):
        return "undefined"
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}")


def _percent(share: float) -> str:
    return "undefined" if pandas.isna(share) else f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def _sortable(value: float) -> float:
    return -2.0 if pandas.isna(value) else round(float(value), 6)  # below every figure


def _interval(one: ModelResult, row: str, metric: str) -> str:
    low, high = one.low.loc[row, metric], one.high.loc[row, metric]
    known = not (pandas.isna(low) or pandas.isna(high))
    return f"{_number(low)} to {_number(high)}" if known else ""


def _with_interval(one: ModelResult, row: str, metric: str) -> str:
    interval = _interval(one, row, metric)
    return _number(one.figures.loc[row, metric]) + (
        f" (95 % interval {interval})" if interval else ""
    )


def _listed(names: Iterable[object]) -> str:
    *most, last = map(str, names)
    return f"{', '.join(most)} and {last}" if most else last


def _figures(one: ModelResult, row: str) -> dict[str, Any]:
    figures: dict[str, Any] = {count: int(one.figures.loc[row, count]) for count in COUNTS}
    for metric in METRICS:
        figures[metric] = {
            "value": _plain(one.figures.loc[row, metric]),
            "low": _plain(one.low.loc[row, metric]),
            "high": _plain(one.high.loc[row, metric]),
        }
    return figures


def _nested(matrix: pandas.DataFrame | None) -> dict[str, dict[str, Any]] | None:
    if matrix is None:
        return None
    return {
        str(row): {str(column): _plain(value) for column, value in values.items()}
        for row, values in matrix.iterrows()
    }


def _plain(value: Any) -> Any:
    """A value as JSON has it; None for NaN and infinity."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
