"""Statistics of a table of scores, read once, in memory that does not grow with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from histpred.core.columns import picker, place_of
from histpred.core.errors import InputError
from histpred.scoring.called import called_rows
from histpred.scoring.tables import AGAIN, CALLS, SCORES, Rows, read_scores

BINS = 100  # in a histogram of probabilities
SAMPLE = 2_000  # most windows that are kept as they are
TOP = 5  # loci per mark
STRETCH = 10_000  # bp, with at most one locus per mark
GROUPS = 15  # most groups; the smallest are merged
NOT_STATED = "."

_shown_of = picker("chrom", "start", "end", "name", "strand", "biotype")


class Locus(NamedTuple):
    """A window as the report shows it: 0-based half-open, bp; '.' for what is not stated.

    probabilities: float [m]. called: bool [m].
    """

    chrom: str
    start: int
    end: int
    name: str
    strand: str
    biotype: str
    probabilities: np.ndarray
    called: np.ndarray


class Group(NamedTuple):
    """The windows of a biotype or a contig; `called`: how many for each mark, int [m]."""

    name: str
    windows: int
    called: np.ndarray


class Landscape(NamedTuple):
    """Statistics of n windows and of the m marks that are predicted.

    columns: of the marks, among those of all marks in the table. histograms: windows by
    probability, int [m, BINS]. sums: of probabilities, float [m]. called: number of called windows,
    int [m]. with_calls: windows called for any mark. by: 'biotype' or 'contig'; groups: by that,
    the largest first. sample: at most SAMPLE windows, evenly spaced along the table. top: for each
    mark the called windows of highest probability, one per stretch of the genome, the best first.
    ends: end of the last window, bp, by contig.
    """

    marks: tuple[str, ...]
    columns: tuple[int, ...]
    windows: int
    histograms: np.ndarray
    sums: np.ndarray
    called: np.ndarray
    with_calls: int
    by: str
    groups: tuple[Group, ...]
    sample: tuple[Locus, ...]
    top: dict[str, tuple[Locus, ...]]
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
    """Blocks of rows, and which marks are called, bool [rows, marks], as the file at `path` says.

    A probability that equals the threshold once both are rounded may be a call or not.
    """
    with called_rows(path, marks) as calls:
        for rows in blocks:
            hits = calls.take([place_of(window) for window in rows.windows])
            values = rows.probabilities
            _refuse(rows, marks, hits & (values < thresholds), "is below its threshold", path)
            _refuse(rows, marks, ~hits & (values > thresholds), "is missing", path)
            yield rows, hits
        calls.finish()


def _refuse(
    rows: Rows, marks: tuple[str, ...], wrong: np.ndarray, problem: str, path: Path
) -> None:
    """Raise InputError if a call is wrong; `wrong`: bool [rows, marks]."""
    for row, column in np.argwhere(wrong):
        chrom, start, end, name, _ = place_of(rows.windows[row])
        found = f"a call of {marks[column]} at {chrom}:{start}-{end} ({name}) {problem}"
        raise InputError(path, found, AGAIN)


def _read(
    marks: tuple[str, ...],
    columns: tuple[int, ...],
    blocks: Iterable[tuple[Rows, np.ndarray]],
    windows: int,
) -> Landscape:
    every = -(-windows // SAMPLE)
    histograms = np.zeros((len(marks), BINS), np.int64)
    sums, called = np.zeros(len(marks)), np.zeros(len(marks), np.int64)
    biotypes: dict[str, np.ndarray] = {}
    contigs: dict[str, np.ndarray] = {}
    ends: dict[str, int] = {}
    sample: list[Locus] = []
    tops: list[list[Locus]] = [[] for _ in marks]
    done = with_calls = 0
    for block, hits in blocks:
        values = block.probabilities
        bins = np.minimum((values * BINS).astype(int), BINS - 1)
        for number, column in enumerate(bins.T):
            histograms[number] += np.bincount(column, minlength=BINS)
            tops[number] = _best(tops[number], block, hits, number)
        sums += values.sum(axis=0)
        called += hits.sum(axis=0)
        with_calls += int(hits.any(axis=1).sum())
        places = [_shown_of(row) for row in block.windows]
        _tally(contigs, [place[0] for place in places], hits)
        _tally(biotypes, [place[5] for place in places], hits)
        for contig, _, end, *_ in places:
            ends[contig] = max(ends.get(contig, 0), int(end))
        sample += [_locus(block, hits, row) for row in range(-done % every, len(places), every)]
        done += len(places)
    by, groups = ("biotype", biotypes) if len(biotypes) > 1 else ("contig", contigs)
    return Landscape(
        marks=marks,
        columns=columns,
        windows=done,
        histograms=histograms,
        sums=sums,
        called=called,
        with_calls=with_calls,
        by=by,
        groups=_largest(groups),
        sample=tuple(sample),
        top={name: tuple(top) for name, top in zip(marks, tops, strict=True) if top},
        ends=ends,
    )


def _locus(block: Rows, hits: np.ndarray, row: int) -> Locus:
    chrom, start, end, name, strand, biotype = _shown_of(block.windows[row])
    place = chrom, int(start), int(end), name, strand, biotype
    return Locus(*place, block.probabilities[row], hits[row])


def _tally(counts: dict[str, np.ndarray], names: Sequence[str], hits: np.ndarray) -> None:
    """Add windows and calls, int [1 + m], to the counts of their names."""
    numbers: dict[str, int] = {}
    codes = [numbers.setdefault(name, len(numbers)) for name in names]
    table = np.zeros((len(numbers), 1 + hits.shape[1]), np.int64)
    np.add.at(table, codes, np.insert(hits.astype(np.int64), 0, 1, axis=1))
    for name, row in zip(numbers, table, strict=True):
        counts[name] = counts.get(name, 0) + row


def _best(so_far: list[Locus], block: Rows, hits: np.ndarray, column: int) -> list[Locus]:
    """The best called window of each of the TOP best stretches of the genome."""
    values = block.probabilities[:, column]
    beaten = so_far[-1].probabilities[column] if len(so_far) == TOP else -1.0
    rows = np.flatnonzero(hits[:, column] & (values > beaten))
    best: dict[tuple[str, int], Locus] = {}
    for row in rows[np.argsort(-values[rows], kind="stable")]:
        found = _locus(block, hits, row)
        best.setdefault((found.chrom, found.start // STRETCH), found)
        if len(best) == TOP:
            break
    both = [*so_far, *best.values()]
    both.sort(key=lambda found: -found.probabilities[column])
    distinct: dict[tuple[str, int], Locus] = {}
    for found in both:
        distinct.setdefault((found.chrom, found.start // STRETCH), found)
    return list(distinct.values())[:TOP]


def _largest(counts: dict[str, np.ndarray]) -> tuple[Group, ...]:
    """The largest groups first; those beyond GROUPS are merged into one."""
    groups = [
        Group("not stated" if name == NOT_STATED else name, int(row[0]), row[1:])
        for name, row in sorted(counts.items())
    ]
    groups.sort(key=lambda group: -group.windows)
    if len(groups) > GROUPS:
        rest = groups[GROUPS - 1 :]
        windows = sum(group.windows for group in rest)
        called = np.sum([group.called for group in rest], axis=0)
        groups[GROUPS - 1 :] = [Group(f"{len(rest):,} others", windows, called)]
    return tuple(groups)
