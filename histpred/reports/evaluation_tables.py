"""The tables of an evaluation, as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas

from histpred.evaluation.result import METRICS, MICRO, Result
from histpred.genome.genomes import GENOME, local_name
from histpred.reports.readings import AREAS, COUNTS, HISTPRED, PAPER, TABLE_1, figures_of
from histpred.scoring.profile import PROFILE

EVALUATED, VALIDATION = "evaluated", "validation"
PREDICTIONS, READINGS = "predictions.tsv.gz", "readings.tsv.gz"
SIX_DIGITS = "%.6g"


def write_tables(result: Result, folder: Path) -> None:
    """Write the tables of an evaluation into `folder`, which exists.

    summary.tsv: one row per reading and model, the paper's Table 1 (micro-averages), then Table 2;
    histpred's reading with intervals. marks.tsv: one row per reading, model and mark: the threshold
    with all its digits, and each metric with its low and high end. groups.tsv: `Result.groups`.
    kinds.tsv, if genes of several kinds are told apart: `Result.kinds`. similarity.tsv and
    co_targeting.tsv, if defined: one row and one column per mark. predictions.tsv.gz:
    `predictions_table`. profile.tsv, if windows have a TSS: `Result.sources`. readings.tsv.gz, if
    there are validation rows: `readings_table`. Scores
    have all their digits, other numbers six. Undefined figures are empty. The same result gives the
    same bytes.
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
    _write_tsv(predictions_table(result), folder / PREDICTIONS, digits=None)
    if result.sources is not None:
        _write_tsv(result.sources, folder / PROFILE)
    if not isinstance(result.validation, str):
        _write_tsv(readings_table(result), folder / READINGS, digits=None)


def summary_table(result: Result) -> pandas.DataFrame:
    """The paper's Tables 1 and 2 in one: one row per reading and model, histpred's first."""
    rows = []
    for reading in (HISTPRED, PAPER):
        for name, figures in figures_of(result, reading).items():
            one = result.models[name]
            row = {"Configuration": name, "Reading": reading, "Input type": one.inputs}
            row |= figures.reindex(columns=list(TABLE_1)).loc[MICRO].rename(METRICS).to_dict()
            for title, average in AREAS.items():
                row[title] = figures.loc[average, "auroc"]
                if reading == HISTPRED:
                    row[f"{title} low"] = one.low.loc[average, "auroc"]
                    row[f"{title} high"] = one.high.loc[average, "auroc"]
            rows.append(row)
    return pandas.DataFrame(rows)


def marks_table(result: Result) -> pandas.DataFrame:
    """One row per reading, model and mark: counts, threshold, each metric, its low and high end."""
    ends = [f"{metric}{end}" for metric in METRICS for end in ("", "_low", "_high")]
    tables = {}
    for reading in (HISTPRED, PAPER):
        for name, figures in figures_of(result, reading).items():
            one, parts = result.models[name], [figures]
            thresholds = one.thresholds
            if reading == HISTPRED:
                parts += [one.low.add_suffix("_low"), one.high.add_suffix("_high")]
            elif one.paper:
                thresholds = one.paper.thresholds
            table = pandas.concat(parts, axis=1).loc[list(result.marks)]
            table["threshold"] = [str(value) for value in thresholds.tolist()]
            tables[reading, name] = table.reindex(columns=[*COUNTS, "threshold", *ends])
    table = pandas.concat(tables, names=["reading", "model", "mark"]).reset_index()
    return table.astype(dict.fromkeys(COUNTS, int))


def predictions_table(result: Result) -> pandas.DataFrame:
    """The evaluated rows with the scores of the bundle.

    Windows (0-based half-open), then for each mark MARK_label (1, 0, NA where unlabelled), MARK_raw
    (the sigmoid of the logit) and MARK_probability (calibrated).
    """
    bundle = next(iter(result.models.values()))
    return _scored(result, result.windows, result.labels, bundle.raw_scores, bundle.probabilities)


def readings_table(result: Result) -> pandas.DataFrame:
    """All that the figures of both readings are computed from, for every model.

    The columns of `predictions_table`, after model and set: 'evaluated', or 'validation' for the
    rows that choose the thresholds of the paper's reading. These have no MARK_probability.
    """
    rows = result.validation
    tables = {}
    for name, one in result.models.items():
        scores = one.raw_scores, one.probabilities
        tables[name, EVALUATED] = _scored(result, result.windows, result.labels, *scores)
        if one.paper and not isinstance(rows, str):
            tables[name, VALIDATION] = _scored(result, *rows, one.paper.validation, None)
    return pandas.concat(tables, names=["model", "set", None]).reset_index(["model", "set"])


def _scored(
    result: Result,
    windows: pandas.DataFrame,
    labels: np.ndarray,
    raw: np.ndarray,
    probabilities: np.ndarray | None,
) -> pandas.DataFrame:
    """Windows [n] with labels and scores [n, marks]."""
    columns = {}
    for i, mark in enumerate(result.marks):
        columns[f"{mark}_label"] = pandas.array(labels[:, i], dtype="Int8")
        columns[f"{mark}_raw"] = raw[:, i]
        columns[f"{mark}_probability"] = np.nan if probabilities is None else probabilities[:, i]
    places = _with_genomes(windows.reset_index(drop=True))
    return pandas.concat([places, pandas.DataFrame(columns)], axis=1)


def _with_genomes(windows: pandas.DataFrame) -> pandas.DataFrame:
    """Windows with the contigs' own names; the column genome comes first if there are several."""
    if GENOME not in windows:
        return windows
    genome = windows[GENOME]
    pairs = zip(genome, windows["chrom"], strict=True)
    contigs = [local_name(one, chrom) for one, chrom in pairs]
    windows = windows.drop(columns=GENOME).assign(chrom=contigs)
    if genome.nunique() > 1:
        windows.insert(0, GENOME, genome)
    return windows


def _write_tsv(table: pandas.DataFrame, path: Path, digits: str | None = SIX_DIGITS) -> None:
    """Write a table; without `digits`, numbers are read back as they were."""
    # Without a time in its header, a gzip file is the same each time.
    compression = {"method": "gzip", "mtime": 0} if path.suffix == ".gz" else None
    layout = {"float_format": digits, "lineterminator": "\n", "encoding": "utf-8"}
    table.to_csv(path, sep="\t", index=False, compression=compression, **layout)
