"""What a table of scores says as a whole, read once, in memory that does not grow with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from histpred.core.errors import InputError
from histpred.core.regions import WINDOW_COLUMNS
from histpred.tracks.tables import AGAIN, Rows, read_scores

BINS = 100  # of a histogram of probabilities
SAMPLE = 2_000  # windows at most that are kept as they are
TOP = 10  # loci of a mark
CANDIDATES = 300  # windows of a mark among which they are looked for
APART = 1_000  # bp at least between two of them
GROUPS = 15  # that are told apart at most
NOT_STATED = "."
COLUMNS = [name.removeprefix("#") for name in WINDOW_COLUMNS]


class Landscape(NamedTuple):
    """Of n windows and m marks.

    histograms: windows by probability, int [m, BINS]. sums: of probabilities, float [m]. called:
    windows from the threshold on, int [m]. by: what `groups` tells apart, 'biotype' or 'contig'.
    groups: a row each, columns windows and, for each mark, how many are called. sample: windows
    evenly spaced along the table, with their probabilities. top: the loci of highest probability
    that are called, columns mark, rank, those of a window (0-based half-open), and probability.
    ends: the last bp with a window, by contig.
    """

    marks: tuple[str, ...]
    windows: int
    histograms: np.ndarray
    sums: np.ndarray
    called: np.ndarray
    by: str
    groups: pandas.DataFrame
    sample: pandas.DataFrame
    top: pandas.DataFrame
    ends: dict[str, int]


def read_landscape(scores: Path, thresholds: Sequence[float], windows: int) -> Landscape:
    """Read scores.tsv.gz of one or more `windows`; its marks are called from the `thresholds` on.

    Raises InputError where the table is damaged, or its marks are not as many as the thresholds.
    """
    with read_scores(scores) as (marks, blocks):
        if len(marks) != len(thresholds):
            raise InputError(scores, f"has not the {len(thresholds)} marks of the bundle", AGAIN)
        return _read(marks, blocks, np.asarray(thresholds), windows)


def _read(
    marks: tuple[str, ...], blocks: Iterable[Rows], thresholds: np.ndarray, windows: int
) -> Landscape:
    every = -(-windows // SAMPLE)
    histograms = np.zeros((len(marks), BINS), np.int64)
    sums, called = np.zeros(len(marks)), np.zeros(len(marks), np.int64)
    groups: dict[str, list[pandas.DataFrame]] = defaultdict(list)
    samples, tops = [], [pandas.DataFrame() for _ in marks]
    ends: dict[str, int] = {}
    done = 0
    for block in blocks:
        values = block.probabilities
        chunk = pandas.DataFrame(block.windows, columns=COLUMNS)
        chunk = chunk.astype({"start": int, "end": int})
        hits = values >= thresholds
        bins = np.minimum((values * BINS).astype(int), BINS - 1)
        for number, column in enumerate(bins.T):
            histograms[number] += np.bincount(column, minlength=BINS)
        sums += values.sum(axis=0)
        called += hits.sum(axis=0)
        counted = pandas.DataFrame(hits, columns=marks).assign(windows=1)
        for by, name in (("biotype", "biotype"), ("contig", "chrom")):
            groups[by].append(counted.groupby(chunk[name].to_numpy()).sum())
            groups[by] = [pandas.concat(groups[by]).groupby(level=0).sum()]
        first = -done % every
        sampled = pandas.DataFrame(values[first::every], columns=marks)
        samples.append(pandas.concat([chunk[first::every].reset_index(drop=True), sampled], axis=1))
        done += len(chunk)
        for number, name in enumerate(marks):
            best = np.argsort(-values[:, number], kind="stable")[:CANDIDATES]
            best = best[hits[best, number]]
            found = chunk.iloc[best].assign(mark=name, probability=values[best, number])
            both = pandas.concat([tops[number], found])
            tops[number] = both.sort_values("probability", ascending=False, kind="stable").head(
                CANDIDATES
            )
        for contig, end in chunk.groupby("chrom", sort=False)["end"].max().items():
            ends[contig] = max(ends.get(contig, 0), int(end))
    by = "biotype" if len(groups["biotype"][0]) > 1 else "contig"
    return Landscape(
        marks=marks,
        windows=int(groups[by][0]["windows"].sum()),
        histograms=histograms,
        sums=sums,
        called=called,
        by=by,
        groups=_largest(groups[by][0]),
        sample=pandas.concat(samples),
        top=pandas.concat([_apart(top) for top in tops]),
        ends=ends,
    )


def _largest(groups: pandas.DataFrame) -> pandas.DataFrame:
    """Largest groups first, those beyond GROUPS as one."""
    groups = groups.sort_values("windows", ascending=False, kind="stable")
    groups = groups.rename(index={NOT_STATED: "not stated"})
    if len(groups) > GROUPS:
        rest = groups.iloc[GROUPS - 1 :]
        groups = groups.iloc[: GROUPS - 1].copy()
        groups.loc[f"{len(rest):,} others"] = rest.sum()
    return groups


def _apart(candidates: pandas.DataFrame) -> pandas.DataFrame:
    """The first TOP windows that do not lie at one that is taken already."""
    taken: list[int] = []
    places = candidates[["chrom", "start", "end"]].to_numpy() if len(candidates) else []
    for number, (contig, start, end) in enumerate(places):
        if len(taken) == TOP:
            break
        if not any(
            contig == places[other][0]
            and start < places[other][2] + APART
            and places[other][1] < end + APART
            for other in taken
        ):
            taken.append(number)
    found = candidates.iloc[taken] if taken else candidates.head(0)
    return found.assign(rank=range(1, len(taken) + 1))
