"""Labels of several genomes, matched and pooled."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas
import pytest

from histpred.core.errors import InputError, UsageError
from histpred.genome.genomes import GenomeInput, one_genome, placed
from histpred.genome.request import Request
from histpred.labels.genomes import (
    absent_marks,
    genomes_identity,
    labelled_genomes,
    read_genome_labels,
)

HUMAN = "id\tH3K4me3\tH3K9me3\nG1\t1\t0\nG2\t0\t1\n"
MOUSE = "id\tH3K27ac\tH3K4me3\nG2\t1\t1\nG3\t\t0\n"


@pytest.fixture
def genomes(tmp_path) -> list[GenomeInput]:
    return [genome(tmp_path, "human", HUMAN), genome(tmp_path, "mouse", MOUSE)]


def genome(folder: Path, name: str, labels: str) -> GenomeInput:
    path = folder / f"{name}.tsv"
    path.write_text(labels)
    files = []
    for suffix in ("bed", "fa"):
        files.append(folder / f"{name}.{suffix}")
        files[-1].write_text(f"{name}.{suffix}\n")
    return GenomeInput(name, Request(*map(str, files)), path)


def windows(*ids: str, genome: str = "") -> pandas.DataFrame:
    rows = [("chr1", 10 * i, 10 * i + 10, f"S{name}", name) for i, name in enumerate(ids)]
    table = pandas.DataFrame(rows, columns=["chrom", "start", "end", "name", "gene_id"])
    return placed(table, genome)


def test_a_mark_that_a_genome_lacks_is_unlabelled_there_and_a_warning_says_so(genomes):
    human, mouse = tables = read_genome_labels(genomes)
    assert human.marks == mouse.marks == ("H3K4me3", "H3K9me3", "H3K27ac")
    np.testing.assert_array_equal(human.values, [[1, 0, np.nan], [0, 1, np.nan]])
    np.testing.assert_array_equal(mouse.values, [[1, np.nan, 1], [0, np.nan, np.nan]])
    assert absent_marks(genomes, tables) == [
        "the labels of human have no H3K27ac: these marks are unlabelled there",
        "the labels of mouse have no H3K9me3: these marks are unlabelled there",
    ]


def test_marks_are_named_over_all_genomes(genomes):
    human, mouse = tables = read_genome_labels(genomes, ("H3K9me3",))
    assert human.marks == mouse.marks == ("H3K9me3",)
    assert len(absent_marks(genomes, tables)) == 1
    with pytest.raises(UsageError, match="has no mark H3K36me3"):
        read_genome_labels(genomes, ("H3K36me3",))


def test_one_genome_without_a_name_changes_nothing(genomes):
    alone = one_genome(genomes[0].request, genomes[0].labels)
    table, labels = windows("G2", "G1", "G4"), read_genome_labels(alone)
    assert absent_marks(alone, labels) == []
    found = labelled_genomes(alone, [table], labels)
    assert found.units.tolist() == ["G2", "G1"]
    assert set(found.windows["chrom"]) == {"chr1"}
    assert list(genomes_identity(alone, "body"))[:3] == [
        "annotation sha256",
        "FASTA sha256",
        "labels sha256",
    ]


def test_genes_and_contigs_that_two_genomes_share_stay_two(genomes):
    tables = [windows("G1", "G2", genome="human"), windows("G9", "G2", "G3", genome="mouse")]
    found = labelled_genomes(genomes, tables, read_genome_labels(genomes))
    assert found.units.tolist() == ["human:G1", "human:G2", "mouse:G2", "mouse:G3"]
    assert found.windows["chrom"].tolist() == ["human:chr1"] * 2 + ["mouse:chr1"] * 2
    assert found.windows["genome"].tolist() == ["human"] * 2 + ["mouse"] * 2
    assert found.rows.tolist() == [0, 1, 3, 4]
    pooled = pandas.concat(tables, ignore_index=True)
    assert pooled.loc[found.rows, "gene_id"].tolist() == found.windows["gene_id"].tolist()
    assert found.labels[:, 0].tolist() == [1, 0, 1, 0]


def test_a_genome_that_joins_nothing_is_named(genomes):
    tables = [windows("G1", genome="human"), windows("G7", genome="mouse")]
    with pytest.raises(InputError, match=r"^genome mouse: .*none of its 2 rows is in"):
        labelled_genomes(genomes, tables, read_genome_labels(genomes))


def test_labels_of_another_species_are_refused_even_if_a_name_matches(tmp_path):
    human = "id\tH3K4me3\nENSG00000000003.15\t1\n7SK\t0\n"
    mouse = genome(tmp_path, "mouse", human)
    table = windows("ENSMUSG00000000001", "7SK", genome="mouse")
    with pytest.raises(InputError, match="genes are of another species") as error:
        labelled_genomes([mouse], [table], read_genome_labels([mouse]))
    assert "ENSG00000000003.15 here, ENSMUSG00000000001 there" in error.value.message
    assert error.value.message.startswith("genome mouse: ")


def test_the_identity_has_the_digests_and_the_species_of_each_genome(genomes):
    human, mouse = genomes
    found = genomes_identity([human._replace(species="Homo sapiens"), mouse], "promoter")
    assert found["by"] == "gene"
    assert list(found["genomes"]) == ["human", "mouse"]
    assert found["genomes"]["human"]["species"] == "Homo sapiens"
    digests = {one["FASTA sha256"] for one in found["genomes"].values()}
    assert len(digests) == 2
    assert "FASTA sha256" not in found


def test_the_number_of_rows_of_each_genome_is_logged(genomes, caplog):
    tables = [windows("G1", "G2", genome="human"), windows("G2", genome="mouse")]
    with caplog.at_level(logging.INFO):
        labelled_genomes(genomes, tables, read_genome_labels(genomes))
    assert "genome human: 2 windows have a label" in caplog.text
