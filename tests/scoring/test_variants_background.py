"""Random substitutions of windows, and ranks among them."""

from __future__ import annotations

import random

import numpy as np
import pytest

from histpred.genome.reference import Reference
from histpred.genome.regions import Window
from histpred.scoring.variants_background import ranks, substitutions
from support import random_genome, write_fasta

EXONS = ((100, 130), (400, 404))


@pytest.fixture(scope="module")
def genome():
    bases = random_genome(random.Random(1), {"chr1": 3000}, n_fraction=0.3)["chr1"]
    return bases[:100] + "ACGT" * 8 + bases[132:]


@pytest.fixture(scope="module")
def reference(genome, tmp_path_factory):
    folder = tmp_path_factory.mktemp("genome")
    write_fasta(folder / "genome.fa", {"chr1": genome})
    with Reference(folder / "genome.fa", folder / "cache") as opened:
        yield opened


def window(start, end, line=1, blocks=None):
    return Window("chr1", start, end, "-", "name", ".", ".", line, blocks)


@pytest.mark.parametrize(
    "one",
    [window(0, 3000), window(100, 404, blocks=EXONS), window(2900, 3000, blocks=((2500, 3500),))],
)
def test_they_are_known_bases_that_the_window_reads(reference, genome, one):
    found = substitutions(one, reference, 60)
    assert len(found) > 40
    for start, end, bases in found:
        assert end == start + 1
        assert any(left <= start < right for left, right in one.blocks or [one[1:3]])
        assert genome[start] in "ACGT"
        assert bases.decode() in "ACGT"
        assert bases.decode() != genome[start]
    everywhere = {change.start for change in found}
    assert len(everywhere) > 20


def test_they_are_uniform_over_places_and_bases(reference):
    found = substitutions(window(100, 132), reference, 20_000)
    counts = np.unique([change.start for change in found], return_counts=True)[1]
    assert len(counts) == 32
    assert abs(counts / 625 - 1).max() < 0.25
    letters = [reference.fetch("chr1", start, end) + bases for start, end, bases in found]
    pairs = np.unique(letters, return_counts=True)[1]
    assert len(pairs) == 12
    assert abs(pairs / 1667 - 1).max() < 0.15


def test_those_of_a_tile_lie_in_it_although_it_reads_far_around(reference):
    tile = window(100, 132, line=0, blocks=((0, 3000),))
    assert all(100 <= change.start < 132 for change in substitutions(tile, reference, 100))


def test_they_depend_on_the_place_of_the_window_alone(reference):
    one = window(0, 3000)
    named = one._replace(name="other", line=7)
    assert substitutions(one, reference, 50) == substitutions(named, reference, 50)
    assert substitutions(one, reference, 50) == substitutions(one, reference, 70)[:50]
    assert substitutions(one, reference, 50) != substitutions(window(1, 3000), reference, 50)


def test_a_window_of_n_has_none(reference, genome):
    start = genome.index("NNNN")
    assert substitutions(window(start, start + 4), reference, 10) == []
    assert substitutions(window(0, 100), reference, 0) == []


def test_a_rank_is_the_share_of_smaller_effects():
    rng = np.random.default_rng(1)
    effects, background = rng.normal(size=(7, 3)), rng.normal(size=(40, 3))
    background[3] = effects[2]  # ties are not smaller
    expected = [
        [sum(abs(b) < abs(e) for b in background[:, mark]) / 40 for mark, e in enumerate(row)]
        for row in effects
    ]
    assert ranks(effects, background).tolist() == expected
