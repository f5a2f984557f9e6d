"""What an allele changes, or why it is not scored."""

from __future__ import annotations

import random

import pytest

from histpred.genome.reasons import UNKNOWN_CONTIG
from histpred.genome.reference import Reference
from histpred.genome.vcf import Record
from histpred.genome.vcf_alleles import MEANINGS, judge, trimmed
from support import write_fasta

GENOME = "ACGTTGCANNACGT"


@pytest.fixture
def reference(tmp_path):
    write_fasta(tmp_path / "genome.fa", {"chr1": GENOME})
    with Reference(tmp_path / "genome.fa", tmp_path / "cache") as opened:
        yield opened


def record(pos, ref, alt):
    return Record(1, 1, "chr1", pos, ".", ref, (alt,), "", ".", "")


@pytest.mark.parametrize(
    ("pos", "ref", "alt", "reason"),
    [
        (1, "A", "C", ""),
        (14, "T", "A", ""),
        (14, "t", "g", ""),
        (1, "A", ".", "no-alt"),
        (1, "A", "<DEL>", "symbolic"),
        (1, "A", "<*>", "symbolic"),
        (1, "A", "A[chr2:5[", "breakend"),
        (1, "A", "]chr2:5]A", "breakend"),
        (1, "A", ".C", "breakend"),
        (1, "A", "*", "overlapping-deletion"),
        (1, "A", "N", "not-acgt"),
        (1, "A", "CNA", "not-acgt"),
        (1, "A", "R", "not-acgt"),
        (1, "R", "C", "not-acgt"),
        (1, "A", "a", "same-as-ref"),
        (1, "C", "T", "ref-not-in-the-genome"),
        (8, "AN", "A", "genome-is-n"),
        (9, "N", "A", "genome-is-n"),
        (9, "A", "C", "genome-is-n"),
        (0, "N", "A", "outside-the-contig"),
        (15, "A", "C", "outside-the-contig"),
        (14, "TA", "T", "outside-the-contig"),
    ],
)
def test_an_allele_is_judged_by_its_bases_and_place(reference, pos, ref, alt, reason):
    found = judge(record(pos, ref, alt), alt, "chr1", reference)
    assert found.reason == reason
    assert (found.change is None) == bool(reason)
    assert not reason or reason in MEANINGS


def test_swapped_alleles_are_named(reference):
    assert "swapped" in judge(record(1, "C", "A"), "A", "chr1", reference).note
    assert judge(record(1, "C", "T"), "T", "chr1", reference).note == "the genome has A"


def test_an_unknown_contig_is_no_error(reference):
    assert judge(record(1, "A", "C"), "C", None, reference).reason == UNKNOWN_CONTIG


def test_a_change_makes_the_allele_from_the_genome():
    rng = random.Random(1)
    for _ in range(500):
        ref, alt = ("".join(rng.choices("AC", k=rng.randint(1, 6))) for _ in range(2))
        if ref == alt:
            continue
        start, end, bases = trimmed(100, ref, alt)
        assert ref[: start - 100] + bases.decode() + ref[end - 100 :] == alt
        own = ref[start - 100 : end - 100]
        assert not (own and bases) or (own[0] != chr(bases[0]) and own[-1] != chr(bases[-1]))
