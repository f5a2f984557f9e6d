"""The tables of an evaluation, read back."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas
import pytest

for package in ("jinja2", "sklearn", "scipy"):
    pytest.importorskip(package, reason="needs the extra train")

from sklearn.metrics import roc_auc_score  # noqa: E402

from histpred.evaluation.result import MACRO, MICRO  # noqa: E402
from histpred.reports.evaluation_tables import write_tables  # noqa: E402
from support.results import tsv  # noqa: E402


def test_summary_is_table_1_then_table_2_in_both_readings(result, tmp_path):
    write_tables(result, tmp_path)
    rows = tsv(tmp_path / "summary.tsv")
    assert list(rows[0]) == [
        *("Configuration", "Reading", "Input type"),
        *("Accuracy", "Precision", "Recall", "F1-score", "MCC", "AUROC", "AUPRC"),
        *("Macro-AUROC", "Macro-AUROC low", "Macro-AUROC high"),
        *("Micro-AUROC", "Micro-AUROC low", "Micro-AUROC high"),
    ]
    ours, theirs = rows[: len(result.models)], rows[len(result.models) :]
    for reading, part in (("histpred", ours), ("paper", theirs)):
        assert [row["Configuration"] for row in part] == list(result.models)
        assert {row["Reading"] for row in part} == {reading}
    for row, one in zip(ours, result.models.values(), strict=True):
        assert float(row["MCC"]) == pytest.approx(one.figures.loc[MICRO, "mcc"], rel=1e-5)
        assert float(row["Macro-AUROC"]) == pytest.approx(one.figures.loc[MACRO, "auroc"], rel=1e-5)
        assert float(row["Micro-AUROC low"]) == pytest.approx(one.low.loc[MICRO, "auroc"], rel=1e-5)
    for row, one in zip(theirs, result.models.values(), strict=True):
        assert float(row["MCC"]) == pytest.approx(one.paper.figures.loc[MICRO, "mcc"], rel=1e-5)
        assert row["AUPRC"] == row["Micro-AUROC low"] == ""  # appendix F has none


def test_marks_is_tidy(result, tmp_path):
    write_tables(result, tmp_path)
    rows = {(row["reading"], row["model"], row["mark"]): row for row in tsv(tmp_path / "marks.tsv")}
    assert list(rows) == [*product(("histpred", "paper"), result.models, result.marks)]
    for (reading, model, mark), row in rows.items():
        one = result.models[model]
        assert int(row["positives"]) == one.figures.loc[mark, "positives"]
        ours = reading == "histpred"
        thresholds = one.thresholds if ours else one.paper.thresholds
        assert float(row["threshold"]) == thresholds[result.marks.index(mark)]
        figures = one.figures if ours else one.paper.figures
        for column, table in (("f1", figures), ("f1_low", one.low), ("f1_high", one.high)):
            value = table.loc[mark, "f1"] if ours or column == "f1" else np.nan
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
        for column, values in (("probability", bundle.probabilities), ("raw", bundle.raw)):
            assert [float(row[f"{mark}_{column}"]) for row in rows] == list(values[:, i])
    assert "" in {row[f"{result.marks[0]}_label"] for row in rows}


def test_scores_close_to_1_keep_their_order(make_result, tmp_path):
    """Rounded to six digits, all of them are 1: the AUROC of the file was 0.5."""
    result = make_result(["H3K4me3"], models=1, rows=40)
    (bundle,) = result.models.values()
    near = 1 - 1e-9 * np.random.default_rng(4).random((40, 1))
    models = {"tiny 1.0": bundle._replace(probabilities=near, raw=near)}
    write_tables(result._replace(models=models), tmp_path)
    rows = [row for row in tsv(tmp_path / "predictions.tsv.gz") if row["H3K4me3_label"]]
    truth = [int(row["H3K4me3_label"]) for row in rows]
    known = ~np.isnan(result.labels[:, 0])
    wanted = roc_auc_score(result.labels[known, 0], near[known, 0])
    for column in ("H3K4me3_raw", "H3K4me3_probability"):
        assert roc_auc_score(truth, [float(row[column]) for row in rows]) == wanted != 0.5


def test_readings_hold_every_model_on_evaluated_and_validation_rows(result, tmp_path):
    write_tables(result, tmp_path)
    path = tmp_path / "readings.tsv.gz"
    table = pandas.read_csv(path, sep="\t", float_precision="round_trip")
    assert list(table.columns[:4]) == ["model", "set", "chrom", "start"]
    for name, one in result.models.items():
        rows = table[table["model"] == name]
        tested, held_out = (rows[rows["set"] == which] for which in ("evaluated", "validation"))
        assert len(rows) == len(tested) + len(held_out)
        assert list(held_out["name"]) == list(result.validation.windows["name"])
        for i, mark in enumerate(result.marks):
            assert list(tested[f"{mark}_probability"]) == list(one.probabilities[:, i])
            assert list(tested[f"{mark}_raw"]) == list(one.raw_scores[:, i])
            assert list(held_out[f"{mark}_raw"]) == list(one.paper.validation[:, i])
            assert held_out[f"{mark}_probability"].isna().all()


def test_without_validation_rows_the_tables_have_one_reading(make_result, tmp_path):
    result = make_result(rows=40)
    models = {name: one._replace(paper=None) for name, one in result.models.items()}
    write_tables(result._replace(models=models, validation="There is none."), tmp_path)
    assert not (tmp_path / "readings.tsv.gz").exists()
    for name in ("summary.tsv", "marks.tsv"):
        rows = tsv(tmp_path / name)
        assert {row.get("Reading", row.get("reading")) for row in rows} == {"histpred"}


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
