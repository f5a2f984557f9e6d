"""The tables of a prediction as indexed binary tracks: bigBed, and bigWig where windows tile.

Each track is written from the files of `histpred.tracks.columns`.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from histpred.core.columns import picker
from histpred.core.errors import InputError
from histpred.core.output import temporary_faults
from histpred.scoring import tables
from histpred.scoring.tables import AGAIN
from histpred.tracks import bbi
from histpred.tracks.columns import ScoreColumns, SortedIntervals, interval_of, read_columns
from histpred.tracks.validate import check_bigbed, check_bigwig

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


def write_windows(table: ScoreColumns, number: int, lengths: Mapping[str, int], path: Path) -> None:
    """Write the probability of mark `number` in every window as bigBed 9+2.

    The file holds opaque shades. Browsers that shade by score add up the shades of overlapping
    windows, which then look likelier than they are.
    """
    shades = tables.bed_shades(table.marks[number])

    def rows() -> Iterator[tuple[str, int, int, str]]:
        for fields, (chrom, start, end), probability, score in _windows(table, number):
            texts = (tables.printable_ascii(text) for text in texts_of(fields))
            name, strand, *gene = (text[: tables.BED_NAME_LIMIT] for text in texts)
            known = " ".join(text for text in gene if text != ".") or "."
            drawn = f"{name}\t{score}\t{strand}\t{start}\t{end}\t{shades[score]}"
            yield chrom, start, end, f"{drawn}\t{probability:.6g}\t{known}"

    _write(path, lengths, table.contigs, bbi.batches_of(rows(), table.contigs), WINDOW_FIELDS)
    check_bigbed(path, lengths, table.contigs, table.windows)


def write_calls(calls: Path, lengths: Mapping[str, int], path: Path) -> int:
    """Write the calls of all marks (calls.bed.gz) as bigBed 9+1, if any; returns their number."""

    def rows() -> Iterator[tuple[str, int, int, str]]:
        with gzip.open(calls, "rt", encoding="utf-8") as lines:
            for line in lines:
                chrom, start, end, rest = line.rstrip("\n").split("\t", 3)
                yield chrom, int(start), int(end), rest

    def with_marks() -> Iterator[tuple[str, int, int, str]]:
        for chrom, start, end, rest in rows():
            mark = rest.partition("\t")[0].rpartition("|")[2]
            yield chrom, start, end, f"{rest}\t{mark}"

    checked = SortedIntervals(lengths)
    count = 0
    for count, (chrom, start, end, _) in enumerate(rows(), start=1):
        if fault := checked.take(chrom, start, end):
            raise InputError(calls, fault, AGAIN, line=count)
    if count:
        batches = bbi.batches_of(with_marks(), checked.contigs)
        _write(path, lengths, checked.contigs, batches, CALL_FIELDS)
        check_bigbed(path, lengths, checked.contigs, count)
    return count


def write_signal(table: ScoreColumns, number: int, lengths: Mapping[str, int], path: Path) -> None:
    """Write the probability of mark `number` along the genome as bigWig; windows do not overlap."""
    batches = (
        bbi.Batch(places[:, 0], places[:, 1], places[:, 2], values)
        for places, values in read_columns(table, number)
    )
    _write(path, lengths, table.contigs, batches)
    check_bigwig(path, lengths, table.contigs, table.covered or 0)


def _windows(
    table: ScoreColumns, number: int
) -> Iterator[tuple[list[str], tuple[str, int, int], float, int]]:
    """The fields of each row of a table, their interval, and what mark `number` has there.

    That is its probability, and the score of a BED.
    """
    with open(table.shared, encoding="utf-8") as lines:
        for _, values in read_columns(table, number):
            columns = values.tolist(), tables.bed_scores(values).tolist()
            for line, *found in zip(islice(lines, len(values)), *columns, strict=True):
                fields = line.rstrip("\n").split("\t")
                chrom, start, end = interval_of(fields)
                yield fields, (chrom, int(start), int(end)), *found


def _write(
    path: Path,
    lengths: Mapping[str, int],
    contigs: Iterable[str],
    batches: Iterable[bbi.Batch],
    fields: str = "",
) -> None:
    """Write a track of these contigs; see `bbi.write`."""
    with temporary_faults(path):
        bbi.write(path, {contig: lengths[contig] for contig in contigs}, batches, fields)
