"""The results of an experiment, read from the files of its configurations."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas

from histpred.bundle.folder import HISTORY, load_bundle
from histpred.core.finished import read_record
from histpred.encoders.published import find, is_published
from histpred.evaluation.result import MACRO, METRICS, MICRO, MODEL, PAPER_METRICS, ModelResult
from histpred.experiments.sheet import Common
from histpred.experiments.tasks import BUNDLE, CONFIGURATIONS, EVALUATION
from histpred.reports.evaluate import METRICS as METRICS_FILE
from histpred.reports.evaluate import EvaluationRecord
from histpred.reports.readings import COUNTS, HISTPRED, PAPER

READINGS = {PAPER: "the paper's rule", HISTPRED: "histpred's rule"}
"""The two readings of an evaluation: see `histpred.reports.evaluation.metrics_of`."""


class Trained(NamedTuple):
    """A configuration that was trained and evaluated on one split.

    metrics: the content of metrics.json. losses: validation loss of each epoch of the first member.
    published: False if its encoder has weights other than the published ones; None: it reads none.
    """

    name: str
    configuration: Common
    metrics: Mapping[str, Any]
    losses: list[float]
    published: bool | None

    @property
    def marks(self) -> tuple[str, ...]:
        """The evaluated marks."""
        return tuple(self.metrics["marks"])

    @property
    def dimension(self) -> int | None:
        """The length of its mark vectors; None for one-hot marks and for other models."""
        found: int | None = self.configuration.model_dump()["mark_dimension"]
        return found

    @property
    def baselines(self) -> list[str]:
        """The names of the baselines beside it."""
        models = self.metrics["models"].items()
        return [name for name, one in models if one["kind"] == "baseline"]

    @property
    def limit(self) -> int:
        """The largest number of epochs that it could be trained for."""
        found: int = self.configuration.model_dump()["epochs"]
        return found

    @property
    def best_loss(self) -> float:
        """The lowest validation loss; that of the epoch whose weights are used."""
        return min(self.losses, default=math.nan)

    def value(self, row: str, metric: str, reading: str, model: str = "") -> float:
        """A figure of the configuration, or of a baseline beside it; NaN if it is undefined.

        row: MICRO, MACRO or a mark. reading: PAPER or HISTPRED.
        """
        one = self.metrics["models"][model or self.name]
        if reading == HISTPRED:
            return _number(one["figures"][row][metric]["value"])
        paper = one.get("paper")
        return math.nan if paper is None else _number(paper["figures"][row][metric])

    def similarity(self) -> pandas.DataFrame | None:
        """The cosine similarity of trained mark vectors, [marks, marks]; None if it has none."""
        if self.dimension is None:
            return None
        return _matrix(self.metrics["similarity"], self.marks)

    def co_targeting(self) -> pandas.DataFrame | None:
        """The TF-IDF-weighted co-targeting of the marks in training rows; None without them."""
        return _matrix(self.metrics["co_targeting"], self.marks)

    def model(self, reading: str) -> ModelResult:
        """The configuration as figures take it, without its probabilities."""
        one = self.metrics["models"][self.name]
        rows = [MICRO, MACRO, *self.marks]
        counts = {name: [one["figures"][row][name] for row in rows] for name in COUNTS}
        values = {
            metric: [self.value(row, metric, reading) for row in rows]
            for metric in METRICS
            if reading == HISTPRED or metric in PAPER_METRICS
        }
        table = pandas.DataFrame(counts | values, index=rows)
        nothing = np.empty((0, len(self.marks)))
        ends = (self._ends("low", rows), self._ends("high", rows))
        low, high = ends if reading == HISTPRED else (table * np.nan, table * np.nan)
        return ModelResult(MODEL, one["inputs"], nothing, nothing, table, low, high)

    def _ends(self, end: str, rows: Sequence[str]) -> pandas.DataFrame:
        figures = self.metrics["models"][self.name]["figures"]
        table = {name: [_number(figures[row][name][end]) for row in rows] for name in METRICS}
        return pandas.DataFrame(table, index=rows)


def read_trained(out: Path, configuration: Common, split: str) -> Trained:
    """Read a finished configuration from the folder of its experiment.

    Raises HistpredError if its files are not those that `histpred experiment` wrote.
    """
    folder = out / CONFIGURATIONS / configuration.name / split
    remedy = "remove the folder and run the experiment again"
    record = read_record(folder / EVALUATION / METRICS_FILE, EvaluationRecord, "evaluate", remedy)
    bundle = load_bundle(folder / BUNDLE)
    with open(folder / BUNDLE / HISTORY, encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines, delimiter="\t") if row["member"] == "1"]
    spec = bundle.manifest.encoder
    published = False if spec.files else None
    if spec.published and is_published(spec.published):
        known = {file.name: file.sha256 for file in find(spec.published).files}
        published = all(known.get(name) in (None, digest) for name, digest in spec.files.items())
    losses = [float(row["validation_loss"]) for row in rows]
    return Trained(configuration.name, configuration, record.model_dump(), losses, published)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _matrix(
    nested: Mapping[str, Mapping[str, float]] | None, marks: Sequence[str]
) -> pandas.DataFrame | None:
    if nested is None:
        return None
    table = pandas.DataFrame.from_dict(nested, orient="index").astype(float)
    names = [name for name in marks if name in table.index]
    return table.reindex(index=names, columns=names)
