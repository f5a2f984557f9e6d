"""Evaluations with made-up figures, and their tables read back."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pandas

from histpred.evaluation.result import BASELINE, METRICS, ModelResult, Result


def tsv(path: Path) -> list[dict[str, str]]:
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    return list(csv.DictReader(text.splitlines(), delimiter="\t"))


def made(
    figures: dict[str, float], width: float = 0.02, kind: str = BASELINE, rows: int = 4
) -> ModelResult:
    """A model with these AUROCs by row ('micro', 'macro', marks), 0.6 for everything else."""
    table = pandas.DataFrame(0.6, index=list(figures), columns=["positives", "negatives", *METRICS])
    table["auroc"] = pandas.Series(figures)
    table["positives"], table["negatives"] = 2, 2
    marks = len(figures) - 2
    probabilities = np.linspace(0.1, 0.9, rows * marks).reshape(rows, marks)
    return ModelResult(
        kind, "made up", probabilities, np.full(marks, 0.5), table, table - width, table + width
    )


def compared(bundle: dict[str, float], baselines: dict[str, dict[str, float]]) -> Result:
    """A result of made-up figures with the marks named in `bundle`, without groups."""
    marks = tuple(bundle)[2:]
    columns = ["by", "group", "windows", "model", "marks"]
    columns += ["micro_auroc", "macro_auroc", "micro_auprc"]
    windows = pandas.DataFrame(
        {"chrom": "chr1", "start": range(4), "end": range(9, 13), "name": list("abcd")}
    ).assign(strand="+", gene_id=".", biotype=".")
    models = {"bundle": made(bundle, kind="model")}
    models |= {name: made(figures) for name, figures in baselines.items()}
    labels = np.tile(np.float32([[1], [1], [0], [0]]), len(marks))
    empty = pandas.DataFrame(columns=columns)
    return Result("bundle 1", {}, [], marks, windows, labels, models, empty, None, None, None)
