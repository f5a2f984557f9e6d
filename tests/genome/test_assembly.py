"""Genes and transcripts from records in any order."""

from __future__ import annotations

import random

import pytest

from support import random_genome, random_transcripts, write_gtf
from support.annotations import features, tabbed, write

GENE_ID = 'gene_id "{}";'
OF_TRANSCRIPT = 'gene_id "{}"; transcript_id "{}";'


def spliced(tmp_path, text: str):
    return features(write(tmp_path / "genes.gtf", tabbed(text)), "spliced")


def genes(tmp_path, text: str):
    return features(write(tmp_path / "genes.gtf", tabbed(text)))


def exons(*places: tuple, gene: str = "G", transcript: str = "T") -> str:
    """Exon rows of one transcript; a place is start, end and, if need be, strand and contig."""
    rows = []
    for start, end, *rest in places:
        strand, chrom = [*rest, *("+", "chr1")[len(rest) :]]
        attributes = OF_TRANSCRIPT.format(gene, transcript)
        rows.append(f"{chrom} x exon {start} {end} . {strand} . {attributes}\n")
    return "".join(rows)


def transcript(start, end, strand="+", chrom="chr1", gene="G", name="T") -> str:
    return f"{chrom} x transcript {start} {end} . {strand} . {OF_TRANSCRIPT.format(gene, name)}\n"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["body", "spliced"])
def test_the_order_of_the_rows_does_not_matter(tmp_path, seed, kind):
    rng = random.Random(seed)
    made = random_transcripts(rng, random_genome(rng, {"chr1": 3000, "chr2": 300}), 60)
    path = write_gtf(tmp_path / "genes.gtf", made)
    lines = path.read_text().splitlines(keepends=True)

    def found():
        return sorted(feature._replace(line=0, gene_line=0) for feature in features(path, kind))

    in_order = found()
    assert len(in_order) == len(made)
    if kind == "spliced":
        expected = {(t.transcript_id, t.chrom, t.strand, t.exons) for t in made}
        assert {(f.name, f.chrom, f.strand, f.exons) for f in in_order} == expected
    # By position, as tabix wants it; the children first; any order.
    for reorder in (
        lambda: lines.sort(key=lambda line: (line.split("\t")[0], int(line.split("\t")[3]))),
        lines.reverse,
        lambda: rng.shuffle(lines),
    ):
        reorder()
        path.write_text("".join(lines))
        assert found() == in_order


@pytest.mark.parametrize(
    ("places", "blocks"),
    [
        ([(1, 10), (21, 30)], ((0, 10), (20, 30))),
        ([(21, 30), (1, 10)], ((0, 10), (20, 30))),
        ([(1, 10), (1, 10), (21, 30)], ((0, 10), (20, 30))),
        ([(1, 10), (5, 20)], ((0, 20),)),
        ([(1, 10), (11, 20)], ((0, 20),)),
        ([(1, 30), (5, 10)], ((0, 30),)),
    ],
    ids=["ascending", "descending", "duplicate", "overlapping", "touching", "nested"],
)
@pytest.mark.parametrize("strand", "+-")
@pytest.mark.parametrize("with_row", [True, False], ids=["", "exons only"])
def test_exons_are_sorted_and_merged(tmp_path, places, blocks, strand, with_row):
    text = exons(*((start, end, strand) for start, end in places))
    end = blocks[-1][1]
    if with_row:
        text = transcript(1, end, strand) + text
    (feature,) = spliced(tmp_path, text)
    assert (feature.exons, feature.problem) == (blocks, "")
    assert (feature.start, feature.end, feature.strand) == (0, end, strand)


@pytest.mark.parametrize("other", [("-", "chr1"), ("+", "chr2")], ids=["strands", "contigs"])
@pytest.mark.parametrize("turn", [1, -1])
def test_a_transcript_on_two_strands_or_contigs_is_named_and_not_spliced(tmp_path, other, turn):
    text = transcript(1, 30) + exons(*[(1, 10), (21, 30, *other)][::turn])
    (feature,) = spliced(tmp_path, text)
    assert feature.problem == "exons-on-two-strands-or-contigs"


def test_exons_alone_on_two_strands_and_contigs_are_separate_loci(tmp_path):
    text = exons((10001, 10068), (10001, 10068, "-", "chr2"), (30001, 30068, "-"))
    for found in spliced(tmp_path, text), genes(tmp_path, text):
        assert [(f.chrom, f.start, f.end, f.strand, f.problem, f.note) for f in found] == [
            ("chr1", 10000, 10068, "+", "", "one of 3 loci with its ID"),
            ("chr2", 10000, 10068, "-", "", "one of 3 loci with its ID"),
            ("chr1", 30000, 30068, "-", "", "one of 3 loci with its ID"),
        ]


@pytest.mark.parametrize("text", ['exon_number "{}";', "exon_number {};"])
def test_exons_alone_whose_number_starts_again_are_separate_loci(tmp_path, text):
    numbered = "".join(
        row + f" {text.format(number)}\n"
        for row, number in zip(
            exons((1, 10), (21, 30), (501, 510), (521, 530)).splitlines(), [1, 2] * 2, strict=True
        )
    )
    for found in spliced(tmp_path, numbered), genes(tmp_path, numbered):
        assert [(f.start, f.end, f.problem) for f in found] == [(0, 30, ""), (500, 530, "")]
    assert [f.exons for f in spliced(tmp_path, numbered)] == [
        ((0, 10), (20, 30)),
        ((500, 510), (520, 530)),
    ]


def test_exons_far_apart_are_kept_with_a_note(tmp_path):
    text = exons((10001, 10068), (30001, 30068))
    for (feature,) in spliced(tmp_path, text), genes(tmp_path, text):
        assert (feature.start, feature.end, feature.problem) == (10000, 30068, "")
        assert feature.note == "exons 19932 bp apart: an intron, or two loci"


@pytest.mark.parametrize("in_gtf", [True, False])
def test_one_id_of_two_sources_is_two_transcripts_with_their_own_exons(tmp_path, in_gtf):
    gff3 = """chr1 A mRNA 1001 2000 . + . ID=t1
        chr1 A exon 1001 1100 . + . Parent=t1
        chr1 A exon 1901 2000 . + . Parent=t1
        chr1 B mRNA 1001 2100 . + . ID=t1
        chr1 B exon 1001 1100 . + . Parent=t1
        chr1 B exon 1501 1600 . + . Parent=t1
        chr1 B exon 2001 2100 . + . Parent=t1"""
    own = 'gene_id "g"; transcript_id "t1";'
    gtf = gff3.replace("ID=t1", own).replace("Parent=t1", own)
    for order in (1, -1):
        text = "\n".join((gtf if in_gtf else gff3).splitlines()[::order])
        found = spliced(tmp_path, text)
        assert [(f.start, f.end, f.exons, f.problem) for f in found] == [
            (1000, 2000, ((1000, 1100), (1900, 2000)), ""),
            (1000, 2100, ((1000, 1100), (1500, 1600), (2000, 2100)), ""),
        ][::order]


@pytest.mark.parametrize("order", [1, -1])
def test_an_exon_outside_its_transcript_does_not_disappear(tmp_path, order):
    text = transcript(600, 1000) + exons(*[(900, 1000), (500, 600)][::order])
    (feature,) = spliced(tmp_path, text)
    assert feature.problem == "exons-outside-the-transcript"
    assert feature.note == "exon 499-600 is not within 599-1000"
    (feature,) = features(tmp_path / "genes.gtf", "body", "transcript")
    assert (feature.start, feature.end, feature.problem) == (599, 1000, "")


@pytest.mark.parametrize(
    ("own", "strand", "expected"), [("+", ".", "+"), ("-", ".", "-"), (".", "-", "-")]
)
def test_exons_without_a_strand_are_not_trans_spliced(tmp_path, own, strand, expected):
    text = transcript(1, 30, own) + exons((1, 10, strand), (21, 30, strand))
    (feature,) = spliced(tmp_path, text)
    assert (feature.strand, feature.problem) == (expected, "")
    assert feature.exons == ((0, 10), (20, 30))
    (feature,) = features(tmp_path / "genes.gtf", "body", "transcript")
    assert (feature.strand, feature.problem) == (expected, "")
    assert feature.note == ("" if own == expected else "the strand is that of its exons")


@pytest.mark.parametrize("other", [("-", "chr1"), ("+", "chr2")], ids=["strands", "contigs"])
def test_exons_on_two_strands_or_contigs_make_no_gene_that_spans_both(tmp_path, other):
    """One contig's start with another contig's end is a stretch that nobody annotated."""
    found = genes(tmp_path, exons((1, 10), (501, 510, *other)))
    assert found
    for feature in found:
        place = (feature.chrom, feature.start, feature.end, feature.strand)
        assert feature.problem or place in {("chr1", 0, 10, "+"), (other[1], 500, 510, other[0])}


@pytest.mark.parametrize("place", [("chr2", "+"), ("chr1", "-"), ("chr1", "+")])
def test_one_transcript_id_at_two_loci_is_two_transcripts_with_their_own_exons(tmp_path, place):
    """UCSC's refGene: a snoRNA that aligns twice keeps its accession."""
    chrom, strand = place
    text = (
        transcript(1, 30)
        + exons((1, 10), (21, 30))
        + transcript(501, 530, strand, chrom)
        + exons((501, 510, strand, chrom), (526, 530, strand, chrom))
    )
    assert {(f.chrom, f.strand, f.exons, f.problem) for f in spliced(tmp_path, text)} == {
        ("chr1", "+", ((0, 10), (20, 30)), ""),
        (chrom, strand, ((500, 510), (525, 530)), ""),
    }


def test_one_gene_name_at_several_loci_is_a_gene_at_each(tmp_path):
    """UCSC's genePredToGtf writes no gene rows; overlapping transcripts make one gene."""
    text = (
        transcript(1, 20, name="a")
        + transcript(11, 30, name="b")
        + transcript(31, 40, name="c")
        + transcript(5, 9, "-", name="d")
        + transcript(1, 20, chrom="chr2", name="e")
        + transcript(1, 20, gene="H", name="f")
    )
    assert [(f.line, f.name, f.chrom, f.start, f.end, f.strand) for f in genes(tmp_path, text)] == [
        (1, "G", "chr1", 0, 30, "+"),
        (3, "G", "chr1", 30, 40, "+"),
        (4, "G", "chr1", 4, 9, "-"),
        (5, "G", "chr2", 0, 20, "+"),
        (6, "H", "chr1", 0, 20, "+"),
    ]


def test_exons_alone_make_transcripts_and_genes(tmp_path):
    text = (
        exons((1, 10), (21, 30), transcript="a")
        + exons((5, 10), (41, 50), transcript="b")
        + exons((91, 99, "-"), (61, 70, "-"), gene="H", transcript="c")
    )
    assert [(f.line, f.name, f.gene_id, f.start, f.end) for f in spliced(tmp_path, text)] == [
        (1, "a", "G", 0, 30),
        (3, "b", "G", 4, 50),
        (5, "c", "H", 60, 99),
    ]
    assert [(f.line, f.name, f.start, f.end, f.strand) for f in genes(tmp_path, text)] == [
        (1, "G", 0, 50, "+"),
        (5, "H", 60, 99, "-"),
    ]


@pytest.mark.parametrize("kind", ["body", "spliced"])
def test_more_transcripts_than_are_kept_in_mind(tmp_path, kind):
    """Genes first, then their 12,000 transcripts, then the exons of these."""
    count = 12_000
    rows = [
        f"chr1 x gene {i + 1} {i + 9} . + . {GENE_ID.format(i)}\n" for i in range(0, count, 100)
    ]
    rows += [transcript(i + 1, i + 9, gene=i // 100 * 100, name=f"t{i}") for i in range(count)]
    rows += [exons((i + 1, i + 9), gene=i // 100 * 100, transcript=f"t{i}") for i in range(count)]
    found = features(write(tmp_path / "genes.gtf", tabbed("".join(rows))), kind, "transcript")
    assert len(found) == count
    assert all(feature.problem == "" for feature in found)
    if kind == "spliced":
        assert all(feature.exons == ((feature.start, feature.end),) for feature in found)


def test_nothing_is_left_in_the_folder(tmp_path):
    genes(tmp_path, exons((1, 10)))
    assert [path.name for path in tmp_path.iterdir()] == ["genes.gtf"]
