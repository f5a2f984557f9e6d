from __future__ import annotations

import gzip
import importlib.util
import logging
import math
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest

pytest.importorskip("pybedtools", reason="needs the extra labels")

import pybedtools
import pysam
from hypothesis import given, settings
from hypothesis import strategies as st

from histpred.core.errors import InputError, TemporaryError, UsageError
from histpred.core.extras import how_to_install
from histpred.genome.request import Request
from histpred.genome.windows import WindowSpec, parse_window
from histpred.labels import peaks as labels_from_peaks
from histpred.labels.matrix import LabelMatrix
from histpred.labels.peak_files import PeakFile, peak_files
from histpred.labels.peak_regions import UNJOINED_COLUMNS
from support.annotations import tabbed, write
from support.extraction import needs_bedtools

pytestmark = needs_bedtools

INTERVAL = parse_window("interval")
PROMOTER = parse_window("promoter:2000:2000")


@pytest.fixture
def work(tmp_path) -> Path:
    folder = tmp_path / "private folder"
    folder.mkdir()
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def peaks(rows, path="H3K4me3.a.bed") -> list[PeakFile]:
    """Write a file in the current folder, from rows of contig, start, end."""
    write(Path(path), "".join("\t".join(map(str, row)) + "\n" for row in rows))
    return peak_files([Path(path)], None)


def bed(*rows: str) -> str:
    return str(write(Path("genes.bed"), tabbed("\n".join(rows), 6)))


def marked(made, mark="H3K4me3") -> dict[str, float]:
    column = made.values[:, made.marks.index(mark)].tolist()
    return dict(zip(made.genes["id"], column, strict=True))


def from_peaks(
    files, annotation, work, window, min_fraction=0.0, min_samples=0.0, fewest_samples=1, **options
) -> LabelMatrix:
    rule = labels_from_peaks.PeakRule(window, min_fraction, min_samples, fewest_samples)
    return labels_from_peaks.from_peaks(files, Request(annotation, "", **options), work, rule)


def test_peaks_of_gzip_and_bgzip_files_joined_are_all_read(here, work):
    with pysam.BGZFile("first", "wb") as target:
        target.write(b"chr1\t10\t20\n")
    joined = Path("first").read_bytes() + gzip.compress(b"chr1\t110\t120\n")
    files = peak_files([write(Path("H3K4me3.a.bed.gz"), joined)], None)
    genes = bed("chr1 0 50 one 0 +", "chr1 100 150 two 0 +")
    assert marked(from_peaks(files, genes, work, INTERVAL)) == {"one": 1.0, "two": 1.0}


# Which genes have a mark


@pytest.mark.parametrize(
    ("peak", "plus", "minus"),
    [
        ((7_999, 8_000), 0, 0),
        ((8_000, 8_001), 1, 0),
        ((11_999, 12_000), 1, 0),
        ((12_000, 12_001), 0, 0),
        ((17_999, 18_000), 0, 0),
        ((18_000, 18_001), 0, 1),
        ((21_999, 22_000), 0, 1),
        ((22_000, 22_001), 0, 0),
        ((0, 50_000), 1, 1),
        ((10_000, 10_000), 0, 0),  # of no base
    ],
)
def test_the_promoter_is_2_kb_to_each_side_of_the_start(here, work, peak, plus, minus):
    genes = bed("chr1 10000 20000 plus 0 +", "chr1 10000 20000 minus 0 -")
    made = from_peaks(peaks([("chr1", *peak)]), genes, work, PROMOTER)
    assert marked(made) == {"plus": plus, "minus": minus}


@pytest.mark.parametrize(("min_fraction", "expected"), [(0.0, 1), (0.3, 1), (0.30001, 0), (1.0, 0)])
def test_the_fraction_is_of_united_peaks(here, work, min_fraction, expected):
    """Overlapping, repeated and touching peaks in two files cover bases 10 to 40 of 100."""
    rows = [("1", 0, 20), ("1", 10, 30), ("1", 10, 30)]
    files = [*peaks(rows), *peaks([("1", 30, 40)], "H3K4me3.a.2.bed")]
    genes = bed("chr1 10 110 gene")
    made = from_peaks(files, genes, work, INTERVAL, min_fraction=min_fraction)
    assert marked(made) == {"gene": expected}


@pytest.mark.parametrize(
    ("min_samples", "expected"),
    [(0.0, (1, 1, 0)), (0.1, (1, 1, 0)), (0.25, (1, 1, 0)), (0.26, (1, 0, 0)), (0.75, (1, 0, 0))],
)
def test_the_share_of_samples(here, work, min_samples, expected):
    """Three of four samples have the mark at the first gene, one has it at the second."""
    starts = {"a": (0, 100), "b": (0,), "c": (), "d": (0,)}
    files = []
    for sample, has in starts.items():
        rows = [("1", start, start + 5) for start in has]
        files += peaks([*rows, ("1", 900, 901)], f"H3K9ac.{sample}.bed")
    files += peaks([("1", 200, 201)], "H2AFZ.a.bed")
    genes = bed(*(f"1 {start} {start + 50} {start}" for start in (0, 100, 200)))
    made = from_peaks(files, genes, work, INTERVAL, min_samples=min_samples)
    assert made.marks == ("H2AFZ", "H3K9ac")
    assert tuple(marked(made, "H3K9ac").values()) == expected
    assert marked(made, "H2AFZ") == {"0": 0, "100": 0, "200": 1}


def test_a_number_and_a_share_of_samples(here, work, caplog):
    """Of ten samples, 0 to 4 have the mark. Another mark has one sample, and is left out."""
    files = peaks([("1", 0, 1)], "H3F3A.a.bed")
    for sample in range(10):
        rows = [("1", 100 * count, 100 * count + 9) for count in range(5) if sample < count]
        files += peaks([*rows, ("1", 900, 901)], f"H3K9ac.{sample}.bed")
    genes = bed(*(f"1 {100 * count} {100 * count + 50} {count}" for count in range(5)))
    for fewest, share, expected in ((2, 0.0, [0, 0, 1, 1, 1]), (2, 0.25, [0, 0, 0, 1, 1])):
        made = from_peaks(files, genes, work, INTERVAL, fewest_samples=fewest, min_samples=share)
        assert made.marks == ("H3K9ac",)
        assert list(marked(made, "H3K9ac").values()) == expected
        assert (made.counts["peak files"], made.counts["samples"]) == (10, 10)
    assert "1 mark is left out, with fewer than 2 samples: H3F3A (1)" in caplog.text
    with pytest.raises(UsageError, match="no mark has the 11 samples"):
        from_peaks(files, genes, work, INTERVAL, fewest_samples=11)
    with pytest.raises(UsageError, match="at least 0 samples"):
        from_peaks(files, genes, work, INTERVAL, fewest_samples=0)


def test_tiles_base_by_base(here, work):
    """Rows overlap, end within tiles and lie on two contigs; each tile is labelled once."""
    rng = random.Random(5)
    bases: dict[str, set[int]] = {"chr1": set(), "2": set()}
    rows = []
    for _ in range(30):
        contig, start = rng.choice(sorted(bases)), rng.randrange(3_000)
        rows.append((contig, start, start + rng.randrange(1, 160)))
        bases[contig].update(range(*rows[-1][1:]))
    annotation = bed("chr1 150 1010 one", "chr1 820 1690 two", "2 0 2900 three")
    made = from_peaks(peaks(rows), annotation, work, INTERVAL._replace(tile=200), min_fraction=0.5)
    starts = {"chr1": range(0, 1_800, 200), "2": range(0, 3_000, 200)}
    expected = {
        f"{contig}:{start}-{start + 200}": len(bases[contig] & set(range(start, start + 200)))
        >= 100
        for contig, all_starts in starts.items()
        for start in all_starts
    }
    assert marked(made) == expected
    assert 0 < sum(expected.values()) < len(expected)


def test_the_counts_and_the_record(here, work):
    files = [
        *peaks([("1", 0, 5)], "H3K9ac.a.1.bed"),
        *peaks([("1", 100, 105)], "H3K9ac.a.2.bed"),
        *peaks([("1", 0, 5)], "H3K4me3.a.bed"),
        *peaks([("1", 0, 5)], "H3K4me3.b.bed"),
    ]
    genes = bed("1 0 50 A 0 +", "1 100 150 B 0 .")
    made = from_peaks(files, genes, work, INTERVAL, min_fraction=0.1)
    assert list(made.counts.items()) == [
        ("peak files", 4),
        ("samples", 3),
        ("marks", 2),
        ("genes", 2),
        ("marked pairs", 3),
    ]
    assert made.values.dtype == np.float32
    assert made.values.tolist() == [[1, 1], [0, 1]]
    assert made.genes.to_dict("list") == {
        "id": ["A", "B"],
        "name": ["A", "B"],
        "biotype": [".", "."],
        "chrom": ["1", "1"],
        "start": [0, 100],
        "end": [50, 150],
        "strand": ["+", "."],
    }
    assert made.unjoined.empty
    assert tuple(made.unjoined.columns) == UNJOINED_COLUMNS


def test_nothing_is_left_behind(here, work, monkeypatch):
    """Nothing is left in the system's folder for temporary files either."""
    system = here / "tmp"
    system.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(system))
    before = {path.name for path in here.iterdir()}
    from_peaks(peaks([("1", 0, 5)]), bed("1 0 50 A"), work, INTERVAL)
    assert list(system.iterdir()) == []
    assert {path.name for path in here.iterdir()} == before | {"H3K4me3.a.bed", "genes.bed"}
    assert {path.name for path in work.iterdir()} <= {"regions.bed"}


def test_the_order_of_files_and_rows_makes_no_difference(here, work):
    rows = [("10", 5, 9), ("2", 30, 40), ("2", 0, 10), ("1", 7, 8)]
    files = [*peaks(rows, "H3K4me3.a.bed"), *peaks(rows[:1], "H3K27ac.b.bed")]
    genes = bed("2 5 6 A", "10 0 6 B", "1 0 7 C", "2 39 50 D", "2 10 30 E")
    made = from_peaks(files, genes, work, INTERVAL)
    assert marked(made) == {"A": 1, "B": 1, "C": 0, "D": 1, "E": 0}
    assert marked(made, "H3K27ac") == {"A": 0, "B": 1, "C": 0, "D": 0, "E": 0}
    write(files[0].path, "".join(reversed(files[0].path.read_text().splitlines(keepends=True))))
    again = from_peaks(files[::-1], genes, work, INTERVAL)
    assert again.marks == made.marks == ("H3K27ac", "H3K4me3")
    assert again.values.tolist() == made.values.tolist()


@pytest.mark.parametrize(
    ("here_named", "there_named"), [("chr1", "1"), ("1", "chr1"), ("NC_000001.11", "chr1")]
)
def test_contigs_under_another_name(here, work, caplog, here_named, there_named):
    files = [
        *peaks([(there_named, 0, 5)], "H3K4me3.a.bed"),
        *peaks([(here_named, 100, 105)], "H3K4me3.b.bed"),
    ]
    genes = bed(f"{here_named} 0 50 A", f"{here_named} 100 150 B", "chrUn 0 50 C")
    with caplog.at_level(logging.INFO, "histpred"):
        made = from_peaks(files, genes, work, INTERVAL)
    assert marked(made) == {"A": 1, "B": 1}
    assert list(made.genes["chrom"]) == [here_named, here_named]
    assert made.unjoined[["name", "reason"]].to_numpy().tolist() == [["C", "no-peak-on-the-contig"]]
    assert "1 gene lies on contigs where no file has a peak (chrUn)" in caplog.text
    assert f"another name in the peaks: {here_named} = {there_named}" in caplog.text


def test_what_a_gff3_says_its_contigs_are(here, work):
    """RefSeq's accession of a yeast chromosome stands for nothing by itself."""
    genes = write(
        here / "genes.gff3",
        "##gff-version 3\n"
        + tabbed("""
        NC_001133.9 RefSeq region 1 230218 . + . ID=r;chromosome=I;genome=chromosome
        NC_001133.9 RefSeq gene 101 200 . - . ID=gene-A;gene_biotype=lncRNA
        """),
    )
    made = from_peaks(peaks([("chrI", 150, 160)]), str(genes), work, parse_window("body"))
    assert made.values.tolist() == [[1]]


def test_no_contig_in_common(here, work):
    files = [*peaks([("chr7", 0, 5), ("chr8", 0, 5)]), *peaks([("9", 0, 5)], "H3K9ac.a.bed")]
    with pytest.raises(
        InputError,
        match=r"H3K4me3\.a\.bed: none .* of 2 of 2 files .* in genes\.bed: chr7, chr8, 9 here, ",
    ):
        from_peaks(files, bed("chr1 0 50 A"), work, INTERVAL)


def test_one_file_without_a_contig_in_common(here, work):
    """Its sample would count as a sample without the mark."""
    files = [*peaks([("chr7", 0, 5)]), *peaks([("1", 0, 5)], "H3K4me3.b.bed")]
    with pytest.raises(InputError, match=r"H3K4me3\.a\.bed: none .* of 1 of 2 files .*: chr7 here"):
        from_peaks(files, bed("chr1 0 50 A", "chr2 0 50 B"), work, INTERVAL)


@pytest.mark.parametrize(
    "content", ["", "# nothing\ntrack name=peaks\n\n", gzip.compress(b"", mtime=0)]
)
def test_files_without_a_peak(here, work, caplog, content):
    files = [*peaks([("1", 0, 5)]), *peaks([], "H3K9ac.a.bed")]
    write(files[1].path, content)
    made = from_peaks(files, bed("chr1 0 50 A"), work, INTERVAL)
    assert made.values.tolist() == [[1, 0]]
    assert "1 file of peaks is empty: H3K9ac.a.bed" in caplog.text
    made = from_peaks(files[1:], bed("chr1 0 50 A"), work, INTERVAL)
    assert made.values.tolist() == [[0]]


def test_an_interval_that_reaches_before_its_contig_is_clipped_there(here, work):
    """bedtools refuses a row that begins before 0."""
    genes = bed("1 100 300 A", "1 9000 9200 B")
    window = parse_window("interval:500:1000")
    for start, last, expected in ((0, 1, 1), (1199, 1200, 1), (1200, 1201, 0)):
        made = from_peaks(peaks([("1", start, last)]), genes, work, window)
        assert marked(made) == {"A": expected, "B": 0}
    made = from_peaks(peaks([("1", 0, 600)]), genes, work, window, min_fraction=0.5)
    assert marked(made) == {"A": 1, "B": 0}
    made = from_peaks(
        peaks([("1", 0, 1)]), bed("1 0 1 A", "1 90 92 B"), work, window._replace(downstream=0)
    )
    assert marked(made) == {"B": 1}
    assert made.unjoined[["name", "reason"]].to_numpy().tolist() == [["A", "outside-the-contig"]]


def test_peaks_of_no_base(here, work, caplog):
    made = from_peaks(peaks([("1", 0, 5), ("1", 105, 105)]), bed("1 100 110 A"), work, INTERVAL)
    assert made.values.tolist() == [[0]]
    assert "1 peak is 0 bp long and was left out" in caplog.text


def test_only_three_columns_are_read(here, work):
    """SEACR's sixth column is no strand, gappedPeak's twelfth no block start of a BED12."""
    for row in ("chr1\t10\t20\t1.5\t3.5\tchr1:12-14", "\t".join(["chr1\t10\t20", *"abc" * 4])):
        files = peaks([])
        write(files[0].path, f"#chrom\tstart\tend\nbrowser hide all\n{row}\r\n")
        made = from_peaks(files, bed("chr1 19 50 A", "chr1 20 50 B"), work, INTERVAL)
        assert marked(made) == {"A": 1, "B": 0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("chr1\t5\t9\nchr1\tx\t9\n", r"\.bed:2: start is not a whole number: 'x'"),
        ("chr1\t5\t9.5\n", r"\.bed:1: end is not a whole number: '9\.5'"),
        ("chr1\t5\t1_000\n", r"\.bed:1: end is not a whole number"),
        ("chr1\t-5\t9\n", r"\.bed:1: start is -5"),
        ("#x\nchr1\t9\t5\n", r"\.bed:2: start 9 is after end 5"),
        ("chr1\t5\t99999999999\n", r"\.bed:1: end 99999999999 is past the end"),
        ("chr1 5 9\n", r"\.bed:1: not tab-delimited"),
        ("chr1\t5\n", r"\.bed:1: 2 column\(s\)"),
        ("\t5\t9\n", r"\.bed:1: the contig name is ''"),
        ("chr1\t5\t9\tn\nchr1\t15\t1\n", r"\.bed:2: start 15 is after end 1"),
        ("chr1\t5\t9\tn\nchr1\t15\t19\n", r"\.bed:2: 3 columns where the rows before have 4"),
        (b"chr1\t5\t9\t\xff\n", r"\.bed:1: not UTF-8"),
        (b"\x00\x01\x02", r"\.bed: not text"),
        (
            gzip.compress(b"chr1\t5\t9\n" * 9, mtime=0)[:-9],
            r"\.bed:\d+: the compressed data is truncated",
        ),
        (b"\xeb\xf2\x89\x87", r"\.bed: this is a bigBed"),
    ],
)
def test_malformed_peaks(here, work, content, message):
    files = peaks([])
    write(files[0].path, content)
    with pytest.raises(InputError, match=message):
        from_peaks(files, bed("chr1 0 50 A"), work, INTERVAL)


def test_a_bigwig_is_named_before_its_name_is(here):
    path = here / "signal.bw"
    path.write_bytes(b"\x26\xfc\x8f\x88\x04\0")
    with pytest.raises(InputError, match=r"signal\.bw: this is a bigWig file(?s:.*)narrowPeak"):
        peak_files([path], None)


def test_peaks_that_are_not_there(here, work):
    files = [PeakFile("H3K4me3", "a", here / "gone.bed")]
    with pytest.raises(InputError, match=r"gone\.bed: cannot be read"):
        from_peaks(files, bed("chr1 0 50 A"), work, INTERVAL)


# Rows of the annotation

GTF = """
1 x gene 1001 2000 . + . gene_id "ENSG1.2"; gene_name "A"; gene_biotype "lncRNA";
1 x transcript 1001 1900 . + . gene_id "ENSG1.2"; transcript_id "T1"; gene_biotype "lncRNA";
1 x exon 1001 1100 . + . gene_id "ENSG1.2"; transcript_id "T1"; gene_biotype "lncRNA";
1 x exon 1801 1900 . + . gene_id "ENSG1.2"; transcript_id "T1"; gene_biotype "lncRNA";
1 x transcript 1501 2000 . + . gene_id "ENSG1.2"; transcript_id "T2"; gene_biotype "lncRNA";
1 x exon 1501 2000 . + . gene_id "ENSG1.2"; transcript_id "T2"; gene_biotype "lncRNA";
2 x gene 1001 2000 . - . gene_id "ENSG2"; gene_name "B"; gene_biotype "protein_coding";
2 x transcript 1001 2000 . - . gene_id "ENSG2"; transcript_id "T3"; gene_biotype "protein_coding";
2 x exon 1001 2000 . - . gene_id "ENSG2"; transcript_id "T3"; gene_biotype "protein_coding";
"""


@pytest.fixture
def gtf(here) -> str:
    return str(write(here / "genes.gtf", tabbed(GTF)))


def test_genes_by_their_id(here, work, gtf):
    made = from_peaks(peaks([("1", 1500, 1501), ("2", 0, 9)]), gtf, work, parse_window("body"))
    assert marked(made) == {"ENSG1.2": 1, "ENSG2": 0}
    assert list(made.genes["name"]) == ["A", "B"]
    assert list(made.genes["biotype"]) == ["lncRNA", "protein_coding"]
    assert made.genes[["start", "end"]].to_numpy().tolist() == [[1000, 2000]] * 2


def test_a_biotype_that_was_not_chosen_is_told(here, work, gtf):
    files = peaks([("1", 1500, 1501)])
    made = from_peaks(files, gtf, work, parse_window("body"), biotypes=("lncRNA",))
    assert marked(made) == {"ENSG1.2": 1}
    (row,) = made.unjoined.to_dict("records")
    assert row == {
        "line": 7,
        "gene_id": "ENSG2",
        "name": "B",
        "biotype": "protein_coding",
        "chrom": "2",
        "start": 1000,
        "end": 2000,
        "strand": "-",
        "reason": "biotype-not-selected",
    }
    with pytest.raises(UsageError, match="biotype"):
        from_peaks(files, gtf, work, parse_window("body"), biotypes=("snoRNA",))


@pytest.mark.parametrize(
    ("peak", "kind", "level", "expected"),
    [
        ((1490, 1510), "promoter:5:5", "gene", 0),
        ((1490, 1510), "promoter:5:5", "transcript", 1),  # of the second transcript
        ((1200, 1300), "spliced", None, 0),  # in the first one's intron
        ((1850, 1851), "spliced", None, 1),
    ],
)
def test_transcripts_of_a_gene_are_united(here, work, gtf, caplog, peak, kind, level, expected):
    files = peaks([("1", *peak), ("2", 0, 9)])
    made = from_peaks(files, gtf, work, parse_window(kind), level=level)
    assert marked(made) == {"ENSG1.2": expected, "ENSG2": 0}
    assert not [each for each in caplog.records if each.levelno > logging.INFO]


@pytest.mark.parametrize(("peak", "expected"), [((1050, 1100), 0.25), ((1000, 1850), 0.75)])
def test_the_fraction_of_exons(here, work, peak, expected):
    genes = str(write(here / "one.gtf", tabbed("\n".join(GTF.strip().splitlines()[:4]))))
    files = peaks([("1", *peak)])
    spliced = parse_window("spliced")
    for share, value in ((expected, 1), (expected + 0.001, 0)):
        assert marked(from_peaks(files, genes, work, spliced, min_fraction=share)) == {
            "ENSG1.2": value
        }


def test_a_gene_in_two_places_has_a_mark_if_either_has(here, work, caplog):
    genes = bed("X 0 50 A", "X 100 150 B", "Y 0 50 A")
    files = [*peaks([("Y", 0, 9)]), *peaks([("X", 0, 9)], "H3K4me3.b.bed")]
    made = from_peaks(files, genes, work, INTERVAL, min_samples=1.0)
    assert marked(made) == {"A": 1, "B": 0}
    assert list(made.genes["chrom"]) == ["X", "X"]
    assert "1 row of genes.bed has the id of an earlier row" in caplog.text


def test_strands_that_are_missing(here, work):
    genes = bed("1 10 50 A 0 .", "1 10 50 B 0 +", "1 90 95 C 0 .")
    files = peaks([("1", 5, 11)])
    with pytest.raises(
        InputError, match=r"2 rows have no strand, which promoter .*: A \(line 1\), C \(line 3\)"
    ):
        from_peaks(files, genes, work, PROMOTER)
    made = from_peaks(files, genes, work, parse_window("promoter:5:5"), unstranded=True)
    assert marked(made) == {"A": 1, "B": 1, "C": 0}
    assert list(made.genes["strand"]) == [".", "+", "."]
    assert marked(from_peaks(files, genes, work, INTERVAL)) == {"A": 1, "B": 1, "C": 0}


def test_rows_without_a_region(here, work):
    files = peaks([("1", 5, 15)])
    made = from_peaks(files, bed("1 10 10 A", "1 10 50 B"), work, INTERVAL)
    assert marked(made) == {"B": 1}
    assert made.unjoined[["line", "name", "reason"]].to_numpy().tolist() == [
        [1, "A", "zero-length"]
    ]
    with pytest.raises(InputError, match=r"genes\.bed: none of its 2 rows .*: zero-length 2"):
        from_peaks(files, bed("1 10 10 A", "1 11 11 B"), work, INTERVAL)
    with pytest.raises(InputError, match=r"genes\.bed: holds no row"):
        from_peaks(files, str(write(here / "genes.bed", "# none\n")), work, INTERVAL)


def test_a_promoter_at_the_start_of_a_contig_is_clipped(here, work):
    """500 of the 2,500 bp are left, and the fraction refers to these."""
    made = from_peaks(
        peaks([("1", 0, 500)]),
        bed("1 0 10 A 0 +"),
        work,
        parse_window("promoter:2000:500"),
        min_fraction=1.0,
    )
    assert marked(made) == {"A": 1}


@pytest.mark.parametrize("kind", ["interval", "body"])
def test_names_of_contigs_that_bedtools_would_trip_over(here, work, kind):
    contigs = ["z", "a b", "HLA-A*01:01", "c000000000", "2", "10"]
    rows = [f"{name}\t0\t50\tgene {name}\t0\t+\n" for name in contigs]
    genes = str(write(here / "genes.bed", "".join(rows)))
    made = from_peaks(peaks([(name, 40, 60) for name in contigs]), genes, work, parse_window(kind))
    assert marked(made) == {f"gene {name}": 1 for name in contigs}


# Against a count of every base


@pytest.mark.parametrize("seed", range(8))
def test_every_base_counted(here, work, seed):
    rng = random.Random(seed)
    contigs = ["chr1", "chr2", "chr10"]
    genes = []
    for number in range(40):
        start = rng.randrange(300)
        end = start + rng.randrange(1, 60)
        genes.append((rng.choice(contigs), start, end, f"g{number % 30}", 0, rng.choice("+-")))
    files, having = [], {}
    for sample in "abcde":
        bases = having.setdefault(sample, set())
        for part in range(rng.choice((1, 2))):
            rows = []
            for _ in range(rng.randrange(1, 12)):
                start = rng.randrange(350)
                row = (rng.choice(contigs), start, start + rng.randrange(0, 40))
                rows.append(row)
                bases |= {(row[0], base) for base in range(row[1], row[2])}
            chr_less = rng.random() < 0.5
            named = [(row[0][3:] if chr_less else row[0], *row[1:]) for row in rows]
            files += peaks(named, f"H3K4me3.{sample}.{part}.bed")
    kind, up, down = rng.choice([("interval", 0, 0), ("context", 20, 0), ("promoter", 30, 10)])
    min_fraction = rng.choice((0, 0.1, 0.25, 0.5, 1))
    min_samples = rng.choice((0, 0.2, 0.4, 0.6, 1))

    expected = {}
    of_gene = {}
    for chrom, start, end, name, _, strand in genes:
        expected.setdefault(name, 0)
        if kind == "promoter":
            first = start if strand == "+" else end - 1
            offsets = range(-up, down)
            region = [first + i if strand == "+" else first - i for i in offsets]
        else:
            region = list(range(start, end))
            region += range(end, end + up) if strand == "-" else range(start - up, start)
        region = [(chrom, base) for base in region if base >= 0]
        for sample, bases in having.items():
            covered = sum(base in bases for base in region)
            if covered and covered >= min_fraction * len(region):
                of_gene.setdefault(name, set()).add(sample)
    for name, samples in of_gene.items():
        expected[name] = int(len(samples) >= min_samples * len(having))

    annotation = bed(*(" ".join(map(str, gene)) for gene in genes))
    spec = WindowSpec(kind, up, down, 0.5)
    made = from_peaks(
        files, annotation, work, spec, min_fraction=min_fraction, min_samples=min_samples
    )
    assert marked(made) == expected


blocks = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), min_size=1, max_size=8)


@settings(max_examples=15)
@given(regions=blocks, covers=blocks, share=st.sampled_from((0.25, 1 / 3, 0.5, 0.7, 1.0)))
def test_the_threshold_is_exact(tmp_path_factory, regions, covers, share):
    """A region of any length counts if exactly the share is covered."""
    folder = tmp_path_factory.mktemp("exact")
    path = folder / "H3K4me3.a.bed"
    write(path, "".join(f"1\t{start}\t{start + size}\n" for start, size in covers))
    rows = [f"1\t{start}\t{start + size}\tg{i}\n" for i, (start, size) in enumerate(regions)]
    genes = write(folder / "genes.bed", "".join(rows))
    made = from_peaks(peak_files([path], None), str(genes), folder, INTERVAL, min_fraction=share)
    bases = {base for start, size in covers for base in range(start, start + size)}
    covered = [len(bases & set(range(start, start + size))) for start, size in regions]
    assert made.values[:, 0].tolist() == [
        count > 0 and count / size >= share
        for count, (_, size) in zip(covered, regions, strict=True)
    ]


# Wrong options, missing programs, full disks


@pytest.mark.parametrize("options", [{"min_fraction": 1.1}, {"min_samples": float("nan")}])
def test_shares_that_are_none(here, work, options):
    with pytest.raises(UsageError, match=r"the share of the (region|samples)"):
        from_peaks(peaks([]), bed("1 0 50 A"), work, INTERVAL, **options)


def test_an_empty_promoter(here, work):
    with pytest.raises(UsageError, match="an empty region"):
        from_peaks(peaks([]), bed("1 0 50 A 0 +"), work, WindowSpec("promoter", 0, 0, 0.5))


def test_without_bedtools(here, work, monkeypatch):
    monkeypatch.setenv("PATH", str(here))
    with pytest.raises(UsageError, match="the program bedtools") as caught:
        from_peaks(peaks([]), bed("1 0 50 A"), work, INTERVAL)
    assert "apt install bedtools" in caught.value.hint


def test_without_pybedtools(here, work, monkeypatch):
    monkeypatch.setitem(sys.modules, "pybedtools", None)
    with pytest.raises(UsageError, match="need the package pybedtools") as caught:
        from_peaks(peaks([]), bed("1 0 50 A"), work, INTERVAL)
    assert how_to_install("labels") in caught.value.hint


def test_the_module_does_not_import_pybedtools():
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, histpred.labels.peaks; print('pybedtools' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(importlib.util.find_spec("histpred").origin).parents[1],
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize("method", ["merge", "intersect"])
@pytest.mark.parametrize("cut", [0, 5, 17, -20, -3])
def test_a_full_disk_is_noticed_though_bedtools_says_nothing(here, work, monkeypatch, method, cut):
    files = peaks([("1", 0, 5), ("1", 10, 20), ("1", 40, 45)])
    genes = bed("1 0 50 A", "1 30 60 B")
    whole = getattr(pybedtools.BedTool, method)

    def cut_short(self, *arguments, output, **options):
        result = whole(self, *arguments, output=output, **options)
        content = Path(output).read_bytes()
        Path(output).write_bytes(content[:cut])
        return result

    monkeypatch.setattr(pybedtools.BedTool, method, cut_short)
    monkeypatch.setattr("histpred.labels.peaks.has_room", lambda folder: False)
    with pytest.raises(TemporaryError, match="disk is full"):
        from_peaks(files, genes, work, INTERVAL)


# Real peaks

SAMPLES = {
    "H3K27ac": 20,
    "H3K4me3": 20,
    "H3K27me3": 17,
    "H3K4me1": 13,
    "H3K9me3": 9,
    "H3K36me3": 8,
    "H2AFZ": 3,
    "H3K9ac": 2,
    "H3F3A": 1,
}


@pytest.fixture(scope="module")
def chr22(shared_data) -> Path:
    return shared_data / "human" / "chr22"


def real_labels(path: Path) -> pandas.DataFrame:
    wanted = [f"{kind}{mark}" for kind in ("", "c25.", "n.") for mark in SAMPLES]
    known = ("chrom", "start", "end", "gene_id")
    return pandas.read_csv(path, sep="\t", usecols=lambda name: name in (*wanted, *known))


def compare(made, truth: pandas.DataFrame, min_samples: float, ids: list[str]) -> None:
    """Where the tables agree that a quarter of the samples is enough, so must the labels.

    For H2AFZ (3 samples) and H3K9ac (2), the tables ask for two samples.
    """
    found = pandas.DataFrame(made.values, index=made.genes["id"], columns=made.marks).loc[ids]
    for mark, samples in SAMPLES.items():
        enough = max(1, math.ceil(samples * min_samples))
        expected = (truth[f"n.{mark}"] >= enough).to_numpy()
        assert (found[mark].to_numpy() == expected).all(), mark
        column = f"c25.{mark}" if min_samples else mark
        if not (min_samples and mark in ("H2AFZ", "H3K9ac")):
            assert (truth[column].to_numpy() == expected).all(), mark


@pytest.mark.shared
@pytest.mark.parametrize("min_samples", [0, 0.25])
def test_real_genes(chr22, work, min_samples):
    """All but one: that table takes the start of its second transcript."""
    files = peak_files(sorted((chr22 / "peaks").glob("*.bed.gz")), None)
    annotation = str(chr22 / "genes.chr22.gtf.gz")
    made = from_peaks(files, annotation, work, PROMOTER, min_samples=min_samples)
    assert made.counts["peak files"] == 128
    assert made.counts["samples"] == sum(SAMPLES.values()) == 93
    assert made.counts["genes"] == 645
    truth = real_labels(chr22 / "labels_genes.tsv.gz")
    truth = truth[truth["gene_id"] != "LOC122455341"]
    assert len(truth) == 451
    compare(made, truth, min_samples, list(truth["gene_id"]))


@pytest.mark.shared
def test_real_tiles_of_chr20(shared_data, work, tmp_path):
    """Two samples and a quarter of them. Rows that end before they start are left out."""
    chr20 = shared_data / "human" / "chr20"
    for path in (chr20 / "peaks").glob("H3K4me3.*.bed.gz"):
        rows = [line.split() for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
        kept = ["\t".join(row) for row in rows if int(row[1]) <= int(row[2])]
        (tmp_path / path.stem).write_text("\n".join(kept) + "\n")
    (tmp_path / "contig.bed").write_text("chr20\t0\t45000000\n")
    made = from_peaks(
        peak_files(sorted(tmp_path.glob("H3K4me3.*.bed")), None),
        str(tmp_path / "contig.bed"),
        work,
        INTERVAL._replace(tile=200),
        min_fraction=0.5,
        min_samples=0.25,
        fewest_samples=2,
    )
    truth = pandas.read_csv(
        chr20 / "labels_tiles.tsv.gz", sep="\t", usecols=["start", "end", "c25.H3K4me3"]
    )
    ids = [f"chr20:{row.start}-{row.end}" for row in truth.itertuples()]
    found = pandas.Series(made.values[:, 0], made.genes["id"])[ids]
    assert (found.to_numpy() == truth["c25.H3K4me3"].to_numpy()).all()


@pytest.mark.shared
@pytest.mark.parametrize("min_samples", [0, 0.25])
def test_real_tiles(chr22, work, tmp_path, min_samples):
    files = peak_files(sorted((chr22 / "peaks").glob("*.bed.gz")), None)
    truth = real_labels(chr22 / "labels_tiles.tsv.gz")[::13]
    ids = [f"tile{i}" for i in range(len(truth))]
    tiles = truth[["chrom", "start", "end"]].assign(name=ids)
    tiles.to_csv(tmp_path / "tiles.bed", sep="\t", header=False, index=False)
    made = from_peaks(
        files,
        str(tmp_path / "tiles.bed"),
        work,
        INTERVAL,
        min_fraction=0.5,
        min_samples=min_samples,
    )
    compare(made, truth, min_samples, ids)
