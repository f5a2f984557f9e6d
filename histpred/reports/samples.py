"""Finished predictions and evaluations, as far as a summary of many needs them."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from histpred.core.columns import HEADER
from histpred.core.errors import InputError, first_few
from histpred.core.finished import read_record
from histpred.scoring.record import RUN, RunRecord
from histpred.scoring.tables import CALLS, SCORES

METRICS = "metrics.json"  # of an evaluation
REMEDY = "give a finished output of this release of histpred {verb}, or run that again"


class _Part(BaseModel):
    """A part of metrics.json; fields that a summary does not show are ignored."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class Figure(_Part):
    """A metric and its 95 % interval; None where undefined."""

    value: float | None
    low: float | None
    high: float | None


class Average(_Part):
    """Metrics, averaged over marks."""

    auroc: Figure
    auprc: Figure
    ece: Figure


class Figures(_Part):
    """Metrics of a model by average."""

    micro: Average
    macro: Average


class Difference(_Part):
    """A difference of two AUROCs and its 95 % interval; None where undefined."""

    difference: float | None
    low: float | None
    high: float | None


class Lead(_Part):
    """How far the bundle's AUROC lies above another model's."""

    macro: Difference


class Model(_Part):
    """A model or baseline; lead: None for the bundle itself."""

    inputs: str
    figures: Figures
    lead: Lead | None


class EvaluationSample(_Part):
    """An evaluation; models: by name, the bundle first."""

    windows: Annotated[int, Field(ge=0)]
    models: Annotated[dict[str, Model], Field(min_length=1)]


class PredictionSample(NamedTuple):
    """A prediction; calls: of each scored mark, in the order of the columns of its table."""

    run: RunRecord
    calls: dict[str, int]


def read_prediction(folder: Path) -> PredictionSample:
    """A finished prediction; InputError if its record or its tables are damaged or disagree."""
    run = read_record(folder / RUN, RunRecord, "predict", REMEDY.format(verb="predict"))
    calls = _count_calls(folder / CALLS, _marks(folder / SCORES))
    if (total := sum(calls.values())) != run.result.calls:
        raise InputError(
            folder / CALLS,
            f"has {total:,} calls, but {RUN} states {run.result.calls:,}",
            "the files are not of one run, or were changed since: predict again",
        )
    return PredictionSample(run, calls)


def read_evaluation(folder: Path) -> EvaluationSample:
    """A finished evaluation; InputError if its metrics.json is damaged."""
    remedy = REMEDY.format(verb="evaluate")
    return read_record(folder / METRICS, EvaluationSample, "evaluate", remedy)


def _marks(path: Path) -> list[str]:
    """The marks in the header of scores.tsv.gz."""
    head = next(iter(_lines(path)), b"").decode("utf-8", "replace").rstrip("\n").split("\t")
    if tuple(head[: len(HEADER)]) != HEADER:
        problem = f"is not a table of scores: it begins with {first_few(head)}"
        raise InputError(path, problem, "predict again", line=1)
    return head[len(HEADER) :]


def _count_calls(path: Path, marks: list[str]) -> dict[str, int]:
    """Features of calls.bed.gz by mark, which stands after the last '|' of a feature's name."""
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
