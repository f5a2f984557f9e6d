"""Figures by the paper's rule beside histpred's own, in metrics.json, in tables and on the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas

from histpred.core.text import counted
from histpred.evaluation.paper import one_class
from histpred.evaluation.result import (
    BASELINE,
    MACRO,
    METRICS,
    MICRO,
    PAPER_METRICS,
    PaperReading,
    Result,
)
from histpred.reports.findings import interval
from histpred.reports.page import Cell, Row, Table, figure, number

HISTPRED, PAPER = "histpred", "paper"
COUNTS = ("positives", "negatives")
TABLE_1 = ("accuracy", "precision", "recall", "f1", "mcc", "auroc", "auprc")
AREAS = {"Macro-AUROC": MACRO, "Micro-AUROC": MICRO}
"""Tables 1 and 2 have the layout of the paper's (section 3)."""

ABSENT = -2.0  # what a cell without a figure sorts as: below every figure


def readings_of(result: Result) -> dict[str, str]:
    """What each reading is, by name, or why there is none, as sentences."""
    ours = (
        "histpred's reading: calibrated probabilities, and the thresholds of the bundle; a mark "
        "without skill on the validation rows is never called."
    )
    if isinstance(result.validation, str):
        return {HISTPRED: ours, PAPER: result.validation}
    theirs = (
        "The paper's reading, by its appendix F: raw scores (the sigmoid of a logit, not "
        "calibrated), and for every mark the threshold with the highest Youden's J on the "
        f"{counted(len(result.validation.windows), 'validation row')}, whether or not the mark can "
        "be predicted."
    )
    return {HISTPRED: ours, PAPER: theirs}


def nested_reading(
    reading: PaperReading | None, marks: Sequence[str]
) -> dict[str, dict[str, object]] | None:
    """The paper's reading of a model as metrics.json holds it."""
    if reading is None:
        return None
    return {
        "thresholds": dict(zip(marks, reading.thresholds, strict=True)),
        "figures": {
            row: {name: int(reading.figures.loc[row, name]) for name in COUNTS}
            | {name: reading.figures.loc[row, name] for name in PAPER_METRICS}
            for row in (MICRO, MACRO, *marks)
        },
    }


def nested_validation(result: Result) -> dict[str, object] | None:
    """The validation rows as metrics.json describes them; None if there are none."""
    rows = result.validation
    if isinstance(rows, str):
        return None
    return {"windows": len(rows.windows), "one_class": one_class(rows.labels, result.marks)}


def figures_of(result: Result, reading: str) -> dict[str, pandas.DataFrame]:
    """The figures of the models that have them in a reading, by name."""
    if reading == HISTPRED:
        return {name: one.figures for name, one in result.models.items()}
    return {name: one.paper.figures for name, one in result.models.items() if one.paper}


def performance_table(result: Result) -> Table:
    """The paper's Table 1: micro-averages of every model in both readings."""
    rows = []
    for reading in (HISTPRED, PAPER):
        models = figures_of(result, reading)
        best = [_best(models, MICRO, metric) for metric in TABLE_1]
        for name, figures in models.items():
            one, cells = result.models[name], []
            for metric, top in zip(TABLE_1, best, strict=True):
                value = figures.loc[MICRO, metric] if metric in figures else None
                cells.append(Cell("", ABSENT) if value is None else _figure(value, top))
            kind = "baseline" if one.kind == BASELINE else ""
            rows.append(Row(name, [Cell(reading), Cell(one.inputs), *cells], kind=kind))
    several = "" if isinstance(result.validation, str) else " within a reading"
    return Table(
        "Performance on the evaluated rows. All metrics are micro-averaged over the marks, with "
        f"each mark's own threshold. Bold: the best value of a column{several}. Grey: baselines.",
        ["Configuration", "Reading", "Input type", *(METRICS[metric] for metric in TABLE_1)],
        rows,
    )


def area_table(result: Result) -> Table:
    """The paper's Table 2: AUROC of every model, of histpred's reading with intervals."""
    ours, theirs = (figures_of(result, reading) for reading in (HISTPRED, PAPER))
    rows = []
    for name, one in result.models.items():
        cells = []
        for average in AREAS.values():
            note = interval(one, average)
            value = one.figures.loc[average, "auroc"]
            cells.append(_figure(value, _best(ours, average, "auroc"), note))
        for average in AREAS.values() if theirs else ():
            value = theirs[name].loc[average, "auroc"] if name in theirs else np.nan
            cells.append(_figure(value, _best(theirs, average, "auroc")))
        rows.append(Row(name, cells, kind="baseline" if one.kind == BASELINE else ""))
    raw = " Raw: by the paper's reading." if theirs else ""
    return Table(
        f"Macro- and micro-averaged AUROC, with 95 % bootstrap intervals.{raw}",
        ["Configuration", *AREAS, *(f"{title}, raw" for title in AREAS if theirs)],
        rows,
    )


def _best(models: Mapping[str, pandas.DataFrame], row: str, metric: str) -> str:
    """The best figure as it is printed, '' if there is nothing to compare."""
    known = [figures[metric][row] for figures in models.values() if metric in figures]
    known = [value for value in known if not math.isnan(value)]
    return number(max(known)) if known and len(models) > 1 else ""


def _figure(value: float, best: str, note: str = "") -> Cell:
    return figure(value, note, number(value) == best)
