"""Reading VCF and BCF: what is read, and what is refused."""

from __future__ import annotations

import gzip
import random

import pysam
import pytest

from histpred.core.errors import InputError, UsageError
from histpred.core.hts import BGZF_EOF
from histpred.genome.vcf import open_variants
from support import random_genome
from support.variants import COLUMNS, contig_lines, random_variants, vcf_text

SAMPLES = "\tFORMAT\tone\ttwo"


@pytest.fixture(scope="module")
def text():
    rng = random.Random(1)
    genome = random_genome(rng, {"chr2": 5000, "chr1": 9000})
    info = '##INFO=<ID=DP,Number=1,Type=Integer,Description="depth">'
    other = '##INFO=<ID=X,Number=1,Type=String,Description="text">'
    filters = '##FILTER=<ID=PASS,Description="All filters passed">'
    header = [filters, info, other, *contig_lines(genome)]
    return vcf_text(random_variants(rng, genome, 3000, 9), header, "DP=3;X=a")


@pytest.fixture
def forms(text, tmp_path):
    """The same variants in every form: the path of each."""
    (tmp_path / "a.vcf").write_text(text)
    (tmp_path / "crlf.vcf").write_text(text.replace("\n", "\r\n"), newline="")
    (tmp_path / "gzip.vcf.gz").write_bytes(gzip.compress(text.encode()))
    pysam.tabix_compress(str(tmp_path / "a.vcf"), str(tmp_path / "bgzip.vcf.gz"))
    with (
        pysam.VariantFile(str(tmp_path / "a.vcf")) as source,
        pysam.VariantFile(str(tmp_path / "a.bcf"), "wb", header=source.header) as target,
    ):
        for record in source:
            target.write(record)
    return sorted(tmp_path.iterdir())


def lines_of(path):
    """The header and the records of a file as text."""
    with open_variants(path) as variants:
        records = [
            "\t".join(filter(None, (record.before, record.info, record.after)))
            for record in variants
        ]
        return variants.header, records


def test_every_form_holds_the_same_variants(forms, text):
    assert len(forms) == 5
    for path in forms:
        header, records = lines_of(path)
        expected = text.splitlines()
        if path.suffix == ".bcf":  # htslib writes numbers its own way
            expected = [line.replace("\t30.00\t", "\t30\t") for line in expected]
        assert [*header, *records] == expected, path


def test_a_record_has_its_place_alleles_and_number(tmp_path):
    path = tmp_path / "a.vcf"
    path.write_text(
        f"##fileformat=VCFv4.3\n{COLUMNS}{SAMPLES}\n1\t7\t.\tAC\tA,<DEL>\t.\t.\t.\tGT\t0/1\t./.\n"
    )
    with open_variants(path) as variants:
        for _ in range(2):  # it is read as often as needed
            (record,) = variants
            assert record[:7] == (1, 3, "1", 7, ".", "AC", ("A", "<DEL>"))
            assert (record.info, record.after) == (".", "\tGT\t0/1\t./.")


@pytest.mark.parametrize("cut", [0.5, 0.97])
def test_a_truncated_file_is_refused(forms, cut):
    for path in forms:
        if path.suffix == ".vcf":
            continue
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * cut)])
        with pytest.raises(InputError, match="truncated"):
            lines_of(path)


def test_a_file_without_its_end_of_file_block_is_refused(forms):
    for path in forms:
        content = path.read_bytes()
        if content.endswith(BGZF_EOF):
            path.write_bytes(content.removesuffix(BGZF_EOF))
            with pytest.raises(InputError, match="truncated"):
                lines_of(path)


def test_a_line_that_is_cut_is_refused_with_its_number(tmp_path, text):
    path = tmp_path / "a.vcf"
    path.write_text(text[: text.rindex("PASS")])
    with pytest.raises(InputError, match=rf"a\.vcf:{text.count(chr(10))}: .*truncated"):
        lines_of(path)


@pytest.mark.parametrize(
    ("records", "why"),
    [
        (
            ["1\t5\t.\tA\tC\t.\t.\t.", "1\t4\t.\tA\tC\t.\t.\t."],
            r":4: not sorted: 1:4 comes after 1:5",
        ),
        (
            [f"{chrom}\t5\t.\tA\tC\t.\t.\t." for chrom in "121"],
            r":5: not sorted: 1 comes again after other contigs",
        ),
        (["1\tfive\t.\tA\tC\t.\t.\t."], r":3: POS is not a whole number"),
        (["1\t5\t.\t\tC\t.\t.\t."], r":3: CHROM, REF or ALT is empty"),
        (["1 5 . A C . . ."], r":3: 1 columns where the header has 8"),
    ],
)
def test_records_that_cannot_be_used_are_refused_with_their_line(tmp_path, records, why):
    path = tmp_path / "a.vcf"
    path.write_text("\n".join(["##fileformat=VCFv4.2", COLUMNS, *records]) + "\n")
    with pytest.raises(InputError, match=why):
        lines_of(path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("chr1\t5\t9\n", "not a VCF or BCF"),
        (">chr1\nACGT\n", "not a VCF or BCF"),
        ("", "not a VCF or BCF"),
        ("##fileformat=VCFv4.2\n1\t5\t.\tA\tC\t.\t.\t.\n", "no line of columns"),
        ("##fileformat=VCFv4.2\n#CHROM POS\n", "the line of columns begins with '#CHROM POS'"),
        ("version https://git-lfs", "Git-LFS pointer"),
    ],
)
def test_what_is_no_vcf_is_refused(tmp_path, content, why):
    path = tmp_path / "a.vcf"
    path.write_text(content)
    with pytest.raises(InputError, match=why), open_variants(path) as variants:
        list(variants)


def test_standard_input_folders_and_missing_files_are_refused(tmp_path):
    for path, error in (("-", UsageError), (tmp_path, InputError), (tmp_path / "x", InputError)):
        with pytest.raises(error), open_variants(path):
            pass
