"""The signature of a genome: how much more often each dinucleotide occurs than by chance.

It varies little along a genome and differs between distant species: S. Karlin and C. Burge (1995),
Dinucleotide relative abundance extremes: a genomic signature, Trends in Genetics 11, 283-290.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from histpred.core.sequence import reverse_complement
from histpred.genome.naming import MITOCHONDRION, chromosome
from histpred.genome.reference import Reference

PIECE = 10_000  # bp
PIECES = 200
ENOUGH = 150_000  # bp; the signature of a shorter sequence may be far from its genome's

_CODES = np.full(256, -1)
_CODES[list(b"ACGT")] = range(4)


def signature(reference: Reference) -> np.ndarray | None:
    """The signature of a genome, [first base, second base]; None if it has too few known bases.

    It is estimated from pieces spread over the genome, without its mitochondria.
    """
    counts = np.zeros((4, 4))
    for piece in _pieces(reference):
        counts += _dinucleotides(piece) + _dinucleotides(reverse_complement(piece))
    return None if counts.sum() < 2 * ENOUGH else _against_chance(counts)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """The mean absolute difference of two signatures (Karlin's delta)."""
    return float(np.abs(one - other).mean())


def _pieces(reference: Reference) -> Iterator[bytes]:
    """Evenly spaced pieces of all contigs in a row; all of them if there is little sequence."""
    lengths = {
        contig: length
        for contig, length in reference.lengths.items()
        if chromosome(contig) != MITOCHONDRION
    }
    step = max(PIECE, sum(lengths.values()) // PIECES)
    first = 0  # base of the contig, counted over all contigs
    for contig, length in lengths.items():
        last = first + length
        for number in range(max(0, (first - PIECE) // step + 1), -(-last // step)):
            start, end = max(number * step, first), min(number * step + PIECE, last)
            if start < end:
                yield reference.read(contig, start - first, end - first)
        first = last


def _dinucleotides(piece: bytes) -> np.ndarray:
    codes = _CODES[np.frombuffer(piece, np.uint8)]
    pairs = codes[:-1] * 4 + codes[1:]
    known = (codes[:-1] >= 0) & (codes[1:] >= 0)
    return np.bincount(pairs[known], minlength=16).reshape(4, 4)


def _against_chance(counts: np.ndarray) -> np.ndarray:
    shares = counts / counts.sum()
    bases = (shares.sum(axis=0) + shares.sum(axis=1)) / 2
    odds: np.ndarray = shares / np.maximum(np.outer(bases, bases), 1e-12)
    return odds
