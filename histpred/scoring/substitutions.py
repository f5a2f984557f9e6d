"""All three substitutions of each base in regions that a user types: in-silico mutagenesis."""

from __future__ import annotations

from typing import NamedTuple

from histpred.core.errors import UsageError, first_few
from histpred.genome.changes import Change, blocks_of
from histpred.genome.reference import Reference
from histpred.genome.regions import Window, clip, merge
from histpred.genome.typed_regions import canonical, names_contig, parse_regions

LETTERS = "ACGT"
MOST_BASES = 10_000  # of all regions: three sequences each, for every window that reads them


class Substitution(NamedTuple):
    """One base on the '+' strand of a contig, 0-based, and what stands in its place."""

    position: int
    ref: str
    alt: str

    @property
    def change(self) -> Change:
        """The substitution as a change of the contig."""
        return Change(self.position, self.position + 1, self.alt.encode())


Positions = dict[str, tuple[tuple[int, int], ...]]
"""Intervals by contig, 0-based half-open, ascending and disjoint."""


def bases_text(text: str, fasta: str) -> str:
    """Typed regions in one spelling; UsageError for anything else."""
    return canonical(parse_regions(text, lambda word: names_contig(word, fasta))) if text else ""


def positions_of(text: str, reference: Reference) -> Positions:
    """The intervals of typed regions on the contigs of a genome.

    Raises UsageError for a region that is not on the genome, and for more than `MOST_BASES`.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    for region in parse_regions(text) if text else ():
        contig = reference.names.resolve(region.contig)
        if contig is None:
            known = first_few(reference.lengths)
            raise UsageError(f"--bases {region}: no such contig", f"the FASTA has {known}")
        length = reference.lengths[contig]
        start, end = clip(region.start - 1, region.end or length, length)
        if start >= end:
            what = f"--bases {region}: {contig} has {length:,} bp"
            raise UsageError(what, "give a region on the contig")
        found.setdefault(contig, []).append((start, end))
    positions = {contig: merge(intervals) for contig, intervals in found.items()}
    total = sum(end - start for each in positions.values() for start, end in each)
    if total > MOST_BASES:
        what = f"--bases names {total:,} bases, at most {MOST_BASES:,} are replaced one by one"
        raise UsageError(what, "give shorter regions; the stretches cover whole windows")
    return positions


def substitutions_of(
    window: Window, positions: Positions, reference: Reference
) -> list[Substitution]:
    """The substitutions of the bases that a window reads, in order; N are left out."""
    found = []
    for first, last in positions.get(window.chrom, ()):
        for start, end in blocks_of(window):
            left, right = max(first, start), min(last, end)
            if left >= right:
                continue
            sequence = reference.fetch(window.chrom, left, right).decode()
            for position, ref in enumerate(sequence, left):
                if ref in LETTERS:
                    found += [Substitution(position, ref, alt) for alt in LETTERS if alt != ref]
    return found
