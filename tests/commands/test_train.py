"""From labels to a bundle and its evaluation, on the command line."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas
import pytest

for package in ("torch", "sklearn", "matplotlib", "jinja2", "onnx", "pyarrow"):
    pytest.importorskip(package, reason="needs the extra train")

from sklearn.metrics import (  # noqa: E402
    accuracy_score,
    f1_score,
    matthews_corrcoef,
    precision_score,
    recall_score,
    roc_auc_score,
)

from histpred.bundle.encoding import bundle_encoder  # noqa: E402
from histpred.bundle.folder import load_bundle  # noqa: E402
from histpred.commands.train import evaluating  # noqa: E402
from histpred.encoders.embedder import embed_sequences  # noqa: E402
from histpred.genome import faidx, kept  # noqa: E402
from histpred.scoring.scorer import Scorer  # noqa: E402
from support.command_line import (  # noqa: E402
    command,
    contents,
    environment,
    histpred,
    read_scores,
    said_well,
    tree,
)
from support.labelled import Labelled, write_labelled, write_labels  # noqa: E402

LEARNED = ["H3K4me3", "H3K27me3"]
SMALL = ("--hidden", "16,8", "--learning-rate", "0.01", "--batch", "32", "--epochs", "8")
WINDOW = ("--window", "promoter:100:100")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Labelled:
    return write_labelled(tmp_path_factory.mktemp("labelled"))


def train(data: Labelled, out: Path, *options: str | Path, labels: Path | None = None):
    files = (data.annotation, data.fasta, labels or data.labels)
    return histpred("train", *files, "-o", out, *WINDOW, *SMALL, *options)


def evaluate(bundle: Path, data: Labelled, out: Path, *options: str | Path, labels=None):
    files = (data.annotation, data.fasta, labels or data.labels)
    return histpred("evaluate", bundle, *files, "-o", out, *options)


@pytest.fixture(scope="module")
def bundle(data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "mine"
    done = train(data, out, "--split", "locus")
    assert done.code == 0, done.err
    return out


@pytest.fixture(scope="module")
def evaluation(bundle, data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("evaluated") / "evaluation"
    done = evaluate(bundle, data, out)
    assert done.code == 0, done.err
    return out


def split_of(bundle: Path) -> dict[str, str]:
    with open(bundle / "split.tsv") as lines:
        return {row["id"]: row["set"] for row in csv.DictReader(lines, delimiter="\t")}


def test_a_bundle_is_whole_and_says_what_it_was_made_from(bundle, data):
    manifest = load_bundle(bundle).manifest
    assert manifest.name == "mine"
    assert manifest.mark_names == ("H3K4me3", "H3K27me3", "H3K9me3")  # H3K36me3 lies nowhere
    assert set(split_of(bundle)) == set(data.truth)
    assert manifest.training.counts == {
        name: list(split_of(bundle).values()).count(name)
        for name in ("train", "validation", "test", "unused")
    }
    assert set(manifest.metrics) == {"validation", "test"}
    assert histpred("bundle", "verify", bundle).code == 0
    history = (bundle / "training.tsv").read_text().splitlines()
    assert len(history) <= 1 + 8
    assert sum(line.endswith("\t1") for line in history) >= 1
    assert "one-hot marks" in (bundle / "card.md").read_text()


def test_calls_state_their_precision_and_the_card_its_caveats(bundle):
    manifest = load_bundle(bundle).manifest
    for mark in manifest.marks:
        assert (mark.calls.rule, mark.calls.wanted) == ("precision", 0.8)
        assert mark.calls.precision is None or mark.calls.precision >= 0.8
        assert mark.calls.curve or mark.threshold == 1
    rows = f"{manifest.training.counts['train']:,} rows of "
    assert manifest.caveats[1].startswith(f"The bundle was trained on {rows}")
    card = (bundle / "card.md").read_text()
    assert all(caveat in card.partition("## ")[0] for caveat in manifest.caveats)
    assert "the lowest at which calls have a precision of 0.8 or more" in card


@pytest.mark.parametrize("rule", ["precision:2", "recall:0.8"])
def test_a_rule_for_thresholds_that_there_is_not(rule, data, tmp_path):
    done = train(data, tmp_path / "b", "--calls", rule)
    assert done.code == 2
    assert f"--calls {rule} is no rule for thresholds" in done.err
    assert said_well(done.err)


def test_the_bundle_predicts_what_it_has_learned(bundle, data, tmp_path):
    done = histpred(
        "predict", data.annotation, data.fasta, "--bundle", bundle, "-o", tmp_path / "o"
    )
    assert done.code == 0, done.err
    assert "calibrated" not in done.err  # the windows are those of the training
    scores = read_scores(tmp_path / "o" / "scores.tsv.gz")
    sets = split_of(bundle)
    for mark in LEARNED:
        chosen = [i for i, row in enumerate(scores.rows) if sets[row["name"]] == "test"]
        truth = [data.truth[scores.rows[i]["name"]][mark] for i in chosen]
        assert roc_auc_score(truth, [scores.probability(i, mark) for i in chosen]) > 0.75


def test_the_figures_are_those_of_the_test_rows(evaluation, bundle, data, tmp_path):
    """Recomputed from a prediction and the split, without the evaluation's own code."""
    histpred("predict", data.annotation, data.fasta, "--bundle", bundle, "-o", tmp_path / "o")
    scores = read_scores(tmp_path / "o" / "scores.tsv.gz")
    sets = split_of(bundle)
    rows = [i for i, row in enumerate(scores.rows) if sets[row["name"]] == "test"]
    metrics = json.loads((evaluation / "metrics.json").read_text())
    assert metrics["windows"] == len(rows)
    figures = metrics["models"]["mine"]["figures"]
    thresholds = {mark.name: mark.threshold for mark in load_bundle(bundle).manifest.marks}
    counts = np.zeros(4)  # TP FP FN TN, of the paper's appendix F
    for mark in metrics["marks"]:
        truth = np.array([data.truth[scores.rows[i]["name"]][mark] for i in rows])
        probabilities = np.array([scores.probability(i, mark) for i in rows])
        auroc = roc_auc_score(truth, probabilities)
        assert figures[mark]["auroc"]["value"] == pytest.approx(auroc, abs=1e-3)
        called = probabilities >= thresholds[mark]
        pairs = [(called & (truth == 1)), (called & (truth == 0))]
        pairs += [(~called & (truth == 1)), (~called & (truth == 0))]
        counts += [pair.sum() for pair in pairs]
    hits, false, missed, right = counts
    assert figures["micro"]["precision"]["value"] == pytest.approx(hits / (hits + false), abs=0.02)
    assert figures["micro"]["recall"]["value"] == pytest.approx(hits / (hits + missed), abs=0.02)
    accuracy = (hits + right) / counts.sum()
    assert figures["micro"]["accuracy"]["value"] == pytest.approx(accuracy, abs=0.02)


def test_both_readings_of_both_tables_follow_from_the_files(evaluation):
    """Tables 1 and 2 by pandas and scikit-learn, from the rows of readings.tsv.gz."""
    metrics = json.loads((evaluation / "metrics.json").read_text())
    path, marks = evaluation / "readings.tsv.gz", metrics["marks"]
    scores = pandas.read_csv(path, sep="\t", float_precision="round_trip")
    summary = pandas.read_csv(evaluation / "summary.tsv", sep="\t")
    assert len(summary) == 2 * len(metrics["models"])
    for row in summary.to_dict("records"):
        name, paper = row["Configuration"], row["Reading"] == "paper"
        rows = {which: of for which, of in scores[scores["model"] == name].groupby("set")}
        pooled, areas = [], []
        for mark in marks:
            truth, raw = (rows["validation"][f"{mark}_{what}"] for what in ("label", "raw"))
            threshold = metrics["models"][name]["thresholds"][mark]
            if paper:
                tried = sorted(set(raw), reverse=True)

                def j(value: float, y=truth, s=raw) -> float:
                    return (s[y == 1] >= value).mean() - (s[y == 0] >= value).mean()

                threshold = max(tried, key=j) if len(tried) > 1 else 0.5
                assert threshold == metrics["models"][name]["paper"]["thresholds"][mark]
            score = rows["evaluated"][f"{mark}_{'raw' if paper else 'probability'}"]
            truth = rows["evaluated"][f"{mark}_label"]
            pooled.append(pandas.DataFrame({"y": truth, "s": score, "call": score >= threshold}))
            areas.append(roc_auc_score(truth, score))
        all_pairs = pandas.concat(pooled)
        y, call = all_pairs["y"], all_pairs["call"]
        assert row["Accuracy"] == pytest.approx(accuracy_score(y, call), rel=1e-5)
        assert row["Recall"] == pytest.approx(recall_score(y, call), rel=1e-5)
        if call.any():
            assert row["Precision"] == pytest.approx(precision_score(y, call), rel=1e-5)
            assert row["F1-score"] == pytest.approx(f1_score(y, call), rel=1e-5)
            assert row["MCC"] == pytest.approx(matthews_corrcoef(y, call), rel=1e-5)
        assert row["Micro-AUROC"] == pytest.approx(roc_auc_score(y, all_pairs["s"]), rel=1e-5)
        assert row["Macro-AUROC"] == pytest.approx(np.mean(areas), rel=1e-5)


def test_the_auroc_of_each_mark_follows_from_the_predictions(evaluation):
    metrics = json.loads((evaluation / "metrics.json").read_text())
    rows = pandas.read_csv(evaluation / "predictions.tsv.gz", sep="\t")
    mine = metrics["models"]["mine"]
    for mark in metrics["marks"]:
        truth = rows[f"{mark}_label"]
        found = roc_auc_score(truth, rows[f"{mark}_probability"])
        assert found == pytest.approx(mine["figures"][mark]["auroc"]["value"], abs=1e-9)
        found = roc_auc_score(truth, rows[f"{mark}_raw"])
        assert found == pytest.approx(mine["paper"]["figures"][mark]["auroc"], abs=1e-9)


def test_an_evaluation_has_all_its_parts(evaluation):
    names = {path.name for path in evaluation.iterdir()}
    assert {"metrics.json", "report.html", "summary.tsv", "marks.tsv", "figures"} <= names
    assert (evaluation / "figures" / "auroc_by_mark.png").stat().st_size > 1000
    metrics = json.loads((evaluation / "metrics.json").read_text())
    kinds = {name: model["kind"] for name, model in metrics["models"].items()}
    assert next(iter(kinds)) == "mine"
    assert [name for name, kind in kinds.items() if kind == "baseline"] == [
        "prevalence",
        "GC",
        "CpG o/e",
        "4-mers + logistic",
        "nearest neighbour",
    ]
    figures = metrics["models"]["GC"]["figures"]
    assert figures["H3K4me3"]["auroc"]["value"] > 0.75
    assert 0.2 < figures["H3K9me3"]["auroc"]["value"] < 0.8
    assert metrics["models"]["prevalence"]["figures"]["macro"]["auroc"]["value"] == 0.5
    with gzip.open(evaluation / "predictions.tsv.gz", "rt") as lines:
        assert sum(1 for _ in lines) == metrics["windows"] + 1


def test_one_hot_marks_have_no_similarity_and_the_report_says_how_to_get_one(bundle, evaluation):
    assert not (bundle / "mark_vectors.tsv").exists()
    assert not (evaluation / "similarity.tsv").exists()
    assert not (evaluation / "figures" / "mark_similarity.png").exists()
    assert (evaluation / "figures" / "co_targeting.png").exists()
    report = (evaluation / "report.html").read_text()
    assert "Train with --mark-dimension N" in report
    assert "vectors do not reflect" not in report
    metrics = json.loads((evaluation / "metrics.json").read_text())
    assert metrics["similarity"] is metrics["correlation"] is None


def test_the_same_command_does_nothing_and_another_one_is_refused(bundle, data, evaluation):
    before = tree(bundle) | tree(evaluation)
    again = train(data, bundle, "--split", "locus")
    assert again.code == 0
    assert "nothing to do" in again.err
    assert evaluate(bundle, data, evaluation).code == 0
    other = train(data, bundle, "--split", "locus", "--seed", "1")
    assert other.code == 1
    assert "holds another bundle; what differs: recipe" in other.err
    other = evaluate(bundle, data, evaluation, "--rows", "validation")
    assert other.code == 1
    assert "what differs: rows" in other.err
    assert tree(bundle) | tree(evaluation) == before


@pytest.mark.slow
def test_a_training_that_was_killed_goes_on_and_ends_with_the_same_bytes(bundle, data, tmp_path):
    out = tmp_path / "mine"
    files = (data.annotation, data.fasta, data.labels)
    line = command("train", *files, "-o", out, *WINDOW, *SMALL, "--split", "locus")
    rng = random.Random(4)
    for _ in range(2):
        started = subprocess.Popen(line, env=environment(), stderr=subprocess.PIPE, text=True)
        wanted = rng.randint(1, 3)
        for text in started.stderr:
            if text.startswith("epoch"):
                wanted -= 1
            if not wanted:
                break
        time.sleep(rng.random() * 0.05)
        started.send_signal(signal.SIGKILL)
        started.wait()
        started.stderr.close()
        assert not (out / "bundle.json").exists()
    done = train(data, out, "--split", "locus")
    assert done.code == 0, done.err
    assert "epoch 1:" not in done.err
    assert contents(out) == contents(bundle)


def test_a_training_that_cannot_go_on_says_so_before_it_starts_anew(data, tmp_path):
    out = tmp_path / "mine"
    line = command("train", data.annotation, data.fasta, data.labels, "-o", out, *WINDOW, *SMALL)
    started = subprocess.Popen(line, env=environment(), stderr=subprocess.PIPE, text=True)
    next(text for text in started.stderr if text.startswith("epoch 2"))
    started.send_signal(signal.SIGKILL)
    started.wait()
    started.stderr.close()
    done = train(data, out, "--learning-rate", "0.02")
    assert done.code == 0, done.err
    said = "cannot go on exactly, and starts again from epoch 1: what differs: recipe settings "
    assert f"{said}learning_rate (0.01 -> 0.02)" in done.err
    assert done.err.index(said) < done.err.index("parameters are trained")
    assert done.err.index(said) < done.err.index("epoch 1:")


FIRST, FURTHER = ("chr1", "chr2", "chr3", "chr4"), ("chr3", "chr4", "chr5", "chr6")


def genes_of(data: Labelled, chromosomes: tuple[str, ...], path: Path) -> Path:
    rows = data.annotation.read_text().splitlines(keepends=True)
    path.write_text("".join(row for row in rows if row.split("\t")[0] in chromosomes))
    return path


@pytest.fixture(scope="module")
def parent(data, tmp_path_factory) -> Path:
    """Two perceptrons of the genes of FIRST, with two of the marks in another order."""
    folder = tmp_path_factory.mktemp("parent")
    done = train_rows(
        data,
        genes_of(data, FIRST, folder / "first.bed"),
        folder / "parent",
        *SMALL,
        *WINDOW,
        "--members",
        "2",
        "--marks",
        "H3K27me3,H3K4me3",
    )
    assert done.code == 0, done.err
    return folder / "parent"


def train_rows(data: Labelled, genes: Path, out: Path, *options: str | Path):
    split = ("--split", "chromosome", "--test-chromosomes", "chr4")
    return histpred("train", genes, data.fasta, data.labels, "-o", out, *split, *options)


def test_a_training_goes_on_from_a_bundle(parent, data, tmp_path):
    further = genes_of(data, FURTHER, tmp_path / "further.bed")
    options = (
        "--from",
        parent,
        "--epochs",
        "1",
        "--learning-rate",
        "1e-9",
        "--validation-chromosomes",
        "chr3",
    )
    done = train_rows(data, further, tmp_path / "child", *options)
    assert done.code == 0, done.err
    assert "marks that go on from parent: H3K27me3, H3K4me3" in done.err
    assert "marks that start anew: H3K9me3, H3K36me3" in done.err
    child = load_bundle(tmp_path / "child").manifest
    assert child.schema_version == "1.6"
    assert child.mark_names == ("H3K27me3", "H3K4me3", "H3K9me3")
    assert child.window == load_bundle(parent).manifest.window
    told = child.training.parent
    assert (told.name, told.sha256) == ("parent", load_bundle(parent).digest)
    assert told.test_rows_seen == 0  # chr4 tested the parent too
    assert child.training.recipe["recipe"]["parent"] == told.sha256
    assert child.training.recipe["recipe"]["members"] == 2
    assert (
        f"the weights of parent 1 (bundle.json sha256 {told.sha256})"
        in (tmp_path / "child" / "card.md").read_text()
    )
    assert histpred("bundle", "verify", tmp_path / "child").code == 0

    # At so small a rate, logits stay the parent's.
    rng = np.random.default_rng(0)
    letters = np.frombuffer(b"ACGT", np.uint8)
    shares = ([0.4, 0.1, 0.1, 0.4], [0.1, 0.4, 0.4, 0.1])
    sequences = [rng.choice(letters, 200, p=shares[i % 2]).tobytes() for i in range(60)]
    logits = []
    for folder in (parent, tmp_path / "child"):
        bundle = load_bundle(folder)
        embeddings = embed_sequences(bundle_encoder(bundle).open(), None, sequences)
        with Scorer(bundle, "cpu") as scorer:
            logits.append(scorer.logits(embeddings)[:, :2])
    assert np.corrcoef(logits[0].ravel(), logits[1].ravel())[0, 1] > 0.99


def test_a_child_that_was_killed_goes_on_and_ends_with_the_same_bytes(parent, data, tmp_path):
    further = genes_of(data, FURTHER, tmp_path / "further.bed")
    split = ("--split", "chromosome", "--test-chromosomes", "chr4")
    options = ("--from", parent, "--epochs", "4", "--name", "child")
    line = command(
        "train", further, data.fasta, data.labels, "-o", tmp_path / "killed", *split, *options
    )
    started = subprocess.Popen(line, env=environment(), stderr=subprocess.PIPE, text=True)
    next(text for text in started.stderr if text.startswith("epoch 2"))
    started.send_signal(signal.SIGKILL)
    started.wait()
    started.stderr.close()
    for out in ("killed", "whole"):
        done = train_rows(data, further, tmp_path / out, *options)
        assert done.code == 0, done.err
        assert ("epoch 1:" in done.err.partition("member 2")[0]) == (out == "whole")
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_a_parent_that_has_seen_the_test_rows_is_said_to(parent, data, tmp_path):
    """A random split of all genes tests some that the parent was trained on."""
    done = histpred(
        "train",
        data.annotation,
        data.fasta,
        data.labels,
        "-o",
        tmp_path / "child",
        "--from",
        parent,
        "--epochs",
        "1",
    )
    assert done.code == 0, done.err
    sets = {
        split: split_of(bundle)
        for split, bundle in (("parent", parent), ("child", tmp_path / "child"))
    }
    tested = [name for name, kind in sets["child"].items() if kind == "test"]
    seen = [name for name in tested if sets["parent"].get(name) in ("train", "validation")]
    counts = f"{len(seen)} of the {len(tested)} test rows ({len(seen)} by their id"
    assert f"give --split {parent}/split.tsv" in done.err
    assert f"warning: parent was trained or validated on {counts}" in done.err
    assert counts in (tmp_path / "child" / "card.md").read_text()
    told = load_bundle(tmp_path / "child").manifest
    assert told.training.parent.test_rows_seen == len(seen)
    assert "Its test figures may be flattering." in told.caveats[-1]
    done = evaluate(tmp_path / "child", data, tmp_path / "e")
    assert done.code == 0, done.err
    flattered = f"trained or validated on {len(seen)} of its test rows: the figures flatter it"
    assert flattered in (tmp_path / "e" / "report.html").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--members", "1"), "--members 1: parent has 2"),
        (("--hidden", "16"), "--hidden 16: parent has 16,8"),
        (("--window", "promoter:50:50"), "--window promoter:50:50: parent has promoter:100:100"),
        (("--bundle", "yeast"), "--bundle and --from are given"),
        (("--encoder", "dnabert2"), "--encoder dnabert2: parent has kmer"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_that_disagree_with_the_parent(options, message, parent, data, tmp_path):
    files = (data.annotation, data.fasta, data.labels)
    done = histpred("train", *files, "-o", tmp_path / "b", "--from", parent, *options)
    assert done.code == 2
    assert message in done.err
    assert said_well(done.err)
    assert not (tmp_path / "b").exists()


def test_bundles_that_no_training_can_go_on_from(parent, data, tmp_path):
    files = (data.annotation, data.fasta, data.labels)
    done = histpred("train", *files, "-o", tmp_path / "b", "--from", "human-promoter")
    assert done.code == 2
    assert "histpred train did not make it" in done.err
    assert said_well(done.err)
    done = histpred("train", *files, "-o", parent, "--from", parent, "--overwrite")
    assert done.code == 1
    assert "is an input too" in done.err


def test_a_random_split_that_leaks_is_said_loudly(data, tmp_path):
    done = train(data, tmp_path / "leaky", "--window", "context:2000")
    assert done.code == 0, done.err
    assert re.search(r"warning: \d+ of \d+ test windows .* share bases with training", done.err)
    done = evaluate(tmp_path / "leaky", data, tmp_path / "evaluation")
    assert "share bases with training windows" in done.err
    assert "share bases with training windows" in (tmp_path / "evaluation/report.html").read_text()


@pytest.mark.parametrize(
    "options",
    [
        ("--mark-dimension", "3"),
        ("--loss", "undersampled"),
        ("--loss", "nnpu", "--prior", "0.9"),
        ("--loss", "plain", "--split", "chromosome", "--test-chromosomes", "chr2"),
        ("--split", "block", "--block", "4000", "--marks", "h3k4ME3"),
    ],
    ids=" ".join,
)
def test_every_way_of_training_gives_a_bundle_that_works(options, data, tmp_path):
    done = train(data, tmp_path / "b", *options)
    assert done.code == 0, done.err
    assert histpred("bundle", "verify", tmp_path / "b").code == 0
    assert evaluate(tmp_path / "b", data, tmp_path / "e").code == 0
    metrics = json.loads((tmp_path / "e" / "metrics.json").read_text())
    assert metrics["models"]["b"]["figures"]["H3K4me3"]["auroc"]["value"] > 0.7
    learned = "--mark-dimension" in options
    assert (tmp_path / "b" / "mark_vectors.tsv").exists() == learned
    assert (tmp_path / "e" / "similarity.tsv").exists() == learned


def test_a_genome_is_read_once_for_its_digest_and_indexed_once(data, tmp_path, monkeypatch):
    """Without --cache, for each run: a genome of 3 GB takes seconds, and its index longer."""
    fasta = tmp_path / "genome.fa"
    fasta.write_bytes(data.fasta.read_bytes())
    now, digest_of, index = time.time, kept.file_digest, faidx._build_index
    monkeypatch.setattr(time, "time", lambda: now() + 60)  # the file has lain there for a while
    seen: list[str] = []

    def read(path):
        seen.append("read") if Path(path) == fasta else None
        return digest_of(path)

    def build(stem, path, name):
        seen.append("indexed")
        return index(stem, path, name)

    monkeypatch.setattr(kept, "file_digest", read)
    monkeypatch.setattr(faidx, "_build_index", build)
    files = data._replace(fasta=fasta)
    for run in (
        lambda: train(files, tmp_path / "mine", "--epochs", "1"),
        lambda: evaluate(tmp_path / "mine", files, tmp_path / "evaluation"),
    ):
        kept._read_once.cache_clear()
        seen.clear()
        done = run()
        assert done.code == 0, done.err
        assert seen == ["read", "indexed"]
    assert not list(tmp_path.rglob("*.fai"))


def test_a_split_from_a_file_is_kept(data, bundle, tmp_path):
    done = train(data, tmp_path / "b", "--split", bundle / "split.tsv")
    assert done.code == 0, done.err
    assert split_of(tmp_path / "b") == split_of(bundle)


def test_bundles_beside_each_other(bundle, data, tmp_path):
    """On the same rows and marks, each through windows of its own."""
    options = ("--split", bundle / "split.tsv", "--marks", "H3K27me3,H3K4me3")
    assert train(data, tmp_path / "body", *options, "--window", "body").code == 0
    done = evaluate(bundle, data, tmp_path / "e", "--beside", tmp_path / "body")
    assert done.code == 0, done.err
    metrics = json.loads((tmp_path / "e" / "metrics.json").read_text())
    assert metrics["marks"] == LEARNED
    assert list(metrics["models"])[:2] == ["mine", "body"]
    assert metrics["models"]["body"]["kind"] == "model"
    assert done.out.splitlines()[3].startswith("body")
    twice = evaluate(bundle, data, tmp_path / "e2", "--beside", bundle)
    assert twice.code == 2
    assert "same name" in twice.err


def test_rows_that_the_split_does_not_know_are_all_evaluated(bundle, tmp_path):
    other = write_labelled(tmp_path, seed=9)
    renamed = {f"new_{name}": row for name, row in other.truth.items()}
    text = other.annotation.read_text().replace("gene", "new_gene")
    other.annotation.write_text(text)
    write_labels(other.labels, renamed)
    done = evaluate(bundle, other, tmp_path / "e")
    assert done.code == 0, done.err
    metrics = json.loads((tmp_path / "e" / "metrics.json").read_text())
    assert metrics["windows"] == len(renamed)
    assert list(metrics["models"])[:2] == ["mine", "prevalence"]
    assert metrics["about"]["baselines"] == "by blocks of 1,000,000 bp, see Methods"
    missing = metrics["readings"]["paper"]
    assert "none of the labelled rows is a validation row of its split" in missing
    assert missing in done.out
    assert missing.replace("'", "&#39;") in (tmp_path / "e" / "report.html").read_text()
    assert metrics["models"]["mine"]["paper"] is metrics["validation"] is None
    assert not (tmp_path / "e" / "readings.tsv.gz").exists()
    assert metrics["models"]["GC"]["figures"]["H3K4me3"]["auroc"]["value"] > 0.75


def changed(data: Labelled, folder: Path, change) -> Path:
    """The labels as a table after `change` of its lines."""
    path = folder / "changed.tsv"
    path.write_text("\n".join(change(data.labels.read_text().splitlines())) + "\n")
    return path


def cut(line: str, column: int, text: str) -> str:
    fields = line.split("\t")
    fields[column] = text
    return "\t".join(fields)


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (lambda rows: rows[:1], 1, "no row below the header"),
        (
            lambda rows: [cut(rows[0], 1, "H2A.Z").replace("H3K27me3", "H2AFZ"), *rows[1:]],
            1,
            ":1: H2AFZ twice",
        ),
        (
            lambda rows: [*rows[:5], cut(rows[5], 2, "0.7"), *rows[6:]],
            1,
            ":6: the label '0.7' of gene1_4",
        ),
        (lambda rows: [*rows, rows[3] + "\t1"], 1, ":362: 6 columns where the header has 5"),
        (lambda rows: [*rows, cut(rows[3], 1, "01")], 1, ":362: the label '01'"),
        (
            lambda rows: [*rows, cut(rows[3], 1, str(1 - int(rows[3].split("\t")[1])))],
            1,
            ":362: gene1_2 has other labels here than in line 4",
        ),
        (
            lambda rows: [rows[0], *(f"other_{row}" for row in rows[1:])],
            1,
            "none of its 360 rows is in the annotation",
        ),
        (
            lambda rows: [rows[0], *(cut(cut(cut(r, 1, "0"), 2, "1"), 3, "0") for r in rows[1:])],
            1,
            "no mark has 2 positive and 2 negative training rows",
        ),
        (lambda rows: [row.split("\t")[0] for row in rows], 1, "no column of a mark"),
        (
            lambda rows: [cut(rows[0], 1, "../../../evil"), *rows[1:]],
            1,
            "no mark can be called '../../../evil'",
        ),
        (lambda rows: [cut(rows[0], 1, "calls"), *rows[1:]], 1, "no mark can be called 'calls'"),
        (lambda rows: [cut(rows[0], 1, "micro"), *rows[1:]], 1, "no mark can be called 'micro'"),
        (lambda rows: [rows[0], *(row.replace("\t0", "\t") for row in rows[1:])], 1, "--loss nnpu"),
    ],
    ids=range(13),
)
def test_labels_that_cannot_be_used(change, code, message, data, tmp_path):
    done = train(data, tmp_path / "b", labels=changed(data, tmp_path, change))
    assert done.code == code
    assert message in done.err
    assert said_well(done.err)
    assert not (tmp_path / "b").exists()


def test_marks_that_hardly_differ_and_genes_without_a_window_are_named(data, tmp_path):
    def change(rows):
        alone = [cut(row, 4, "1" if i == 0 else "0") for i, row in enumerate(rows[1:])]
        return [rows[0], *alone, "elsewhere\t1\t0\t1\t0"]

    done = train(data, tmp_path / "b", labels=changed(data, tmp_path, change))
    assert done.code == 0, done.err
    assert "1 mark is left out" in done.err
    assert "H3K36me3 (1 positive" in done.err or "H3K36me3 (0 positive" in done.err
    assert "1 of 361 rows of" in done.err
    assert "elsewhere" in done.err


def test_the_command_that_comes_next_selects_the_same_rows():
    given = {"annotation": "a.bed", "fasta": "g.fa", "labels": Path("my labels"), "level": "gene"}
    given |= {"transcripts": ("t.fa",), "biotypes": ("lncRNA", "miRNA"), "unstranded": True}
    assert evaluating(Path("mine"), {**given, "weights": Path("w")}) == (
        "histpred evaluate mine a.bed g.fa 'my labels' -o mine-evaluation --transcripts t.fa "
        "--by gene --biotype lncRNA,miRNA --unstranded --weights w"
    )
    given |= {"level": None, "transcripts": (), "biotypes": (), "unstranded": False}
    assert evaluating(Path("mine"), {**given, "weights": None}) == (
        "histpred evaluate mine a.bed g.fa 'my labels' -o mine-evaluation"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--marks", "H3K79me2"), "has no mark H3K79me2"),
        (("--loss", "nnpu"), "give --prior"),
        (("--split", "by-hand"), "no kind of split"),
        (("--window", "context:x"), "not a window"),
        (("--hidden", "12,"), "not widths of layers"),
        (("--hidden", "9" * 5000), "not widths of layers"),
        (("--model", "deephistone"), "takes no encoder, chunks or window"),
        (("--test-chromosomes", "chr1"), "chromosomes are named"),
        (("--split", "chromosome", "--test-chromosomes", "chrX"), "has no contig chrX"),
        (("--encoder", "kmer", "--bundle", "human-promoter"), "either --bundle or --encoder"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else "",
)
def test_options_that_do_not_fit(options, message, data, tmp_path):
    done = train(data, tmp_path / "b", *options)
    assert done.code == 2
    assert message in done.err
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--split", "chromosme"), "did you mean chromosome?"),
        (("--split", "chromosome", "--test-chromosomes", "chrX"), "has no contig chrX"),
        (
            ("--split", "chromosome", "--test-chromosomes", "a", "--validation-chromosomes", "a"),
            "a cannot both test and validate",
        ),
        (("--marks", "H3K4m3"), "did you mean H3K4me3?"),
        (("--loss", "nnpu"), "give --prior"),
        (("--loss", "nnpu", "--prior", "2"), "no share of true positives"),
        (("--loss", "nnpu", "--prior", "none.tsv"), "none.tsv: cannot be read"),
        (("--from", "yeats"), "did you mean yeast?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_are_checked_before_any_embedding(options, message, data, tmp_path, monkeypatch):
    def embed(*arguments):
        raise AssertionError("embedding has begun")

    monkeypatch.setattr("histpred.training.data.embed_windows", embed)
    done = train(data, tmp_path / "b", *options)
    assert done.code in (1, 2)
    assert message in done.err
    assert not (tmp_path / "b").exists()


def test_marks_to_evaluate_are_checked_before_any_embedding(bundle, data, tmp_path, monkeypatch):
    def score(*arguments):
        raise AssertionError("embedding has begun")

    monkeypatch.setattr("histpred.reports.evaluate.score", score)
    done = evaluate(bundle, data, tmp_path / "e", "--marks", "H3K4m3")
    assert done.code == 2
    assert "did you mean H3K4me3?" in done.err


def test_an_evaluation_that_cannot_be(bundle, data, tmp_path):
    strange = tmp_path / "strange.tsv"
    strange.write_text("id\tH3K79me2\n" + "".join(f"{name}\t1\n" for name in data.truth))
    done = evaluate(bundle, data, tmp_path / "e", labels=strange)
    assert done.code == 1
    assert "none of the marks" in done.err
    done = evaluate(bundle, data, tmp_path / "e", "--marks", "H3K36me3")
    assert done.code == 2
    assert "does not score H3K36me3" in done.err
    files = (data.annotation, data.fasta, data.labels)
    done = histpred("evaluate", tmp_path / "none", *files, "-o", tmp_path / "e")
    assert done.code == 1
    assert "no such bundle" in done.err
    assert not (tmp_path / "e").exists()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_deephistone_from_labels_to_scores(data, tmp_path):
    """Windows at the ends of contigs are shorter than 1,000 bp and are filled up."""
    few = tmp_path / "few.bed"
    rows = data.annotation.read_text().splitlines(keepends=True)
    few.write_text("".join(rows[::10]))
    files = (few, data.fasta, data.labels)
    done = histpred(
        *("train", *files, "-o", tmp_path / "deep", "--model", "deephistone"),
        *("--epochs", "1", "--batch", "20", "--split", "chromosome", "--marks", "H3K4me3"),
    )
    assert done.code == 0, done.err
    assert "34,460,277 parameters" in done.err
    assert histpred("bundle", "verify", tmp_path / "deep").code == 0
    scored = histpred(
        *("predict", few, data.fasta, "--bundle", tmp_path / "deep", "-o", tmp_path / "out")
    )
    assert scored.code == 0, scored.err
    assert len(read_scores(tmp_path / "out" / "scores.tsv.gz").rows) == len(rows[::10])
    done = histpred("evaluate", tmp_path / "deep", *files, "-o", tmp_path / "e")
    assert done.code == 0, done.err


def test_spectra_from_labels_to_scores(data, tmp_path):
    """Windows at the ends of contigs are read whole; several networks make one bundle."""
    few = tmp_path / "few.bed"
    rows = data.annotation.read_text().splitlines(keepends=True)
    few.write_text("".join(rows[::3]))
    files = (few, data.fasta, data.labels)
    options = ("--model", "spectra", "--members", "2", "--epochs", "2", "--loss", "plain")
    split = ("--split", "chromosome", "--test-chromosomes", "chr1", "--learning-rate", "0.002")
    done = histpred("train", *files, "-o", tmp_path / "b", *options, *split)
    assert done.code == 0, done.err
    assert "member 2 of 2" in done.err
    made = load_bundle(tmp_path / "b").manifest
    assert (made.encoder.kind, made.encoder.dimension, made.encoder.chunks) == (
        "spectra",
        128,
        None,
    )
    assert (made.window.upstream, made.window.downstream, made.window.whole) == (
        10_000,
        10_000,
        True,
    )
    assert "the mean of 2: spectra" in (tmp_path / "b" / "card.md").read_text()
    history = (tmp_path / "b" / "training.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in history] == ["member", "1", "1", "2", "2"]
    assert histpred("bundle", "verify", tmp_path / "b").code == 0

    again = histpred("train", *files, "-o", tmp_path / "again", "--name", "b", *options, *split)
    assert again.code == 0, again.err
    assert contents(tmp_path / "again") == contents(tmp_path / "b")
    scored = histpred(
        "predict", few, data.fasta, "--bundle", tmp_path / "b", "-o", tmp_path / "out"
    )
    assert scored.code == 0, scored.err
    assert "calibrated" not in scored.err
    assert len(read_scores(tmp_path / "out" / "scores.tsv.gz").rows) == len(rows[::3])


def test_windows_without_labels_change_no_weight(data, tmp_path):
    """Their counts are left out where they are in memory."""
    every = data.annotation.read_text().splitlines(keepends=True)[::4]
    known = [line for i, line in enumerate(every) if i % 3]
    ids = {line.split("\t")[3] for line in known}
    lines = data.labels.read_text().splitlines(keepends=True)
    labels = tmp_path / "labels.tsv"
    labels.write_text("".join([lines[0], *(x for x in lines[1:] if x.split("\t")[0] in ids)]))
    trained = []
    for name, rows in (("known", known), ("every", every)):
        (tmp_path / f"{name}.bed").write_text("".join(rows))
        out = tmp_path / name
        options = ("--model", "spectra", "--epochs", "1", "--loss", "plain", "--split", "locus")
        files = (tmp_path / f"{name}.bed", data.fasta, labels)
        done = histpred("train", *files, "-o", out, *options)
        assert done.code == 0, done.err
        trained.append([(out / file).read_bytes() for file in ("scorer.onnx", "heads.onnx")])
    assert trained[0] == trained[1]


def test_training_in_bf16_is_refused_where_the_cpu_has_it_not(data, tmp_path, monkeypatch):
    from histpred.encoders import devices

    monkeypatch.setattr(devices, "why_no_bf16", lambda: "this CPU has no bf16 arithmetic")
    done = train(data, tmp_path / "b", "--precision", "bf16", "--device", "cpu")
    assert done.code == 2
    assert "precision 'bf16' is not available on the device 'cpu': this CPU has no" in done.err
    assert "use auto or fp32, int8" in done.err
    assert not (tmp_path / "b").exists()


def test_a_bundle_trained_in_bf16_says_so_and_verifies(data, bundle, tmp_path, monkeypatch):
    from histpred.encoders import devices

    monkeypatch.setattr(devices, "why_no_bf16", lambda: "")
    done = train(data, tmp_path / "b", "--precision", "bf16", "--device", "cpu")
    assert done.code == 0, done.err
    assert load_bundle(tmp_path / "b").manifest.training.recipe["training precision"] == "bf16"
    assert "training precision" not in load_bundle(bundle).manifest.training.recipe
    assert "products in bf16" in (tmp_path / "b" / "card.md").read_text()
    assert "bf16" not in (bundle / "card.md").read_text()
    assert histpred("bundle", "verify", tmp_path / "b").code == 0
    assert "nothing to do" in train(data, tmp_path / "b", "--precision", "bf16").err
    other = train(data, tmp_path / "b")
    assert other.code != 0
    assert "another bundle" in other.err


def test_several_perceptrons_are_averaged(data, tmp_path):
    assert train(data, tmp_path / "b", "--members", "3").code == 0
    assert "the mean of 3: perceptron" in (tmp_path / "b" / "card.md").read_text()
    assert histpred("bundle", "verify", tmp_path / "b").code == 0
    members = (tmp_path / "b" / "training.tsv").read_text().splitlines()[1:]
    assert {line.split("\t")[0] for line in members} == {"1", "2", "3"}


def test_deephistone_is_too_large_to_be_averaged(data, tmp_path):
    files = (data.annotation, data.fasta, data.labels)
    options = ("--model", "deephistone", "--members", "2")
    done = histpred("train", *files, "-o", tmp_path / "b", *options)
    assert done.code == 2
    assert "--members 2: deephistone is too large for that" in done.err


def test_from_python(data, bundle, tmp_path):
    """The same bytes as from the command line, and a DataFrame for the labels."""
    import histpred

    settings = {"hidden": (16, 8), "learning_rate": 0.01, "batch": 32, "epochs": 8}
    made = histpred.train(
        *(data.annotation, data.fasta, data.labels, tmp_path / "mine"),
        window="promoter:100:100",
        split="locus",
        **settings,
    )
    assert contents(made) == contents(bundle)

    labels = pandas.read_csv(data.labels, sep="\t")
    labels["H3K4me3"] = labels["H3K4me3"].where(labels.index % 5 > 0)  # a fifth is unlabelled
    metrics = histpred.evaluate(made, data.annotation, data.fasta, labels, marks="H3K4me3")
    figures = metrics["models"]["mine"]["figures"]["H3K4me3"]
    tested = list(split_of(bundle).values()).count("test")
    assert 0.6 * tested < figures["positives"] + figures["negatives"] < tested


def test_going_on_from_python(parent, data, tmp_path):
    """As on the command line; what disagrees with the parent is refused."""
    import histpred
    from histpred.core.errors import UsageError

    files = (data.annotation, data.fasta, data.labels, tmp_path / "child")
    with pytest.raises(UsageError, match="--members 3: parent has 2"):
        histpred.train(*files, parent=parent, members=3)
    made = histpred.train(*files, parent=parent, split="block", block=4000, epochs=1)
    assert load_bundle(made).manifest.training.parent.sha256 == load_bundle(parent).digest


@pytest.fixture(scope="module")
def foundation(tmp_path_factory) -> list[str | Path]:
    """Options for an encoder with tiny random weights of DNABERT-2's architecture."""
    pytest.importorskip("tokenizers", reason="needs the extra encoders")
    from histpred.encoders.chunks import ChunkPolicy
    from support.dnabert2 import write_dnabert2
    from support.random_bundle import random_bundle

    folder = tmp_path_factory.mktemp("foundation")
    write_dnabert2(folder / "weights", scale=0.3)
    random_bundle(
        folder / "bundle",
        "dnabert2",
        folder / "weights",
        ["pytorch_model.bin", "config.json", "tokenizer.json"],
        chunks=ChunkPolicy("window", 90),
        window={"kind": "promoter", "upstream": 100, "downstream": 100},
    )
    return ["--bundle", folder / "bundle", "--weights", folder / "weights"]


def train_on(data: Labelled, out: Path, *options: str | Path):
    files = (data.annotation, data.fasta, data.labels)
    return histpred("train", *files, "-o", out, *SMALL, *options)


def chunks_in(err: str) -> tuple[int, int]:
    """How many chunks were embedded, and how many the store had."""
    found = re.search(r"([\d,]+) chunks embedded on cpu, ([\d,]+) found in the store", err)
    return int(found[1].replace(",", "")), int(found[2].replace(",", ""))


def test_a_foundation_model_is_run_once_for_embed_train_evaluate_and_predict(
    data, foundation, tmp_path
):
    store = ("--store", tmp_path / "store")
    files = (data.annotation, data.fasta)
    assert histpred("embed", *files, *foundation, *store).code == 0
    done = train_on(data, tmp_path / "b", *foundation, *store)
    assert done.code == 0, done.err
    embedded, there = chunks_in(done.err)
    assert (embedded, there > 300) == (0, True)
    spec = load_bundle(tmp_path / "b").manifest.encoder
    assert (spec.kind, spec.chunks.length) == ("dnabert2", 90)
    assert set(spec.files) == {"pytorch_model.bin", "config.json", "tokenizer.json"}

    weights = foundation[2:]
    done = evaluate(tmp_path / "b", data, tmp_path / "e", *weights, *store)
    assert done.code == 0, done.err
    assert chunks_in(done.err) == (0, there)
    done = histpred(
        "predict", *files, "--bundle", tmp_path / "b", *weights, *store, "-o", tmp_path / "o"
    )
    assert done.code == 0, done.err
    assert histpred("bundle", "verify", tmp_path / "b", *weights).code == 0

    missing = evaluate(tmp_path / "b", data, tmp_path / "e2")
    assert missing.code == 1
    assert "--weights" in missing.err


def test_a_training_goes_on_from_a_bundle_on_a_large_encoder(data, foundation, tmp_path):
    """Its weights are not in the bundle, and --weights finds them."""
    assert train_on(data, tmp_path / "parent", *foundation, "--epochs", "1").code == 0
    options = ("--from", tmp_path / "parent", "--epochs", "1")
    files = (data.annotation, data.fasta, data.labels)
    child = tmp_path / "child"
    done = histpred("train", *files, "-o", child, *options, "--weights", foundation[-1])
    assert done.code == 0, done.err
    encoder, theirs = (load_bundle(b).manifest.encoder for b in (child, tmp_path / "parent"))
    assert encoder == theirs


def test_embeddings_outlive_a_training_that_was_broken_off(data, foundation, tmp_path):
    """As a failure after the embeddings: the next run embeds nothing."""
    (tmp_path / "odd.tsv").write_text("id\tset\ngene1\tno-set\n")
    failed = train_on(data, tmp_path / "b", *foundation, "--split", tmp_path / "odd.tsv")
    assert failed.code == 1
    assert "unknown set 'no-set'" in failed.err
    assert {path.name for path in (tmp_path / "b").iterdir()} == {".histpred-resume"}
    embedded, _ = chunks_in(failed.err)
    assert embedded > 300
    done = train_on(data, tmp_path / "b", *foundation)
    assert done.code == 0, done.err
    assert chunks_in(done.err) == (0, embedded)
    assert ".histpred-resume" not in {path.name for path in (tmp_path / "b").iterdir()}


def test_embeddings_that_are_no_numbers_are_refused(data, tmp_path):
    pytest.importorskip("tokenizers", reason="needs the extra encoders")
    from histpred.encoders.chunks import ChunkPolicy
    from support.dnabert2 import write_dnabert2
    from support.random_bundle import random_bundle

    write_dnabert2(tmp_path / "weights", scale=0.3)
    names = sorted(path.name for path in (tmp_path / "weights").iterdir())
    random_bundle(
        tmp_path / "bundle",
        "dnabert2",
        tmp_path / "weights",
        names,
        chunks=ChunkPolicy("window", 90),
        window={"kind": "body"},
    )
    write_dnabert2(tmp_path / "weights", scale=float("inf"))
    manifest = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    manifest["encoder"]["files"] = {
        name: hashlib.sha256((tmp_path / "weights" / name).read_bytes()).hexdigest()
        for name in names
    }
    (tmp_path / "bundle" / "bundle.json").write_text(json.dumps(manifest))
    options = ("--bundle", tmp_path / "bundle", "--weights", tmp_path / "weights")
    done = train_on(data, tmp_path / "b", *options)
    assert done.code == 1
    assert "gave NaN or infinity" in done.err
    assert not (tmp_path / "b" / "bundle.json").exists()


def test_positive_unlabelled_labels(data, tmp_path):
    """Only ones, and nothing elsewhere: the probability of being observed is calibrated."""
    text = re.sub(r"\t0(?=\t|\n)", "\t", data.labels.read_text())
    labels = tmp_path / "positives.tsv"
    labels.write_text(re.sub(r"\t0(?=\t|\n)", "\t", text))
    options = ("--loss", "nnpu", "--prior", "0.9", "--split", "locus", "--calls", "youden")
    done = train(data, tmp_path / "b", *options, labels=labels)
    assert done.code == 0, done.err
    thresholds = {m.name: m.threshold for m in load_bundle(tmp_path / "b").manifest.marks}
    assert all(0.1 < thresholds[mark] < 0.9 for mark in LEARNED)
    done = evaluate(tmp_path / "b", data, tmp_path / "e")  # on what is true
    metrics = json.loads((tmp_path / "e" / "metrics.json").read_text())
    assert metrics["models"]["b"]["figures"]["H3K4me3"]["auroc"]["value"] > 0.7


def test_a_bundle_beside_that_has_seen_the_rows_is_said_to(bundle, data, tmp_path):
    assert train(data, tmp_path / "other", "--split", "locus", "--seed", "7").code == 0
    done = evaluate(bundle, data, tmp_path / "e", "--beside", tmp_path / "other")
    assert done.code == 0, done.err
    (warning,) = json.loads((tmp_path / "e" / "metrics.json").read_text())["warnings"]
    assert re.search(r"\d+ of the \d+ rows trained or validated other", warning)


def test_rows_that_flatter_are_named_in_the_report(bundle, data, tmp_path):
    for rows, words in (("all", "training rows are among"), ("validation", "chose the epoch")):
        assert evaluate(bundle, data, tmp_path / rows, "--rows", rows).code == 0
        assert words in (tmp_path / rows / "report.html").read_text()
    some = tmp_path / "some.bed"
    some.write_text("".join(data.annotation.read_text().splitlines(keepends=True)[::2]))
    done = evaluate(bundle, data._replace(annotation=some), tmp_path / "some")
    assert "training rows are among these rows: baselines fitted on them are weaker" in done.err


def test_an_evaluation_that_was_altered_is_not_finished(bundle, data, tmp_path):
    assert evaluate(bundle, data, tmp_path / "e").code == 0
    (tmp_path / "e" / "report.html").unlink()
    again = evaluate(bundle, data, tmp_path / "e")
    assert again.code == 1
    assert "files missing or altered since: report.html" in again.err
    assert evaluate(bundle, data, tmp_path / "e", "--overwrite").code == 0
    assert (tmp_path / "e" / "report.html").exists()
    record = tmp_path / "e" / "metrics.json"
    metrics = json.loads(record.read_text())
    del metrics["readings"]  # as before there were two
    record.write_text(json.dumps(metrics))
    again = evaluate(bundle, data, tmp_path / "e")
    assert again.code == 1
    assert "metrics.json was not written by histpred" in again.err


@pytest.mark.parametrize("name", ["my bundle", "bündel"])
def test_a_name_that_cannot_be(name, data, tmp_path):
    done = train(data, tmp_path / name)
    assert done.code == 2
    assert "give --name" in done.err


def test_a_damaged_bundle_can_be_replaced(data, tmp_path):
    assert train(data, tmp_path / "b").code == 0
    with open(tmp_path / "b" / "training.tsv", "a") as file:
        file.write("more\n")
    again = train(data, tmp_path / "b")
    assert again.code == 1
    assert "is damaged" in again.err
    assert "--overwrite" in again.err
    assert train(data, tmp_path / "b", "--overwrite").code == 0


def test_the_name_of_a_shipped_bundle_is_a_folder_like_another(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = train(data, Path("human-promoter"))
    assert done.code == 0, done.err
    assert "nothing to do" in train(data, Path("human-promoter")).err


def test_pipes_are_refused(data, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    done = train(data, tmp_path / "b", labels=tmp_path / "pipe")
    assert done.code == 2
    assert "histpred reads it more than once" in done.err
    done = histpred("train", "-", data.fasta, data.labels, "-o", tmp_path / "b")
    assert "histpred reads it more than once" in done.err


def test_large_seeds_and_small_batches(data, tmp_path):
    done = train(data, tmp_path / "b", "--seed", "20240101123456", "--batch", "1", "--epochs", "1")
    assert done.code == 0, done.err


def test_an_empty_annotation(data, tmp_path):
    empty = tmp_path / "empty.bed"
    empty.write_text("")
    done = train(data._replace(annotation=empty), tmp_path / "b")
    assert done.code == 1
    assert "holds no row" in done.err
    assert said_well(done.err)


def test_rows_without_any_label_are_no_rows(bundle, data, tmp_path):
    def change(rows):
        return [rows[0], *(r if i % 2 else cut_all(r) for i, r in enumerate(rows[1:]))]

    def cut_all(row):
        return "\t".join([row.split("\t")[0], "", "", "", ""])

    labels = changed(data, tmp_path, change)
    done = train(data, tmp_path / "b", labels=labels)
    assert done.code == 0, done.err
    assert sum(load_bundle(tmp_path / "b").manifest.training.counts.values()) == 180


def test_bins_that_sets_share_are_leaks(data, foundation, tmp_path):
    """With the grid, the vector of a bin is of all its bases, whoever's window it is in."""
    options = (*foundation, "--chunks", "grid:2000", "--window", "body", "--split", "locus")
    done = train_on(data, tmp_path / "b", *options)
    assert done.code == 0, done.err
    with open(tmp_path / "b" / "split.tsv") as lines:
        bins: dict[tuple[str, int], set[str]] = {}
        for row in csv.DictReader(lines, delimiter="\t"):
            for number in range(int(row["start"]) // 2000, (int(row["end"]) - 1) // 2000 + 1):
                bins.setdefault((row["chrom"], number), set()).add(row["set"])
    assert all(len(sets) == 1 for sets in bins.values())


def test_the_encoder_of_a_spectra_bundle_travels_on(data, tmp_path):
    """Its graphs have the names of those that training may write itself."""
    few = tmp_path / "few.bed"
    few.write_text("".join(data.annotation.read_text().splitlines(keepends=True)[::6]))
    files = (few, data.fasta, data.labels)
    done = histpred("train", *files, "-o", tmp_path / "b", "--bundle", "yeast", *SMALL)
    assert done.code == 0, done.err
    for name in ("bins.onnx", "heads.onnx"):
        expected = (load_bundle("yeast").directory / name).read_bytes()
        assert (tmp_path / "b" / name).read_bytes() == expected
    assert histpred("bundle", "verify", tmp_path / "b").code == 0


def test_an_encoder_that_ships_travels_on(data, tmp_path):
    from histpred.bundle.publish import write_bundle
    from histpred.encoders.chunks import ChunkPolicy
    from support.dnabert2 import write_dnabert2
    from support.random_bundle import random_bundle

    pytest.importorskip("tokenizers", reason="needs the extra encoders")
    weights = tmp_path / "weights"
    write_dnabert2(weights, scale=0.3)
    names = ["pytorch_model.bin", "config.json", "tokenizer.json"]
    window = {"kind": "body"}
    made = random_bundle(
        tmp_path / "b", "dnabert2", weights, names, chunks=ChunkPolicy("window", 90), window=window
    )
    inside = made.manifest.encoder.model_copy(update={"files": {}})
    shipped = write_bundle(
        tmp_path / "shipped",
        made.manifest.model_copy(update={"encoder": inside}),
        made.scorer_path.read_bytes(),
        "With its encoder.",
        {name: (weights / name).read_bytes() for name in names},
    )
    done = train_on(data, tmp_path / "mine", "--bundle", shipped.directory)
    assert done.code == 0, done.err
    assert (tmp_path / "mine" / "pytorch_model.bin").exists()
    assert histpred("bundle", "verify", tmp_path / "mine").code == 0


@pytest.mark.slow
def test_a_bundle_trained_in_int8_verifies(data, foundation, tmp_path):
    done = train_on(data, tmp_path / "b", *foundation, "--precision", "int8")
    assert done.code == 0, done.err
    verified = histpred("bundle", "verify", tmp_path / "b", *foundation[2:])
    assert verified.code == 0, verified.err


def test_another_version_of_an_id_is_the_same_gene(data, tmp_path):
    """Trained on ENSG...1, evaluated on ENSG...2: the split holds."""
    files = []
    for version in (1, 2):
        folder = tmp_path / str(version)
        folder.mkdir()
        made = write_labelled(folder)
        for path in (made.annotation, made.labels):
            text = re.sub(r"gene(\d)_(\d+)", rf"ENSG0000000\1\2.{version}", path.read_text())
            path.write_text(text)
        files.append(made)
    assert train(files[0], tmp_path / "b").code == 0
    assert evaluate(tmp_path / "b", files[0], tmp_path / "e1").code == 0
    assert evaluate(tmp_path / "b", files[1], tmp_path / "e2").code == 0
    first, second = (
        json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("e1", "e2")
    )
    assert first["windows"] == second["windows"] < 60
    assert first["models"] == second["models"]
