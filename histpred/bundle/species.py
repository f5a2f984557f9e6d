"""Recognise a bundle's species and assembly by the lengths of a genome's contigs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from histpred.bundle.manifest import Species

UNSPECIFIED = "unspecified organism"
# Total bp below which unknown contigs prove nothing: they may be a slice of the right genome
SMALLEST_TELLING_GENOME = 10_000_000


def looks_like_species(contig_lengths: Iterable[int], species: Species) -> bool | None:
    """Return True if contigs of these lengths (bp) look like a genome of the species.

    True if a contig is exactly as long as a chromosome of a known assembly; False if none is,
    although there is a whole genome's worth of sequence; None if the lengths do not tell, because
    the genome is a slice or the species' lengths are unknown.
    """
    known = {length for lengths in species.chromosome_lengths.values() for length in lengths}
    contigs = list(contig_lengths)
    if not known:
        return None
    if known.intersection(contigs):
        return True
    return False if sum(contigs) >= SMALLEST_TELLING_GENOME else None


def assembly_of(contig_lengths: Collection[int], species: Species) -> str | None:
    """The assembly that shares most chromosome lengths with contigs of these lengths (bp).

    None if no assembly of the species shares any.
    """
    shared = {
        assembly: len(set(lengths).intersection(contig_lengths))
        for assembly, lengths in species.chromosome_lengths.items()
    }
    best = max(shared, key=lambda assembly: shared[assembly], default=None)
    return best if best and shared[best] else None
