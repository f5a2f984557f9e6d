"""The columns of scores, in files that tracks are written from.

The intervals of all tracks are in one file, the probabilities of each mark in another. They come
from a table of scores that was written before, or from tiles as they are scored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np

from histpred.core.columns import picker
from histpred.core.errors import InputError
from histpred.genome.windows import Row
from histpred.scoring import tables
from histpred.scoring.tables import AGAIN

interval_of = picker("chrom", "start", "end")
NARROWEST, WIDEST = 5, 30  # x the length of a window, to either side of it
PLACE = 3  # int64 for each window: number of the contig, start, end


class ScoreColumns(NamedTuple):
    """Scores, split into files in a folder.

    marks: in the order of the columns. windows: their number. covered: bp covered, if no two
    windows overlap and a continuous track can be made; else None. contigs: those with windows.
    kind: the type of the probabilities.
    """

    folder: Path
    marks: tuple[str, ...]
    windows: int
    covered: int | None
    contigs: tuple[str, ...] = ()
    kind: str = "<f8"

    @property
    def shared(self) -> Path:
        """Path of the columns before the probabilities, as text; tiles do not have them."""
        return self.folder / "windows.tsv"

    @property
    def places(self) -> Path:
        """Path of the intervals, int64 [windows, PLACE]."""
        return self.folder / "places.i8"

    def values(self, number: int) -> Path:
        """Path of the probabilities of a mark."""
        return self.folder / f"{number}.values"


def split_columns(scores: Path, lengths: Mapping[str, int], folder: Path) -> ScoreColumns:
    """Split scores.tsv.gz into files in `folder`; `lengths`: of the genome's contigs, bp.

    Raises InputError, with the line, if the table is not one of histpred's, is not sorted by contig
    and start, or has a window outside its contig or a value that is not a probability.
    """
    with ExitStack() as stack:
        marks, blocks = stack.enter_context(tables.read_scores(scores))
        result = ScoreColumns(folder, marks, 0, None)
        columns = [stack.enter_context(open(result.values(i), "wb")) for i in range(len(marks))]
        windows = stack.enter_context(open(result.shared, "w", encoding="utf-8"))
        places = stack.enter_context(open(result.places, "wb"))
        checked = SortedIntervals(lengths)
        count = 0
        for block in blocks:
            found = []
            for line, fields in enumerate(block.windows, block.line):
                chrom, start, end = interval_of(fields)
                if fault := checked.take(chrom, int(start), int(end)):
                    raise InputError(scores, fault, AGAIN, line=line)
                windows.write("\t".join(fields) + "\n")
                found.append((len(checked.contigs) - 1, int(start), int(end)))
            np.array(found, np.int64).tofile(places)
            for column, values in zip(columns, block.probabilities.T, strict=True):
                values.tofile(column)
            count += len(block.windows)
    contigs = tuple(checked.contigs)
    return result._replace(windows=count, covered=checked.covered, contigs=contigs)


class SortedIntervals:
    """Intervals that are checked one by one: sorted, and on their contigs.

    contigs: those seen so far, in order. covered: see `ScoreColumns`.
    """

    def __init__(self, lengths: Mapping[str, int]) -> None:
        self._lengths = lengths
        self.contigs: dict[str, None] = {}
        self._contig, self._start, self._end = "", 0, 0
        self.covered: int | None = 0

    def take(self, contig: str, start: int, end: int) -> str:
        """Take the next interval (0-based half-open); returns why it is out of place, or ''."""
        if contig != self._contig:
            if contig not in self._lengths:
                return f"the FASTA has no contig {contig!r}"
            if contig in self.contigs:
                return f"contig {contig!r} is in several places"
            self.contigs[contig] = None
            self._contig, self._start, self._end = contig, 0, 0
        if not 0 <= start < end <= self._lengths[contig]:
            length = self._lengths[contig]
            return f"{contig}:{start}-{end} is not on the contig of {length} bp"
        if start < self._start:
            return f"{contig}:{start}-{end} is not sorted"
        if self.covered is not None:
            self.covered = None if start < self._end else self.covered + end - start
        self._start, self._end = start, max(end, self._end)
        return ""


def middle(table: ScoreColumns, beside: int, lengths: Mapping[str, int]) -> str:
    """The locus at which a browser opens: the middle window and up to `beside` on either side.

    It reaches at least `NARROWEST` and at most `WIDEST` times the length of the middle window to
    either side of it, as far as the contig does: a gene is seen with what lies around it, and
    windows are not too small to be seen. lengths: of contigs, bp. Returns 'contig:start-end'
    (1-based, inclusive).
    """
    first = max(0, table.windows // 2 - beside)
    shown = np.fromfile(
        table.places, np.int64, PLACE * (2 * beside + 1), offset=8 * PLACE * first
    ).reshape(-1, PLACE)
    contig, start, end = shown[len(shown) // 2]
    least, most = NARROWEST * (end - start), WIDEST * (end - start)
    near = (shown[:, 1] >= start - most) & (shown[:, 2] <= end + most)
    _, starts, ends = shown[near & (shown[:, 0] == contig)].T
    name = table.contigs[contig]
    first_base = max(0, min(starts[0], start - least))
    return f"{name}:{first_base + 1}-{min(max(ends.max(), end + least), lengths[name])}"


def read_columns(table: ScoreColumns, number: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The intervals, int64 [n, PLACE], and the probabilities of a mark, in blocks of `AT_ONCE`."""
    with open(table.places, "rb") as places, open(table.values(number), "rb") as column:
        while len(values := np.fromfile(column, table.kind, tables.AT_ONCE)):
            yield np.fromfile(places, np.int64, PLACE * len(values)).reshape(-1, PLACE), values


def with_mean(table: ScoreColumns, marks: Sequence[str]) -> ScoreColumns:
    """The columns and one more, the mean probability of these marks in each window.

    The next call for the same table writes to the same file.
    """
    columns = [read_columns(table, table.marks.index(mark)) for mark in marks]
    with open(table.values(len(table.marks)), "wb") as file:
        for blocks in zip(*columns, strict=True):
            mean = np.mean([values for _, values in blocks], axis=0)
            mean.astype(table.kind).tofile(file)
    return table._replace(marks=(*table.marks, "mean"))


class TileColumns:
    """Writes tiles to files in a folder as they are scored, in order; `columns` tells of them."""

    def __init__(self, folder: Path, marks: Sequence[str]) -> None:
        self.columns = ScoreColumns(folder, tuple(marks), 0, 0, kind="<f4")
        self._contigs: dict[str, int] = {}

    def add(self, rows: Sequence[Row], probabilities: np.ndarray) -> None:
        """Append tiles and their probabilities, [tiles, marks]."""
        columns, known = self.columns, self._contigs
        windows = (row.window for row in rows)
        found = [(known.setdefault(w.chrom, len(known)), w.start, w.end) for w in windows]
        places = np.array(found, np.int64)
        with open(columns.places, "ab") as file:
            places.tofile(file)
        for number, values in enumerate(probabilities.T.astype(columns.kind)):
            with open(columns.values(number), "ab") as file:
                values.tofile(file)
        self.columns = columns._replace(
            windows=columns.windows + len(rows),
            covered=(columns.covered or 0) + int((places[:, 2] - places[:, 1]).sum()),
            contigs=tuple(self._contigs),
        )
