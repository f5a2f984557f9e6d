from __future__ import annotations

from types import SimpleNamespace

import pytest

from histpred.bundle.folder import DEFAULT_BUNDLE, load_bundle
from histpred.bundle.outputs import looks_like_species

YEAST = SimpleNamespace(chromosome_lengths={"sacCer3": (230218, 813184), "other": (230208,)})


@pytest.mark.parametrize(
    ("contigs", "expected"),
    [
        ([230218], True),
        ([5, 230208], True),
        ([230219], None),
        ([], None),
        ([6_000_000, 3_999_999], None),
        ([6_000_000, 4_000_000], False),
    ],
)
def test_told_by_exact_lengths(contigs, expected):
    assert looks_like_species(iter(contigs), YEAST) is expected


def test_nothing_known_of_the_species_tells_nothing():
    assert looks_like_species([50_000_000], SimpleNamespace(chromosome_lengths={})) is None


@pytest.mark.parametrize("chr22", [51304566, 50818468, 51324926], ids=["hg19", "hg38", "CHM13"])
def test_the_default_bundle_knows_the_human_assemblies(chr22):
    species = load_bundle(DEFAULT_BUNDLE).manifest.species
    assert looks_like_species([chr22], species) is True
    assert all(len(lengths) == 24 for lengths in species.chromosome_lengths.values())
