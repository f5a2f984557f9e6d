"""From a feature to its window, and from the window to its bases.

| kind       | window                                                             | needs  |
|------------|--------------------------------------------------------------------|--------|
| `context`  | gene body and `upstream` bp before it (30 kb in the paper, 2.1)     | strand |
| `body`     | the feature itself                                                 | strand |
| `promoter` | `upstream` bp before the TSS, `downstream` bp from the TSS on       | strand |
| `spliced`  | exons joined, in the direction of transcription                    | strand |
| `interval` | a row as it is; without a strand it is read as '+'                  |        |

Every window is clipped to its contig.
"""

from __future__ import annotations

from typing import NamedTuple

from histpred.core.errors import UsageError
from histpred.core.regions import (
    CONTEXT,
    INTERVAL,
    KINDS,
    PROMOTER,
    SPLICED,
    Feature,
    Window,
    around_start,
    clip,
    extend_upstream,
)
from histpred.core.sequence import reverse_complement
from histpred.genome.reference import Reference

UNKNOWN_CONTIG = "unknown-contig"
OUTSIDE = "outside-the-contig"
NO_EXONS = "no-exon-lines"
UNKNOWN_STRAND = "unknown-strand"

MAX_N_FRACTION = 0.5
REACH = {CONTEXT: (30_000, 0), PROMOTER: (1_000, 1_000)}


class WindowSpec(NamedTuple):
    """A kind of window and its reach in bp; `max_n_fraction` is the share of N up to which a window
    is scored.
    """

    kind: str
    upstream: int
    downstream: int
    max_n_fraction: float

    def __str__(self) -> str:
        """As `parse_window` reads it."""
        reach = {CONTEXT: [self.upstream], PROMOTER: [self.upstream, self.downstream]}
        return ":".join(map(str, [self.kind, *reach.get(self.kind, [])]))


def usual(kind: str) -> WindowSpec:
    """A kind with its usual reach: 30 kb upstream for context (paper, 2.1), 1 kb to each side for
    promoter.
    """
    return WindowSpec(kind, *REACH.get(kind, (0, 0)), MAX_N_FRACTION)


def parse_window(text: str) -> WindowSpec:
    """`KIND`, `context:UPSTREAM` or `promoter:UPSTREAM:DOWNSTREAM` (bp); what is left out is usual.

    Raises UsageError for anything else.

    >>> parse_window("context:5000")[:3], parse_window("promoter:500:500")[:3]
    (('context', 5000, 0), ('promoter', 500, 500))
    """
    kind, *reach = text.split(":")
    if kind not in KINDS:
        raise UsageError(f"unknown kind of window {kind!r}", f"use {', '.join(KINDS)}")
    if not reach:
        return usual(kind)
    lengths = [int(part) for part in reach if part.isascii() and part.isdigit() and len(part) < 9]
    if len(lengths) < len(reach) or len(lengths) != {CONTEXT: 1, PROMOTER: 2}.get(kind):
        raise UsageError(
            f"not a window: {text!r}",
            f"use {CONTEXT}:UPSTREAM or {PROMOTER}:UPSTREAM:DOWNSTREAM in bp, or a kind alone",
        )
    spec = WindowSpec(kind, lengths[0], sum(lengths[1:]), MAX_N_FRACTION)
    if kind == PROMOTER and not sum(lengths):
        raise UsageError(f"an empty window: {text!r}", "give it bases upstream or downstream")
    return spec


class Placed(NamedTuple):
    """What became of a feature: its window, or None and the reason; `note` says what was changed on
    the way.
    """

    window: Window | None
    reason: str
    note: str


def place(feature: Feature, contig: str | None, length: int, spec: WindowSpec) -> Placed:
    """The window of `feature` on `contig` (None: not in the FASTA) of `length` bp.

    >>> spec = WindowSpec("promoter", 10, 5, 0.5)
    >>> place(Feature(1, "1", 4, 50, "+", "a"), "chr1", 100, spec).window[:4]
    ('chr1', 0, 9, '+')
    """
    if feature.problem:
        return Placed(None, feature.problem, feature.note)
    if contig is None:
        return Placed(None, UNKNOWN_CONTIG, feature.note)
    if feature.start >= length:
        return Placed(None, OUTSIDE, f"contig {contig} has {length} bp")
    if feature.strand == "?" and spec.kind != INTERVAL:
        return Placed(None, UNKNOWN_STRAND, feature.note)
    if spec.kind == SPLICED and feature.exons is None:
        return Placed(None, NO_EXONS, feature.note)

    strand = feature.strand if feature.strand in "+-" else "+"
    start, end = _reach(feature, strand, spec)
    note = feature.note
    if start < 0 or end > length:
        whole = end - start
        start, end = clip(start, end, length)
        if start >= end:
            return Placed(None, OUTSIDE, f"contig {contig} has {length} bp")
        clipped = f"clipped by {whole - (end - start)} bp at the contig's end"
        note = f"{note}; {clipped}" if note else clipped

    blocks = None
    if spec.kind == SPLICED and feature.exons:
        blocks = tuple(
            (exon_start, min(exon_end, length))
            for exon_start, exon_end in feature.exons
            if exon_start < length
        )
    line, _, _, _, strand, name, gene_id, biotype, *_ = feature
    strand = "." if strand == "?" else strand  # BED has no '?'
    window = Window(contig, start, end, strand, name, gene_id, biotype, line, blocks)
    return Placed(window, "", note)


def window_sequence(window: Window, reference: Reference) -> bytes:
    """The window's bases 5' to 3' on its own strand: upper case, ambiguity codes as N, blocks
    joined.
    """
    contig, start, end, strand = window[:4]
    if window.blocks is None:
        return reference.fetch(contig, start, end, strand)
    joined = b"".join(reference.fetch(contig, left, right) for left, right in window.blocks)
    return reverse_complement(joined) if strand == "-" else joined


def _reach(feature: Feature, strand: str, spec: WindowSpec) -> tuple[int, int]:
    if spec.kind == CONTEXT:
        return extend_upstream(feature.start, feature.end, strand, spec.upstream)
    if spec.kind == PROMOTER:
        return around_start(feature.start, feature.end, strand, spec.upstream, spec.downstream)
    if spec.kind == SPLICED and feature.exons:
        return feature.exons[0][0], feature.exons[-1][1]
    return feature.start, feature.end
