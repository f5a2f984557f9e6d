"""One bundle of several genomes, from a sheet to the tables of its evaluation.

The two genomes have contigs and genes of the same names, with other bases and labels.
"""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

for package in ("torch", "sklearn", "matplotlib", "jinja2", "onnx", "pyarrow"):
    pytest.importorskip(package, reason="needs the extra train")

from sklearn.metrics import roc_auc_score  # noqa: E402

import histpred as package_functions  # noqa: E402
from histpred.bundle.folder import load_bundle  # noqa: E402
from histpred.core.errors import InputError, UsageError  # noqa: E402
from histpred.genome.genomes import read_genomes  # noqa: E402
from support.command_line import contents, histpred, said_well  # noqa: E402
from support.labelled import Labelled, write_labelled, write_labels  # noqa: E402

SMALL = ("--hidden", "16,8", "--learning-rate", "0.01", "--batch", "32", "--epochs", "4")
WINDOW = ("--window", "promoter:100:100")
HEADER = "name,annotation,fasta,labels,species,taxon_id\n"
ROWS = {"human": "Homo sapiens,9606", "mouse": "Mus musculus,10090"}


class Sheet(NamedTuple):
    """A sheet of the genomes human and mouse, and what was written for each."""

    path: Path
    genomes: dict[str, Labelled]

    def with_labels(self, name: str, labels: Path) -> Path:
        """Write the sheet again, with other labels of one genome."""
        return self.written(f"{name}-{labels.stem}.csv", {name: labels})

    def written(self, name: str, labels: dict[str, Path] | None = None) -> Path:
        rows = []
        for one, data in self.genomes.items():
            table = (labels or {}).get(one, data.labels)
            rows.append(f"{one},{one}/genes.bed,{one}/genome.fa,{table},{ROWS[one]}")
        path = self.path.parent / name
        path.write_text(HEADER + "\n".join(rows) + "\n")
        return path


@pytest.fixture(scope="module")
def sheet(tmp_path_factory) -> Sheet:
    folder = tmp_path_factory.mktemp("genomes")
    genomes = {}
    for seed, name in enumerate(ROWS):
        (folder / name).mkdir()
        genomes[name] = write_labelled(folder / name, seed)
    made = Sheet(folder / "genomes.csv", genomes)
    made.written("genomes.csv")
    return made


def train(sheet: Path, out: Path, *options: str):
    return histpred("train", sheet, "-o", out, *WINDOW, *SMALL, *options)


@pytest.fixture(scope="module")
def bundle(sheet, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "both"
    done = train(sheet.path, out, "--split", "locus")
    assert done.code == 0, done.err
    return out


@pytest.fixture(scope="module")
def evaluation(bundle, sheet, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("evaluated") / "evaluation"
    done = histpred("evaluate", bundle, sheet.path, "-o", out)
    assert done.code == 0, done.err
    return out


def rows_of(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else open(path) as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def auroc(rows: list[dict[str, str]], mark: str) -> float:
    truth = [int(row[f"{mark}_label"]) for row in rows]
    return roc_auc_score(truth, [float(row[f"{mark}_probability"]) for row in rows])


def test_the_manifest_and_the_card_name_each_genome(bundle):
    species = load_bundle(bundle).manifest.species
    assert [(one.genome, one.name, one.taxon_id) for one in species] == [
        ("human", "Homo sapiens", 9606),
        ("mouse", "Mus musculus", 10090),
    ]
    shown = histpred("bundle", "show", bundle).out
    assert "genome human" in shown
    assert "Mus musculus (10090)" in shown


def test_one_split_divides_the_genes_of_both_genomes_which_stay_two(bundle, sheet):
    split = rows_of(bundle / "split.tsv")
    ids = {row["id"]: row["set"] for row in split}
    assert len(ids) == len(split) == sum(len(one.truth) for one in sheet.genomes.values())
    assert {row["chrom"].partition(":")[0] for row in split} == {"human", "mouse"}
    same = [ids[f"human:{name}"] == ids[f"mouse:{name}"] for name in sheet.genomes["human"].truth]
    assert not all(same)  # each gene is drawn alone
    for name in ("validation", "test"):
        assert 0.08 <= list(ids.values()).count(name) / len(ids) <= 0.12


def test_predictions_have_a_column_for_the_genome_and_the_labels_of_that_genome(
    evaluation, bundle, sheet
):
    sets = {row["id"]: row["set"] for row in rows_of(bundle / "split.tsv")}
    rows = rows_of(evaluation / "predictions.tsv.gz")
    assert next(iter(rows[0])) == "genome"
    assert {row["chrom"] for row in rows} <= {f"chr{i}" for i in range(1, 7)}
    for row in rows:
        truth = sheet.genomes[row["genome"]].truth[row["name"]]
        assert row["H3K4me3_label"] == str(truth["H3K4me3"])
        assert sets[f"{row['genome']}:{row['name']}"] == "test"
    assert len(rows) == list(sets.values()).count("test")


def test_the_tables_have_figures_by_genome_that_scikit_learn_finds_too(evaluation):
    rows = rows_of(evaluation / "predictions.tsv.gz")
    groups = [row for row in rows_of(evaluation / "groups.tsv") if row["by"] == "genome"]
    assert {row["model"] for row in groups} >= {"both", "prevalence by genome", "GC"}
    marks = ("H3K4me3", "H3K27me3", "H3K9me3")
    for row in groups:
        if row["model"] == "both":
            these = [one for one in rows if one["genome"] == row["group"]]
            assert int(row["windows"]) == len(these)
            expected = np.mean([auroc(these, mark) for mark in marks])
            assert float(row["macro_auroc"]) == pytest.approx(expected, abs=1e-4)
    page = (evaluation / "report.html").read_text()
    assert "AUROC by genome" in page


def test_neighbours_are_of_the_same_genome(sheet, bundle, evaluation):
    """The genes' places are the same in both genomes: taken together, they would be neighbours."""
    test = rows_of(evaluation / "predictions.tsv.gz")
    sets = {row["id"]: row["set"] for row in rows_of(bundle / "split.tsv")}
    truth, means = [], []
    for row in test:
        number = int(row["name"].partition("_")[2])
        chromosome = row["name"].partition("_")[0]
        labels = sheet.genomes[row["genome"]].truth
        trained = [
            (abs(number - other), labels[f"{chromosome}_{other}"]["H3K4me3"])
            for other in range(60)
            if sets[f"{row['genome']}:{chromosome}_{other}"] == "train"
        ]
        means.append(np.mean([label for _, label in sorted(trained)[:5]]))
        truth.append(labels[row["name"]]["H3K4me3"])
    marks = rows_of(evaluation / "marks.tsv")
    (found,) = [
        float(row["auroc"])
        for row in marks
        if (row["reading"], row["model"], row["mark"])
        == ("histpred", "nearest neighbour", "H3K4me3")
    ]
    assert found == pytest.approx(roc_auc_score(truth, means), abs=0.1)


def test_the_order_of_the_rows_makes_no_difference_and_a_second_run_does_nothing(
    bundle, sheet, tmp_path
):
    lines = sheet.path.read_text().splitlines(keepends=True)
    turned = sheet.path.with_name("turned.csv")
    turned.write_text("".join([lines[0], lines[2], lines[1]]))
    before = contents(bundle)
    done = train(turned, bundle, "--split", "locus")
    assert done.code == 0, done.err
    assert "holds this bundle already" in done.err
    assert contents(bundle) == before


def test_a_bundle_of_both_can_be_evaluated_on_one_by_its_name(bundle, sheet, evaluation, tmp_path):
    alone = sheet.path.with_name("human.csv")
    alone.write_text("".join(sheet.path.read_text().splitlines(keepends=True)[:2]))
    expected = [
        row for row in rows_of(evaluation / "predictions.tsv.gz") if row.pop("genome") == "human"
    ]
    done = histpred("evaluate", bundle, alone, "-o", tmp_path / "e")
    assert done.code == 0, done.err
    assert rows_of(tmp_path / "e/predictions.tsv.gz") == expected


def test_a_genome_without_a_name_is_not_guessed_from_ids_that_two_genomes_share(
    bundle, sheet, tmp_path
):
    mouse = sheet.genomes["mouse"]
    files = (mouse.annotation, mouse.fasta, mouse.labels)
    done = histpred("evaluate", bundle, *files, "-o", tmp_path / "e")
    assert done.code == 2
    assert "human, mouse have the ids of these rows alike" in done.err
    said_well(done.err)


def test_a_genome_without_a_name_is_the_one_with_its_ids(sheet, tmp_path):
    mouse = sheet.genomes["mouse"]
    folder = sheet.path.parent / "renamed"
    folder.mkdir()
    for path in (mouse.annotation, mouse.labels):
        (folder / path.name).write_text(path.read_text().replace("gene", "mgene"))
    path = sheet.path.with_name("renamed.csv")
    lines = sheet.path.read_text().splitlines(keepends=True)
    lines[2] = f"mouse,renamed/genes.bed,mouse/genome.fa,renamed/labels.tsv,{ROWS['mouse']}\n"
    path.write_text("".join(lines))
    assert train(path, tmp_path / "b").code == 0
    files = (folder / "genes.bed", mouse.fasta, folder / "labels.tsv")
    done = histpred("evaluate", tmp_path / "b", *files, "-o", tmp_path / "e")
    assert done.code == 0, done.err
    sets = {row["id"]: row["set"] for row in rows_of(tmp_path / "b/split.tsv")}
    rows = rows_of(tmp_path / "e/predictions.tsv.gz")
    assert {sets[f"mouse:{row['name']}"] for row in rows} == {"test"}


def test_whole_chromosomes_of_one_genome_are_named_with_it(sheet, tmp_path):
    options = ("--split", "chromosome", "--test-chromosomes", "mouse:chr1")
    done = train(sheet.path, tmp_path / "b", *options, "--validation-chromosomes", "human:chr1")
    assert done.code == 0, done.err
    tested = {row["chrom"] for row in rows_of(tmp_path / "b/split.tsv") if row["set"] == "test"}
    assert tested == {"mouse:chr1"}
    wrong = train(sheet.path, tmp_path / "c", "--split", "chromosome", "--test-chromosomes", "chr1")
    assert wrong.code == 2
    assert "has no contig chr1" in wrong.err
    assert "human:chr1" in wrong.err
    said_well(wrong.err)


def test_a_mark_that_one_genome_lacks_is_learned_from_the_other(sheet, tmp_path):
    truth = {
        name: {mark: value for mark, value in row.items() if mark != "H3K27me3"}
        for name, row in sheet.genomes["mouse"].truth.items()
    }
    labels = write_labels(sheet.path.parent / "fewer.tsv", truth)
    path = sheet.with_labels("mouse", labels)
    done = train(path, tmp_path / "b")
    assert done.code == 0, done.err
    assert "warning: the labels of mouse have no H3K27me3" in done.err
    assert "H3K27me3" in load_bundle(tmp_path / "b").manifest.mark_names
    done = histpred("evaluate", tmp_path / "b", path, "-o", tmp_path / "e")
    assert done.code == 0, done.err
    for row in rows_of(tmp_path / "e/predictions.tsv.gz"):
        assert (row["H3K27me3_label"] == "") == (row["genome"] == "mouse")
    warnings = json.loads((tmp_path / "e/metrics.json").read_text())["warnings"]
    assert any("the labels of mouse have no H3K27me3" in text for text in warnings)


def test_an_empty_genome_is_named_before_anything_is_written(sheet, tmp_path):
    truth = {"nowhere": {"H3K4me3": 1}}
    path = sheet.with_labels("mouse", write_labels(sheet.path.parent / "empty.tsv", truth))
    done = train(path, tmp_path / "b")
    assert done.code == 1
    assert "genome mouse: " in done.err
    said_well(done.err)
    assert not (tmp_path / "b/bundle.json").exists()


def test_one_species_for_several_genomes_is_refused(sheet, tmp_path):
    done = train(sheet.path, tmp_path / "b", "--species", "Homo sapiens", "--taxon-id", "9606")
    assert done.code == 2
    assert "--species, --taxon-id is for one genome" in done.err
    said_well(done.err)


@pytest.mark.parametrize(
    ("files", "code", "words"),
    [
        (["human/genes.bed"], 2, "only one file was given"),
        (["human/genes.bed", "human/genome.fa"], 2, "two files were given"),
        (["missing.csv"], 1, "missing.csv: cannot be read"),
    ],
)
@pytest.mark.parametrize("verb", [["train"], ["evaluate", "human-promoter"]])
def test_other_numbers_of_files_are_refused(sheet, tmp_path, files, code, words, verb):
    paths = [sheet.path.parent / name for name in files]
    done = histpred(*verb, *paths, "-o", tmp_path / "b")
    assert done.code == code
    assert words in done.err
    said_well(done.err)


def test_a_store_is_filled_from_a_sheet_but_a_table_is_of_one_genome(sheet, tmp_path):
    options = ("--encoder", "kmer", *WINDOW, "--store", tmp_path / "store")
    done = histpred("embed", sheet.path, *options)
    assert done.code == 0, done.err
    assert "human: 360 windows" in done.err
    assert "mouse: 360 windows" in done.err
    again = histpred("embed", sheet.path, *options)
    assert " 0 chunks embedded" in again.err
    refused = histpred("embed", sheet.path, *options, "-o", tmp_path / "x.parquet")
    assert refused.code == 2
    assert "names several" in refused.err


def test_python_takes_a_sheet_or_its_genomes(sheet, bundle, evaluation, tmp_path):
    options = {"hidden": (16, 8), "epochs": 4, "batch": 32, "learning_rate": 0.01}
    made = package_functions.train(
        sheet.path, out=tmp_path / "both", window=WINDOW[1], split="locus", **options
    )
    assert (made / "scorer.onnx").read_bytes() == (bundle / "scorer.onnx").read_bytes()
    genomes = read_genomes(sheet.path)
    metrics = package_functions.evaluate(bundle, genomes[::-1])
    expected = json.loads((evaluation / "metrics.json").read_text())
    assert metrics["models"] == expected["models"]
    with pytest.raises(UsageError, match="genomes are called human, human"):
        package_functions.evaluate(bundle, [genomes[0], genomes[0]])
    with pytest.raises(UsageError, match="no FASTA and no labels"):
        package_functions.train([], out=tmp_path / "c")


def test_a_taxon_that_the_annotation_contradicts_is_refused(sheet, tmp_path):
    gff = tmp_path / "genes.gff3"
    rows = [line.split("\t") for line in sheet.genomes["human"].annotation.read_text().splitlines()]
    gff.write_text(
        "##gff-version 3\n"
        "##species https://www.ncbi.nlm.nih.gov/Taxonomy/Browser/wwwtax.cgi?id=10090\n"
        + "".join(
            f"{c}\tx\tgene\t{int(s) + 1}\t{e}\t.\t{strand}\t.\tID={name};Name={name}\n"
            for c, s, e, name, _, strand in rows
        )
    )
    human = sheet.genomes["human"]
    path = tmp_path / "genomes.csv"
    path.write_text(f"{HEADER}human,{gff},{human.fasta},{human.labels},{ROWS['human']}\n")
    with pytest.raises(InputError, match="is of taxon 10090, but the sheet says 9606") as error:
        package_functions.train(path, out=tmp_path / "b", window=WINDOW[1], epochs=1)
    assert error.value.message.startswith("genome human: ")


def test_strict_fails_after_all_genomes_are_embedded(sheet, tmp_path):
    folder = sheet.path.parent
    bed = folder / "past.bed"
    bed.write_text((folder / "human/genes.bed").read_text() + "chr1\t23950\t24100\tlast\t0\t+\n")
    path = sheet.path.with_name("past.csv")
    path.write_text(sheet.path.read_text().replace("human/genes.bed", "past.bed"))
    options = ("--encoder", "kmer", "--window", "body", "--store", tmp_path / "store", "--strict")
    done = histpred("embed", path, *options)
    assert done.code == 3
    assert "mouse: 360 windows" in done.err
