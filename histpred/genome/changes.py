"""Windows of a changed genome: what would be read if some bases were others.

A window stays anchored at its TSS (an interval with a reach: at its middle). Where bases come in or
drop out, an end of a fixed reach gives way; the end of a gene, an interval or an exon moves along.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from histpred.core.sequence import reverse_complement
from histpred.genome.reference import Reference
from histpred.genome.regions import CONTEXT, INTERVAL, PROMOTER, SPLICED, Blocks, Window, clip
from histpred.genome.windows import WindowSpec, window_sequence

REMOVES_TSS = "removes-the-tss"
REMOVES_MIDDLE = "removes-the-middle"
REMOVES_WINDOW = "removes-the-window"
SPANS_SPLICE_SITE = "spans-a-splice-site"
NO_ANCHOR = "contig-shorter-than-the-window"


class Change(NamedTuple):
    """The bases [start, end) of a contig's '+' strand become `bases` (upper-case ACGTN)."""

    start: int
    end: int
    bases: bytes

    @property
    def gain(self) -> int:
        """Bases that come in, less those that drop out."""
        return len(self.bases) - (self.end - self.start)


class UnplaceableError(ValueError):
    """A window has no place in the changed genome; `reason` says why, as a word for a ledger."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def anchor_of(window: Window, spec: WindowSpec, length: int) -> int | None:
    """The position of a window's TSS; of an interval, its middle; on a contig of `length` bp.

    None if it cannot be told, since the window was clipped at both ends of its contig.
    """
    left, right = blocks_of(window)[0][0], blocks_of(window)[-1][1]
    minus = window.strand == "-"
    if spec.kind == INTERVAL and not spec.whole:
        return (left + right) // 2
    if spec.kind in (PROMOTER, CONTEXT, INTERVAL):
        if window.outside and window.blocks is None:  # clipped
            if left == 0 and right == length:
                return None
            left, right = (-window.outside, right) if left == 0 else (left, right + window.outside)
        return right - spec.upstream - 1 if minus else left + spec.upstream
    return right - 1 if minus else left


def distance_from(window: Window, spec: WindowSpec, length: int, position: int) -> int | None:
    """The distance in bp of a position from the anchor along the window's strand.

    Negative upstream. None if the window has no anchor; see `anchor_of`.
    """
    anchor = anchor_of(window, spec, length)
    if anchor is None:
        return None
    return anchor - position if window.strand == "-" else position - anchor


def blocks_of(window: Window) -> Blocks:
    """The intervals that are read for a window, ascending."""
    return window.blocks or ((window.start, window.end),)


def reads(window: Window, start: int, end: int) -> bool:
    """True if the window reads a base of [start, end), or has this place inside if it is empty."""
    return any(_meets(start, end, left, right) for left, right in blocks_of(window))


def _meets(start: int, end: int, left: int, right: int) -> bool:
    return start < right and left < end if start < end else left < start < right


def substituted(window: Window, sequence: bytes, changes: Sequence[Change]) -> bytes:
    """The window's `sequence` with changes that replace bases by as many."""
    found = bytearray(sequence)
    for place, bases in pieces_of(window, len(sequence), changes):
        found[place : place + len(bases)] = bases
    return bytes(found)


def pieces_of(
    window: Window, length: int, changes: Sequence[Change]
) -> Iterator[tuple[int, bytes]]:
    """Where changes that replace bases by as many begin in a window's sequence, and their bases.

    length: of the sequence. What the window does not read is left out.
    """
    offset = 0
    for left, right in blocks_of(window):
        for change in changes:
            first, last = max(left, change.start), min(right, change.end)
            if first >= last:
                continue
            bases = change.bases[first - change.start : last - change.start]
            place = offset + first - left
            if window.strand == "-":
                bases, place = reverse_complement(bases), length - place - len(bases)
            yield place, bases
        offset += right - left


def changed_sequence(
    window: Window, spec: WindowSpec, changes: Sequence[Change], reference: Reference
) -> bytes:
    """What would be read for a window of `spec` if its contig had these changes, ascending.

    5' to 3' on the window's strand. Raises UnplaceableError if the TSS drops out, and for other
    changes of length that leave no such window.
    """
    if not any(change.gain for change in changes):
        return substituted(window, window_sequence(window, reference), changes)
    inside = [
        change
        for change in (trimmed(change, window.chrom, reference) for change in changes)
        if reads(window, change.start, change.end)
    ]
    if spec.kind == SPLICED:
        found = _spliced(window, inside, reference)
    elif spec.kind == INTERVAL and not spec.whole:
        found = edited(reference, window.chrom, window[1:3], inside)
    else:
        found = _anchored(window, spec, inside, reference)
    if not found:
        raise UnplaceableError(REMOVES_WINDOW)
    return reverse_complement(found) if window.strand == "-" else found


def trimmed(change: Change, contig: str, reference: Reference) -> Change:
    """The change without the bases at its ends that stay as they are.

    So an insertion that a VCF writes with the base before it is empty, at the place behind that.
    """
    start, end, bases = change
    own = reference.fetch(contig, start, end)
    first = _common(own, bases)
    last = _common(own[first:][::-1], bases[first:][::-1])
    return Change(start + first, end - last, bases[first : len(bases) - last])


def _common(one: bytes, other: bytes) -> int:
    """How many of the first bases of two sequences agree."""
    number = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        number += 1
    return number


def edited(
    reference: Reference,
    contig: str,
    stretch: tuple[int, int],
    changes: Sequence[Change],
    whole: bool = False,
) -> bytes:
    """The bases of a stretch of a contig with changes, on '+'.

    Bases that come in belong to the stretch in which their change starts. whole: with N outside
    the contig.
    """
    first, last = stretch
    parts, at = [], first
    for change in sorted(changes):
        start, end = max(change.start, first), min(change.end, last)
        if start > end or start >= last:
            continue
        parts.append(_bases(reference, contig, at, start, whole))
        if not change.gain:
            parts.append(change.bases[start - change.start : end - change.start])
        elif change.start == start:
            parts.append(change.bases)
        at = max(end, at)
    parts.append(_bases(reference, contig, at, last, whole))
    return b"".join(parts)


def _spliced(window: Window, changes: Sequence[Change], reference: Reference) -> bytes:
    """The exons with changes, on '+'."""
    parts = []
    for left, right in blocks_of(window):
        some = [change for change in changes if _meets(change.start, change.end, left, right)]
        if any(change.start < left or right < change.end for change in some):
            raise UnplaceableError(SPANS_SPLICE_SITE)
        parts.append(edited(reference, window.chrom, (left, right), some))
    return b"".join(parts)


def _anchored(
    window: Window, spec: WindowSpec, changes: Sequence[Change], reference: Reference
) -> bytes:
    """A window around its anchor, on '+'."""
    anchor = anchor_of(window, spec, reference.lengths[window.chrom])
    if anchor is None:
        raise UnplaceableError(NO_ANCHOR)
    if any(change.gain and change.start <= anchor < change.end for change in changes):
        raise UnplaceableError(REMOVES_MIDDLE if spec.kind == INTERVAL else REMOVES_TSS)
    minus = window.strand == "-"
    border = anchor + minus
    before = [change for change in changes if change.start < border]
    behind = [change for change in changes if change.end > border]
    # Bases that come in between the TSS and the base before it are upstream, on either strand.
    coming = [] if minus else [c.bases for c in changes if c.start == c.end == border]
    behind += [c for c in changes if c.start == c.end == border and minus]
    reach = {CONTEXT: (spec.upstream, None), PROMOTER: spec[1:3], INTERVAL: spec[1:3]}
    upstream, downstream = reach.get(spec.kind, (None, None))
    fixed = (downstream, upstream) if minus else (upstream, downstream)
    left, right = blocks_of(window)[0][0], blocks_of(window)[-1][1]
    first, last = left, right
    if fixed[0] is not None:
        gives = sum(change.gain for change in before)
        first = min([border - fixed[0], *(change.start for change in before)]) - max(-gives, 0)
    if fixed[1] is not None:
        gives = sum(change.gain for change in behind)
        last = max([border + fixed[1], *(change.end for change in behind)]) + max(-gives, 0)
    head = edited(reference, window.chrom, (first, border), before, spec.whole)
    head += b"".join(coming)
    tail = edited(reference, window.chrom, (border, last), behind, spec.whole)
    if fixed[0] is not None:
        head = head[max(len(head) - fixed[0], 0) :]
    return head + tail[: fixed[1]]


def _bases(reference: Reference, contig: str, start: int, end: int, whole: bool) -> bytes:
    first, last = clip(start, end, reference.lengths[contig])
    if first >= last:
        return b"N" * (end - start) if whole else b""
    bases = reference.fetch(contig, first, last)
    return b"N" * (first - start) + bases + b"N" * (end - last) if whole else bases
