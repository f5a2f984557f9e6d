"""A check of whether a genome can be of the species that a bundle was trained on.

First the lengths of chromosomes tell, by name, then the genome's signature. Both may say nothing:
a slice has other lengths, and species that are closely related share their signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import NamedTuple

import numpy as np

from histpred.bundle.organisms import Species
from histpred.core.errors import first_few
from histpred.genome.naming import chromosome
from histpred.genome.reference import Reference
from histpred.genome.signature import distance, signature

SHARE = 0.05  # of a genome, in contigs as long as a known chromosome: another has fewer by chance
SLICE = 0.5  # of a chromosome's length: a shorter contig of its name may be a slice of it
OTHER = 0.05  # median deviation of chromosomes from their length in another species
FEWEST = 3  # chromosomes that can contradict a species


class Profile(NamedTuple):
    """What is known of a species.

    chromosomes: about how many kb each has, by name, without those that vary much (Y) or are small
    in all species (MT). odds: the signature. farthest: the distance from it that slices of 200 kb
    of the species stay below.
    """

    chromosomes: Mapping[str, int]
    odds: Mapping[str, float]
    farthest: float

    @property
    def signature(self) -> np.ndarray:
        """The signature, [first base, second base]."""
        both = {**self.odds, **{_other_strand(pair): odds for pair, odds in self.odds.items()}}
        return np.array([[both[first + second] for second in "ACGT"] for first in "ACGT"])


# Lengths: hg38 and sacCer3. Signatures: counted in hg19 chr20 and chr22, and in sacCer3 without
# its mitochondrion. Farthest: docs/bundles.md has what was measured.
# fmt: off
PROFILES = {
    "Homo sapiens": Profile(
        chromosomes={
            "1": 249000, "2": 242000, "3": 198000, "4": 190000, "5": 182000, "6": 171000,
            "7": 159000, "8": 145000, "9": 138000, "10": 134000, "11": 135000, "12": 133000,
            "13": 114000, "14": 107000, "15": 102000, "16": 90000, "17": 83000, "18": 80000,
            "19": 59000, "20": 64000, "21": 47000, "22": 51000, "X": 156000,
        },
        odds={
            "AA": 1.125, "AC": 0.819, "AG": 1.189, "AT": 0.868, "CA": 1.223, "CC": 1.244,
            "CG": 0.256, "GA": 0.981, "GC": 0.998, "TA": 0.707,
        },
        farthest=0.115,
    ),
    "Saccharomyces cerevisiae": Profile(
        chromosomes={
            "I": 230, "II": 813, "III": 317, "IV": 1532, "V": 577, "VI": 270, "VII": 1091,
            "VIII": 563, "IX": 440, "X": 746, "XI": 667, "XII": 1078, "XIII": 924, "XIV": 784,
            "XV": 1091, "XVI": 948,
        },
        odds={
            "AA": 1.135, "AC": 0.892, "AG": 0.988, "AT": 0.939, "CA": 1.097, "CC": 1.062,
            "CG": 0.8, "GA": 1.055, "GC": 1.022, "TA": 0.77,
        },
        farthest=0.05,
    ),
}
# fmt: on


def contradiction(reference: Reference, species: Species) -> str | None:
    """Why a genome is not of a species, as a clause; None if nothing speaks against it."""
    profile = PROFILES.get(species.name)
    if profile is None or has_known_lengths(reference.lengths, species):
        return None
    if others := other_lengths(reference.lengths, profile.chromosomes):
        return f"its chromosomes are not as long as in that species: {first_few(others)}"
    found = signature(reference)
    if found is not None and (far := distance(found, profile.signature)) > profile.farthest:
        return (
            f"its dinucleotide signature is {far:.3f} away from that genome's, within which slices "
            f"are at most {profile.farthest:g} away"
        )
    return None


def has_known_lengths(lengths: Mapping[str, int], species: Species) -> bool:
    """True if contigs are exactly as long (bp) as chromosomes of a known assembly."""
    known = {length for assembly in species.chromosome_lengths.values() for length in assembly}
    exact = sum(length for length in lengths.values() if length in known)
    return exact > 0 and exact >= SHARE * sum(lengths.values())


def other_lengths(lengths: Mapping[str, int], chromosomes: Mapping[str, int]) -> list[str]:
    """The contigs that have the names of a species' chromosomes (kb), but not their lengths (bp).

    None are returned unless they contradict the species: several together, or one by more than its
    whole length.
    """
    deviations = {}
    for contig, length in lengths.items():
        usual = 1000 * chromosomes.get(chromosome(contig), 0)
        if usual and length >= SLICE * usual:
            deviations[contig] = abs(length / usual - 1)
    shares = deviations.values()
    several = len(shares) >= FEWEST and median(shares) > OTHER
    if several or max(shares, default=0) > 1:
        return [contig for contig, share in deviations.items() if share > OTHER]
    return []


def _other_strand(pair: str) -> str:
    return pair[::-1].translate(str.maketrans("ACGT", "TGCA"))
