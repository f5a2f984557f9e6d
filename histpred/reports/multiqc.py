"""The sections of a MultiQC report on predictions, variants and evaluations: "custom content".

https://docs.seqera.io/multiqc/custom_content: a file named *_mqc.json holds the data of one plot or
table and how to show it; files with the same `parent_id` become one chapter. Sample names are taken
from the folder names.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape  # MultiQC reads the cells of a table as HTML
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from histpred.genome.reasons import UNWANTED
from histpred.reports.multiqc_layout import (
    CHAPTER,
    COUNT,
    FRACTION,
    PERCENTAGE,
    SCORED,
    Section,
    column,
    fates,
    plot,
)
from histpred.reports.multiqc_variants import (
    GENERAL_COLUMNS,
    VariantSamples,
    alleles,
    effects,
    general,
)
from histpred.scoring.record import RunRecord

GENERAL = "histpred_general"
SECTIONS = (
    *("histpred_predictions", "histpred_rows", "histpred_calls"),
    *("histpred_variants", "histpred_alleles", "histpred_evaluations"),
    GENERAL,  # always there, and so marks the folder as finished
)


class _Part(BaseModel):
    """A part of metrics.json; what a summary does not show is ignored, None is undefined."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class Figure(_Part):
    value: float | None
    low: float | None
    high: float | None


class Average(_Part):
    auroc: Figure
    auprc: Figure
    ece: Figure


class Figures(_Part):
    micro: Average
    macro: Average


class Difference(_Part):
    difference: float | None
    low: float | None
    high: float | None


class Lead(_Part):
    """How far the bundle's AUROC lies above another model's."""

    macro: Difference


class Model(_Part):
    inputs: str
    figures: Figures
    lead: Lead | None  # None for the bundle itself


class EvaluationSample(_Part):
    """An evaluation; models: by name, the bundle first."""

    windows: Annotated[int, Field(ge=0)]
    models: Annotated[dict[str, Model], Field(min_length=1)]


class PredictionSample(NamedTuple):
    """A prediction; calls: of each predicted mark, in the order of the columns of its table."""

    run: RunRecord
    calls: dict[str, int]


Predictions = Mapping[str, PredictionSample]
Evaluations = Mapping[str, EvaluationSample]


def sections(
    predictions: Predictions, variants: VariantSamples, evaluations: Evaluations
) -> dict[str, Section]:
    """The sections by name, in the order of SECTIONS; samples by name."""
    found = (
        *(_predictions(predictions), _rows(predictions), _calls(predictions)),
        *(effects(variants), alleles(variants), _evaluations(evaluations)),
        _general(predictions, variants, evaluations),
    )
    return dict(zip(SECTIONS, found, strict=True))


def _general(runs: Predictions, variants: VariantSamples, metrics: Evaluations) -> Section:
    """Columns of MultiQC's first table, which has those of other tools too."""
    data: dict[str, dict[str, float]] = {}
    columns: Section = {}
    if runs:
        whole = {"min": 0, **COUNT}
        unscored = "Share of the selected rows that could not be scored"
        called = "Windows called for a mark, summed over marks"
        columns = {
            "rows": column("Rows", "Rows of the annotation that were selected", "Blues", **whole),
            "scored": column("Scored", "Rows with a probability for each mark", "Greens", **whole),
            "skipped": column("Skipped", unscored, "OrRd", **PERCENTAGE),
            "calls": column("Calls", called, "Purples", **whole),
        }
    for name, (run, _) in runs.items():
        result = run.result
        rows = result.rows - sum(result.skipped.get(reason, 0) for reason in UNWANTED)
        data[name] = {"rows": rows, "scored": result.scored, "calls": result.calls}
        if rows:
            data[name]["skipped"] = 100 * (rows - result.scored) / rows
    if variants:
        columns |= GENERAL_COLUMNS
    for name, one in variants.items():
        data.setdefault(name, {}).update(general(one))
    if metrics:
        described = "Macro-averaged AUROC of the evaluated bundle"
        columns["auroc"] = column("Macro AUROC", described, "Greens", **FRACTION)
    for name, evaluated in metrics.items():
        value = next(iter(evaluated.models.values())).figures.macro.auroc.value
        data.setdefault(name, {}).update({} if value is None else {"auroc": value})
    headers = [{name: column} for name, column in columns.items()]
    return {"plot_type": "generalstats", "namespace": "histpred", "headers": headers, "data": data}


def _predictions(runs: Predictions) -> Section:
    data = {
        name: {
            "bundle": escape((run.identity.bundle or "").rpartition(" ")[0]),
            "marks": len(calls),
            "windows": escape(str(run.identity.window)),
            "by": escape(run.identity.level),
            "biotypes": escape(", ".join(run.identity.biotypes) or "all"),
            "device": escape(run.result.device),
            "past_end": run.result.past_end,
            "warnings": escape("; ".join(run.result.warnings) or "none"),
        }
        for name, (run, calls) in runs.items()
    }
    past_end = "Rows clipped because they end past their contig"
    return CHAPTER | {
        "section_name": "Predictions",
        "description": "What was scored with which bundle, and what to know when reading it.",
        "plot_type": "table",
        "pconfig": plot("predictions_table", "predictions", col1_header="Sample", no_violin=True),
        "headers": {
            "bundle": column("Bundle", "The trained model, and its version"),
            "marks": column("Marks", "Marks that the bundle predicts", **COUNT),
            "windows": column("Windows", "Kind of window, bp upstream and downstream"),
            "by": column("One for each", "What has a window of its own"),
            "biotypes": column("Biotypes", "Those selected, in small letters and digits only"),
            "device": column("Device", "Where it ran"),
            "past_end": column("Past end", past_end, **COUNT),
            "warnings": column("Warnings", "As in run.json"),
        },
        "data": data,
    }


def _rows(runs: Predictions) -> Section:
    data = {
        name: {SCORED: run.result.scored, **dict(sorted(run.result.skipped.items()))}
        for name, (run, _) in runs.items()
    }
    return CHAPTER | {
        "section_name": "Rows of the annotation",
        "description": "What became of each row: scored, or skipped and why (as in ledger.tsv).",
        **fates(data, "rows", "rows of the annotation", UNWANTED),
    }


def _calls(runs: Predictions) -> Section:
    """One row per sample, one column per mark: the percentage of scored windows that are called."""
    marks = list(dict.fromkeys(mark for _, calls in runs.values() for mark in calls))
    data = {
        name: {
            mark: 100 * calls[mark] / run.result.scored if mark in calls else None for mark in marks
        }
        for name, (run, calls) in runs.items()
        if run.result.scored
    }
    return CHAPTER | {
        "section_name": "Calls by mark",
        "description": "Percentage of the scored windows that are called: whose probability "
        "reaches the threshold. Empty: the bundle does not predict the mark.",
        "plot_type": "heatmap",
        "pconfig": {
            "id": "histpred_calls_plot",
            "title": "histpred: calls by mark",
            "xlab": "mark",
            "ylab": "sample",
            "zlab": "% called",
            "min": 0,
            "max": 100,
            "square": False,
            "xcats_samples": False,
            "tt_decimals": 1,
            "cluster_rows": False,
            "cluster_cols": False,
            "colstops": [[0, "#ffffff"], [1, "#08519c"]],
        },
        "data": data,
    }


def _evaluations(metrics: Evaluations) -> Section:
    """One row per model and sample, the model first.

    MultiQC cuts sample names at '.fa' and the like, and merges rows of the same name.
    """
    data = {
        f"{model} | {name}": _evaluation(one, evaluated.windows)
        for name, evaluated in metrics.items()
        for model, one in evaluated.models.items()
    }
    interval = "95 % interval of a bootstrap over loci"
    auroc, auprc = "AUROC of all labels together", "AUPRC of all labels together"
    layout: Section = {"col1_header": "Model | sample", "no_violin": True, "sort_rows": False}
    error = "Expected calibration error of all labels together"
    return CHAPTER | {
        "section_name": "Evaluations",
        "description": "The evaluated bundle, then what is shown beside it: other bundles, and "
        "baselines fitted on the same training rows. A bundle is better than another only where "
        "the interval of its lead is above 0.",
        "plot_type": "table",
        "pconfig": plot("evaluations_table", "evaluations", **layout),
        "headers": {
            "windows": column("Windows", "Windows that were evaluated", **COUNT),
            "macro_auroc": column("Macro AUROC", "Mean of the marks' AUROC", "Greens", **FRACTION),
            "macro_interval": column("interval", f"Macro AUROC: {interval}"),
            "micro_auroc": column("Micro AUROC", auroc, "Greens", **FRACTION),
            "micro_interval": column("interval", f"Micro AUROC: {interval}"),
            "macro_auprc": column("Macro AUPRC", "Mean of the marks' AUPRC", "Blues", **FRACTION),
            "micro_auprc": column("Micro AUPRC", auprc, "Blues", **FRACTION),
            "ece": column("ECE", error, "OrRd", **FRACTION),
            "ahead": column("Bundle's lead", f"Macro AUROC of the bundle above this; {interval}"),
            "inputs": column("Reads", "What the model or baseline sees") | {"hidden": True},
        },
        "data": data,
    }


def _evaluation(model: Model, windows: int) -> dict[str, float | str]:
    micro, macro = model.figures.micro, model.figures.macro
    row = {
        "windows": windows,
        "macro_auroc": macro.auroc.value,
        "micro_auroc": micro.auroc.value,
        "macro_auprc": macro.auprc.value,
        "micro_auprc": micro.auprc.value,
        "ece": micro.ece.value,
        "macro_interval": _interval(macro.auroc.low, macro.auroc.high),
        "micro_interval": _interval(micro.auroc.low, micro.auroc.high),
        "inputs": escape(model.inputs),
    }
    if model.lead is not None and model.lead.macro.difference is not None:
        lead = model.lead.macro
        interval = _interval(lead.low, lead.high, "+.3f")
        row["ahead"] = f"{lead.difference:+.3f}" + (f" ({interval})" if interval else "")
    return {name: value for name, value in row.items() if value is not None and value != ""}


def _interval(low: float | None, high: float | None, layout: str = ".3f") -> str:
    """Both ends as text, '' if one is undefined."""
    return "" if low is None or high is None else f"{low:{layout}} to {high:{layout}}"
