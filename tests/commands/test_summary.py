"""histpred summary on what predict and evaluate have really written."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from support.command_line import contents, histpred, read_scores, said_well, tree
from support.extraction import read_ledger
from support.labelled import write_labelled

SMALL = ("--hidden", "16,8", "--learning-rate", "0.01", "--batch", "32", "--epochs", "2")


@pytest.fixture(scope="module")
def predictions(demo_data, tmp_path_factory) -> list[Path]:
    """Of the same genes: the non-coding ones, and the others."""
    folder = tmp_path_factory.mktemp("predictions")
    files = (demo_data / "genes.gtf.gz", demo_data / "genome.fa.gz")
    for name, biotype in {"noncoding": "ncRNA", "coding": "protein_coding"}.items():
        done = histpred("predict", *files, "--biotype", biotype, "-o", folder / name)
        assert done.code == 0, done.err
    return [folder / "noncoding", folder / "coding"]


def section(out: Path, name: str) -> dict[str, Any]:
    return json.loads((out / f"histpred_{name}_mqc.json").read_text(encoding="utf-8"))


def test_predictions_are_summarised_as_their_tables_tell(predictions, tmp_path):
    out = tmp_path / "out"
    done = histpred("summary", *predictions, "-o", out)
    assert (done.code, done.out) == (0, "")
    assert f"multiqc {out}" in done.err
    assert {path.name for path in out.iterdir()} == {
        f"histpred_{name}_mqc.json" for name in ("calls", "general", "predictions", "rows")
    }
    for folder in predictions:
        scores = read_scores(folder / "scores.tsv.gz")
        ledger = read_ledger(folder / "ledger.tsv")
        reasons = Counter(row["reason"] or row["status"] for row in ledger)
        assert section(out, "rows")["data"][folder.name] == dict(reasons)

        beds = gzip.decompress((folder / "calls.bed.gz").read_bytes()).decode().splitlines()
        called = Counter(line.split("\t")[3].split("|")[-1] for line in beds)
        assert section(out, "calls")["data"][folder.name] == pytest.approx(
            {mark: 100 * called[mark] / len(scores.rows) for mark in scores.marks}
        )
        general = section(out, "general")["data"][folder.name]
        assert (general["scored"], general["calls"]) == (len(scores.rows), len(beds))


def test_the_order_of_folders_does_not_show(predictions, tmp_path):
    for name, folders in {"one": predictions, "two": predictions[::-1]}.items():
        assert histpred("summary", *folders, "-o", tmp_path / name).code == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_an_evaluation_is_summarised(predictions, tmp_path):
    for package in ("torch", "sklearn", "matplotlib", "jinja2", "onnx", "pyarrow"):
        pytest.importorskip(package, reason="needs the extra train")
    data = write_labelled(tmp_path)
    files = (data.annotation, data.fasta, data.labels)
    window = ("--window", "promoter:100:100", "--split", "locus")
    assert histpred("train", *files, "-o", tmp_path / "mine", *window, *SMALL).code == 0
    assert histpred("evaluate", tmp_path / "mine", *files, "-o", tmp_path / "made-up").code == 0

    out = tmp_path / "out"
    done = histpred("summary", tmp_path / "made-up", *predictions, "-o", out, "-q")
    assert (done.code, done.out, done.err) == (0, "", "")
    metrics = json.loads((tmp_path / "made-up" / "metrics.json").read_text())
    table = section(out, "evaluations")["data"]
    assert list(table) == [f"{model} | made-up" for model in metrics["models"]]
    assert len(table) > 3
    for row, model in zip(table.values(), metrics["models"].values(), strict=True):
        for average in ("micro", "macro"):
            for metric in ("auroc", "auprc"):
                assert row[f"{average}_{metric}"] == model["figures"][average][metric]["value"]
    general = section(out, "general")["data"]
    assert general["made-up"] == {"auroc": next(iter(table.values()))["macro_auroc"]}
    assert set(general) == {"made-up", "noncoding", "coding"}


def test_what_cannot_be_summarised_is_said_well(predictions, tmp_path):
    (tmp_path / "nothing").mkdir()
    out = tmp_path / "out"
    for folder in (tmp_path / "nothing", tmp_path / "absent", predictions[0]):
        done = histpred("summary", *predictions, folder, "-o", out)
        assert done.code == 1
        assert said_well(done.err)
        assert str(folder) in done.err
        assert not out.exists()

    assert histpred("summary", *predictions, "-o", out).code == 0
    before = tree(out)
    again = histpred("summary", *predictions, "-o", out)
    assert again.code == 0
    assert "nothing to do" in again.err
    assert tree(out) == before
    other = histpred("summary", predictions[0], "-o", out)
    assert other.code == 1
    assert said_well(other.err)
    assert "--overwrite" in other.err
    assert tree(out) == before
    assert histpred("summary", *predictions, "-o", out, "--overwrite").code == 0


def test_no_folder_is_a_usage_error(tmp_path):
    done = histpred("summary", "-o", tmp_path / "out")
    assert done.code == 2
    assert "FOLDER" in done.err
