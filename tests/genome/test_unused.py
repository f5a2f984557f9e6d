"""Transcripts of which only CDS are known are in the ledger; all other CDS say nothing new."""

from __future__ import annotations

import pytest

from support.annotations import features, tabbed, write

GENE = """
    chr1 x gene 11 60 . + . {gene}
    chr1 x transcript 11 60 . + . {transcript}
    chr1 x exon 11 60 . + . {exon}"""
GTF = GENE.format(
    gene='gene_id "g";',
    transcript='gene_id "g"; transcript_id "t";',
    exon='gene_id "g"; transcript_id "t";',
)
GFF3 = GENE.format(gene="ID=g", transcript="ID=t;Parent=g", exon="Parent=t")


def skipped(tmp_path, text, level="gene"):
    found = features(write(tmp_path / "genes.gff", tabbed(text)), "body", level)
    return [
        f"{f.line} {f.name} {f.gene_id} {f.chrom}:{f.start}-{f.end}{f.strand} {f.note}"
        for f in found
        if f.problem == "no-gene"
    ]


@pytest.mark.parametrize("level", ["gene", "transcript"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GTF + """
    chr1 x CDS 131 160 . - 0 gene_id "h"; transcript_id "u";
    chr1 x CDS 101 120 . - 0 gene_id "h"; transcript_id "u";
    chr2 x CDS 1 9 . + 0 transcript_id "w"; gene_id "i";
    chr2 x CDS 21 29 . + 0 gene_id "j";""",
         ["4 u h chr1:100-160- type CDS", "6 w i chr2:0-9+ type CDS",
          "7 j j chr2:20-29+ type CDS"]),
        (GFF3 + """
    chr1 x CDS 101 120 . - 0 ID=c;Parent=u
    chr1 x SO:0000316 131 160 . - 0 ID=c;Parent=u
    chr1 x CDS 11 20 . + 0 ID=d;Parent=t,w""",
         ["4 u . chr1:100-160- type CDS", "6 w . chr1:10-20+ type CDS"]),
        # Two loci of one ID
        (GTF + """
    chr1 x CDS 1 9 . + 0 gene_id "h"; transcript_id "u";
    chr2 x CDS 1 9 . + 0 gene_id "h"; transcript_id "u";""",
         ["4 u h chr1:0-9+ type CDS", "5 u h chr2:0-9+ type CDS"]),
    ],
)  # fmt: skip
def test_a_transcript_known_from_cds_only_is_in_the_ledger_once(tmp_path, text, expected, level):
    assert skipped(tmp_path, text, level) == expected


@pytest.mark.parametrize("level", ["gene", "transcript"])
@pytest.mark.parametrize(
    ("text", "cds"),
    [
        (GTF, 'gene_id "g"; transcript_id "t";'),
        (GTF, 'transcript_id "t"; gene_id "g";'),
        (GTF, 'gene_id "g"; transcript_id "another";'),
        (GTF, 'gene_id "g";'),
        (GTF, "."),
        (GFF3, "ID=c;Parent=t"),
        (GFF3, "ID=c;Parent=g"),
        (GFF3, "ID=c"),
        ('chr1 x exon 11 60 . + . gene_id "g"; transcript_id "t";',
         'gene_id "g"; transcript_id "t";'),
        ("chr1 x exon 11 60 . + . Parent=t", "ID=c;Parent=t"),
        ("chr1 x mRNA 11 60 . + . ID=t", "ID=c;Parent=t"),
        ("chr1 x mystery 11 60 . + . ID=m\nchr1 x gene 1 9 . + . ID=g", "ID=c;Parent=m"),
    ],
)  # fmt: skip
def test_a_cds_of_a_known_gene_or_transcript_is_not(tmp_path, text, cds, level):
    """Before its transcript, after it, and far after it."""
    row = f"chr1 x CDS 21 40 . + 0 {cds}"
    assert skipped(tmp_path, f"{text}\n{row}", level) == []
    assert skipped(tmp_path, f"{row}\n{text}", level) == []


def test_a_cds_far_from_its_transcript_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr("histpred.genome.gff.RECENT", 1)
    row = 'chr1 x CDS 21 40 . + 0 gene_id "g"; transcript_id "t";'
    other = GTF.replace('"g"', '"h"').replace('"t"', '"u"')
    assert skipped(tmp_path, f"{GTF}\n{other}\n{row}") == []
