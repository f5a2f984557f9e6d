"""Every number of the tables, computed again from files by code that is not histpred's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas
import pytest

from histpred.experiments.paper import TABLE_1, TABLE_2

pytestmark = pytest.mark.slow


def table(path: Path) -> pandas.DataFrame:
    return pandas.read_csv(path, sep="\t")


def scores(folder: Path, name: str, which: str, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores, [n, marks], of the evaluated or the validation rows."""
    rows = table(folder / "evaluation" / "readings.tsv.gz")
    rows = rows[(rows["model"] == name) & (rows["set"] == which)]
    labels = rows[[column for column in rows if column.endswith("_label")]].to_numpy()
    return labels, rows[[column for column in rows if column.endswith(f"_{kind}")]].to_numpy()


def by_the_papers_rule(folder: Path, name: str) -> dict[str, float]:
    """Appendix F in a few lines: Youden's J on validation rows, then pooled counts."""
    from sklearn import metrics

    truth, raw = scores(folder, name, "validation", "raw")
    thresholds = []
    for labels, values in zip(truth.T, raw.T, strict=True):
        false, true, cuts = metrics.roc_curve(labels, values, drop_intermediate=False)
        both = 0 < labels.mean() < 1 and np.ptp(values) > 0
        thresholds.append(cuts[1:][(true - false)[1:].argmax()] if both else 0.5)
    truth, raw = scores(folder, name, "evaluated", "raw")
    called, truth_all = (raw >= np.array(thresholds)).ravel(), truth.ravel()
    areas = [
        metrics.roc_auc_score(labels, values)
        for labels, values in zip(truth.T, raw.T, strict=True)
        if 0 < labels.mean() < 1
    ]
    return {
        "accuracy": metrics.accuracy_score(truth_all, called),
        "precision": metrics.precision_score(truth_all, called),
        "recall": metrics.recall_score(truth_all, called),
        "f1": metrics.f1_score(truth_all, called),
        "mcc": metrics.matthews_corrcoef(truth_all, called),
        "auroc": metrics.roc_auc_score(truth_all, raw.ravel()),
        "micro auroc": metrics.roc_auc_score(truth_all, raw.ravel()),
        "macro auroc": np.mean(areas),
    }


@pytest.mark.parametrize("name", ["table1.tsv", "table2.tsv", "configurations.tsv"])
def test_figures_by_the_papers_rule_are_those_of_the_scores(experiment, name):
    rows = table(experiment.out / name)
    rows = rows[(rows["reading"] == "paper") & (rows["configuration"] != "prevalence")]
    assert len(rows)
    for row in rows.to_dict("records"):
        folder = experiment.out / "configurations" / row["configuration"] / row["split"]
        if not folder.exists():  # a baseline beside the configuration of DNABERT2
            folder = experiment.out / "configurations" / "one-hot" / row["split"]
        expected = by_the_papers_rule(folder, row["configuration"])
        for metric in expected.keys() & row.keys():
            assert row[metric] == pytest.approx(expected[metric], abs=1e-7), (row, metric)


def test_figures_by_histpreds_rule_are_those_of_the_evaluation(experiment):
    rows = table(experiment.out / "configurations.tsv")
    rows = rows[(rows["reading"] == "histpred") & rows["epochs"].notna()]
    assert len(rows) == 6
    for row in rows.to_dict("records"):
        folder = experiment.out / "configurations" / row["configuration"] / row["split"]
        metrics = json.loads((folder / "evaluation" / "metrics.json").read_text())
        figures = metrics["models"][row["configuration"]]["figures"]
        assert row["mcc"] == pytest.approx(figures["micro"]["mcc"]["value"])
        assert row["macro auroc"] == pytest.approx(figures["macro"]["auroc"]["value"])


def test_the_tables_hold_what_the_paper_prints(experiment):
    for name, printed in (("table1.tsv", TABLE_1), ("table2.tsv", TABLE_2)):
        for row in table(experiment.out / name).to_dict("records"):
            for metric, value in printed[row["row"]].items():
                column = metric if metric in row else f"{metric} auroc"
                assert row[f"printed {column}"] == value


def test_the_numbers_of_the_paper_are_in_its_text():
    """Every number of Tables 1 and 2, typed a second time."""
    assert [list(row.values()) for row in TABLE_1.values()] == [
        [0.7425, 0.6496, 0.9051, 0.7563, 0.5298, 0.86],
        [0.8594, 0.7837, 0.9379, 0.8539, 0.7314, 0.95],
    ]
    assert [list(row.values()) for row in TABLE_2.values()] == [
        [0.49, 0.78],
        [0.89, 0.94],
        [0.85, 0.86],
        [0.92, 0.95],
    ]


def test_the_similarity_of_mark_vectors_is_that_of_the_bundles_vectors(experiment):
    rows = table(experiment.out / "mark_vectors.tsv")
    assert list(rows["configuration"]) == ["one-hot", "vectors"] * 2
    assert rows["mean"].isna().tolist() == [True, False] * 2
    for row in rows[rows["dimension"].notna()].to_dict("records"):
        folder = experiment.out / "configurations" / "vectors" / row["split"] / "bundle"
        vectors = pandas.read_csv(folder / "mark_vectors.tsv", sep="\t", header=None)
        vectors = vectors.iloc[:, 1:].to_numpy()
        assert vectors.shape[1] == row["dimension"] == 3
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        pairs = (unit @ unit.T)[np.triu_indices(len(unit), 1)]
        assert row["pairs"] == len(pairs)
        assert row["mean"] == pytest.approx(pairs.mean(), abs=1e-5)
        assert row["sd"] == pytest.approx(pairs.std(), abs=1e-5)
        assert row["beyond"] == pytest.approx((abs(pairs) > 0.25).mean())


def test_the_validation_loss_is_the_lowest_of_the_training(experiment):
    for row in (
        table(experiment.out / "configurations.tsv").dropna(subset=["epochs"]).to_dict("records")
    ):
        folder = experiment.out / "configurations" / row["configuration"] / row["split"]
        epochs = table(folder / "bundle" / "training.tsv")
        assert row["validation loss"] == pytest.approx(epochs["validation_loss"].min())
        assert row["epochs"] == len(epochs)


def test_each_mark_has_its_accuracy_and_area(experiment):
    from sklearn.metrics import roc_auc_score

    rows = table(experiment.out / "marks.tsv")
    folder = experiment.out / "configurations" / "body" / "chromosome"
    truth, raw = scores(folder, "body", "evaluated", "raw")
    own = rows[
        (rows["configuration"] == "body")
        & (rows["split"] == "chromosome")
        & (rows["reading"] == "paper")
    ]
    for i, row in enumerate(own.to_dict("records")):
        assert (row["positives"], row["negatives"]) == (
            (truth[:, i] == 1).sum(),
            (truth[:, i] == 0).sum(),
        )
        assert row["auroc"] == pytest.approx(roc_auc_score(truth[:, i], raw[:, i]))
