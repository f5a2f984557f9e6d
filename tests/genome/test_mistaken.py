"""Wrong files and words in place of an annotation or a genome: each is named, with what to give."""

from __future__ import annotations

from pathlib import Path

import pytest

from histpred.core.errors import InputError
from histpred.genome.mistaken import foreign, holds_proteins, missing_hint, refuse_missing


@pytest.mark.parametrize(
    ("head", "what", "hint"),
    [
        (b"##fileformat=VCFv4.2\n", "a VCF file", "bcftools query"),
        (b"BCF\x02\x02", "a BCF file", "--window interval"),
        (b"\x26\xfc\x8f\x88\x04", "a bigWig file", "peaks of the experiment"),
        (b"\x88\x8f\xfc\x26\x04", "a bigWig file", "peaks of the experiment"),
        (b"\xeb\xf2\x89\x87\x04", "a bigBed file", "bigBedToBed"),
        (b">sp|P1\n" + b"MELKPFQWT" * 9, "a FASTA of proteins", "--sequences"),
        (b"@HD\tVN:1.6\n", "a SAM file", "samtools view"),
    ],
)
def test_a_wrong_file_is_named_with_what_to_do(head, what, hint):
    found = foreign(head)
    assert found is not None
    assert found[0] == what
    assert hint in found[1]


@pytest.mark.parametrize(
    "head", [b"", b"chr1\t0\t9\n", b">a\nACGTNRYKMSW\n" * 9, b">FILE\nacgu\n" * 20, b">a\n"]
)
def test_other_text_is_not_foreign(head):
    assert foreign(head) is None
    assert not holds_proteins(head)


@pytest.mark.parametrize("word", ["hg38", "hg19", "GRCh38", "GRCh38.p14", "mm10", "GRCm39", "b37"])
@pytest.mark.parametrize("is_fasta", [True, False])
def test_the_name_of_an_assembly_is_told_from_a_file(word, is_fasta, monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    hint = missing_hint(word, is_fasta)
    assert f"{word} is the name of an assembly" in hint
    assert f"genomepy install {word} --provider " in hint
    assert ".dna.primary_assembly.fa.gz" in hint
    assert len(hint) < 500


def test_a_path_that_cannot_be_looked_at_is_not_missing(tmp_path):
    refuse_missing("-", is_fasta=False)
    refuse_missing(tmp_path, is_fasta=True)
    refuse_missing("x" * 5000, is_fasta=False)
    for path in (tmp_path / "none.bed", tmp_path / "none" / "none.bed"):
        with pytest.raises(InputError, match="no such file"):
            refuse_missing(path, is_fasta=False)


def test_a_genome_that_genomepy_has_is_found(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    folder = tmp_path / ".local/share/genomes/hg38"
    folder.mkdir(parents=True)
    (folder / "hg38.fa").touch()
    assert missing_hint("hg38", True).endswith(f"genomepy has put it into {folder}")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("XIST", "--genes XIST"),
        ("XIST,MALAT1", "--genes XIST,MALAT1"),
        ("HOXA9", "--genes HOXA9"),
        ("chr22", "chr22:20,100,000-20,104,000"),
        ("genes.gtf", "did you mean genes.gtf.gz?"),
        ("gnees.gtf.gz", "did you mean genes.gtf.gz?"),
        ("folder/none.bed", "check the path"),
        ("https://host:80/genes.bed", "download it first"),
    ],
)
def test_a_word_in_place_of_an_annotation(word, hint, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("genes.gtf.gz").touch()
    assert hint in missing_hint(word, is_fasta=False)
