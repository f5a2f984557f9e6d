"""Evaluations of tiles and intervals against predictions of the same, read back."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import numpy as np
import pandas
import pytest

for package in ("torch", "sklearn", "matplotlib", "jinja2", "onnx", "pyarrow"):
    pytest.importorskip(package, reason="needs the extra train")

from sklearn.metrics import roc_auc_score  # noqa: E402

from histpred.bundle.folder import load_bundle  # noqa: E402
from histpred.core.execution import Execution  # noqa: E402
from histpred.evaluation.scores import Target, score  # noqa: E402
from histpred.genome.genomes import one_genome  # noqa: E402
from histpred.genome.request import Request  # noqa: E402
from support.command_line import histpred, read_scores  # noqa: E402
from support.random_bundle import stated_bundle  # noqa: E402
from support.synthetic import random_genome, write_bed, write_fasta  # noqa: E402

MARKS = ("H3K4me3", "H3K27ac")
CONTIGS = {f"chr{number}": 12_050 for number in range(1, 7)}


@pytest.fixture(scope="module")
def genome(tmp_path_factory) -> Path:
    sequences = random_genome(random.Random(3), CONTIGS)
    sequences["chr2"] = "N" * 1_000 + sequences["chr2"][1_000:]
    return write_fasta(tmp_path_factory.mktemp("genome") / "genome.fa", sequences)


def write_labels(path: Path, ids: list[str]) -> dict[str, list[int]]:
    rng = random.Random(7)
    truth = {name: [int(rng.random() < 0.4) for _ in MARKS] for name in ids}
    rows = [["id", *MARKS], *([name, *map(str, values)] for name, values in truth.items())]
    path.write_text("\n".join(map("\t".join, rows)) + "\n")
    return truth


def predictions(folder: Path) -> pandas.DataFrame:
    with gzip.open(folder / "predictions.tsv.gz", "rt") as lines:
        return pandas.read_csv(lines, sep="\t")


def test_tiles_have_the_probabilities_of_a_prediction(genome, tmp_path):
    """Rows overlap, the last tile of a contig is short, and a tile of N has no row."""
    rows = [(chrom, 0, 9_000, "one") for chrom in CONTIGS]
    rows += [(chrom, 6_150, 12_050, "two") for chrom in CONTIGS]
    annotation = write_bed(tmp_path / "rows.bed", rows)
    ids = [f"{chrom}:{at}-{at + 200}" for chrom in CONTIGS for at in range(0, 12_050, 200)]
    truth = write_labels(tmp_path / "labels.tsv", ids)
    files, tile = (annotation, genome), ("--tile", "200")
    done = histpred("predict", *files, *tile, "-o", tmp_path / "scores")
    assert done.code == 0, done.err
    done = histpred(
        *("evaluate", "human-promoter", *files, tmp_path / "labels.tsv", *tile),
        *("--block", "50000", "-o", tmp_path / "evaluation"),
    )
    assert done.code == 0, done.err
    assert "5 of 366 rows" in done.err  # those of N

    found, expected = (
        predictions(tmp_path / "evaluation"),
        read_scores(tmp_path / "scores/scores.tsv.gz"),
    )
    assert len(found) == len(expected.rows) == 366 - 5
    metrics = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    thresholds = {mark.name: mark.threshold for mark in load_bundle().manifest.interval.marks}
    for number, mark in enumerate(MARKS):
        labels = [truth[name][number] for name in found["name"]]
        assert found[f"{mark}_label"].tolist() == labels
        probabilities = [expected.probability(row, mark) for row in range(len(found))]
        np.testing.assert_allclose(found[f"{mark}_probability"], probabilities, atol=1e-5)
        figures = metrics["models"]["human-promoter"]["figures"][mark]
        assert figures["auroc"]["value"] == pytest.approx(
            roc_auc_score(labels, probabilities), abs=1e-3
        )
        assert metrics["models"]["human-promoter"]["thresholds"][mark] == thresholds[mark]
    kinds = {name: model["kind"] for name, model in metrics["models"].items()}
    assert list(kinds.values()).count("baseline") == 5
    assert metrics["models"]["prevalence"]["figures"]["macro"]["auroc"]["value"] == 0.5
    blocks = [row["group"] for row in metrics["groups"] if row["by"] == "block"]
    assert list(dict.fromkeys(blocks)) == [f"{chrom}:0-50000" for chrom in CONTIGS]
    assert metrics["about"]["rows"] == "361 (all), in 6 blocks of 50,000 bp"
    assert metrics["kinds"] is None
    other = histpred(
        *("evaluate", "human-promoter", *files, tmp_path / "labels.tsv", *tile),
        *("--block", "60000", "-o", tmp_path / "evaluation"),
    )
    assert "what differs: block (50000 -> 60000)" in other.err


def test_intervals_use_the_output_for_intervals(genome, tmp_path):
    rows = [
        (chrom, at, at + 90, f"{chrom}_{at}")
        for chrom in CONTIGS
        for at in range(1_100, 9_000, 700)
    ]
    annotation = write_bed(tmp_path / "rows.bed", rows)
    write_labels(tmp_path / "labels.tsv", [row[3] for row in rows])
    files, window = (annotation, genome), ("--window", "interval")
    assert histpred("predict", *files, *window, "-o", tmp_path / "scores").code == 0
    done = histpred(
        *("evaluate", "human-promoter", *files, tmp_path / "labels.tsv", *window),
        *("--block", "100000000", "-o", tmp_path / "evaluation"),
    )
    assert done.code == 0, done.err
    expected = read_scores(tmp_path / "scores/scores.tsv.gz")
    found = predictions(tmp_path / "evaluation")
    assert [row["name"] for row in expected.rows] == found["name"].tolist()
    probabilities = [expected.probability(row, "H3K27ac") for row in range(len(found))]
    np.testing.assert_allclose(found["H3K27ac_probability"], probabilities, atol=1e-5)


def test_one_block_has_no_baselines_and_says_so(genome, tmp_path):
    annotation = write_bed(tmp_path / "rows.bed", [("chr1", 0, 12_000, "one")])
    write_labels(tmp_path / "labels.tsv", [f"chr1:{at}-{at + 200}" for at in range(0, 12_000, 200)])
    done = histpred(
        *("evaluate", "human-promoter", annotation, genome, tmp_path / "labels.tsv"),
        *("--tile", "200", "-o", tmp_path / "evaluation"),
    )
    assert done.code == 0, done.err
    assert "all of them lie in one block of 1,000,000 bp: there are no baselines" in done.err
    metrics = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    assert list(metrics["models"]) == ["human-promoter"]


def test_a_mark_that_is_not_predicted_is_left_out(genome, tmp_path):
    bundle = stated_bundle(tmp_path / "stated")
    rows = [("chr1", 5_000, 6_000, "gene", 0, "+"), ("chr1", 5_000, 6_000, "gene", 0, "+")]
    request = Request(str(write_bed(tmp_path / "rows.bed", rows)), str(genome))
    found = score(bundle, one_genome(request), Target(), None, tmp_path, Execution("cpu"))
    predicted = tuple(mark.name for mark in bundle.manifest.marks if not mark.unpredicted)
    assert found.names == predicted
    assert len(predicted) < len(bundle.manifest.marks)
    assert found.table["copy #"].tolist() == [0, 1]
    assert found.probabilities.shape == found.logits.shape == (2, len(predicted))
    assert np.isfinite(found.probabilities).all()
