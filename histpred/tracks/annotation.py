"""The rows of the annotation as a track, as the ledger of a prediction has them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from histpred.genome.ledger import COLUMNS
from histpred.genome.pending import SCORED
from histpred.scoring import tables
from histpred.tracks import bbi
from histpred.tracks.binary import BED9, Lengths, gene_text, write_track
from histpred.tracks.validate import check_bigbed

DRAWN = BED9.format(name="gene or interval", score="not used", colour="grey if skipped")
FIELDS = f"""table histpredRow
"A row of the annotation"
(
{DRAWN}string gene; "identifier of the gene and its biotype"
string status; "scored, or why it was skipped"
)
"""
SCORED_COLOUR, SKIPPED_COLOUR = "40,60,90", "160,160,160"
NUMBER, CONTIG, START, END, STRAND, NAME, GENE, BIOTYPE, STATUS, REASON, _ = range(len(COLUMNS))
ROW = (NUMBER, CONTIG, NAME, GENE)  # these are the same in all runs of a row
PLACE = ("contig", "start", "end", "offset in the ledger", "scored")  # 0-based half-open, bp


def write_annotation(
    ledger: Path, renamed: Mapping[str, str], lengths: Lengths, path: Path, tiles: bool = False
) -> int:
    """Write the rows of an annotation (ledger.tsv) as bigBed 9+2; returns their number.

    Rows that are skipped are grey. Those that are not on the genome are left out, and so are rows
    of whole contigs; without any row, there is no file. renamed: the genome's name of contigs, by
    the annotation's. tiles: the ledger has a line for each run of a row's tiles.
    """
    contigs, found = _places(ledger, renamed, lengths, tiles)
    if not len(found):
        return 0

    def rows() -> Iterator[tuple[str, int, int, str]]:
        with open(ledger, "rb") as lines:
            for number, start, end, offset, scored in found.tolist():
                lines.seek(offset)
                fields = lines.readline().decode().rstrip("\n").split("\t")
                name = tables.printable_ascii(fields[NAME])[: tables.BED_NAME_LIMIT]
                strand = fields[STRAND] if fields[STRAND] in "+-" else "."
                colour = SCORED_COLOUR if scored else SKIPPED_COLOUR
                gene = gene_text(fields[GENE], fields[BIOTYPE])
                drawn = f"{name}\t0\t{strand}\t{start}\t{end}\t{colour}\t{gene}"
                status = SCORED if scored else fields[REASON]
                yield contigs[number], start, end, f"{drawn}\t{status}"

    write_track(path, lengths, contigs, bbi.batches_of(rows(), contigs), FIELDS)
    check_bigbed(path, lengths, contigs, len(found))
    return len(found)


def _places(
    ledger: Path, renamed: Mapping[str, str], lengths: Lengths, tiles: bool
) -> tuple[list[str], np.ndarray]:
    """The contigs that have rows, and where rows lie, sorted: int64 [rows, len(PLACE)]."""
    names = sorted(lengths)
    order = {contig: number for number, contig in enumerate(names)}
    found = array("q")
    offset, before = 0, ""
    with open(ledger, "rb") as lines:
        offset += len(lines.readline())
        for line in lines:
            at, offset = offset, offset + len(line)
            fields = line.decode().rstrip("\n").split("\t")
            contig = renamed.get(fields[CONTIG], fields[CONTIG])
            start, end = int(fields[START]), min(int(fields[END]), lengths.get(contig, 0))
            if start >= end or (tiles and fields[NAME] == contig):
                continue
            scored, row = int(fields[STATUS] == SCORED), "\t".join(fields[column] for column in ROW)
            if tiles and row == before:
                known, at, _, start, _ = (found.pop() for _ in PLACE)
                scored |= known
            found.extend((order[contig], start, end, at, scored))
            before = row
    rows = np.array(found, np.int64).reshape(-1, len(PLACE))
    used, rows[:, 0] = np.unique(rows[:, 0], return_inverse=True)
    return [names[number] for number in used], rows[np.lexsort(rows[:, 2::-1].T)]
