"""Which rows the names of genes select, and what is said of the names that no row has."""

from __future__ import annotations

import gzip

import pytest

from histpred.core.errors import InputError
from histpred.genome.annotation import open_annotation
from histpred.genome.gene_list import GeneList, read_gene_list
from histpred.genome.reasons import GENE_NOT_FOUND, GENE_NOT_SELECTED, NOT_SELECTED
from histpred.genome.regions import Feature
from support.annotations import tabbed, write

XIST = Feature(1, "chrX", 0, 9, "-", "XIST", "ENSG00000229807.13")
XIST_MOUSE = Feature(2, "chrX", 0, 9, "-", "Xist", "ENSMUSG00000086503.5")
MALAT1 = Feature(3, "chr11", 0, 9, "+", "MALAT1", "ENSG00000251562.8")
CLONE = Feature(4, "chr1", 0, 9, "+", "AC012345.1", "ENSG00000999999.1")
Y_RNAS = [Feature(5 + i, "chr1", i, i + 1, "+", "Y_RNA", f"ENSG0000020000{i}.1") for i in range(3)]
ALL = [XIST, MALAT1, CLONE, *Y_RNAS]


def picked(names: list[str], rows: list[Feature] = ALL) -> list[str]:
    """Return the names of the rows that are used."""
    return [row.name for row in GeneList(names).pick(rows, "genes.gtf") if not row.problem]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["XIST"], ["XIST"]),
        (["ENSG00000229807.13"], ["XIST"]),
        (["ENSG00000229807"], ["XIST"]),
        (["ensg00000229807"], ["XIST"]),
        (["xist", "Malat1"], ["XIST", "MALAT1"]),
        (["XIST", "xist"], ["XIST"]),
        (["Y_RNA"], ["Y_RNA"] * 3),
        (["AC012345.1"], ["AC012345.1"]),
    ],
)
def test_a_row_has_its_name_its_id_and_its_id_without_version(names, found):
    assert sorted(picked(names)) == sorted(found)


def test_other_rows_are_not_selected():
    rows = GeneList(["XIST"]).pick([XIST, MALAT1], "genes.gtf")
    assert [row.problem for row in rows] == ["", GENE_NOT_SELECTED]


def test_case_tells_genes_apart_where_it_must():
    assert picked(["Xist"], [XIST, XIST_MOUSE]) == ["Xist"]
    assert picked(["XIST"], [XIST_MOUSE, XIST]) == ["XIST"]


def test_a_name_with_two_other_spellings_is_not_found():
    genes = GeneList(["xist", "MALAT1"])
    *_, missing = genes.pick([XIST, XIST_MOUSE, MALAT1], "genes.gtf")
    assert (missing.name, missing.problem) == ("xist", GENE_NOT_FOUND)
    assert missing.note == "XIST, Xist differ in their case: write one of them"


def test_a_clone_has_no_name_without_its_number():
    with pytest.raises(InputError, match="none of the genes that --genes names: AC012345"):
        picked(["AC012345"])


def test_a_name_that_no_row_has_is_a_row_with_the_nearest_names():
    genes = GeneList(["XIST", "MALTA1", "nothing_like_it", "ENSG00000251562.5"])
    rows = [row for row in genes.pick(ALL, "genes.gtf") if row.problem == GENE_NOT_FOUND]
    assert [(row.line, row.chrom, row.name, row.note) for row in rows] == [
        (0, ".", "MALTA1", "nearest: MALAT1"),
        (0, ".", "nothing_like_it", ""),
        (0, ".", "ENSG00000251562.5", "there is ENSG00000251562.8: leave out the version"),
    ]
    assert genes.warnings("genes.gtf") == [
        "3 of 4 genes are not in genes.gtf: MALTA1 (nearest: MALAT1), nothing_like_it, "
        "ENSG00000251562.5 (there is ENSG00000251562.8: leave out the version)"
    ]


def test_many_missing_names_are_counted():
    genes = GeneList(["XIST", *(f"none{i}" for i in range(500))])
    assert len([row for row in genes.pick(ALL, "genes.gtf") if row.line == 0]) == 500
    (warning,) = genes.warnings("genes.gtf")
    assert warning.startswith("500 of 501 genes are not in genes.gtf: none0, none1,")
    assert warning.endswith("none9 and 490 more; the ledger has all")


def test_respelled_and_shared_names_are_told():
    genes = GeneList(["xist", "Y_RNA"])
    list(genes.pick(ALL, "genes.gtf"))
    assert genes.warnings("genes.gtf") == []
    assert genes.notices() == [
        "genes written in another case: xist = XIST",
        "names of more than one gene, all of which are used: Y_RNA (3)",
    ]


def test_none_found_is_an_error_that_shows_what_there_is():
    with pytest.raises(InputError, match=r"it has none of the genes(?s:.*)It has XIST,"):
        picked(["XSIT", "FOO"])


def test_the_biotype_decides_before_the_name():
    row = XIST._replace(problem=NOT_SELECTED)
    assert [row.problem for row in GeneList(["XIST"]).pick([row, MALAT1], "a")] == [
        NOT_SELECTED,
        GENE_NOT_SELECTED,
    ]


GENES = {
    "genes.gtf": tabbed(
        """chr1 x gene 101 200 . + . gene_id "G1.4"; gene_name "LINC1";
           chr1 x transcript 101 200 . + . gene_id "G1.4"; transcript_id "T1"; gene_name "LINC1";
           chr1 x transcript 101 150 . + . gene_id "G1.4"; transcript_id "T2"; gene_name "LINC1";
           chr1 x gene 301 400 . - . gene_id "G2.1"; gene_name "LINC2";
           chr1 x transcript 301 400 . - . gene_id "G2.1"; transcript_id "T3"; gene_name "LINC2";"""
    ),
    "genes.gff3": tabbed(
        """chr1 x gene 101 200 . + . ID=gene:G1;Name=LINC1
           chr1 x lnc_RNA 101 200 . + . ID=transcript:T1;Parent=gene:G1
           chr1 x lnc_RNA 101 150 . + . ID=transcript:T2;Parent=gene:G1
           chr1 x gene 301 400 . - . ID=gene:G2;Name=LINC2
           chr1 x lnc_RNA 301 400 . - . ID=transcript:T3;Parent=gene:G2"""
    ),
}


@pytest.mark.parametrize("name", GENES)
def test_transcripts_have_the_name_of_their_gene(name, tmp_path):
    path = write(tmp_path / name, GENES[name])
    for names, found in ((("LINC1",), ["T1", "T2"]), (("linc2", "T2"), ["T2", "T3"])):
        with open_annotation(path, tmp_path, "body", "transcript", (), names) as annotation:
            assert sorted(row.name for row in annotation if not row.problem) == found


@pytest.mark.parametrize("content", ["XIST\n\n# mine\nMALAT1\r\n", '"XIST"\n"MALAT1"\nXIST'])
def test_a_file_has_a_name_a_line(content, tmp_path):
    path = write(tmp_path / "genes.txt", content)
    assert read_gene_list(path) == ("XIST", "MALAT1")
    path = write(tmp_path / "genes.txt.gz", gzip.compress(content.encode()))
    assert read_gene_list(path) == ("XIST", "MALAT1")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("gene\tlog2FC\n", r":1: a line with columns: 'gene\\tlog2FC'(?s:.*)cut -f1"),
        ("XIST\nA,B\n", ":2: a line with columns(?s:.*)cut -d, -f1"),
        ("# nothing\n\n", "names no gene"),
    ],
)
def test_a_file_of_anything_else_is_refused(content, message, tmp_path):
    with pytest.raises(InputError, match=message):
        read_gene_list(write(tmp_path / "genes.txt", content))
