"""Whether a genome can be that of a bundle's species, and which assembly it is, told by the lengths
of its contigs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

UNSPECIFIED = "unspecified organism"

SMALLEST_TELLING_GENOME = 10_000_000
"""bp in all below which unknown contigs tell nothing: they may be a slice of the right genome."""


class KnownLengths(Protocol):
    """Anything with the chromosome lengths (bp) of a species, by assembly."""

    @property
    def chromosome_lengths(self) -> dict[str, tuple[int, ...]]: ...


def looks_like_species(contig_lengths: Iterable[int], species: KnownLengths) -> bool | None:
    """Whether contigs of these lengths (bp) look like a genome of the species.

    Returns
    -------
    bool or None
        True where a contig is exactly as long as a chromosome of a known assembly, False where none
        is though there is a whole genome's worth of sequence, None where that cannot be told (a
        slice, or nothing known).
    """
    known = {length for lengths in species.chromosome_lengths.values() for length in lengths}
    contigs = list(contig_lengths)
    if not known:
        return None
    if known.intersection(contigs):
        return True
    return False if sum(contigs) >= SMALLEST_TELLING_GENOME else None


def assembly_of(contig_lengths: Collection[int], species: KnownLengths) -> str | None:
    """The assembly of the species that shares most chromosomes with contigs of these lengths (bp),
    None if none shares any.
    """
    shared = {
        assembly: len(set(lengths).intersection(contig_lengths))
        for assembly, lengths in species.chromosome_lengths.items()
    }
    best = max(shared, key=lambda assembly: shared[assembly], default=None)
    return best if best and shared[best] else None
