"""Finished outputs as sections of a MultiQC report: its "custom content" files, one a section.

https://docs.seqera.io/multiqc/custom_content: a file named *_mqc.json holds the data of one plot or
table and how to show it; files with the same `parent_id` become one chapter. Samples are called as
their folders are.
"""

from __future__ import annotations

import gzip
import html
import json
import os
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from histpred.core.columns import HEADER
from histpred.core.errors import InputError, OutputError, first_few
from histpred.core.output import output_folder, refuse_inputs, temporary_faults
from histpred.core.version import __version__
from histpred.genome.reasons import NOT_SELECTED
from histpred.genome.windows import WindowSpec
from histpred.scoring.record import RUN, SCHEMA_VERSION
from histpred.scoring.tables import CALLS, SCORES

METRICS = "metrics.json"  # of an evaluation

GENERAL = "histpred_general"
SECTIONS = (
    "histpred_predictions",
    "histpred_rows",
    "histpred_calls",
    "histpred_evaluations",
    GENERAL,  # always there, so that it marks the folder as finished
)
OUTPUTS = tuple(f"{section}_mqc.json" for section in SECTIONS)

CHAPTER = {
    "parent_id": "histpred",
    "parent_name": "histpred",
    "parent_description": "predicts the histone marks of non-coding RNA genes from sequence.",
}
SCORED = "scored"
SCORED_COLOUR = "#3b7dae"
REASON_COLOURS = (  # as many as there are reasons
    *("#e0a13c", "#b5533c", "#7b6aa8", "#6f9e5a", "#8c8c8c"),
    *("#c98fb5", "#4fa3a0", "#8a6d3b", "#d8c24a", "#4a4a6a"),
)
NOT_SELECTED_COLOUR = "#d9d9d9"

Section = dict[str, Any]
Count = Annotated[int, Field(ge=0)]


class _Record(BaseModel):
    """A part of a record: of the right types; what else it holds does not matter here."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _Identity(_Record):
    bundle: str
    window: tuple[str, Count, Count, float, bool, Count, Count] = Field(strict=False)
    by: str
    biotypes: list[str]


class _Outcome(_Record):
    rows: Count
    scored: Count
    calls: Count
    skipped: dict[str, Count]
    past_end: Count
    warnings: list[str]
    device: str


class _Run(_Record):
    identity: _Identity
    result: _Outcome


class _Figure(_Record):
    value: float | None
    low: float | None
    high: float | None


class _Average(_Record):
    auroc: _Figure
    auprc: _Figure
    ece: _Figure


class _Figures(_Record):
    micro: _Average
    macro: _Average


class _Difference(_Record):
    difference: float | None
    low: float | None
    high: float | None


class _Lead(_Record):
    macro: _Difference


class _Model(_Record):
    inputs: str
    figures: _Figures
    lead: _Lead | None


class _Metrics(_Record):
    windows: Count
    models: Annotated[dict[str, _Model], Field(min_length=1)]


class _Prediction(NamedTuple):
    """calls: of each mark that was scored, in the order of the tables' columns."""

    run: _Run
    calls: dict[str, int]


Shape = TypeVar("Shape", bound=BaseModel)
Kept = TypeVar("Kept")


def summarise(folders: Sequence[Path], out: Path, *, overwrite: bool = False) -> list[Path]:
    """Write what MultiQC shows of finished predictions and evaluations into the folder `out`.

    Parameters
    ----------
    folders
        Those that `histpred predict` and `histpred evaluate` wrote, in any order. The last part of
        a folder's path is its sample's name, and no two predictions or evaluations may share it.
    out
        Gets those files of `OUTPUTS` that have something to show. The same content of the folders
        under the same names gives the same bytes.
    overwrite
        Replace an earlier summary.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    InputError
        Where a folder is no finished output, or one of another schema; two have the same name; or
        calls and run.json do not agree.
    OutputError
        Where `out` holds a summary (without `overwrite`) or anything else.
    """
    predictions: dict[str, Path] = {}
    evaluations: dict[str, Path] = {}
    for folder in folders:
        _enter(predictions if _is_prediction(folder) else evaluations, folder)
    if not overwrite and (out / OUTPUTS[-1]).exists() and _is_ours(out / OUTPUTS[-1]):
        raise OutputError(f"{out} holds a summary", "choose another folder, or add --overwrite")
    refuse_inputs([out], folders)

    runs = {name: _read_prediction(folder) for name, folder in sorted(predictions.items())}
    metrics = {name: _read_metrics(folder) for name, folder in sorted(evaluations.items())}
    sections = {
        "histpred_predictions": _predictions(runs),
        "histpred_rows": _rows(runs),
        "histpred_calls": _calls(runs),
        "histpred_evaluations": _evaluations(metrics),
        GENERAL: _general(runs, metrics),
    }
    with temporary_faults(), output_folder(out, OUTPUTS, _is_ours) as work:
        for name, section in sections.items():
            if section["data"]:
                text = json.dumps({"id": name, **section}, indent=1, allow_nan=False)
                (work / f"{name}_mqc.json").write_text(text + "\n", encoding="utf-8")
    return [out / name for name in OUTPUTS if (out / name).exists()]


def sample_name(folder: Path) -> str:
    """The last part of a folder's path, as text; links are not followed.

    >>> sample_name(Path("results/hg38/"))
    'hg38'
    """
    name = os.path.basename(os.path.abspath(folder))
    return os.fsencode(name).decode("utf-8", "replace")


def _is_prediction(folder: Path) -> bool:
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise InputError(folder, problem, "give folders of histpred predict or evaluate")
    found = [name for name in (RUN, METRICS) if (folder / name).exists()]
    if len(found) == 1:
        return found == [RUN]
    if found:
        raise InputError(folder, f"holds both {RUN} and {METRICS}", "give each its own folder")
    here = first_few(sorted(path.name for path in folder.iterdir())) or "nothing"
    raise InputError(
        folder,
        f"holds neither {RUN} (of predict) nor {METRICS} (of evaluate), but {here}",
        "give finished outputs; a run that was broken off is finished by its own command",
    )


def _enter(known: dict[str, Path], folder: Path) -> None:
    name = sample_name(folder)
    if name in known:
        raise InputError(
            folder,
            f"is called {name!r} as {known[name]} is, and samples are told apart by their names",
            "give each folder once, and rename those that share a name",
        )
    known[name] = folder


def _is_ours(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_text(encoding="utf-8"))["id"] == GENERAL)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _load(path: Path, verb: str, known_by: str) -> dict[str, Any]:
    """The object in a JSON file that `verb` wrote, whose identity has the field `known_by`."""
    again = f"give an output of histpred {verb}, or run that again"
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}", "check the file") from error
    except ValueError as error:  # also bytes that are not UTF-8
        raise InputError(path, f"is not valid JSON: {error}", again) from error
    identity = fields.get("identity") if isinstance(fields, dict) else None
    if not isinstance(identity, dict) or known_by not in identity:
        raise InputError(path, f"was not written by histpred {verb}: no {known_by!r} in it", again)
    return dict(fields)


def _checked(shape: type[Shape], fields: dict[str, Any], path: Path) -> Shape:
    try:
        return shape.model_validate(fields)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        ]
        writer = fields["identity"].get("histpred")
        raise InputError(
            path,
            f"is not as histpred {__version__} writes it but of version {writer}: "
            f"{first_few(problems)}",
            "run it again with this version, or summarise it with that one",
        ) from error


def _read_prediction(folder: Path) -> _Prediction:
    path = folder / RUN
    fields = _load(path, "predict", "annotation sha256")
    version = fields.get("schema_version")
    if str(version).split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise InputError(
            path,
            f"is of schema version {version}, this histpred reads {SCHEMA_VERSION}",
            "run it again with this version, or summarise it with the one that wrote it",
        )
    run = _checked(_Run, fields, path)
    calls = _count_calls(folder / CALLS, _marks(folder / SCORES))
    if (total := sum(calls.values())) != run.result.calls:
        raise InputError(
            folder / CALLS,
            f"has {total:,} calls, {RUN} tells of {run.result.calls:,}",
            "the files are not of one run, or were changed since: predict again",
        )
    return _Prediction(run, calls)


def _read_metrics(folder: Path) -> _Metrics:
    path = folder / METRICS
    return _checked(_Metrics, _load(path, "evaluate", "bundles"), path)


def _marks(path: Path) -> list[str]:
    """The marks in the head of scores.tsv.gz."""
    head = next(iter(_lines(path)), b"").decode("utf-8", "replace").rstrip("\n").split("\t")
    if tuple(head[: len(HEADER)]) != HEADER:
        raise InputError(path, f"begins with {first_few(head)}", "predict again", line=1)
    return head[len(HEADER) :]


def _count_calls(path: Path, marks: list[str]) -> dict[str, int]:
    """Features of calls.bed.gz by mark, which stands in their names behind the last '|'."""
    found: Counter[bytes] = Counter()
    for number, line in enumerate(_lines(path), 1):
        columns = line.split(b"\t", 4)
        if len(columns) < 5:
            raise InputError(path, "has a line that is not BED9", "predict again", line=number)
        found[columns[3].rpartition(b"|")[2]] += 1
    counts = {mark: found.pop(mark.encode(), 0) for mark in marks}
    if found:
        others = first_few(sorted(mark.decode("utf-8", "replace") for mark in found))
        raise InputError(path, f"has calls of {others}, which {SCORES} lacks", "predict again")
    return counts


def _lines(path: Path) -> Iterable[bytes]:
    try:
        with gzip.open(path) as lines:
            yield from lines
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            path, f"cannot be read: {reason}", "copy the whole folder, or predict again"
        ) from error


def _general(runs: dict[str, _Prediction], metrics: dict[str, _Metrics]) -> Section:
    """Columns of MultiQC's first table, beside those of other tools."""
    data: dict[str, dict[str, float]] = {}
    headers: list[dict[str, Any]] = []
    if runs:
        headers += [
            _number("rows", "Rows", "Rows of the annotation that were selected", "Blues"),
            _number("scored", "Scored", "Rows with a probability for each mark", "Greens"),
            _column(
                "skipped",
                "Skipped",
                "Share of the selected rows that could not be scored",
                min=0,
                max=100,
                suffix="%",
                format="{:,.1f}",
                scale="OrRd",
            ),
            _number("calls", "Calls", "Windows called for a mark, summed over marks", "Purples"),
        ]
    for name, (run, _) in runs.items():
        result = run.result
        rows = result.rows - result.skipped.get(NOT_SELECTED, 0)
        data[name] = {"rows": rows, "scored": result.scored, "calls": result.calls}
        if rows:
            data[name]["skipped"] = 100 * (rows - result.scored) / rows
    if metrics:
        headers.append(
            _share("auroc", "Macro AUROC", "Macro-averaged AUROC of the evaluated bundle", "Greens")
        )
    for name, one in metrics.items():
        bundle = next(iter(one.models.values()))
        value = bundle.figures.macro.auroc.value
        data.setdefault(name, {}).update({} if value is None else {"auroc": value})
    return {"plot_type": "generalstats", "namespace": "histpred", "headers": headers, "data": data}


def _predictions(runs: dict[str, _Prediction]) -> Section:
    data = {}
    for name, (run, calls) in runs.items():
        bundle, version, *_ = [*run.identity.bundle.split(), ""]
        data[name] = {
            "bundle": _text(f"{bundle} {version}"),
            "marks": len(calls),
            "windows": _text(str(WindowSpec(*run.identity.window))),
            "by": _text(run.identity.by),
            "biotypes": _text(", ".join(run.identity.biotypes) or "all"),
            "device": _text(run.result.device),
            "past_end": run.result.past_end,
            "warnings": _text("; ".join(run.result.warnings) or "none"),
        }
    return CHAPTER | {
        "section_name": "Predictions",
        "description": "What was scored with which bundle, and what to know when reading it.",
        "plot_type": "table",
        "pconfig": _table("histpred_predictions_table", "histpred: predictions", "Sample"),
        "headers": {
            "bundle": _words("Bundle", "The trained model, and its version"),
            "marks": _counted("Marks", "Marks that the bundle scores"),
            "windows": _words("Windows", "Kind of window, bp upstream and downstream"),
            "by": _words("One for each", "What has a window of its own"),
            "biotypes": _words("Biotypes", "Those selected, in small letters and digits only"),
            "device": _words("Device", "Where it ran"),
            "past_end": _counted("Past end", "Rows clipped because they end past their contig"),
            "warnings": _words("Warnings", "As in run.json"),
        },
        "data": data,
    }


def _rows(runs: dict[str, _Prediction]) -> Section:
    data = {
        name: {SCORED: run.result.scored, **dict(sorted(run.result.skipped.items()))}
        for name, (run, _) in runs.items()
    }
    reasons = sorted({reason for row in data.values() for reason in row} - {SCORED, NOT_SELECTED})
    categories = {SCORED: {"name": SCORED, "color": SCORED_COLOUR}}
    for number, reason in enumerate(reasons):
        colour = REASON_COLOURS[number % len(REASON_COLOURS)]
        categories[reason] = {"name": _text(reason), "color": colour}
    if any(NOT_SELECTED in row for row in data.values()):
        categories[NOT_SELECTED] = {"name": NOT_SELECTED, "color": NOT_SELECTED_COLOUR}
    return CHAPTER | {
        "section_name": "Rows of the annotation",
        "description": "What became of each row: scored, or skipped and why (as in ledger.tsv).",
        "plot_type": "bargraph",
        "categories": categories,
        "pconfig": {
            "id": "histpred_rows_plot",
            "title": "histpred: rows of the annotation",
            "ylab": "rows",
            "cpswitch_counts_label": "Rows",
        },
        "data": data,
    }


def _calls(runs: dict[str, _Prediction]) -> Section:
    """A row a sample, a column a mark: the share of scored windows that are called, in percent."""
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
        "reaches the bundle's threshold. Empty: the bundle does not score the mark.",
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


def _evaluations(metrics: dict[str, _Metrics]) -> Section:
    """A row a model and sample; the model comes first, since MultiQC cuts names at '.fa' and such,
    and rows of one name would become one.
    """
    data = {
        f"{model} | {name}": _evaluation(one, evaluated.windows)
        for name, evaluated in metrics.items()
        for model, one in evaluated.models.items()
    }
    interval = "95 % interval of a bootstrap over loci"
    return CHAPTER | {
        "section_name": "Evaluations",
        "description": "The evaluated bundle, then what is shown beside it: other bundles, and "
        "baselines fitted on the same training rows. A bundle is better than another only where "
        "the interval of its lead is above 0.",
        "plot_type": "table",
        "pconfig": _table("histpred_evaluations_table", "histpred: evaluations", "Model | sample")
        | {"sort_rows": False},
        "headers": {
            "windows": _counted("Windows", "Windows that were evaluated"),
            "macro_auroc": _fraction("Macro AUROC", "Mean of the marks' AUROC", "Greens"),
            "macro_interval": _words("interval", f"Macro AUROC: {interval}"),
            "micro_auroc": _fraction("Micro AUROC", "AUROC of all labels together", "Greens"),
            "micro_interval": _words("interval", f"Micro AUROC: {interval}"),
            "macro_auprc": _fraction("Macro AUPRC", "Mean of the marks' AUPRC", "Blues"),
            "micro_auprc": _fraction("Micro AUPRC", "AUPRC of all labels together", "Blues"),
            "ece": _fraction("ECE", "Expected calibration error of all labels together", "OrRd"),
            "ahead": _words("Bundle's lead", f"Macro AUROC of the bundle above this; {interval}"),
            "inputs": _words("Reads", "What the model or baseline sees") | {"hidden": True},
        },
        "data": data,
    }


def _evaluation(model: _Model, windows: int) -> dict[str, float | str]:
    micro, macro = model.figures.micro, model.figures.macro
    figures = {
        "macro_auroc": macro.auroc.value,
        "micro_auroc": micro.auroc.value,
        "macro_auprc": macro.auprc.value,
        "micro_auprc": micro.auprc.value,
        "ece": micro.ece.value,
    }
    words = {
        "macro_interval": _interval(macro.auroc.low, macro.auroc.high),
        "micro_interval": _interval(micro.auroc.low, micro.auroc.high),
        "inputs": _text(model.inputs),
    }
    if model.lead is not None and model.lead.macro.difference is not None:
        lead = model.lead.macro
        interval = _interval(lead.low, lead.high, "+.3f")
        words["ahead"] = f"{lead.difference:+.3f}" + (f" ({interval})" if interval else "")
    known = {name: value for name, value in figures.items() if value is not None}
    return {"windows": windows} | known | {name: text for name, text in words.items() if text}


def _interval(low: float | None, high: float | None, layout: str = ".3f") -> str:
    """Both ends, '' where one is undefined.

    >>> _interval(0.56259, 0.58861)
    '0.563 to 0.589'
    """
    return "" if low is None or high is None else f"{low:{layout}} to {high:{layout}}"


def _text(text: str) -> str:
    """Text for a table's cell, which MultiQC takes for HTML."""
    return html.escape(text)


def _table(name: str, title: str, first: str) -> Section:
    return {"id": name, "title": title, "col1_header": first, "no_violin": True}


def _column(name: str, title: str, description: str, **layout: object) -> dict[str, Any]:
    return {name: {"title": title, "description": description, **layout}}


def _number(name: str, title: str, description: str, scale: str) -> dict[str, Any]:
    return _column(name, title, description, min=0, format="{:,d}", scale=scale)


def _share(name: str, title: str, description: str, scale: str) -> dict[str, Any]:
    return {name: _fraction(title, description, scale)}


def _fraction(title: str, description: str, scale: str) -> Section:
    return {
        "title": title,
        "description": description,
        "min": 0,
        "max": 1,
        "format": "{:,.3f}",
        "scale": scale,
    }


def _counted(title: str, description: str) -> Section:
    return {"title": title, "description": description, "format": "{:,d}", "scale": False}


def _words(title: str, description: str) -> Section:
    return {"title": title, "description": description, "scale": False}
