"""The sheet of an experiment: what it can say, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from histpred.core.errors import HistpredError, InputError, UsageError
from histpred.experiments.sheet import SHIPPED, read_sheet
from histpred.training.settings import Recipe, Settings
from support.command_line import ROOT, said_well
from support.experiments import write_sheet

WHOLE = "configurations:\n  - {name: a}\n"


def refusal(path: Path) -> HistpredError:
    with pytest.raises(HistpredError) as caught:
        read_sheet(path)
    assert said_well(f"error: {caught.value}")
    return caught.value


def test_a_configuration_has_the_defaults_of_histpred_train(tmp_path):
    path = tmp_path / "sheet.yaml"
    path.write_text(WHOLE)
    (given,) = (one.model_dump() for one in read_sheet(path).configurations)
    known = {**Recipe()._asdict(), **Settings()._asdict()}
    shared = given.keys() & known.keys()
    assert {name: given[name] for name in shared} == {name: known[name] for name in shared}
    assert {"model", "loss", "mark_dimension", "epochs", "patience"} <= shared


def test_defaults_hold_for_all_configurations_that_do_not_state_their_own(tmp_path):
    sheet = read_sheet(write_sheet(tmp_path))
    windows = [one.window for one in sheet.configurations]
    assert windows == ["promoter:100:100", "body", "promoter:100:100"]
    assert {one.model_dump()["epochs"] for one in sheet.configurations} == {6}


def test_relative_paths_start_at_the_folder_of_the_sheet(tmp_path):
    sheet = read_sheet(write_sheet(tmp_path, "  - {name: a, weights: w/x.bin}\n"))
    assert sheet.genomes[0].fasta == tmp_path / "genome.fa"
    weights = sheet.configurations[0].weights
    assert weights.path == tmp_path / "w" / "x.bin"
    assert weights.written == Path("w/x.bin")


@pytest.mark.parametrize(
    ("written", "read"),
    [("0.5", "0.5"), ("'0.5'", "0.5"), ("1", "1"), ("p/x.tsv", "FOLDER/p/x.tsv"), ("/x", "/x")],
)
def test_a_table_of_priors_starts_at_the_folder_of_the_sheet_and_a_share_stays(
    tmp_path, written, read
):
    sheet = read_sheet(write_sheet(tmp_path, f"  - {{name: a, loss: nnpu, prior: {written}}}\n"))
    expected = read.replace("FOLDER", str(tmp_path))
    assert sheet.configurations[0].model_dump()["prior"] == expected


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_sheet_is_read_by_its_name(name):
    assert read_sheet(Path(name)).configurations


@pytest.mark.parametrize("name", ["two-chromosomes", "arms"])
def test_a_sheet_of_the_documents_is_read(name):
    assert read_sheet(ROOT / "docs" / "experiments" / f"{name}.yaml").configurations


def test_the_sheet_of_the_paper_has_a_configuration_for_each_row_of_its_tables():
    rows = [one.paper for one in read_sheet(Path("paper")).configurations]
    found = {row for row in rows if row}
    assert found == {"RNA-FM", "DNABERT2", "DeepHistone (Vanilla)", "DeepHistone (Adapted)"}


MISTAKES = {
    "a misspelt key of a configuration": (
        WHOLE + "  - {name: b, mark_dimensoin: 3}\n",
        3,
        "did you mean mark_dimension?",
    ),
    "a misspelt key of the sheet": ("spilts: [random]\n" + WHOLE, 1, "did you mean splits?"),
    "a misspelt key of a genome": (
        "genomes:\n  - {name: a, annotation: x, fsta: y}\n" + WHOLE,
        2,
        "did you mean fasta?",
    ),
    "a misspelt key of the defaults": (
        "defaults:\n  epoch: 3\n" + WHOLE,
        2,
        "did you mean epochs?",
    ),
    "an unknown split": ("splits: [random, locs]\n" + WHOLE, 1, "did you mean locus?"),
    "an unknown model": (WHOLE + "  - {name: b, model: mpl}\n", 3, "did you mean mlp?"),
    "a number out of range": (WHOLE + "  - {name: b, epochs: 0}\n", 3, "found '0'"),
    "a number for a file": (WHOLE + "  - {name: b, weights: 3}\n", 3, "should be the path"),
    "a list for a prior": (WHOLE + "  - {name: b, prior: [1]}\n", 3, "found '[1]'"),
    "a word for a number": (WHOLE + "  - {name: b, epochs: many}\n", 3, "found 'many'"),
    "two configurations of one name": (WHOLE + "  - {name: A}\n", 3, "in line 2"),
    "two rows of one name in the paper": (
        "configurations:\n  - {name: a, paper: RNA-FM}\n  - {name: b, paper: RNA-FM}\n",
        3,
        "in line 2",
    ),
    "two genomes of one name": (
        "genomes:\n"
        "  - {name: a, annotation: x, fasta: y}\n"
        "  - {name: a, annotation: x, fasta: y}\n" + WHOLE,
        3,
        "in line 2",
    ),
    "a split twice": ("splits: [locus, locus]\n" + WHOLE, 1, "'locus'"),
    "a name that is no name of a folder": ("configurations:\n  - {name: ../a}\n", 2, "name"),
    "no configuration": ("configurations: []\n", 1, "configurations"),
    "no key configurations": ("title: x\n", None, "add configurations"),
    "defaults that are a list": ("defaults: [1]\n" + WHOLE, 1, "defaults"),
    "a configuration that is a word": ("configurations: [a]\n", 1, "configurations"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_its_line(mistake, tmp_path):
    text, line, words = MISTAKES[mistake]
    path = tmp_path / "sheet.yaml"
    path.write_text(text)
    error = refusal(path)
    assert isinstance(error, InputError)
    assert error.line == line
    assert words in str(error)


def test_a_list_is_no_sheet(tmp_path):
    path = tmp_path / "sheet.yaml"
    path.write_text("- a\n- b\n")
    assert "no sheet" in str(refusal(path))


def test_a_sheet_that_is_not_there_is_compared_with_the_shipped_ones(tmp_path):
    error = refusal(Path("papr"))
    assert isinstance(error, UsageError)
    assert "did you mean paper?" in str(error)
