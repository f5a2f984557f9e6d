"""Intervals on a genome, as plain values and pure functions.

Coordinates are 0-based half-open everywhere in histpred (the BED convention); the readers convert
once. A strand is '+', '-' or '.', and '?' where an annotation says that it matters but is unknown
(GFF3). "Upstream" is against the direction of transcription. Nothing here reads a file.
"""

from __future__ import annotations

from typing import NamedTuple

Blocks = tuple[tuple[int, int], ...]

# The kinds of windows; what each one is stands in `histpred.genome.windows`.
CONTEXT, BODY, PROMOTER, SPLICED, INTERVAL = KINDS = (
    "context",
    "body",
    "promoter",
    "spliced",
    "interval",
)

NOT_SELECTED = "biotype-not-selected"  # the problem of a feature that the user left out

FARTHEST = 2**31 - 1  # bp; what htslib and the browsers can address


class Feature(NamedTuple):
    """One annotated item: a BED row, a gene or a transcript.

    `line` is the 1-based line of the input that it came from. `gene_biotype` is that of the gene,
    '.' where it states none. `exons` are genomic, ascending and
    disjoint; None where the annotation has none. `problem` is the reason why the reader found it
    unusable, else ''. `note` is what the reader had to change to use it, else ''.
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


class Window(NamedTuple):
    """The stretch of a contig that stands for one feature; `chrom` is the FASTA's name for the
    contig.

    `blocks` are the genomic pieces that are read, ascending, where they are not [start, end): the
    exons of a spliced window; or one piece around the window that may reach beyond the contig, and
    is N there.
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


def is_too_far(digits: str) -> bool:
    """Whether a coordinate, as decimal digits, is beyond what any contig can have.

    >>> is_too_far("2147483647"), is_too_far("9" * 5000)
    (False, True)
    """
    return len(digits) > 1000 or int(digits) > FARTHEST


def extend_upstream(start: int, end: int, strand: str, upstream: int) -> tuple[int, int]:
    """[start, end) with `upstream` bp more before its 5' end; not clipped (bedtools slop -s -l).

    >>> extend_upstream(100, 200, "+", 30), extend_upstream(100, 200, "-", 30)
    ((70, 200), (100, 230))
    """
    return (start, end + upstream) if strand == "-" else (start - upstream, end)


def around_start(
    start: int, end: int, strand: str, upstream: int, downstream: int
) -> tuple[int, int]:
    """`upstream` bp before the first transcribed base and `downstream` bp from it on; not clipped.

    The two strands mirror each other: the TSS is always the first of the `downstream` bases.

    >>> around_start(100, 200, "+", 10, 5), around_start(100, 200, "-", 10, 5)
    ((90, 105), (195, 210))
    """
    if strand == "-":
        return end - downstream, end + upstream
    return start - upstream, start + downstream


def clip(start: int, end: int, length: int) -> tuple[int, int]:
    """[start, end) cut to the contig [0, length); empty (start >= end) where nothing is left.

    >>> clip(-5, 10, 8)
    (0, 8)
    """
    return max(start, 0), min(end, length)


def merge(blocks: list[tuple[int, int]]) -> Blocks:
    """Blocks sorted, with those that overlap, touch or repeat joined.

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
