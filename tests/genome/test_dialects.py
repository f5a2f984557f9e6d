"""Annotations as other programs write them: what is a row, what it is called, what it is."""

from __future__ import annotations

import pytest

from support.annotations import features, tabbed, write

AUGUSTUS = """
    chr1 AUGUSTUS gene 5001 8000 . + . g1
    chr1 AUGUSTUS transcript 5001 8000 . + . g1.t1
    chr1 AUGUSTUS exon 5001 6000 . + . transcript_id "g1.t1"; gene_id "g1";
    chr1 AUGUSTUS exon 7001 8000 . + . transcript_id "g1.t1"; gene_id "g1";
"""
NCBI_NAMELESS = """
    chr1 RefSeq gene 5001 5070 . + . gene_id "TRNF"; transcript_id ""; gene_biotype "tRNA";
    chr1 RefSeq exon 5001 5070 . + . gene_id "TRNF"; transcript_id "unknown_transcript_1";
    chr1 RefSeq gene 9001 9070 . - . gene_id "TRNV"; transcript_id ""; gene_biotype "tRNA";
    chr1 RefSeq exon 9001 9070 . - . gene_id "TRNV"; transcript_id "unknown_transcript_1";
"""
NCBI_WITHOUT_GENES = """
    chrM RefSeq exon 31 95 . + . gene_id ""; transcript_id "unknown_transcript_1";
    chrM RefSeq exon 151 195 . + . gene_id ""; transcript_id "unknown_transcript_1";
"""
NCBI_OVERLAPPING = """
    chr1 RefSeq transcript 51 100 . + . gene_id "A"; transcript_id "unassigned_transcript_1";
    chr1 RefSeq exon 51 100 . + . gene_id "A"; transcript_id "unassigned_transcript_1";
    chr1 RefSeq transcript 81 200 . + . gene_id "B"; transcript_id "unassigned_transcript_1";
    chr1 RefSeq exon 81 200 . + . gene_id "B"; transcript_id "unassigned_transcript_1";
"""
TAIR = """
    chr1 TAIR10 gene 5001 8000 . + . ID=AT1G1;Name=AT1G1
    chr1 TAIR10 mRNA 5001 8000 . + . ID=AT1G1.1;Parent=AT1G1;Name=AT1G1.1
    chr1 TAIR10 gene 9001 9100 . - . ID=AT1G2;Name=AT1G2
    chr1 TAIR10 miRNA 9001 9100 . - . ID=AT1G2.1;Parent=AT1G2;Name=AT1G2.1
"""
FLYBASE = """
    chr1 FlyBase gene 51 80 . + . gene_id "FBgn1"; gene_symbol "roX1";
    chr1 FlyBase ncRNA 51 80 . + . gene_id "FBgn1"; gene_symbol "roX1"; transcript_id "FBtr1";
    chr1 FlyBase gene 91 99 . + . gene_id "FBgn2"; gene_symbol "mir-1";
    chr1 FlyBase pre_miRNA 91 99 . + . gene_id "FBgn2"; transcript_id "FBtr2";
"""
RNACENTRAL = """
    chr1 RNAcentral transcript 51 70 . + . ID=URS1.0;Name=URS1_9606;type=miRNA
    chr1 RNAcentral noncoding_exon 51 70 . + . ID=URS1.0:e1;Parent=URS1.0;Name=URS1_9606
"""
MIRBASE = """
    chr1 . miRNA_primary_transcript 17369 17436 . - . ID=MI0022705;Name=hsa-mir-6859-1
    chr1 . miRNA 17409 17431 . - . ID=MIMAT18;Name=hsa-miR-6859-5p;Derives_from=MI0022705
    chr1 . miRNA 17369 17391 . - . ID=MIMAT19;Name=hsa-miR-6859-3p;Derives_from=MI0022705
"""
GFFREAD = """
    chr1 x transcript 51 60 . + . transcript_id "ENST1"; gene_id "ENSG1"; gene_name "MALAT1";
    chr1 x exon 51 60 . + . transcript_id "ENST1"; gene_id "ENSG1"; gene_name "MALAT1";
"""


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        (AUGUSTUS, "body", ["g1 g1 . 5000-8000"]),
        (AUGUSTUS, "spliced", ["g1.t1 g1 . 5000-8000"]),
        (NCBI_NAMELESS, "body", ["TRNF TRNF tRNA 5000-5070", "TRNV TRNV tRNA 9000-9070"]),
        (
            NCBI_NAMELESS,
            "spliced",
            [
                "unknown_transcript_1 TRNF tRNA 5000-5070",
                "unknown_transcript_1 TRNV tRNA 9000-9070",
            ],
        ),
        (
            NCBI_WITHOUT_GENES,
            "body",
            ["chrM:30-95 . . 30-95 no-id", "chrM:150-195 . . 150-195 no-id"],
        ),
        (
            NCBI_OVERLAPPING,
            "spliced",
            ["unassigned_transcript_1 A . 50-100", "unassigned_transcript_1 B . 80-200"],
        ),
        (TAIR, "body", ["AT1G1 AT1G1 protein_coding 5000-8000", "AT1G2 AT1G2 miRNA 9000-9100"]),
        (FLYBASE, "body", ["roX1 FBgn1 ncRNA 50-80", "mir-1 FBgn2 pre_miRNA 90-99"]),
        (FLYBASE, "spliced", ["FBtr1 FBgn1 ncRNA 50-80", "FBtr2 FBgn2 pre_miRNA 90-99"]),
        (RNACENTRAL, "body", ["URS1_9606 URS1_9606 miRNA 50-70"]),
        (MIRBASE, "body", ["hsa-mir-6859-1 hsa-mir-6859-1 miRNA_primary_transcript 17368-17436"]),
        (GFFREAD, "body", ["MALAT1 ENSG1 . 50-60"]),
    ],
)
def test_rows(tmp_path, text, kind, expected):
    found = features(write(tmp_path / "genes", tabbed(text)), kind)
    assert [
        f"{f.name} {f.gene_id} {f.biotype} {f.start}-{f.end} {f.problem}".strip() for f in found
    ] == expected


def test_exons_are_those_of_the_same_gene(tmp_path):
    first, second = features(write(tmp_path / "a.gtf", tabbed(NCBI_OVERLAPPING)), "spliced")
    assert (first.exons, second.exons) == (((50, 100),), ((80, 200),))


@pytest.mark.parametrize(
    ("text", "selected", "names"),
    [
        (TAIR, "ncRNA", ["AT1G2"]),
        (FLYBASE, "miRNA", ["mir-1"]),
        (RNACENTRAL, "miRNA", ["URS1_9606"]),
        (MIRBASE, "miRNA", ["hsa-mir-6859-1"]),
    ],
)
def test_biotypes_that_only_transcripts_state(tmp_path, text, selected, names):
    path = write(tmp_path / "genes", tabbed(text))
    found = features(path, biotypes=(selected,))
    assert [feature.name for feature in found if not feature.problem] == names


def test_transcripts_are_selected_by_their_gene(tmp_path):
    text = """
        chr1 x gene 1 9 . + . gene_id "A"; gene_type "protein_coding";
        chr1 x transcript 1 9 . + . gene_id "A"; transcript_id "T1"; transcript_type "lncRNA";
        chr1 x gene 1 9 . + . gene_id "B"; gene_type "lncRNA";
        chr1 x transcript 1 9 . + . gene_id "B"; transcript_id "T2"; transcript_type "TEC";
    """
    path = write(tmp_path / "a.gtf", tabbed(text))
    found = features(path, level="transcript", biotypes=("ncRNA",))
    assert [(feature.name, feature.problem) for feature in found] == [
        ("T1", "biotype-not-selected"),
        ("T2", ""),
    ]
