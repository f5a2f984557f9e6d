from __future__ import annotations

import gzip
import io
import logging
import random
import sys
import tarfile
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas
import pytest

from histpred.core.errors import InputError, UsageError
from histpred.core.marks import is_mark
from histpred.genome.extract import extract
from histpred.genome.genomes import GenomeInput
from histpred.genome.request import Request
from histpred.genome.windows import WindowSpec
from histpred.labels.matrix import LabelMatrix, read_labels, rows_of, write_labels
from histpred.labels.rnainter import from_rnainter
from histpred.verbs import label_genomes_from_rnainter
from support import write_fasta
from support.annotations import write

HEADER = (
    "RNAInterID",
    "Interactor1.Symbol",
    "Category1",
    "Species1",
    "Interactor2.Symbol",
    "Category2",
    "Species2",
    "Raw_ID1",
    "Raw_ID2",
    "score",
    "strong",
    "weak",
    "predict",
)
HUMAN, MOUSE = "Homo sapiens", "Mus musculus"

GTF = """\
chr1 a gene 101 200 . + . gene_id "ENSG00000000001.5"; gene_name "ALPHA"; gene_type "lncRNA";
chr1 a gene 301 400 . - . gene_id "ENSG00000000002.1"; gene_name "BETA"; gene_type "lncRNA";
chr1 a gene 501 600 . + . gene_id "ENSG00000000003.1"; gene_name "GAMMA"; gene_type "miRNA";
chr2 a gene 101 200 . + . gene_id "ENSG00000000004.2"; gene_name "Y_RNA"; gene_type "misc_RNA";
chr2 a gene 301 400 . + . gene_id "ENSG00000000005.2"; gene_name "Y_RNA"; gene_type "misc_RNA";
"""


def row(
    symbol: str,
    mark: str,
    raw: str = "N/A",
    species: str = HUMAN,
    score: str = "0.5",
    kinds: tuple[str, str] = ("lncRNA", "histone modification"),
) -> tuple[str, ...]:
    """A row of RNAInter's table, with what its histone table has in the other columns.

    kinds: Category1 and Category2.
    """
    rest = (raw, "N/A", score, "N/A", "ChIP-seq", "N/A")
    return ("RH1", symbol, kinds[0], species, mark, kinds[1], "N/A", *rest)


def protein(symbol: str, partner: str, **others: str) -> tuple[str, ...]:
    """A row whose partner is a protein."""
    return row(symbol, partner, kinds=("lncRNA", "protein"), **others)


def text(rows: Sequence[Sequence[str]], header: Sequence[str] = HEADER) -> str:
    return "".join("\t".join(fields) + "\n" for fields in (header, *rows))


def gtf(tmp_path: Path, content: str = GTF, name: str = "genes.gtf") -> str:
    tabbed = "".join("\t".join(line.split(" ", 8)) + "\n" for line in content.splitlines())
    return str(write(tmp_path / name, tabbed))


def made(tmp_path: Path, rows: Sequence[Sequence[str]], genes: str = GTF, **options) -> LabelMatrix:
    table = write(tmp_path / "table.txt", text(rows))
    return from_rnainter(table, gtf(tmp_path, genes), tmp_path, **options)


def cells(result: LabelMatrix) -> dict[str, dict[str, float]]:
    """The matrix as {id: {mark: value}}."""
    return {
        name: dict(zip(result.marks, values.tolist(), strict=True))
        for name, values in zip(result.genes["id"], result.values, strict=True)
    }


def unjoined(result: LabelMatrix) -> list[tuple[object, ...]]:
    return list(result.unjoined.itertuples(index=False, name=None))


# The matrix


def test_a_small_table(tmp_path):
    rows = [
        row("BETA", "H3K4me3", "Ensembl:ENSG00000000002"),
        row("ALPHA", "h3k27AC", "Ensembl:ENSG00000000001"),
        row("ALPHA", "H3K4me3", "Ensembl:ENSG00000000001"),
        row("ALPHA", "H3K4me3", "Ensembl:ENSG00000000001", score="0.1"),
        row("gone", "H3K4me3", "Ensembl:ENSG00000000099"),
        row("gone", "H2A.Z", "Ensembl:ENSG00000000099"),
    ]
    result = made(tmp_path, rows)
    assert result.marks == ("H3K27ac", "H3K4me3")
    assert result.values.dtype == np.float32
    assert cells(result) == {
        "ENSG00000000001.5": {"H3K27ac": 1, "H3K4me3": 1},
        "ENSG00000000002.1": {"H3K27ac": 0, "H3K4me3": 1},
    }
    assert list(result.genes.columns) == [
        "id", "name", "biotype", "chrom", "start", "end", "strand",
    ]  # fmt: skip
    assert list(result.genes.itertuples(index=False, name=None)) == [
        ("ENSG00000000001.5", "ALPHA", "lncRNA", "chr1", 100, 200, "+"),
        ("ENSG00000000002.1", "BETA", "lncRNA", "chr1", 300, 400, "-"),
    ]
    assert list(result.unjoined.columns) == ["rna", "raw_id", "species", "pairs", "reason"]
    assert unjoined(result) == [
        ("gone", "Ensembl:ENSG00000000099", HUMAN, 2, "not in the annotation")
    ]
    assert list(result.counts.items()) == [
        ("rows read", 6),
        ("pairs used", 3),
        ("joined by Ensembl ID", 3),
        ("joined by NCBI gene ID", 0),
        ("joined by miRBase accession", 0),
        ("joined by symbol", 0),
        ("joined by miRNA name", 0),
        ("pairs not joined", 2),
        ("genes", 2),
        ("marks", 2),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["genes.gtf", "table.txt"]


def test_unobserved_pairs_can_be_left_unlabelled(tmp_path):
    rows = [row("ALPHA", "H3K4me3"), row("BETA", "H3K4me3"), row("BETA", "H3K9ac")]
    result = made(tmp_path, rows, unlabelled=True)
    np.testing.assert_array_equal(result.values, np.array([[1, np.nan], [1, 1]], np.float32))
    assert result.marks == ("H3K4me3", "H3K9ac")


@pytest.mark.parametrize("seed", range(3))
def test_against_pandas(tmp_path, seed):
    """An independent implementation by joins of whole columns."""
    rng = random.Random(seed)
    symbols = [f"GENE{i}" for i in range(60)]
    genes = pandas.DataFrame(
        {
            "id": [f"ENSG{i:011d}.{rng.randrange(9)}" for i in range(60)],
            "name": symbols[:50] + ["TWIN"] * 10,
            "ncbi": [str(1000 + i) if i % 3 else "" for i in range(60)],
        }
    )
    lines = [
        f'chr1 a gene {100 * i + 1} {100 * i + 50} . + . gene_id "{g.id}"; gene_name "{g.name}"; '
        + (f'db_xref "GeneID:{g.ncbi}";' if g.ncbi else "")
        for i, g in enumerate(genes.itertuples())
    ]
    marks = {"H3K4me3": "H3K4me3", "h3k9AC": "H3K9ac", "H2A.Z": "H2AFZ", "H4K20me1": "H4K20me1"}
    rnas = [
        (rng.choice([*symbols, "TWIN", f"gene{i % 60}"]), rng.choice(raw))
        for i in range(80)
        for raw in [[f"Ensembl:ENSG{i:011d}", f"NCBI:{1000 + i}", "N/A", "miRBase:MI0000001"]]
    ]
    drawn = [(*rng.choice(rnas), rng.choice(list(marks))) for _ in range(400)]
    result = made(tmp_path, [row(s, m, raw) for s, raw, m in drawn], "\n".join(lines))

    pairs = pandas.DataFrame(drawn, columns=["symbol", "raw", "mark"])
    pairs["mark"] = pairs["mark"].map(marks)
    pairs = pairs.drop_duplicates()
    single = genes[~genes["name"].duplicated(keep=False)]
    by = {
        "Ensembl ID": pairs["raw"].map(
            dict(zip("Ensembl:" + genes["id"].str[:15], genes["id"], strict=True))
        ),
        "NCBI gene ID": pairs["raw"].map(
            dict(zip("NCBI:" + genes["ncbi"], genes["id"], strict=True))
        ),
        "symbol": pairs["symbol"].str.upper().map(dict(zip(single.name, single.id, strict=True))),
    }
    pairs["gene"] = None
    for how, found in by.items():
        new = pairs["gene"].isna() & found.notna()
        assert result.counts[f"joined by {how}"] == new.sum() > 0
        pairs["gene"] = pairs["gene"].where(~new, found)
    used = pairs.dropna(subset="gene")
    assert result.counts["pairs used"] == len(used)
    assert result.counts["pairs not joined"] == len(pairs) - len(used) > 0
    wanted = pandas.crosstab(used["gene"], used["mark"]).clip(upper=1)
    found = pandas.DataFrame(result.values, result.genes["id"], result.marks)
    pandas.testing.assert_frame_equal(
        found.sort_index(), wanted, check_dtype=False, check_names=False
    )
    lost = pairs[pairs["gene"].isna()].groupby(["symbol", "raw"]).size()
    told = result.unjoined.replace(".", "N/A").set_index(["rna", "raw_id"])["pairs"]
    assert told.to_dict() == lost.to_dict()


def test_the_order_of_rows_makes_no_difference(tmp_path):
    rows = [
        row(symbol, mark)
        for symbol in ("GAMMA", "ALPHA", "BETA", "lost", "other")
        for mark in ("H3K9me3", "H3K4me3", "H3K27ac")
    ]
    first = made(tmp_path, rows)
    second = made(tmp_path, rows[::-1])
    assert list(first.genes["name"]) == ["ALPHA", "BETA", "GAMMA"]
    assert first.marks == second.marks == ("H3K27ac", "H3K4me3", "H3K9me3")
    pandas.testing.assert_frame_equal(first.genes, second.genes)
    pandas.testing.assert_frame_equal(first.unjoined, second.unjoined)


def test_what_it_makes_is_found_again_for_the_windows(tmp_path):
    """Labels reach the windows of the same annotation through labels.tsv.gz."""
    result = made(tmp_path, [row("ALPHA", "H3K4me3"), row("GAMMA", "H3K9ac")])
    write_labels(tmp_path / "labels.tsv.gz", result)
    labels = read_labels(tmp_path / "labels.tsv.gz")
    assert labels.marks == result.marks
    np.testing.assert_array_equal(labels.values, result.values)

    fasta = write_fasta(tmp_path / "genome.fa", {"chr1": "ACGT" * 200, "chr2": "ACGT" * 200})
    out = tmp_path / "windows.tsv"
    extract(Request(str(tmp_path / "genes.gtf"), str(fasta)), WindowSpec("body", 0, 0, 1.0), out)
    windows = pandas.read_csv(out, sep="\t")
    rows = dict(zip(windows["name"], rows_of(labels, windows), strict=True))
    assert rows == {"ALPHA": 0, "BETA": -1, "GAMMA": 1, "Y_RNA": -1}


# How an RNA joins


@pytest.mark.parametrize(
    ("symbol", "raw", "gene", "how"),
    [
        ("x", "Ensembl:ENSG00000000001", "ENSG00000000001.5", "Ensembl ID"),
        ("x", "ensembl:ENSG00000000001.12", "ENSG00000000001.5", "Ensembl ID"),
        ("x", "ENSG00000000001", "ENSG00000000001.5", "Ensembl ID"),
        ("x", "NCBI:7|Ensembl:ENSG00000000001", "ENSG00000000001.5", "Ensembl ID"),
        ("x", "HGNC:HGNC:5; ENSG00000000001", "ENSG00000000001.5", "Ensembl ID"),
        ("x", "NCBI:7//Ensembl:ENSG00000000001", "ENSG00000000001.5", "Ensembl ID"),
        ("ENSG00000000001.9", "N/A", "ENSG00000000001.5", "Ensembl ID"),
        ("BETA", "Ensembl:ENSG00000000001", "ENSG00000000001.5", "Ensembl ID"),
        ("BETA", "Ensembl:ENSG00000000077", "ENSG00000000002.1", "symbol"),
        ("BETA", "Ensembl:ENST00000000001", "ENSG00000000002.1", "symbol"),
        ("BETA", "NCBI:1234", "ENSG00000000002.1", "symbol"),
        ("BETA", "miRBase:MI0000077", "ENSG00000000002.1", "symbol"),
        (" beta ", "N/A", "ENSG00000000002.1", "symbol"),
    ],
)
def test_ids_before_symbols(tmp_path, symbol, raw, gene, how):
    result = made(tmp_path, [row(symbol, "H3K4me3", raw)])
    assert list(result.genes["id"]) == [gene]
    assert result.counts[f"joined by {how}"] == result.counts["pairs used"] == 1


@pytest.mark.parametrize(
    ("symbol", "raw", "reason"),
    [
        ("Y_RNA", "N/A", "several genes of that symbol"),
        ("y_rna", "N/A", "several genes of that symbol"),
        ("x", "ENSG00000000001|ENSG00000000002", "IDs of several genes"),
        ("x", "Ensembl:ENSG00000000077", "not in the annotation"),
        ("ENSG", "N/A", "not in the annotation"),
        ("N/A", "N/A", "not in the annotation"),
    ],
)
def test_what_does_not_join(tmp_path, symbol, raw, reason):
    result = made(tmp_path, [row("ALPHA", "H3K4me3"), row(symbol, "H3K9ac", raw)])
    assert list(result.genes["name"]) == ["ALPHA"]
    assert result.marks == ("H3K4me3",)
    ((*_, pairs, told),) = unjoined(result)
    assert (pairs, told) == (1, reason)
    assert result.counts["pairs not joined"] == 1


NCBI_GFF3 = """\
NC_1 B gene 1 90 . + . ID=gene-A1;Dbxref=GeneID:101,HGNC:HGNC:7;Name=A1;gene_biotype=lncRNA
NC_1 B lnc_RNA 1 90 . + . ID=rna-1;Parent=gene-A1;Dbxref=GeneID:101,Genbank:NR_1.1;gene=A1
NC_1 B exon 1 90 . + . ID=exon-1;Parent=rna-1;Dbxref=GeneID:101,Genbank:NR_1.1;gene=A1
NC_1 B gene 201 290 . + . ID=gene-B2;Name=B2;gene_biotype=lncRNA
NC_1 B gene 301 390 . + . ID=gene-C3;Dbxref=GeneID:303;Name=C3;gene_biotype=lncRNA
"""
NCBI_GTF = """\
NC_1 B gene 1 90 . + . gene_id "A1"; transcript_id ""; db_xref "GeneID:101"; gene "A1";
NC_1 B transcript 1 90 . + . gene_id "A1"; transcript_id "NR_1"; db_xref "GeneID:101"; gene "A1";
NC_1 B gene 201 290 . + . gene_id "B2"; transcript_id ""; gene "B2";
NC_1 B gene 301 390 . + . gene_id "C3"; transcript_id ""; db_xref "GeneID:303"; gene "C3";
"""
EXONS_ONLY = """\
NC_1 B exon 1 90 . + . gene_id "A1"; transcript_id "NR_1"; db_xref "GeneID:101";
NC_1 B exon 301 340 . + . gene_id "C3"; transcript_id "NR_3"; db_xref "GeneID:303";
NC_1 B exon 201 290 . + . gene_id "B2"; transcript_id "NR_2";
NC_1 B exon 351 390 . + . gene_id "C3"; transcript_id "NR_3"; db_xref "GeneID:303";
"""
ENTREZ = """\
chr1 B gene 1 90 . + . gene_id "A1"; gene_name "A1"; entrez_id "101"; org_hs_eg_type "ncRNA";
chr1 B transcript 1 90 . + . gene_id "A1"; transcript_id "NR_1"; gene_name "A1";
chr1 B gene 201 290 . + . gene_id "B2"; gene_name "B2";
chr1 B gene 301 390 . + . gene_id "C3"; gene_name "C3"; entrez_id "303";
"""


@pytest.mark.parametrize("genes", [NCBI_GFF3, NCBI_GTF, EXONS_ONLY, ENTREZ])
@pytest.mark.parametrize("source", ["NCBI:", "GeneID:", ""])
def test_ncbi_gene_ids(tmp_path, genes, source):
    rows = [row("x", "H3K4me3", f"{source}303"), row("y", "H3K9ac", f"{source}101")]
    result = made(tmp_path, [*rows, row("z", "H3K9ac", f"{source}1010")], genes)
    assert cells(result) == {
        "A1": {"H3K4me3": 0, "H3K9ac": 1},
        "C3": {"H3K4me3": 1, "H3K9ac": 0},
    }
    assert result.counts["joined by NCBI gene ID"] == 2
    assert result.counts["pairs not joined"] == 1


def test_numbers_of_other_databases_are_no_ncbi_gene_ids(tmp_path):
    rows = [row("x", "H3K4me3", "HGNC:101"), row("C3", "H3K9ac")]
    result = made(tmp_path, rows, NCBI_GTF)
    assert list(result.genes["id"]) == ["C3"]


@pytest.mark.parametrize(
    ("genes", "raw", "name"),
    [
        (
            'chrX a gene 1 90 . + . gene_id "ENSG00000000007.3"; gene_name "PAR";\n'
            'chrY a gene 1 90 . + . gene_id "ENSG00000000007.3_PAR_Y"; gene_name "PAR";\n',
            "Ensembl:ENSG00000000007",
            "ENSG00000000007.3",
        ),
        (
            "NC_X B gene 1 90 . + . ID=gene-PAR;Dbxref=GeneID:7;Name=PAR\n"
            "NC_Y B gene 1 90 . + . ID=gene-PAR-2;Dbxref=GeneID:7;Name=PAR\n",
            "NCBI:7",
            "PAR",
        ),
    ],
)
@pytest.mark.parametrize("by_symbol", [False, True])
def test_a_pseudoautosomal_gene_is_its_first_place(tmp_path, genes, raw, name, by_symbol):
    rna = row("PAR", "H3K4me3") if by_symbol else row("x", "H3K4me3", raw)
    result = made(tmp_path, [rna], genes)
    assert list(result.genes["id"]) == [name]
    assert result.genes["chrom"][0].endswith("X")


def test_two_rnas_of_one_gene_are_one_row(tmp_path):
    rows = [
        row("ALPHA", "H3K4me3", "Ensembl:ENSG00000000001"),
        row("ALPHA", "H3K4me3"),
        row("alpha", "H3K9ac"),
    ]
    result = made(tmp_path, rows)
    assert cells(result) == {"ENSG00000000001.5": {"H3K4me3": 1, "H3K9ac": 1}}
    assert result.counts["pairs used"] == 3
    assert result.counts["joined by symbol"] == 2


def test_a_bed_joins_by_its_names(tmp_path):
    bed = write(
        tmp_path / "genes.bed",
        "chr1\t5\t9\tENSG00000000001.2\t0\t+\nchr1\t15\t19\tBETA\t0\t-\n"
        "chr1\t25\t25\tGAMMA\t0\t-\n",
    )
    rows = [row("x", "H3K4me3", "Ensembl:ENSG00000000001"), row("Beta", "H3K9ac")]
    table = write(tmp_path / "table.txt", text([*rows, row("GAMMA", "H3K9ac")]))
    result = from_rnainter(table, str(bed), tmp_path)
    assert list(result.genes["id"]) == ["ENSG00000000001.2", "BETA"]
    assert [reason for *_, reason in unjoined(result)] == ["zero-length"]


def test_an_annotation_from_standard_input(tmp_path, monkeypatch):
    content = Path(gtf(tmp_path, NCBI_GTF)).read_bytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    table = write(tmp_path / "table.txt", text([row("x", "H3K4me3", "NCBI:303")]))
    result = from_rnainter(table, "-", tmp_path)
    assert list(result.genes["id"]) == ["C3"]


# Species


def test_by_symbol_only_the_annotations_own_species_join(tmp_path):
    """Mouse's Alpha is not human's ALPHA, nor mouse's GAMMA human's."""
    rows = [
        row("ALPHA", "H3K4me3", "Ensembl:ENSG00000000001"),
        row("BETA", "H3K4me3"),
        row("Alpha", "H3K9ac", "Ensembl:ENSMUSG00000000001", MOUSE),
        row("GAMMA", "H3K9ac", "N/A", MOUSE),
    ]
    result = made(tmp_path, rows)
    assert list(result.genes["name"]) == ["ALPHA", "BETA"]
    assert result.marks == ("H3K4me3",)
    reason = "another species than the annotation's"
    assert [told[-1] for told in unjoined(result)] == [reason, reason]


def test_a_slip_in_the_species_of_a_row_does_not_let_its_species_in(tmp_path):
    genes = "".join(
        f'chr1 a gene {i}01 {i}50 . + . gene_id "ENSG{i:011d}"; gene_name "G{i}";\n'
        for i in range(1, 31)
    )
    rows = [row("x", "H3K4me3", f"Ensembl:ENSG{i:011d}") for i in range(1, 29)]
    rows.append(row("x", "H3K4me3", "Ensembl:ENSG00000000029", MOUSE))
    rows.append(row("g30", "H3K4me3", "N/A", MOUSE))
    result = made(tmp_path, rows, genes)
    assert list(result.genes["name"]) == [f"G{i}" for i in range(1, 30)]


@pytest.mark.parametrize("name", ["Homo sapiens", "homo SAPIENS ", "Mus musculus"])
def test_species_are_chosen_in_any_case(tmp_path, name):
    rows = [
        row("ALPHA", "H3K4me3"),
        row("GAMMA", "H3K4me3"),
        row("Beta", "H3K9ac", "N/A", MOUSE),
    ]
    result = made(tmp_path, rows, species=(name,))
    human = "apiens" in name.lower()
    assert list(result.genes["name"]) == (["ALPHA", "GAMMA"] if human else ["BETA"])
    assert result.counts["pairs of other species"] == (1 if human else 2)
    assert result.counts["pairs used"] == (2 if human else 1)
    assert unjoined(result) == []


def test_a_species_that_the_table_has_not(tmp_path, caplog):
    rows = [row("ALPHA", "H3K4me3"), row("BETA", "H3K9ac", "N/A", MOUSE)]
    with pytest.raises(UsageError, match="no RNA of human") as caught:
        made(tmp_path, rows, species=("human",))
    assert caught.value.hint == "it has: Homo sapiens, Mus musculus"
    result = made(tmp_path, rows, species=("human", MOUSE))
    assert list(result.genes["name"]) == ["BETA"]
    assert "holds no RNA of human" in caplog.text


def test_symbols_alone_do_not_tell_the_species(tmp_path):
    rows = [row("ALPHA", "H3K4me3"), row("Beta", "H3K9ac", "N/A", MOUSE)]
    with pytest.raises(UsageError, match=r"Homo sapiens, Mus musculus.*symbols") as caught:
        made(tmp_path, rows)
    assert "--species" in caught.value.hint


# Category1 and Category2


BEYOND = (
    *("H3K9acS10ph", "H3K9K14ac", "H3.1", "gH2AX", "H2AXS139ph", "acH3", "H3K9bhb"),
    *("macroH2A", "H2A.Zac"),
)


def test_category_2_decides_what_is_a_mark(tmp_path):
    """Each histone modification is a mark, whatever its name; a protein is none."""
    rows = [row("ALPHA", name) for name in (*BEYOND, "H2A.Z", "h3k4ME3")]
    result = made(tmp_path, [*rows, protein("ALPHA", "H3K9me3"), protein("ALPHA", "CTCF")])
    assert set(result.marks) == {*BEYOND, "H2AFZ", "H3K4me3"}
    assert result.counts["rows without a histone mark"] == 2
    write_labels(tmp_path / "labels.tsv.gz", result)
    assert read_labels(tmp_path / "labels.tsv.gz").marks == result.marks


@pytest.mark.parametrize("without", ["column", "value"])
def test_names_decide_where_category_2_is_not_stated(tmp_path, without):
    rows = [row("ALPHA", name, kinds=("lncRNA", "N/A")) for name in (*BEYOND, "H3K4me3", "CTCF")]
    header = HEADER
    if without == "column":
        rows = [fields[:5] + fields[6:] for fields in rows]
        header = HEADER[:5] + HEADER[6:]
    table = write(tmp_path / "table.txt", text(rows, header))
    result = from_rnainter(table, gtf(tmp_path), tmp_path)
    assert result.marks == ("H3K4me3",)
    assert result.counts["rows without a histone mark"] == len(BEYOND) + 1


def test_names_that_a_bundle_cannot_hold(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    names = ["H3K4me3/H3K27me3", "H3K4me3 / H3K27me3", "acH3", "AcH3", "name"]
    result = made(tmp_path, [row("ALPHA", name) for name in names])
    assert result.marks == ("AcH3", "H3K4me3_H3K27me3", "name_mark")
    assert "H3K4me3/H3K27me3 = H3K4me3_H3K27me3" in caplog.text
    write_labels(tmp_path / "labels.tsv.gz", result)
    assert read_labels(tmp_path / "labels.tsv.gz").marks == result.marks


def test_entries_are_counted_by_category_1(tmp_path):
    """Rows, not pairs, as in the paper's figure; those of other species do not count."""
    rows = [
        row("ALPHA", "H3K4me3"),
        row("ALPHA", "H3K4me3"),
        row("lost", "H3K9ac"),
        row("GAMMA", "H3K4me3", kinds=("miRNA", "histone modification")),
        row("BETA", "H3K9ac", kinds=("N/A", "histone modification")),
        row("BETA", "H3K9ac", species=MOUSE),
        protein("ALPHA", "CTCF"),
    ]
    result = made(tmp_path, rows, species=(HUMAN,))
    assert result.categories is not None
    assert list(result.categories.columns) == ["category", "entries", "share", "joined"]
    assert list(result.categories.itertuples(index=False, name=None)) == [
        ("lncRNA", 3, 0.6, 2),
        (".", 1, 0.2, 1),
        ("miRNA", 1, 0.2, 1),
    ]


def test_a_table_without_category_1_has_no_categories(tmp_path):
    fields = row("ALPHA", "H3K4me3")
    table = write(tmp_path / "table.txt", text([fields[:2] + fields[3:]], HEADER[:2] + HEADER[3:]))
    assert from_rnainter(table, gtf(tmp_path), tmp_path).categories is None
    rows = [row("ALPHA", "H3K4me3", kinds=("N/A", "histone modification"))]
    assert made(tmp_path, rows).categories is None


def test_the_marks_with_most_pairs(tmp_path):
    """Of H3K9ac and H3K27ac, both with two genes, the first in the alphabet is kept."""
    rows = [
        *[row(gene, "H3K4me3") for gene in ("ALPHA", "BETA")],
        *[row(gene, "H3K27ac") for gene in ("ALPHA", "BETA")],
        *[row(gene, "H3K9ac") for gene in ("ALPHA", "GAMMA")],
        *[row("lost", mark) for mark in ("H3K9me3", "H3K36me3")],
    ]
    assert made(tmp_path, rows, top=3).marks == made(tmp_path, rows).marks
    result = made(tmp_path, rows, top=2)
    assert cells(result) == {
        "ENSG00000000001.5": {"H3K27ac": 1, "H3K4me3": 1},
        "ENSG00000000002.1": {"H3K27ac": 1, "H3K4me3": 1},
    }
    assert result.counts["genes"] == result.counts["marks"] == len(result.genes) == 2
    assert result.counts["marks left out by --top"] == 1
    assert result.counts["genes of these marks alone"] == 1


# What is left out


def test_names_that_are_no_histone_mark(tmp_path, caplog):
    rows = [
        row("ALPHA", "H3K4me3"),
        protein("ALPHA", "POLR2A"),
        protein("BETA", "POLR2A"),
        protein("BETA", "CTCF"),
        row("lost", "H3K9ac"),
    ]
    result = made(tmp_path, rows)
    assert list(result.genes["name"]) == ["ALPHA"]
    assert unjoined(result) == [
        (".", ".", ".", 2, "no histone mark: POLR2A"),
        (".", ".", ".", 1, "no histone mark: CTCF"),
        ("lost", ".", HUMAN, 1, "not in the annotation"),
    ]
    assert result.counts["rows without a histone mark"] == 3
    assert result.counts["pairs not joined"] == 1
    assert "3 rows of" in caplog.text
    assert "POLR2A, CTCF" in caplog.text


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        *[(name, True) for name in ("H3K4me3", "h2bk5AC", "H2A.Z", "CENPA", "H3K9cr", "H4R3me2s")],
        *[(name, False) for name in ("CTCF", "H19", "HOTAIR", "H3K4me3x", "", "N/A")],
    ],
)
def test_marks_by_their_names(name, is_one):
    assert is_mark(name) is is_one


def test_rows_below_a_score(tmp_path):
    rows = [
        row("ALPHA", "H3K4me3", score="0.2"),
        row("ALPHA", "H3K4me3", score="0.30"),
        row("ALPHA", "H3K9ac", score="0.2999"),
        row("BETA", "H3K9ac", score="3e-1"),
        row("GAMMA", "H3K9ac", score="N/A"),
        protein("GAMMA", "CTCF", score="junk"),
    ]
    result = made(tmp_path, rows, min_score=0.3)
    assert cells(result) == {
        "ENSG00000000001.5": {"H3K4me3": 1, "H3K9ac": 0},
        "ENSG00000000002.1": {"H3K4me3": 0, "H3K9ac": 1},
    }
    assert result.counts["rows below the least score"] == 3
    with pytest.raises(UsageError, match=r"no row has a score of 0\.8; the highest is 0\.3"):
        made(tmp_path, rows, min_score=0.8)
    with pytest.raises(UsageError, match="no row has a score of nan"):
        made(tmp_path, rows, min_score=float("nan"))
    with pytest.raises(InputError, match=r"table\.txt:3: the score is 'high'"):
        made(tmp_path, [rows[0], row("ALPHA", "H3K9ac", score="high")], min_score=0.1)
    without = [("ALPHA", "H3K9ac", "N/A", HUMAN)]
    header = ("Interactor1.Symbol", "Interactor2.Symbol", "Raw_ID1", "Species1")
    table = write(tmp_path / "other.txt", text(without, header))
    assert from_rnainter(table, gtf(tmp_path), tmp_path).counts["pairs used"] == 1
    with pytest.raises(InputError, match=r"other\.txt:1: no column score"):
        from_rnainter(table, gtf(tmp_path), tmp_path, min_score=0.3)


def test_a_biotype_is_selected(tmp_path, caplog):
    """GAMMA, a miRNA, is in the annotation but not selected; RNAs that join it are not used."""
    rows = [row("ALPHA", "H3K4me3"), row("x", "H3K9ac", "Ensembl:ENSG00000000003")]
    result = made(tmp_path, rows, biotypes=("lncRNA", "snoRNA"))
    assert list(result.genes["name"]) == ["ALPHA"]
    assert unjoined(result) == [("x", "Ensembl:ENSG00000000003", HUMAN, 1, "biotype-not-selected")]
    assert "has the biotype snoRNA" in caplog.text
    with pytest.raises(UsageError, match="has the biotype snoRNA"):
        made(tmp_path, rows, biotypes=("snoRNA",))
    with pytest.raises(InputError, match="biotype-not-selected: 1"):
        made(tmp_path, rows[1:], biotypes=("lncRNA",))


# The file


@pytest.mark.parametrize(
    "spelt",
    [
        lambda name: name.lower(),
        lambda name: name.upper(),
        lambda name: name.replace(".", "_"),
        lambda name: name.replace(".", " ").replace("_", " "),
        lambda name: name.replace(".Symbol", ""),
        lambda name: name.replace("_", ""),
        lambda name: f" {name} ",
        lambda name: name.replace("RNAInterID", "#RNAInterID"),
    ],
)
def test_columns_in_any_order_and_spelling(tmp_path, spelt):
    rows = [row("ALPHA", "H3K4me3", "Ensembl:ENSG00000000002", score="0.9")]
    rng = random.Random(1)
    for _ in range(3):
        order = rng.sample(range(len(HEADER)), len(HEADER))
        mixed = [[fields[i] for i in order] for fields in rows]
        table = write(tmp_path / "table.txt", text(mixed, [spelt(HEADER[i]) for i in order]))
        result = from_rnainter(table, gtf(tmp_path), tmp_path, min_score=0.9)
        assert cells(result) == {"ENSG00000000002.1": {"H3K4me3": 1}}


@pytest.mark.parametrize("at", [1, 3, 4, 7])
def test_a_missing_column_is_named(tmp_path, at):
    fields = row("ALPHA", "H3K4me3")
    rows = [fields[:at] + fields[at + 1 :]]
    table = write(tmp_path / "table.txt", text(rows, HEADER[:at] + HEADER[at + 1 :]))
    with pytest.raises(InputError) as caught:
        from_rnainter(table, gtf(tmp_path), tmp_path)
    first = ", ".join((HEADER[:at] + HEADER[at + 1 :])[:3])
    assert caught.value.message == f"{table}:1: no column {HEADER[at]}; it has {first} and 9 more"


def test_a_column_twice(tmp_path):
    header = [name.replace("Category1", "interactor1") for name in HEADER]
    table = write(tmp_path / "table.txt", text([row("ALPHA", "H3K4me3")], header))
    with pytest.raises(InputError, match=r"twice, as Interactor1\.Symbol, interactor1"):
        from_rnainter(table, gtf(tmp_path), tmp_path)


def archive(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as target:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            target.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("form", ["plain", "gz", "crlf", "bom", "tar", "tar.gz"])
def test_the_table_in_any_wrapping(tmp_path, form):
    """A repeated header, as in concatenated tables, is no row."""
    rows = [row("ALPHA", "H3K4me3"), HEADER, row("BETA", "H3K4me3")]
    content = text(rows).encode() + b"\n"
    path = tmp_path / "Download_data_RH"
    if form.startswith("tar"):
        files = {"data/Download_data_RH.txt": content, "data/._Download_data_RH.txt": b"\x00\x05"}
        archive(path, files, "w:gz" if form == "tar.gz" else "w")
    else:
        write(
            path,
            {
                "plain": content,
                "gz": gzip.compress(content, mtime=0),
                "crlf": content.replace(b"\n", b"\r\n"),
                "bom": b"\xef\xbb\xbf" + content,
            }[form],
        )
    result = from_rnainter(path, gtf(tmp_path), tmp_path)
    assert list(result.genes["name"]) == ["ALPHA", "BETA"]
    assert result.counts["rows read"] == 2


GOOD = text([row("ALPHA", "H3K4me3"), row("BETA", "H3K4me3")])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (text([]), "no row below the header"),
        (text([HEADER]), "no row below the header"),
        (GOOD.replace("\t", ","), ":1: no column Interactor1.Symbol"),
        (text([row("ALPHA", "H3K4me3")[:7]]), ":2: 7 columns where the header has 13"),
        (GOOD[:-30], ":3: "),
        (GOOD + "\t".join([*row("A", "H3K9ac"), "more"]), ":4: 14 columns"),
        (GOOD.encode("utf-16"), "UTF-16"),
        (GOOD.encode() + b"\xe9\n", ":4: not UTF-8"),
        (gzip.compress(GOOD.encode(), mtime=0)[:-20], "truncated or damaged"),
        (
            text([protein("ALPHA", "CTCF"), protein("ALPHA", "POLR2A")]),
            "no histone mark in Interactor2",
        ),
        (text([row("lost", "H3K4me3", "NCBI:5")]), "none of its 1 RNAs joins a gene"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, content, message):
    table = write(tmp_path / "table.txt", content)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError) as caught:
        from_rnainter(table, gtf(tmp_path), tmp_path)
    assert caught.value.message.startswith(str(table))
    assert message in caught.value.message
    assert caught.value.hint
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "genes.gtf"])


def test_no_table(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        from_rnainter(tmp_path / "missing.txt", gtf(tmp_path), tmp_path)
    with pytest.raises(InputError, match="is a directory"):
        from_rnainter(tmp_path, gtf(tmp_path), tmp_path)


def test_archives_that_cannot_be_used(tmp_path):
    rng = random.Random(0)
    rows = [row("ALPHA", "H3K4me3", score=str(rng.random())) for _ in range(3000)]
    whole = archive(tmp_path / "RH.tar.gz", {"RH.txt": text(rows).encode()}).read_bytes()
    flipped = whole[:-8] + bytes(byte ^ 255 for byte in whole[-8:-4]) + whole[-4:]  # the checksum
    bare = gzip.decompress(whole)[:100_000]
    for damaged in (whole[: len(whole) // 2], whole[:-9], flipped, bare):
        path = write(tmp_path / "RH.tar.gz", damaged)
        with pytest.raises(InputError, match="truncated or damaged") as caught:
            from_rnainter(path, gtf(tmp_path), tmp_path)
        assert "none of its content was used" in caught.value.hint
    two = archive(tmp_path / "RR.tar", {"a.txt": b"x", "b.txt": b"x"}, "w")
    with pytest.raises(InputError, match=r"an archive of 2 files .*: a\.txt, b\.txt"):
        from_rnainter(two, gtf(tmp_path), tmp_path)


def test_nothing_joins(tmp_path):
    rows = [row(f"Gm{i}", "H3K4me3", f"Ensembl:ENSMUSG{i:011d}", MOUSE) for i in range(5)]
    with pytest.raises(InputError) as caught:
        made(tmp_path, rows)
    assert caught.value.message == (
        f"{tmp_path}/table.txt: none of its 5 RNAs joins a gene of {tmp_path}/genes.gtf "
        "(not in the annotation: 5): Gm0 (Ensembl:ENSMUSG00000000000), "
        "Gm1 (Ensembl:ENSMUSG00000000001), Gm2 (Ensembl:ENSMUSG00000000002) and 2 more here, "
        "ALPHA (ENSG00000000001.5), BETA (ENSG00000000002.1), GAMMA (ENSG00000000003.1) and "
        "2 more there"
    )
    assert "one species" in caught.value.hint


def test_an_annotation_without_genes(tmp_path):
    table = write(tmp_path / "table.txt", GOOD)
    empty = write(tmp_path / "genes.bed", "# nothing\n")
    with pytest.raises(InputError, match=r"genes\.bed: holds no gene"):
        from_rnainter(table, str(empty), tmp_path)


def test_memory_does_not_grow_with_the_rows(tmp_path):
    """Twenty times as many rows of the same RNAs need no more memory."""
    rows = [row("ALPHA", "H3K4me3"), row("BETA", "H3K9ac"), row("GAMMA", "H3K27me3")]
    genes = gtf(tmp_path)

    def peak(times: int) -> int:
        table = write(tmp_path / "table.txt", text(rows * times))
        tracemalloc.start()
        result = from_rnainter(table, genes, tmp_path)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert result.counts["rows read"] == 3 * times
        assert result.counts["pairs used"] == 3
        return used

    peak(10)  # what is loaded and cached once
    assert peak(10_000) < peak(500) + 500_000


# Real genes


@pytest.mark.shared
def test_real_genes_join_by_each_of_their_names(shared_data, tmp_path, caplog):
    """RefSeq's chr22: all IDs and symbols as a table, read from the annotation by hand."""
    caplog.set_level(logging.WARNING)
    path = shared_data / "human" / "chr22" / "genes.chr22.gtf.gz"
    genes = {}
    with gzip.open(path, "rt") as lines:
        for line in lines:
            fields = line.rstrip("\n").split("\t")
            if fields[2] == "gene":
                pairs = [pair.split() for pair in fields[8].split(";")]
                attributes = {pair[0]: pair[1].strip('"') for pair in pairs if pair}
                genes.setdefault(attributes["gene_id"], attributes)
    numbered = {name for name, gene in genes.items() if gene.get("entrez_id", "").isdigit()}
    assert len(numbered) > 500
    rows = [
        row("x", "H3K4me3", f"NCBI:{genes[name]['entrez_id']}")
        if name in numbered
        else row(name.lower(), "H3K4me3")
        for name in genes
    ]
    table = write(tmp_path / "table.txt", text(rows))
    result = from_rnainter(table, str(path), tmp_path)
    assert result.counts["joined by NCBI gene ID"] == len(numbered)
    assert result.counts["joined by symbol"] == len(genes) - len(numbered)
    assert set(result.genes["id"]) == set(genes)
    assert not caplog.text


# A sheet of genomes

MOUSE_GTF = """\
chr1 a gene 101 200 . + . gene_id "ENSMUSG00000000001.5"; gene_name "Alpha"; gene_type "lncRNA";
chr1 a gene 301 400 . - . gene_id "ENSMUSG00000000002.1"; gene_name "Beta"; gene_type "lncRNA";
"""
BOTH = (
    row("ALPHA", "H3K4me3", "Ensembl:ENSG00000000001"),
    row("BETA", "H3K4me3"),
    row("BETA", "H3K9me3"),
    row("Alpha", "H3K27ac", "Ensembl:ENSMUSG00000000001", MOUSE),
    row("Beta", "H3K4me3", "N/A", MOUSE),
    row("Gamma", "H3K4me3", "Ensembl:ENSMUSG00000000009", MOUSE),
)


def genomes_of(tmp_path: Path, species: dict[str, str]) -> list[GenomeInput]:
    annotations = {
        "human": gtf(tmp_path, GTF, "human.gtf"),
        "mouse": gtf(tmp_path, MOUSE_GTF, "mouse.gtf"),
    }
    return [
        GenomeInput(name, Request(path, ""), species=species.get(name))
        for name, path in annotations.items()
    ]


def label_both(tmp_path: Path, species: dict[str, str], **options) -> dict[str, list[dict]]:
    pytest.importorskip("matplotlib", reason="needs the extra labels")
    table = write(tmp_path / "table.txt", text(BOTH))
    genomes = genomes_of(tmp_path, species)
    out = tmp_path / "labels"
    label_genomes_from_rnainter(table, genomes, out, overwrite=True, **options)
    return {
        genome.name: pandas.read_csv(
            out / genome.name / "labels.tsv.gz", sep="\t", keep_default_na=False, dtype=str
        ).to_dict("records")
        for genome in genomes
    }


@pytest.mark.parametrize("species", [{}, {"human": HUMAN, "mouse": MOUSE}])
def test_each_genome_has_a_folder_with_the_rnas_of_its_species_and_all_marks(tmp_path, species):
    found = label_both(tmp_path, species)
    values = {
        genome: {
            row["name"]: "".join(row[m] for m in ("H3K27ac", "H3K4me3", "H3K9me3")) for row in rows
        }
        for genome, rows in found.items()
    }
    assert values == {
        "human": {"ALPHA": "010", "BETA": "011"},
        "mouse": {"Alpha": "100", "Beta": "010"},
    }


def test_a_mark_without_a_pair_in_a_genome_is_warned_of(tmp_path, caplog):
    found = label_both(tmp_path, {}, unobserved="unlabelled")
    assert {row["H3K9me3"] for row in found["mouse"]} == {""}
    assert "no RNA of mouse has H3K9me3: unlabelled there" in caplog.text
    assert caplog.text.count("no RNA of mouse") == 1


def test_the_commonest_marks_are_those_of_all_genomes(tmp_path):
    found = label_both(tmp_path, {}, top=1)
    assert [row["name"] for row in found["mouse"]] == ["Beta"]
    assert {"H3K27ac", "H3K9me3"}.isdisjoint(found["mouse"][0])
    assert [row["H3K4me3"] for row in found["human"]] == ["1", "1"]


def test_a_genome_with_the_wrong_species_is_refused_though_symbols_match(tmp_path):
    with pytest.raises(InputError, match="RNAs are of another species") as error:
        label_both(tmp_path, {"human": MOUSE, "mouse": MOUSE})
    assert error.value.message.startswith("genome human: ")
    assert not (tmp_path / "labels" / "human" / "labels.tsv.gz").exists()
