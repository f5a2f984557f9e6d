"""An experiment from its sheet to its report, on the command line."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

from support.command_line import contents, histpred, said_well, tree
from support.experiments import write_sheet
from support.labelled import write_labelled

pytestmark = pytest.mark.slow
NAMES, SPLITS = ("one-hot", "body", "vectors"), ("random", "chromosome")
ONE = "  - {name: fine, encoder: kmer, epochs: 1}\n"


def sets_of(path):
    with open(path) as lines:
        return {row["id"]: row["set"] for row in csv.DictReader(lines, delimiter="\t")}


def test_every_configuration_has_a_bundle_and_an_evaluation_for_each_split(experiment):
    assert experiment.done.code == 0, experiment.done.err
    folders = [
        experiment.out / "configurations" / name / split for name in NAMES for split in SPLITS
    ]
    assert all((folder / "bundle" / "bundle.json").exists() for folder in folders)
    assert all((folder / "evaluation" / "report.html").exists() for folder in folders)


def test_all_configurations_share_the_split_of_the_plan(experiment):
    for split in SPLITS:
        planned = sets_of(experiment.out / "plan" / f"{split}.tsv")
        assert set(planned.values()) == {"train", "validation", "test"}
        for name in NAMES:
            folder = experiment.out / "configurations" / name / split
            assert sets_of(folder / "bundle" / "split.tsv") == planned


def test_a_finished_experiment_has_nothing_to_do(experiment):
    before = tree(experiment.out)
    done = histpred("experiment", experiment.sheet, "-o", experiment.out)
    assert done.code == 0
    assert "nothing to do" in done.err
    assert tree(experiment.out) == before


def test_another_sheet_in_the_same_folder_is_refused_by_what_differs(experiment, tmp_path):
    folder = experiment.sheet.parent
    text = experiment.sheet.read_text().replace("mark_dimension: 3", "mark_dimension: 4")
    other = folder / "other.yaml"
    other.write_text(text)
    before = tree(experiment.out)
    done = histpred("experiment", other, "-o", experiment.out)
    assert done.code == 1
    assert said_well(done.err)
    assert "configurations vectors mark_dimension (3 -> 4)" in done.err
    assert tree(experiment.out) == before


def test_other_words_in_the_sheet_make_a_new_report_of_the_same_experiment(experiment, tmp_path):
    """Title, remarks and rows of the paper change no bundle and no evaluation."""
    out, sheet = tmp_path / "out", experiment.sheet.parent / "words.yaml"
    shutil.copytree(experiment.out, out)
    text = experiment.sheet.read_text()
    changes = {
        "title: A small experiment": "title: Other words",
        "summary: k-mers stand for DNABERT-2.": "summary: A better remark.",
        "paper: RNA-FM": "paper: DeepHistone (Vanilla)",
    }
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    sheet.write_text(text)
    done = histpred("experiment", sheet, "-o", out)
    assert done.code == 0, done.err
    assert done.err.count("holds this bundle already") == len(NAMES) * len(SPLITS)
    page = (out / "report.html").read_text()
    assert "Other words" in page
    assert "A better remark." in page
    assert "k-mers stand for" not in page
    assert "DeepHistone (Vanilla)" in (out / "table2.tsv").read_text()
    for part in ("plan", "configurations"):
        assert contents(out / part) == contents(experiment.out / part)
    assert "nothing to do" in histpred("experiment", sheet, "-o", out).err
    assert histpred("experiment", experiment.sheet, "-o", out).code == 0
    assert contents(out) == contents(experiment.out)


def test_an_experiment_in_parts_has_the_same_bytes(experiment, tmp_path):
    """Plan, each configuration and the report may be commands of their own, as in the pipeline.

    Here that of the second configuration, before there are others. tests/nextflow runs them all.
    """
    out, sheet = tmp_path / "out", experiment.sheet
    assert histpred("experiment", sheet, "-o", out, "--plan").code == 0
    assert {path.name for path in out.iterdir()} <= {"plan", "kept"}
    _, alone, _ = NAMES
    assert histpred("experiment", sheet, "-o", out, "--only", alone).code == 0
    assert {path.name for path in (out / "configurations").iterdir()} == {alone}
    assert not (out / "report.html").exists()
    for name in set(NAMES) - {alone}:
        finished = experiment.out / "configurations" / name
        shutil.copytree(finished, out / "configurations" / name)
    done = histpred("experiment", sheet, "-o", out)
    assert done.code == 0, done.err
    assert contents(out) == contents(experiment.out)


def test_a_samplesheet_takes_the_place_of_the_genomes_of_the_sheet(tmp_path):
    write_labelled(tmp_path)
    sheet = write_sheet(tmp_path, ONE, **{"genome.fa,": "not-there.fa,"})
    genomes = tmp_path / "genomes.csv"
    genomes.write_text("name,annotation,fasta,labels\nx,genes.bed,genome.fa,labels.tsv\n")
    out = tmp_path / "out"
    assert histpred("experiment", sheet, "-o", out, "--plan").code == 1
    done = histpred("experiment", sheet, genomes, "-o", out, "--plan")
    assert done.code == 0, done.err


def test_a_configuration_without_weights_is_missing_and_the_others_run(tmp_path):
    write_labelled(tmp_path)
    lost = "  - {name: lost, encoder: dnabert2, weights: nowhere, paper: DNABERT2}\n"
    sheet = write_sheet(
        tmp_path, lost + ONE, **{"splits: [random, chromosome]": "splits: [random]"}
    )
    out = tmp_path / "out"
    done = histpred("experiment", sheet, "-o", out)
    assert done.code == 1
    assert said_well(done.err)
    assert "1 of 2 configurations are missing: lost" in done.err
    first = done.err.splitlines()[0]
    assert "configuration lost will be missing: no weights at" in first  # before any work
    record = json.loads((out / "experiment.json").read_text())
    assert record["missing"]["lost"].startswith("no weights at")
    page = (out / "report.html").read_text()
    assert "The configuration lost is missing: no weights at" in page
    assert page.count("missing: see above") == 2  # in Tables 1 and 2
    table = (out / "configurations.tsv").read_text()
    assert "fine" in table
    assert "lost" not in table


def test_a_configuration_that_no_row_can_serve_is_missing_and_the_others_run(tmp_path):
    write_labelled(tmp_path)
    spliced = "  - {name: spliced, encoder: kmer, window: spliced}\n"  # a BED of genes has no exons
    sheet = write_sheet(
        tmp_path, spliced + ONE, **{"splits: [random, chromosome]": "splits: [random]"}
    )
    done = histpred("experiment", sheet, "-o", tmp_path / "out")
    assert done.code == 1
    assert "configuration spliced has no row and is left out" in done.err
    record = json.loads((tmp_path / "out" / "experiment.json").read_text())
    assert "no row" in record["missing"]["spliced"]


def test_an_experiment_without_any_configuration_that_runs_has_no_report(tmp_path):
    write_labelled(tmp_path)
    sheet = write_sheet(tmp_path, "  - {name: lost, encoder: dnabert2, weights: nowhere}\n")
    done = histpred("experiment", sheet, "-o", tmp_path / "out")
    assert done.code == 1
    assert said_well(done.err)
    assert "no configuration could be evaluated: lost" in done.err
    assert not (tmp_path / "out" / "report.html").exists()


def test_an_unknown_configuration_is_refused_before_any_work(experiment):
    done = histpred("experiment", experiment.sheet, "-o", experiment.out, "--only", "vector")
    assert done.code == 2
    assert "did you mean vectors?" in done.err


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        ("encoder: dnabret2", "did you mean dnabert2?"),
        ("encoder: kmer, window: promotor", "did you mean promoter?"),
        ("model: deephistone, window: body", "it takes no encoder, chunks or window"),
        ("model: spectra, window: null, mark_dimension: 3", "no mark vectors"),
        ("encoder: kmer, loss: nnpu", "give --prior"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_before_any_work(tmp_path, configuration, words):
    write_labelled(tmp_path)
    sheet = write_sheet(tmp_path, f"  - {{name: wrong, {configuration}}}\n")
    done = histpred("experiment", sheet, "-o", tmp_path / "out")
    assert done.code == 2
    assert said_well(done.err)
    assert "configuration wrong: " in done.err
    assert words in done.err
    assert not (tmp_path / "out").exists()


def test_a_split_that_the_genes_cannot_have_is_refused_before_any_training(tmp_path):
    data = write_labelled(tmp_path)
    rows = [row for row in data.annotation.read_text().splitlines() if row.startswith("chr1")]
    data.annotation.write_text("\n".join(rows) + "\n")
    done = histpred("experiment", write_sheet(tmp_path, ONE), "-o", tmp_path / "out")
    assert done.code == 2
    assert "three sets cannot be made of 1 chromosomes" in done.err


def test_a_folder_with_other_files_is_refused(tmp_path):
    write_labelled(tmp_path)
    sheet = write_sheet(tmp_path, ONE)
    done = histpred("experiment", sheet, "-o", tmp_path)
    assert done.code == 1
    assert "holds no experiment" in done.err


def test_a_finished_part_is_not_trained_again(experiment, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(experiment.out, out)
    shutil.rmtree(out / "configurations" / "body" / "random")
    (out / "experiment.json").unlink()
    done = histpred("experiment", experiment.sheet, "-o", out)
    assert done.code == 0, done.err
    assert done.err.count("holds this bundle already") == 5
    assert contents(out) == contents(experiment.out)
