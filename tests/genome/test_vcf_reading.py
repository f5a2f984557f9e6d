"""A VCF against its genome: contig names, and REF alleles of another assembly."""

from __future__ import annotations

import random

import pytest

from histpred.core.errors import InputError
from histpred.genome.reference import Reference
from histpred.genome.vcf import open_variants
from histpred.genome.vcf_reading import read_variants
from histpred.genome.vcf_spool import AlleleSpool
from support import random_genome, write_fasta
from support.variants import random_variants, vcf_text


@pytest.fixture(scope="module")
def genome():
    return random_genome(random.Random(1), {"chr1": 2000, "chrM": 500})


def reasons(tmp_path, genome, variants):
    write_fasta(tmp_path / "genome.fa", genome)
    (tmp_path / "a.vcf").write_text(vcf_text(variants))
    with (
        Reference(tmp_path / "genome.fa", tmp_path / "cache") as reference,
        AlleleSpool(tmp_path) as spool,
        open_variants(tmp_path / "a.vcf") as file,
    ):
        contigs = read_variants(file, reference, spool)
        return contigs, [one.reason for one in spool.noted()]


def swapped(variants, count):
    """The first `count` variants with a REF that the genome does not have, then the others."""
    other = str.maketrans("ACGT", "CGTA")
    return [
        (c, p, ref.translate(other) if i < count else ref, "ACGTACGT")
        for i, (c, p, ref, _) in enumerate(variants)
    ]


def test_contigs_of_another_style_are_found(tmp_path, genome):
    variants = [
        (chrom.removeprefix("chr"), *rest)
        for chrom, *rest in random_variants(random.Random(2), genome, 50)
    ]
    variants = [("MT" if chrom == "M" else chrom, *rest) for chrom, *rest in variants]
    contigs, found = reasons(tmp_path, genome, [*variants, ("decoy", 5, "A", "C")])
    assert contigs == {"1": "chr1", "MT": "chrM", "decoy": None}
    assert found == [""] * 50 + ["unknown-contig"]


def test_a_few_ref_alleles_that_are_not_the_genomes_are_skipped(tmp_path, genome):
    variants = random_variants(random.Random(3), genome, 50)
    _, found = reasons(tmp_path, genome, swapped(variants, 10))
    assert found == ["ref-not-in-the-genome"] * 10 + [""] * 40


def test_many_of_them_are_of_another_assembly(tmp_path, genome):
    variants = random_variants(random.Random(3), genome, 50)
    with pytest.raises(
        InputError, match=r"(?s)a\.vcf: 11 of 50 REF alleles .* \(line 3\).*wrong assembly"
    ):
        reasons(tmp_path, genome, swapped(variants, 11))


def test_no_contig_in_common_is_an_error(tmp_path, genome):
    with pytest.raises(InputError, match="none of its contigs is in"):
        reasons(tmp_path, genome, [("scaffold", 5, "A", "C")])


def test_two_names_of_one_contig_are_an_error(tmp_path, genome):
    variants = [(name, 1, genome["chr1"][0], "AC") for name in ("chr1", "1")]
    with pytest.raises(InputError, match="1 and chr1 are both chr1"):
        reasons(tmp_path, genome, variants)
