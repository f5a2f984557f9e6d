"""The dinucleotide signature, against a count by hand and an independent formula."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from histpred.genome import signature as module
from histpred.genome.reference import Reference
from histpred.genome.signature import distance, signature
from support import random_genome, reverse_complement, write_fasta


def by_hand(contigs: list[str]) -> list[list[float]]:
    """Karlin's odds of both strands: f(xy) / (f(x) f(y))."""
    pairs: Counter[str] = Counter()
    for contig in contigs:
        for strand in (contig, reverse_complement(contig)):
            pairs.update(first + second for first, second in pairwise(strand))
    pairs = Counter({pair: count for pair, count in pairs.items() if "N" not in pair})
    total = sum(pairs.values())
    bases: Counter[str] = Counter()
    for (first, second), count in pairs.items():
        bases[first] += count
        bases[second] += count
    share = {base: count / (2 * total) for base, count in bases.items()}
    return [[pairs[x + y] / total / (share[x] * share[y]) for y in "ACGT"] for x in "ACGT"]


@pytest.fixture
def short(monkeypatch) -> None:
    """Pieces as small as a test genome needs."""
    monkeypatch.setattr(module, "ENOUGH", 1_000)


def read(tmp_path, contigs: dict[str, str]) -> np.ndarray | None:
    with Reference(write_fasta(tmp_path / "genome.fa", contigs), tmp_path) as reference:
        return signature(reference)


def test_all_of_a_small_genome_is_counted(tmp_path, short):
    contigs = random_genome(random.Random(1), {"a": 9_000, "b": 700, "c": 9_900}, n_fraction=0.2)
    found = read(tmp_path, {**contigs, "chrM": "AT" * 5_000})
    pieces = [contigs["a"], contigs["b"], contigs["c"]]
    # pieces are cut at 10 kb over all contigs, so that one pair of c is not seen
    cut = 10_000 - 9_700
    assert found == pytest.approx(
        np.array(by_hand([*pieces[:2], pieces[2][:cut], pieces[2][cut:]]))
    )


@pytest.mark.parametrize("length", [50, 3_000, 40_000])
def test_pieces_are_spread_over_contigs_of_any_length(length, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "PIECE", 100)
    monkeypatch.setattr(module, "PIECES", 20)
    contigs = {f"c{i}": "ACGT" * (length // 4) for i in range(120_000 // length)}
    with Reference(write_fasta(tmp_path / "genome.fa", contigs), tmp_path) as reference:
        pieces = [len(piece) for piece in module._pieces(reference)]
    assert 20 * 100 <= sum(pieces) <= 21 * 100
    assert max(pieces) <= 100


def test_too_few_known_bases_have_no_signature(tmp_path):
    assert read(tmp_path, {"a": "ACGT" * 37_000 + "N" * 300_000}) is None
    assert read(tmp_path, {"a": "ACGT" * 38_000}) is not None


def test_letters_that_are_no_dna_are_passed_over(tmp_path, short):
    assert read(tmp_path, {"a": "ACGT-X" * 2_000}) is not None


def test_the_distance_of_a_signature_from_itself_is_zero(tmp_path, short):
    found = read(tmp_path, random_genome(random.Random(2), {"a": 9_000}))
    assert found is not None
    assert distance(found, found) == 0
    assert distance(found, found + np.eye(4)) == pytest.approx(0.25)
