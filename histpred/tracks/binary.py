"""The tables of a prediction as indexed binary tracks: bigBed, and bigWig where windows tile.

The scores are read once: the columns that all tracks share go to one file, the probabilities of
each mark to another, and each track is written from these two.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from histpred.core.columns import picker
from histpred.core.errors import InputError
from histpred.core.output import temporary_faults
from histpred.scoring import tables
from histpred.scoring.tables import AGAIN
from histpred.tracks import bbi
from histpred.tracks.validate import check_bigbed, check_bigwig

interval_of = picker("chrom", "start", "end")
texts_of = picker("name", "strand", "gene_id", "biotype")

BED9 = """string chrom; "contig"
uint chromStart; "start, counted from 0"
uint chromEnd; "end"
string name; "{name}"
uint score; "probability x 1000"
char[1] strand; "+, - or ."
uint thickStart; "start"
uint thickEnd; "end"
uint reserved; "colour of the mark's class, in windows paler for a lower probability"
"""
WINDOW_FIELDS = f"""table histpredWindow
"A window and the probability of a histone mark in it"
(
{BED9.format(name="gene or interval")}double probability; "calibrated probability"
string gene; "identifier of the gene and its biotype"
)
"""
CALL_FIELDS = f"""table histpredCall
"A histone mark whose probability reaches the bundle's threshold"
(
{BED9.format(name="gene or interval, and mark")}string mark; "histone mark"
)
"""
"""autoSql (https://genome.ucsc.edu/goldenPath/help/bigBed.html). Eleven fields at most: IGV Desktop
reads the last three of twelve as the blocks of a BED12, whatever their names.
"""


class ScoreColumns(NamedTuple):
    """A table of scores, split into files in a folder.

    marks: in the order of the columns. windows: their number. covered: bp covered, if no two
    windows overlap and a continuous track can be made; else None. contigs: those with windows.
    """

    folder: Path
    marks: tuple[str, ...]
    windows: int
    covered: int | None
    contigs: tuple[str, ...] = ()

    @property
    def shared(self) -> Path:
        """Path of the columns before the probabilities, as text."""
        return self.folder / "windows.tsv"

    def values(self, number: int) -> Path:
        """Path of the probabilities of a mark, float64."""
        return self.folder / f"{number}.f8"


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
        checked = SortedIntervals(lengths)
        count = 0
        for block in blocks:
            for line, fields in enumerate(block.windows, block.line):
                chrom, start, end = interval_of(fields)
                if fault := checked.take(chrom, int(start), int(end)):
                    raise InputError(scores, fault, AGAIN, line=line)
                windows.write("\t".join(fields) + "\n")
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


def middle(table: ScoreColumns, beside: int) -> str:
    """The locus at which a browser opens: the middle window and up to `beside` on either side.

    Returns 'contig:start-end' (1-based, inclusive).
    """
    first = max(0, table.windows // 2 - beside)
    with open(table.shared, encoding="utf-8") as lines:
        shown = islice(lines, first, first + 2 * beside + 1)
        rows = [interval_of(line.rstrip("\n").split("\t")) for line in shown]
    contig, _, _ = rows[len(rows) // 2]
    there = [(int(start), int(end)) for name, start, end in rows if name == contig]
    return f"{contig}:{there[0][0] + 1}-{max(end for _, end in there)}"


def write_windows(table: ScoreColumns, number: int, lengths: Mapping[str, int], path: Path) -> None:
    """Write the probability of mark `number` in every window as bigBed 9+2.

    The file holds opaque shades. Browsers that shade by score add up the shades of overlapping
    windows, which then look likelier than they are.
    """
    shades = tables.bed_shades(table.marks[number])

    def rows() -> Iterator[tuple[str, int, int, str]]:
        for fields, (chrom, start, end), probability in _windows(table, number):
            texts = (tables.printable_ascii(text) for text in texts_of(fields))
            name, strand, *gene = (text[: tables.BED_NAME_LIMIT] for text in texts)
            known = " ".join(text for text in gene if text != ".") or "."
            score = tables.bed_score(probability)
            drawn = f"{name}\t{score}\t{strand}\t{start}\t{end}\t{shades[score]}"
            yield chrom, start, end, f"{drawn}\t{probability:.6g}\t{known}"

    _write(path, lengths, table.contigs, rows(), WINDOW_FIELDS)
    check_bigbed(path, lengths, table.contigs, table.windows)


def write_calls(calls: Path, lengths: Mapping[str, int], path: Path) -> int:
    """Write the calls of all marks (calls.bed.gz) as bigBed 9+1, if any; returns their number."""

    def rows() -> Iterator[tuple[str, int, int, str]]:
        with gzip.open(calls, "rt", encoding="utf-8") as lines:
            for line in lines:
                chrom, start, end, rest = line.rstrip("\n").split("\t", 3)
                mark = rest.partition("\t")[0].rpartition("|")[2]
                yield chrom, int(start), int(end), f"{rest}\t{mark}"

    checked = SortedIntervals(lengths)
    count = 0
    for count, (chrom, start, end, _) in enumerate(rows(), start=1):
        if fault := checked.take(chrom, start, end):
            raise InputError(calls, fault, AGAIN, line=count)
    if count:
        _write(path, lengths, checked.contigs, rows(), CALL_FIELDS)
        check_bigbed(path, lengths, checked.contigs, count)
    return count


def write_signal(table: ScoreColumns, number: int, lengths: Mapping[str, int], path: Path) -> None:
    """Write the probability of mark `number` along the genome as bigWig; windows do not overlap."""
    rows = ((*interval, probability) for _, interval, probability in _windows(table, number))
    _write(path, lengths, table.contigs, rows)
    check_bigwig(path, lengths, table.contigs, table.covered or 0)


def _windows(
    table: ScoreColumns, number: int
) -> Iterator[tuple[list[str], tuple[str, int, int], float]]:
    """The fields of each row of a table, their interval, and the probability of mark `number`."""
    with open(table.shared, encoding="utf-8") as lines, open(table.values(number), "rb") as column:
        while block := list(islice(lines, tables.AT_ONCE)):
            values = np.fromfile(column, count=len(block))
            for line, value in zip(block, values.tolist(), strict=True):
                fields = line.rstrip("\n").split("\t")
                chrom, start, end = interval_of(fields)
                yield fields, (chrom, int(start), int(end)), value


def _write(
    path: Path,
    lengths: Mapping[str, int],
    contigs: Iterable[str],
    rows: Iterable[tuple[Any, ...]],
    fields: str = "",
) -> None:
    """Write a track of these contigs; see `bbi.write`."""
    with temporary_faults(path):
        bbi.write(path, {contig: lengths[contig] for contig in contigs}, rows, fields)
