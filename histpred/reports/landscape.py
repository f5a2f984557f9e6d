"""Statistics of a table of scores, read once, in memory that does not grow with it."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from histpred.core.columns import NAMES, NUMBERS, place_of
from histpred.core.errors import InputError
from histpred.scoring.tables import AGAIN, CALLS, SCORES, Rows, read_scores

BINS = 100  # in a histogram of probabilities
SAMPLE = 2_000  # most windows that are kept as they are
TOP = 10  # loci per mark
STRETCH = 10_000  # bp, with at most one locus per mark
GROUPS = 15  # most groups; the smallest are merged
NOT_STATED = "."

Call = tuple[str, str, str, str, str]  # contig, start, end, strand, mark


class Landscape(NamedTuple):
    """Statistics of n windows and of the m marks that are predicted.

    columns: of the marks, among those of all marks in the table. histograms: windows by
    probability, int [m, BINS]. sums: of probabilities, float [m]. called: number of called windows,
    int [m]. by: 'biotype' or 'contig'. groups: one row per biotype or contig, columns windows and,
    for each mark, how many are called. sample: probabilities of windows evenly spaced along the
    table, columns marks. top: for each mark the called windows of highest probability, one per
    stretch of the genome; columns mark, rank, those of a window (0-based half-open), and
    probability. ends: end of the last window, bp, by contig.
    """

    marks: tuple[str, ...]
    columns: tuple[int, ...]
    windows: int
    histograms: np.ndarray
    sums: np.ndarray
    called: np.ndarray
    by: str
    groups: pandas.DataFrame
    sample: pandas.DataFrame
    top: pandas.DataFrame
    ends: dict[str, int]


def read_landscape(folder: Path, thresholds: Sequence[float], windows: int) -> Landscape:
    """Read scores.tsv.gz, which has one or more `windows`, and calls.bed.gz beside it.

    thresholds: the lowest probability of a call, one for each mark; NaN for a mark that is not
    predicted, which is left out. Raises InputError if a table is damaged, the calls are not those
    of the scores at these thresholds, or there are more or fewer marks than thresholds.
    """
    with read_scores(folder / SCORES) as (marks, blocks):
        if len(marks) != len(thresholds):
            problem = f"has {len(marks)} marks, but the bundle has {len(thresholds)}"
            raise InputError(folder / SCORES, problem, AGAIN)
        kept = np.flatnonzero(~np.isnan(thresholds)).tolist()
        # The table has six digits.
        rounded = np.array([float(f"{thresholds[column]:.6g}") for column in kept])
        marks = tuple(marks[column] for column in kept)
        predicted = (rows._replace(probabilities=rows.probabilities[:, kept]) for rows in blocks)
        called = _with_calls(predicted, marks, rounded, folder / CALLS)
        return _read(marks, tuple(kept), called, windows)


def _with_calls(
    blocks: Iterable[Rows], marks: tuple[str, ...], thresholds: np.ndarray, path: Path
) -> Iterator[tuple[Rows, np.ndarray]]:
    """Blocks of rows, and which marks are called, bool [rows, marks].

    A probability that equals the threshold once both are rounded may be a call or not: the calls
    decide. They have the order of the windows, and of the marks in each.
    """
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        calls = map(_call, lines)
        head = next(calls, None)
        for rows in blocks:
            above = rows.probabilities > thresholds
            due = above | (rows.probabilities == thresholds)
            hits = np.zeros_like(above)
            for row in np.flatnonzero(due.any(axis=1)):
                chrom, start, end, _, strand = place_of(rows.windows[row])
                for column in np.flatnonzero(due[row]):
                    if head == (chrom, start, end, strand, marks[column]):
                        hits[row, column] = True
                        head = next(calls, None)
                    elif above[row, column]:
                        problem = f"a call of {marks[column]} at {chrom}:{start}-{end} is missing"
                        raise InputError(path, problem, AGAIN)
            yield rows, hits
        if head:
            problem = f"a call of {head[4]} at {head[0]}:{head[1]}-{head[2]} is unexpected"
            raise InputError(path, problem, AGAIN)


def _call(line: str) -> Call:
    chrom, start, end, label, _, strand, *_ = line.split("\t")
    return chrom, start, end, strand, label.rpartition("|")[2]


def _read(
    marks: tuple[str, ...],
    columns: tuple[int, ...],
    blocks: Iterable[tuple[Rows, np.ndarray]],
    windows: int,
) -> Landscape:
    every = -(-windows // SAMPLE)
    histograms = np.zeros((len(marks), BINS), np.int64)
    sums, called = np.zeros(len(marks)), np.zeros(len(marks), np.int64)
    groups: dict[str, pandas.DataFrame] = {}
    samples: list[pandas.DataFrame] = []
    tops: list[pandas.DataFrame | None] = [None] * len(marks)
    ends: dict[str, int] = {}
    done = 0
    for block, hits in blocks:
        values = block.probabilities
        chunk = pandas.DataFrame(block.windows, columns=list(NAMES)).astype(NUMBERS)
        bins = np.minimum((values * BINS).astype(int), BINS - 1)
        for number, column in enumerate(bins.T):
            histograms[number] += np.bincount(column, minlength=BINS)
            tops[number] = _best(tops[number], chunk, values[:, number], hits[:, number])
        sums += values.sum(axis=0)
        called += hits.sum(axis=0)
        counted = pandas.DataFrame(hits, columns=marks).assign(windows=1)
        for by, name in (("biotype", "biotype"), ("contig", "chrom")):
            here = counted.groupby(chunk[name].to_numpy()).sum()
            groups[by] = pandas.concat([groups.get(by), here]).groupby(level=0).sum()
        samples.append(pandas.DataFrame(values[-done % every :: every], columns=marks))
        done += len(chunk)
        for contig, end in chunk.groupby("chrom", sort=False)["end"].max().items():
            ends[contig] = max(ends.get(contig, 0), int(end))
    ranked = [
        top.assign(mark=name, rank=range(1, len(top) + 1))
        for name, top in zip(marks, tops, strict=True)
        if top is not None
    ]
    by = "biotype" if len(groups["biotype"]) > 1 else "contig"
    return Landscape(
        marks=marks,
        columns=columns,
        windows=done,
        histograms=histograms,
        sums=sums,
        called=called,
        by=by,
        groups=_largest(groups[by]),
        sample=pandas.concat(samples, ignore_index=True),
        top=pandas.concat(ranked) if ranked else pandas.DataFrame(columns=["mark", "rank"]),
        ends=ends,
    )


def _best(
    so_far: pandas.DataFrame | None, chunk: pandas.DataFrame, values: np.ndarray, hits: np.ndarray
) -> pandas.DataFrame | None:
    """The best called window of each of the TOP best stretches of the genome; None if no calls."""
    beaten = -1.0 if so_far is None or len(so_far) < TOP else so_far["probability"].iloc[-1]
    rows = np.flatnonzero(hits & (values > beaten))
    if not len(rows):
        return so_far
    found = chunk.iloc[rows]
    found = found.assign(probability=values[rows], stretch=found["start"] // STRETCH)
    both = pandas.concat([so_far, found])
    both = both.sort_values("probability", ascending=False, kind="stable")
    return both.drop_duplicates(["chrom", "stretch"]).head(TOP)


def _largest(groups: pandas.DataFrame) -> pandas.DataFrame:
    """The largest groups first; those beyond GROUPS are merged into one."""
    groups = groups.sort_values("windows", ascending=False, kind="stable")
    groups = groups.rename(index={NOT_STATED: "not stated"})
    if len(groups) > GROUPS:
        rest = groups.iloc[GROUPS - 1 :]
        groups = groups.iloc[: GROUPS - 1].copy()
        groups.loc[f"{len(rest):,} others"] = rest.sum()
    return groups
