"""The stretches of a window that `histpred explain` replaces by N, one after another.

Stretches follow what the encoder computes at once: bins of k-mer spectra around the middle, chunks
from the window's 5' end, or bins of the genome. They end where an exon ends, and lie on the contig.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from histpred.bundle.encoding import EncoderChoice
from histpred.encoders import sharing
from histpred.encoders.chunks import GRID, bases
from histpred.genome.changes import blocks_of
from histpred.genome.reference import Reference
from histpred.genome.regions import CONTEXT, PROMOTER, Window, clip
from histpred.genome.windows import WindowSpec

PARTS = 20  # of a window whose encoder has neither chunks nor bins


class Resolution(NamedTuple):
    """How windows are divided.

    length: of a stretch in bp; None: a 20th of each window. reach: bp from the middle of a window
    to the end of a stretch; None: stretches begin at the 5' end. grid: they begin at multiples of
    their length on the contig.
    """

    length: int | None
    reach: int | None = None
    grid: bool = False

    def __str__(self) -> str:
        return f"{self.length} bp" if self.length else f"a {PARTS}th of the window"


def resolution_of(choice: EncoderChoice, wanted: int | None = None) -> Resolution:
    """The resolution for an encoder: `wanted` bp, or what the encoder itself resolves."""
    chunks = choice.chunks
    if chunks:
        return Resolution(wanted or chunks.length, grid=chunks.policy == GRID)
    bins = choice.spec.settings.get("bin_length")
    shared = sharing(choice.spec)
    if shared is None or not isinstance(bins, int):
        return Resolution(wanted)
    return Resolution(wanted or bins, shared.reach)


def coarse_resolution(choice: EncoderChoice, bases: int, most: int) -> Resolution:
    """A resolution at which a window of so many `bases` has about `most` stretches.

    Stretches are whole bins or chunks. Bins lie alike on both sides of the middle: an odd number of
    them is joined.
    """
    fine = resolution_of(choice)
    if not fine.length:
        return fine
    together = max(1, -(-bases // (most * fine.length)))
    if fine.reach is None:
        return fine._replace(length=together * fine.length)
    together += 1 - together % 2
    bins = 2 * fine.reach // fine.length
    more = next(number for number in range(together) if (bins + 2 * number) % together == 0)
    return Resolution(together * fine.length, fine.reach + more * fine.length)


def known_stretches(
    window: Window, reference: Reference, resolution: Resolution
) -> list[tuple[int, int]]:
    """The stretches of a window that hold a base; N are not known anyway."""
    every = stretches_of(window, reference.lengths[window.chrom], resolution)
    return [place for place in every if bases(reference.fetch(window.chrom, *place))]


def stretches_of(window: Window, length: int, resolution: Resolution) -> list[tuple[int, int]]:
    """The stretches of a window on a contig of `length` bp, ascending, 0-based half-open.

    >>> window = Window("chr1", 10, 40, "-", "a", ".", ".", 1)
    >>> stretches_of(window, 100, Resolution(20))
    [(10, 20), (20, 40)]
    """
    blocks = blocks_of(window)
    total = sum(end - start for start, end in blocks)
    step = resolution.length or max(1, -(-total // PARTS))
    first = 0 if resolution.reach is None else total // 2 - resolution.reach
    if window.strand == "-":  # places are counted from the left, the first one from the 5' end
        first = total - first
    found = []
    before = 0
    for start, end in blocks:
        # A place of the joined blocks is where a stretch ends if it is `first` modulo `step`.
        phase = -start if resolution.grid else first - before
        cuts = range(start + phase % step, end, step)
        edges = sorted({start, *cuts, end})
        for left, right in pairwise(edges):
            left, right = clip(left, right, length)
            if left < right:
                found.append((left, right))
        before += end - start
    return found


def width_of(resolution: Resolution, spec: WindowSpec) -> int:
    """The length in bp of a step of the profile along windows of `spec`."""
    if resolution.length:
        return resolution.length
    reach = spec.upstream + spec.downstream
    return max(1, -(-reach // PARTS)) if spec.kind in (CONTEXT, PROMOTER) or spec.whole else 500
