"""The probabilities of a mark as an indexed binary track: bigBed, or bigWig where windows tile.

Each track is written from the files of `histpred.tracks.columns`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from histpred.core.colours import Colour
from histpred.core.columns import picker
from histpred.core.execution import Progress
from histpred.core.output import temporary_faults
from histpred.scoring import tables
from histpred.tracks import bbi
from histpred.tracks.columns import ScoreColumns, interval_of, read_columns, with_mean
from histpred.tracks.track import Track
from histpred.tracks.validate import check_bigbed, check_bigwig

Lengths: TypeAlias = Mapping[str, int]
"""Length of the genome's contigs, bp."""

texts_of = picker("name", "strand", "gene_id", "biotype")

SCORE, COLOUR = "probability x 1000", "colour of the mark or class"
BED9 = """string chrom; "contig"
uint chromStart; "start, counted from 0"
uint chromEnd; "end"
string name; "{name}"
uint score; "{score}"
char[1] strand; "+, - or ."
uint thickStart; "start"
uint thickEnd; "end"
uint reserved; "{colour}"
"""
WINDOW_FIELDS = f"""table histpredWindow
"A window and the probability of a histone mark in it, or the mean of a class of marks"
(
{BED9.format(name="gene or interval", score=SCORE, colour=f"{COLOUR}, paler if less likely")}\
double probability; "calibrated probability"
string gene; "identifier of the gene and its biotype"
)
"""
"""autoSql (https://genome.ucsc.edu/goldenPath/help/bigBed.html). Eleven fields at most: IGV Desktop
reads the last three of twelve as the blocks of a BED12, whatever their names.
"""


def write_probabilities(
    table: ScoreColumns, tracks: Sequence[Track], lengths: Lengths, work: Path, progress: Progress
) -> None:
    """Write tracks of marks and of classes into the hub's folder `work`.

    progress: called with the number of tracks written, and of all.
    """
    for done, track in enumerate(tracks, 1):
        columns = with_mean(table, track.members) if track.members else table
        number = len(table.marks) if track.members else table.marks.index(track.name)
        if track.signal:
            write_signal(columns, number, lengths, work / track.path)
        else:
            write_windows(columns, number, track.colour, lengths, work / track.path)
        progress(done, len(tracks))


def write_windows(
    table: ScoreColumns, number: int, colour: Colour, lengths: Lengths, path: Path
) -> None:
    """Write the probability of mark `number` in every window as bigBed 9+2, in shades of `colour`.

    The file holds opaque shades. Browsers that shade by score add up the shades of overlapping
    windows, which then look likelier than they are.
    """
    shades = tables.bed_shades(colour)

    def rows() -> Iterator[tuple[str, int, int, str]]:
        for fields, (chrom, start, end), probability, score in _windows(table, number):
            name, strand, *gene = texts_of(fields)
            name = tables.printable_ascii(name)[: tables.BED_NAME_LIMIT]
            drawn = f"{name}\t{score}\t{strand}\t{start}\t{end}\t{shades[score]}"
            yield chrom, start, end, f"{drawn}\t{probability:.6g}\t{gene_text(*gene)}"

    write_track(path, lengths, table.contigs, bbi.batches_of(rows(), table.contigs), WINDOW_FIELDS)
    check_bigbed(path, lengths, table.contigs, table.windows)


def gene_text(*texts: str) -> str:
    """The identifier of a gene and its biotype as a field of a bigBed; `.` stands for none.

    >>> gene_text("ENSG01", "."), gene_text(".", ".")
    ('ENSG01', '.')
    """
    known = (tables.printable_ascii(text) for text in texts if text != ".")
    return " ".join(text[: tables.BED_NAME_LIMIT] for text in known) or "."


def write_signal(table: ScoreColumns, number: int, lengths: Lengths, path: Path) -> None:
    """Write the probability of mark `number` along the genome as bigWig; windows do not overlap."""
    batches = (
        bbi.Batch(places[:, 0], places[:, 1], places[:, 2], values)
        for places, values in read_columns(table, number)
    )
    write_track(path, lengths, table.contigs, batches)
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


def write_track(
    path: Path,
    lengths: Lengths,
    contigs: Iterable[str],
    batches: Iterable[bbi.Batch],
    fields: str = "",
) -> None:
    """Write a track of these contigs; see `bbi.write`."""
    with temporary_faults(path):
        bbi.write(path, {contig: lengths[contig] for contig in contigs}, batches, fields)
