"""The folder of `histpred labels`: the matrix, summaries of it, and what was not joined."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas
from pydantic import BaseModel, JsonValue, computed_field

from histpred.core.finished import held, is_ours
from histpred.core.hts import quiet_htslib
from histpred.core.marks import mark
from histpred.core.output import (
    file_digest,
    input_digest,
    output_folder,
    refuse_inputs,
    refuse_streams,
    temporary_faults,
)
from histpred.core.version import __version__
from histpred.labels.matrix import LABELS, LabelMatrix, write_labels

logger = logging.getLogger(__name__)

RECORD = "labels.json"
CATEGORIES = "categories.tsv"
PICTURES = tuple(
    f"{n}.{form}" for n in ("marks", "biotypes", "categories") for form in ("png", "svg")
)
OUTPUTS = (LABELS, "unjoined.tsv", "marks.tsv", "biotypes.tsv", CATEGORIES, *PICTURES, RECORD)


class LabelsRecord(BaseModel):
    """What labels.json holds; `inputs` and `outputs` are sha256 by path and by name."""

    histpred: str
    options: dict[str, JsonValue]
    inputs: dict[str, str]
    outputs: dict[str, str]
    counts: dict[str, int]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def identity(self) -> dict[str, JsonValue]:
        """What determines the labels."""
        return {"histpred": self.histpred, "options": self.options, "inputs": {**self.inputs}}


def make_folder(
    out: Path,
    inputs: Sequence[str | Path],
    options: Mapping[str, object],
    make: Callable[[Path], LabelMatrix],
    draw: Callable[[LabelMatrix, Path], None],
    overwrite: bool,
) -> dict[str, int]:
    """Write a matrix, its summaries and its record into the folder `out`; return the counts.

    `make` builds the matrix, given a private folder; `draw` writes pictures of it into a folder.
    Files: labels.tsv.gz (see `histpred.labels.matrix`); unjoined.tsv; marks.tsv (mark, class,
    positives, negatives, unlabelled), biotypes.tsv (biotype, genes, share) and, of a source that
    has them, categories.tsv (category, entries, share, joined), with a picture of each; labels.json
    (version, options, sha256 of inputs and outputs, counts).

    If `out` already holds these labels, logs that and does nothing. Raises UsageError for standard
    input and pipes, which can be read only once, and OutputError if `out` holds something else.
    """
    refuse_streams(inputs)
    refuse_inputs([out / name for name in OUTPUTS], inputs)
    with quiet_htslib(), temporary_faults():
        digests = {str(path): input_digest(path) for path in inputs}
        identity = {"histpred": __version__, "options": options, "inputs": digests}
        identity = json.loads(json.dumps(identity))
        if known := held(out / RECORD, LabelsRecord, "other labels", lambda: identity, overwrite):
            logger.info(f"{out} holds these labels already: nothing to do")
            return known.counts
        with output_folder(out, OUTPUTS, is_ours) as work:
            matrix = make(work)
            write_labels(work / LABELS, matrix)
            plain = {"sep": "\t", "index": False}
            matrix.unjoined.to_csv(
                work / "unjoined.tsv", quoting=csv.QUOTE_NONE, escapechar="\\", **plain
            )
            _mark_table(matrix).to_csv(work / "marks.tsv", **plain)
            _biotype_table(matrix).to_csv(work / "biotypes.tsv", float_format="%.4f", **plain)
            if matrix.categories is not None:
                matrix.categories.to_csv(work / CATEGORIES, float_format="%.4f", **plain)
            draw(matrix, work)
            digests = {name: file_digest(work / name) for name in OUTPUTS if (work / name).exists()}
            record = identity | {"outputs": digests, "counts": matrix.counts}
            (work / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return matrix.counts


def _mark_table(matrix: LabelMatrix) -> pandas.DataFrame:
    positives, negatives = ((matrix.values == value).sum(axis=0) for value in (1, 0))
    return pandas.DataFrame(
        {
            "mark": matrix.marks,
            "class": [mark(name).mark_class for name in matrix.marks],
            "positives": positives,
            "negatives": negatives,
            "unlabelled": len(matrix.values) - positives - negatives,
        }
    )


def _biotype_table(matrix: LabelMatrix) -> pandas.DataFrame:
    counts = matrix.genes["biotype"].value_counts()
    return pandas.DataFrame(
        {"biotype": counts.index, "genes": counts.values, "share": counts.values / counts.sum()}
    )
