"""Random substitutions of a window, beside which the effect of an allele is ranked.

A window has the same ones in every run: they are drawn with a seed that depends on its place alone.
"""

from __future__ import annotations

import hashlib

import numpy as np

from histpred.genome.changes import Change, blocks_of
from histpred.genome.reference import Reference
from histpred.genome.regions import Window, clip

DRAWS = 4  # times as many places as are wanted, since bases may be unknown
BASES = np.frombuffer(b"ACGT", np.uint8)
COMPARED = 1 << 20  # pairs of effects at once, for memory


def substitutions(window: Window, reference: Reference, count: int) -> list[Change]:
    """Draw up to `count` substitutions of known bases, uniformly; fewer if most of them are N.

    Fewer are the first ones of more. They are of all bases that a window reads; of a tile, which
    reads far around, those of the tile itself, in which the alleles lie.
    """
    contig, length = window.chrom, reference.lengths[window.chrom]
    within = ((window.start, window.end),) if of_tile(window) else blocks_of(window)
    blocks = [clip(*block, length) for block in within]
    blocks = [(start, end) for start, end in blocks if start < end]
    if not count or not blocks:
        return []
    starts, ends = np.array(blocks).T
    until = np.cumsum(ends - starts)
    seed = seed_of(window)
    drawn = np.random.default_rng([seed, 0]).integers(0, until[-1], DRAWS * count)
    shifts = np.random.default_rng([seed, 1]).integers(1, 4, DRAWS * count)
    block = np.searchsorted(until, drawn, side="right")
    places = ends[block] - (until[block] - drawn)
    first, last = int(starts[0]), int(ends[-1])
    bases = np.frombuffer(reference.fetch(contig, first, last), np.uint8)[places - first]
    known = np.flatnonzero(bases != ord("N"))[:count]
    codes = np.searchsorted(BASES, bases[known])
    others = BASES[(codes + shifts[known]) % len(BASES)]
    return [
        Change(place, place + 1, bytes([base]))
        for place, base in zip(places[known].tolist(), others.tolist(), strict=True)
    ]


def of_tile(window: Window) -> bool:
    """True for a tile: it is not of a line of an annotation."""
    return not window.line


def seed_of(window: Window) -> int:
    """The seed of a window's substitutions."""
    place = repr((window.chrom, window.start, window.end, window.strand, window.blocks))
    return int.from_bytes(hashlib.blake2b(place.encode(), digest_size=8).digest())


def ranks(effects: np.ndarray, background: np.ndarray) -> np.ndarray:
    """The share of a background that is smaller than each effect, by absolute value.

    effects: [alleles, marks]; background: [substitutions, marks], at least one. The result is
    float64 [alleles, marks].

    >>> ranks(np.array([[-3.0], [0.0]]), np.array([[1.0], [2.0], [0.0], [5.0]])).tolist()
    [[0.75], [0.0]]
    """
    found = np.empty(effects.shape)
    sizes, at_once = np.abs(background), max(1, COMPARED // background.size)
    for start in range(0, len(effects), at_once):
        some = slice(start, start + at_once)
        found[some] = (sizes < np.abs(effects[some, None])).sum(axis=1) / len(sizes)
    return found
