"""Sheets of genomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from histpred.core.errors import InputError
from histpred.genome.genomes import is_sheet, naming, one_genome, read_genomes
from histpred.genome.request import Request

FILES = ("h.gtf", "h.fa", "h.tsv", "m.gtf", "m.fa", "m.tsv")
HEADER = "name,annotation,fasta,labels\n"
HUMAN, MOUSE = "human,h.gtf,h.fa,h.tsv\n", "mouse,m.gtf,m.fa,m.tsv\n"


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in FILES:
        (tmp_path / name).write_text("")
    return tmp_path


def sheet(folder: Path, text: str, name: str = "genomes.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_paths_start_at_the_folder_of_the_sheet_and_genomes_are_in_order_of_name(folder):
    selection = Request("", "", "gene", ("lncRNA",))
    human, mouse = read_genomes(sheet(folder, HEADER + MOUSE + HUMAN), selection)
    assert (mouse.name, human.name) == ("mouse", "human")
    assert human.labels == folder / "h.tsv"
    assert human.request == selection._replace(
        annotation=str(folder / "h.gtf"), fasta=str(folder / "h.fa")
    )
    assert human.files == tuple(str(folder / name) for name in FILES[:3])


@pytest.mark.parametrize("ending", ["", "\r"])
def test_a_sheet_may_have_tabs_quotes_blank_lines_and_the_pipelines_sample(folder, ending):
    header = f"sample\tannotation\tfasta\tspecies\ttaxon_id{ending}\n"
    text = f'{header}\n"a"\th.gtf\th.fa\tHomo sapiens\t9606{ending}\n'
    (genome,) = read_genomes(sheet(folder, text, "genomes.tsv"), labelled=False)
    assert (genome.name, genome.species, genome.taxon_id) == ("a", "Homo sapiens", 9606)
    assert genome.labels is None
    assert genome.assembly is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ": is empty"),
        (HEADER, ": names no genome"),
        (HEADER + HUMAN + HUMAN, ":3: two genomes are called human"),
        (HEADER + "human,h.gtf,missing.fa,h.tsv\n", ":2: {}/missing.fa does not exist"),
        (HEADER + "human,h.gtf,,h.tsv\n", ":2: a genome without fasta"),
        (HEADER + "human,h.gtf,h.fa\n", ":2: 3 columns where the header has 4"),
        (HEADER + "Homo sapiens,h.gtf,h.fa,h.tsv\n", ":2: 'Homo sapiens' cannot be the name"),
        ("name,annotation,fasta\nhuman,h.gtf,h.fa\n", ":1: no column labels"),
        ("name,annotation,fasta,labls\n", ":1: no such column as 'labls'"),
        ("name,annotation,fasta,fasta\n", ":1: two columns fasta"),
        (
            "name,annotation,fasta,labels,taxon_id\n" + HUMAN[:-1] + ",man\n",
            ":2: the taxon_id 'man'",
        ),
        (
            "name,annotation,fasta,labels,taxon_id\n" + HUMAN[:-1] + f",{'9' * 5000}\n",
            f":2: the taxon_id '{'9' * 40}'",
        ),
        (HEADER + "h" * 200_000 + ",h.gtf,h.fa,h.tsv\n", ":2: 1 columns where the header has 4"),
    ],
)
def test_an_unusable_sheet_is_refused_with_its_line(folder, text, words):
    path = sheet(folder, text)
    with pytest.raises(InputError) as error:
        read_genomes(path)
    assert error.value.message.startswith(f"{path}{words.format(folder)}")


def test_a_misspelt_column_is_guessed(folder):
    with pytest.raises(InputError, match="did you mean labels"):
        read_genomes(sheet(folder, "name,annotation,fasta,labls\n"))


def test_only_a_csv_or_tsv_with_such_a_header_is_a_sheet(folder):
    assert is_sheet(sheet(folder, HEADER))
    assert is_sheet(sheet(folder, "Sample\tAnnotation\tFasta\n", "a.TSV"))
    assert not is_sheet(sheet(folder, "id\tH3K4me3\n", "labels.tsv"))
    assert not is_sheet(sheet(folder, HEADER, "genomes.txt"))
    assert not is_sheet(sheet(folder, "", "empty.csv"))
    assert not is_sheet(sheet(folder, "annotation," + "x" * 200_000, "long.csv"))
    assert not is_sheet(folder / "missing.csv")


def test_errors_name_a_genome_that_has_a_name(folder):
    (human,) = read_genomes(sheet(folder, HEADER + HUMAN))
    for genome, words in ((human, "genome human: x: bad"), (*one_genome(human.request), "x: bad")):
        with pytest.raises(InputError) as error, naming(genome):
            raise InputError("x", "bad")
        assert error.value.message == words
