"""The tables of an evaluation and metrics.json, read back."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

for package in ("jinja2", "sklearn", "scipy"):
    pytest.importorskip(package, reason="needs the extra train")

from histpred.evaluation.result import MACRO, METRICS, MICRO, Correlation, Result  # noqa: E402
from histpred.reports.evaluation_tables import metrics_of, write_tables  # noqa: E402
from support.results import tsv  # noqa: E402


def test_summary_is_table_1_then_table_2(result, tmp_path):
    write_tables(result, tmp_path)
    rows = tsv(tmp_path / "summary.tsv")
    assert list(rows[0]) == [
        *("Configuration", "Input type", "Accuracy", "Precision", "Recall", "F1-score", "MCC"),
        *("AUROC", "AUPRC", "Macro-AUROC", "Macro-AUROC low", "Macro-AUROC high"),
        *("Micro-AUROC", "Micro-AUROC low", "Micro-AUROC high"),
    ]
    assert [row["Configuration"] for row in rows] == list(result.models)
    for row, one in zip(rows, result.models.values(), strict=True):
        assert float(row["MCC"]) == pytest.approx(one.figures.loc[MICRO, "mcc"], rel=1e-5)
        assert float(row["Macro-AUROC"]) == pytest.approx(one.figures.loc[MACRO, "auroc"], rel=1e-5)
        assert float(row["Micro-AUROC low"]) == pytest.approx(one.low.loc[MICRO, "auroc"], rel=1e-5)


def test_marks_is_tidy(result, tmp_path):
    write_tables(result, tmp_path)
    rows = {(row["model"], row["mark"]): row for row in tsv(tmp_path / "marks.tsv")}
    assert list(rows) == [(model, mark) for model in result.models for mark in result.marks]
    for (model, mark), row in rows.items():
        one = result.models[model]
        assert int(row["positives"]) == one.figures.loc[mark, "positives"]
        for column, table in (("f1", one.figures), ("f1_low", one.low), ("f1_high", one.high)):
            value = table.loc[mark, "f1"]
            wanted = "" if np.isnan(value) else pytest.approx(value, rel=1e-5)
            assert (float(row[column]) if row[column] else "") == wanted


def test_predictions_are_the_bundle_s(result, tmp_path):
    write_tables(result, tmp_path)
    rows = tsv(tmp_path / "predictions.tsv.gz")
    bundle = next(iter(result.models.values()))
    assert list(rows[0])[:7] == list(result.windows.columns)
    assert [row["name"] for row in rows] == list(result.windows["name"])
    assert [int(row["start"]) for row in rows] == list(result.windows["start"])
    for i, mark in enumerate(result.marks):
        labels = [row[f"{mark}_label"] for row in rows]
        assert labels == ["" if np.isnan(y) else str(int(y)) for y in result.labels[:, i]]
        probabilities = [float(row[f"{mark}_probability"]) for row in rows]
        np.testing.assert_allclose(probabilities, bundle.probabilities[:, i], rtol=1e-5)
    assert "" in {row[f"{result.marks[0]}_label"] for row in rows}


def test_relations_and_groups(result, tmp_path):
    write_tables(result, tmp_path)
    for name in ("similarity", "co_targeting"):
        rows = tsv(tmp_path / f"{name}.tsv")
        assert [row.pop("mark") for row in rows] == list(result.marks)
        values = [[float(value) for value in row.values()] for row in rows]
        np.testing.assert_allclose(values, getattr(result, name), rtol=1e-5)
    assert len(tsv(tmp_path / "groups.tsv")) == len(result.groups)


def test_relations_that_are_not_there_have_no_file(make_result, tmp_path):
    write_tables(make_result(rows=40, relations=False), tmp_path)
    assert not (tmp_path / "similarity.tsv").exists()
    assert not (tmp_path / "co_targeting.tsv").exists()


def strict_json(result: Result) -> dict:
    """The metrics of a result, written as strict JSON and read back."""
    return json.loads(json.dumps(metrics_of(result), allow_nan=False))


def test_json_has_every_figure(result):
    metrics = strict_json(result)
    assert metrics["windows"] == len(result.windows)
    assert list(metrics["models"]) == list(result.models)
    for name, one in result.models.items():
        found = metrics["models"][name]["figures"]
        assert list(found) == [MICRO, MACRO, *result.marks]
        for row, figures in found.items():
            assert figures["positives"] == one.figures.loc[row, "positives"]
            for metric in METRICS:
                value = one.figures.loc[row, metric]
                wanted = None if math.isnan(value) else pytest.approx(value)
                assert figures[metric]["value"] == wanted
    no_positive = metrics["models"]["tiny 1.0"]["figures"][result.marks[-1]]
    assert no_positive["auroc"]["value"] is None
    assert metrics["correlation"] == {"pearson": 0.41, "spearman": 0.38, "pairs": 28}
    first, second = result.marks[:2]
    wanted = pytest.approx(result.similarity.loc[first, second])
    assert metrics["similarity"][first][second] == wanted


def test_json_is_strict_with_nothing_defined(undefined_result):
    nothing = Correlation(np.nan, np.inf, 0)
    metrics = strict_json(undefined_result._replace(correlation=nothing))
    assert metrics["correlation"] == {"pearson": None, "spearman": None, "pairs": 0}
    assert metrics["groups"][0]["micro_auroc"] is None
