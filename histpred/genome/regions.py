"""Genomic intervals as plain values and pure functions.

Coordinates are 0-based half-open everywhere in histpred (as in BED); the readers convert them once.
A strand is '+', '-', '.' or, in GFF3, '?' (stranded, but the strand is unknown). "Upstream" means
against the direction of transcription. Nothing here reads a file.
"""

from __future__ import annotations

from typing import NamedTuple

Blocks = tuple[tuple[int, int], ...]

# The window kinds, described in `histpred.genome.windows`.
KINDS = ("context", "body", "promoter", "spliced", "interval")
CONTEXT, BODY, PROMOTER, SPLICED, INTERVAL = KINDS

BLOCK = 1_000_000  # bp; usual length of the blocks that a genome is divided into
LONGEST_REACH = 10_000_000  # bp to one side of a window; no sequence model reads a tenth of it
FARTHEST = 2**31 - 1  # bp; the largest position that htslib and genome browsers support


class Feature(NamedTuple):
    """One annotated item: a BED row, a gene or a transcript.

    `line` is its 1-based line in the input. `gene_biotype` is the biotype of the gene, '.' if
    unknown. `exons` are genomic intervals, ascending and disjoint; None if the annotation has none.
    `problem` is the reason why the feature cannot be used, else ''. `note` states what was changed
    to make it usable, else ''. `outside`: in a table of windows, as of a `Window`; else 0.
    `gene_name` is the name of a transcript's gene, '.' if it has none or is not known, and
    `gene_line` the line of that gene, 0 if it has none. `transcript` is the ID of the transcript
    whose exons a gene has, or whose sequence a row of a table of windows has; else '.'.
    """

    line: int
    chrom: str
    start: int
    end: int
    strand: str
    name: str
    gene_id: str = "."
    biotype: str = "."
    exons: Blocks | None = None
    problem: str = ""
    note: str = ""
    gene_biotype: str = "."
    outside: int = 0
    gene_name: str = "."
    gene_line: int = 0
    transcript: str = "."

    def with_note(self, note: str) -> Feature:
        """The feature with one more note."""
        return self._replace(note=f"{self.note}; {note}" if self.note else note)


class Window(NamedTuple):
    """The stretch of a contig that represents one feature; `chrom` is the contig's FASTA name.

    `blocks` are the genomic intervals that are read, ascending, if they differ from [start, end):
    the exons of a spliced window, or one interval around the window. That interval may extend past
    the contig; bases outside the contig are N. `outside` is the number of bases that were to be
    read too, but lie outside the contig and were cut off.
    """

    chrom: str
    start: int
    end: int
    strand: str
    name: str
    gene_id: str
    biotype: str
    line: int
    blocks: Blocks | None = None
    outside: int = 0


def is_too_far(digits: str) -> bool:
    """True if a coordinate, given as decimal digits, is larger than any contig can have.

    >>> is_too_far("2147483647"), is_too_far("9" * 5000)
    (False, True)
    """
    return len(digits) > 1000 or int(digits) > FARTHEST


def extend_upstream(start: int, end: int, strand: str, upstream: int) -> tuple[int, int]:
    """[start, end) extended by `upstream` bp at its 5' end; not clipped (bedtools slop -s -l).

    >>> extend_upstream(100, 200, "+", 30), extend_upstream(100, 200, "-", 30)
    ((70, 200), (100, 230))
    """
    return (start, end + upstream) if strand == "-" else (start - upstream, end)


def around_start(
    start: int, end: int, strand: str, upstream: int, downstream: int
) -> tuple[int, int]:
    """The `upstream` bp before the TSS and the `downstream` bp that start with it; not clipped.

    The strands are symmetric: the TSS is the first of the `downstream` bases on both.

    >>> around_start(100, 200, "+", 10, 5), around_start(100, 200, "-", 10, 5)
    ((90, 105), (195, 210))
    """
    if strand == "-":
        return end - downstream, end + upstream
    return start - upstream, start + downstream


def clip(start: int, end: int, length: int) -> tuple[int, int]:
    """[start, end) clipped to the contig [0, length); empty (start >= end) if nothing is left.

    >>> clip(-5, 10, 8)
    (0, 8)
    """
    return max(start, 0), min(end, length)


def merge(blocks: list[tuple[int, int]]) -> Blocks:
    """Sort blocks and join those that overlap, touch or repeat.

    >>> merge([(30, 40), (10, 20), (15, 25), (25, 28)])
    ((10, 28), (30, 40))
    """
    merged: list[tuple[int, int]] = []
    for start, end in sorted(blocks):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)
