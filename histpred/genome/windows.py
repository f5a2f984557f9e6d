"""The window of a feature, and the bases of a window.

| kind       | window                                                             | needs  |
|------------|--------------------------------------------------------------------|--------|
| `context`  | gene body and `upstream` bp before it (30 kb in the paper, 2.1)     | strand |
| `body`     | the feature itself                                                 | strand |
| `promoter` | `upstream` bp before the TSS, `downstream` bp starting with it      | strand |
| `spliced`  | exons joined, in the direction of transcription                    | strand |
| `interval` | the row itself; strand '.' is read as '+'                           |        |

Every window is clipped to its contig. Some encoders need the TSS at a fixed position: for them, a
promoter can be `whole`, read with N outside the contig, and the window shorter than what is read
(`shown`). An interval with a reach is also whole: `upstream` bp before its middle and `downstream`
bp after it are read, while the window is still the row. Intervals can be cut into tiles.
"""

from __future__ import annotations

from typing import NamedTuple

from histpred.core.columns import Value
from histpred.core.errors import UsageError
from histpred.core.sequence import count_n, n_fraction, reverse_complement
from histpred.core.spelling import did_you_mean
from histpred.genome.reasons import NO_EXONS, OUTSIDE, UNKNOWN_CONTIG, UNKNOWN_STRAND
from histpred.genome.reference import Reference
from histpred.genome.regions import (
    CONTEXT,
    INTERVAL,
    KINDS,
    LONGEST_REACH,
    PROMOTER,
    SPLICED,
    Blocks,
    Feature,
    Window,
    around_start,
    clip,
    extend_upstream,
)

MAX_N_FRACTION = 0.5
REACH = {CONTEXT: (30_000, 0), PROMOTER: (1_000, 1_000)}


class WindowSpec(NamedTuple):
    """How windows are cut: the window kind, its reach in bp, and the largest fraction of N.

    A window is scored if at most `max_n_fraction` of it is N. whole: read the full length, with N
    outside the contig. shown: half the length in bp of a whole promoter's window around the TSS; 0:
    the window is all that is read. tile: length in bp of the tiles that intervals are cut into; 0:
    none.
    """

    kind: str
    upstream: int
    downstream: int
    max_n_fraction: float
    whole: bool = False
    shown: int = 0
    tile: int = 0

    def __str__(self) -> str:
        """The text that `parse_window` reads."""
        both = [self.upstream, self.downstream]
        reach = {CONTEXT: both[:1], PROMOTER: both, INTERVAL: both if self.whole else []}
        return ":".join(map(str, [self.kind, *reach.get(self.kind, [])]))


def usual(kind: str) -> WindowSpec:
    """The default of a window kind: context 30 kb upstream (paper, 2.1), promoter 1 kb each way."""
    return WindowSpec(kind, *REACH.get(kind, (0, 0)), MAX_N_FRACTION)


def parse_window(text: str) -> WindowSpec:
    """Parse `KIND`, `context:UP`, `promoter:UP:DOWN` or `interval:UP:DOWN` (bp).

    A kind alone has its default reach. Raises UsageError for anything else.

    >>> parse_window("context:5000")[:3], parse_window("promoter:500:500")[:3]
    (('context', 5000, 0), ('promoter', 500, 500))
    """
    kind, *reach = text.split(":")
    if kind not in KINDS:
        hint = did_you_mean([kind], KINDS, f"use {', '.join(KINDS)}")
        raise UsageError(f"unknown window kind {kind!r}", hint)
    if not reach:
        return usual(kind)
    numbers = [part for part in reach if part.isascii() and part.isdigit()]
    if too_long := [part for part in numbers if len(part) > 999 or int(part) > LONGEST_REACH]:
        found = f"a window that reads {too_long[0][:20]} bp to one side: {text[:60]!r}"
        raise UsageError(found, f"give at most {LONGEST_REACH:,} bp upstream and downstream")
    lengths = [*map(int, numbers)]
    expected = {CONTEXT: 1, PROMOTER: 2, INTERVAL: 2}.get(kind)
    if not len(lengths) == len(reach) == expected:
        raise UsageError(
            f"not a window: {text!r}",
            f"use {CONTEXT}:UPSTREAM, {PROMOTER}:UPSTREAM:DOWNSTREAM or {INTERVAL}:UPSTREAM:"
            "DOWNSTREAM in bp, or only a window kind",
        )
    if kind != CONTEXT and not sum(lengths):
        hint = "give at least one base upstream or downstream"
        raise UsageError(f"an empty window: {text!r}", hint)
    return WindowSpec(kind, lengths[0], sum(lengths[1:]), MAX_N_FRACTION, kind == INTERVAL)


class Placement(NamedTuple):
    """The window of a feature, or None and the reason; `note` states what was changed."""

    window: Window | None
    reason: str
    note: str


def place(feature: Feature, contig: str | None, length: int, spec: WindowSpec) -> Placement:
    """Place the window of `feature` on `contig` (None: not in the FASTA) of `length` bp.

    >>> spec = WindowSpec("promoter", 10, 5, 0.5)
    >>> place(Feature(1, "1", 4, 50, "+", "a"), "chr1", 100, spec).window[:4]
    ('chr1', 0, 9, '+')
    """
    line, _, first, last, given, name, gene_id, biotype, exons, problem, note, *_ = feature
    kind = spec.kind
    if problem:
        return Placement(None, problem, note)
    if contig is None:
        return Placement(None, UNKNOWN_CONTIG, note)
    if first >= length:
        return Placement(None, OUTSIDE, f"contig {contig} has {length} bp")
    if given == "?" and kind != INTERVAL:
        return Placement(None, UNKNOWN_STRAND, note)
    if kind == SPLICED and exons is None:
        return Placement(None, NO_EXONS, note)

    strand = given if given in "+-" else "+"
    start, end = reach = _reach(feature, strand, spec)
    wanted = end - start
    blocks: Blocks | None = None
    if spec.shown:
        blocks = (reach,)
        start, end = around_start(first, last, strand, spec.shown, spec.shown)
    if start < 0 or end > length:
        whole = end - start
        start, end = clip(start, end, length)
        if start >= end:
            return Placement(None, OUTSIDE, f"contig {contig} has {length} bp")
        clipped = f"clipped by {whole - (end - start)} bp at the contig's end"
        note = feature.with_note(clipped).note
        if spec.whole and kind == PROMOTER:
            blocks = (reach,)

    if kind == INTERVAL and spec.whole:
        middle = (start + end) // 2
        blocks = (around_start(middle, middle, strand, spec.upstream, spec.downstream),)
        wanted = spec.upstream + spec.downstream
    if kind == SPLICED and exons:
        blocks = tuple((left, min(right, length)) for left, right in exons if left < length)
        wanted = _total(exons)
    outside = wanted - (_total(blocks) if blocks else end - start)
    strand = "." if given == "?" else given  # BED has no '?'
    window = Window(contig, start, end, strand, name, gene_id, biotype, line, blocks, outside)
    return Placement(window, "", note)


def place_unchanged(feature: Feature, contig: str, length: int) -> Placement:
    """Place a row of a table of windows, unchanged, on `contig` of `length` bp."""
    if feature.problem:
        return Placement(None, feature.problem, feature.note)
    if feature.start >= length:
        return Placement(None, OUTSIDE, f"contig {contig} has {length} bp")
    end = min(feature.end, length)
    names, line, exons = feature[4:8], feature.line, feature.exons
    window = Window(contig, feature.start, end, *names, line, exons, feature.outside)
    return Placement(window, "", feature.note)


def whole_tiles(start: int, end: int, length: int, tile: int) -> tuple[int, int]:
    """The tiles of `tile` bp that overlap [start, end), on a contig of `length` bp.

    Tiles start at multiples of `tile` bp; only the last tile of a contig may be shorter.

    >>> whole_tiles(150, 420, 1000, 200), whole_tiles(150, 420, 450, 200)
    ((0, 600), (0, 450))
    """
    return start // tile * tile, min(-(-end // tile) * tile, length)


def tile_name(contig: str, start: int, tile: int) -> str:
    """The id of a tile in a table of labels; the last tile of a contig counts as a whole one.

    >>> tile_name("chr1", 400, 200)
    'chr1:400-600'
    """
    return f"{contig}:{start}-{start + tile}"


def window_sequence(window: Window, reference: Reference) -> bytes:
    """Read the sequence of a window, 5' to 3' on its strand, with blocks joined.

    It is upper case, with N for ambiguity codes and outside the contig.
    """
    contig, start, end, strand = window[:4]
    if window.blocks is None:
        return reference.fetch(contig, start, end, strand)
    length = reference.lengths[contig]
    parts = []
    for left, right in window.blocks:
        first, last = clip(left, right, length)
        if first < last:
            bases = reference.fetch(contig, first, last)
            parts.append(b"N" * (first - left) + bases + b"N" * (right - last))
        else:
            parts.append(b"N" * (right - left))
    joined = b"".join(parts)
    return reverse_complement(joined) if strand == "-" else joined


def window_n_fraction(window: Window, sequence: bytes, reference: Reference) -> float:
    """The fraction of N in a window whose `sequence` was read, without the bases read around it."""
    return n_fraction(reference.fetch(*window[:3]) if reads_around(window) else sequence)


def known_fraction(window: Window, sequence: bytes) -> float:
    """The share of the bases to be read for a window that are in its `sequence` and not N."""
    wanted = len(sequence) + window.outside
    return (len(sequence) - count_n(sequence)) / wanted if wanted else 0.0


def reads_around(window: Window) -> bool:
    """True if bases outside the window are read."""
    if not window.blocks:
        return False
    left, right = window.blocks[0][0], window.blocks[-1][1]
    return left < window.start or window.end < right


def _total(blocks: Blocks) -> int:
    return sum(end - start for start, end in blocks)


def _reach(feature: Feature, strand: str, spec: WindowSpec) -> tuple[int, int]:
    kind, start, end = spec.kind, feature.start, feature.end
    if kind == CONTEXT:
        return extend_upstream(start, end, strand, spec.upstream)
    if kind == PROMOTER:
        return around_start(start, end, strand, spec.upstream, spec.downstream)
    if kind == SPLICED and feature.exons:
        return feature.exons[0][0], feature.exons[-1][1]
    return start, end


class Row(NamedTuple):
    """A window with its sequence (5' to 3', cleaned) and the values of its columns.

    values: in the order of `histpred.core.columns.COLUMNS`.
    """

    window: Window
    sequence: bytes
    values: tuple[Value, ...]


def row_of(window: Window, sequence: bytes, n_fraction: float) -> Row:
    """Make the row of a window."""
    chrom, start, end, strand, name, gene_id, biotype = window[:7]
    known = known_fraction(window, sequence)
    values = (chrom, start, end, name, strand, gene_id, biotype, n_fraction, known)
    return Row(window, sequence, values)
