"""The records by which folders are told apart are those that the commands write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from histpred.bundle.folder import MANIFEST
from histpred.core.makers import MADE_BY, made_otherwise, maker_of
from histpred.reports import multiqc
from histpred.scoring import record, scatter, variants_record


@pytest.mark.parametrize("name", MADE_BY)
def test_a_folder_is_known_by_its_record(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"result": {}}')
    assert maker_of(tmp_path) == MADE_BY[name]
    assert made_otherwise(tmp_path, MADE_BY[name]) == ""
    found = made_otherwise(tmp_path, "convert")
    assert found == f"the output of histpred {MADE_BY[name]}, not of histpred convert"


def test_an_explanation_is_told_from_a_prediction(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"result": {"explained": 3}}))
    assert maker_of(tmp_path) == "explain"


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"', "[" * 9999])
def test_a_folder_with_a_damaged_record_is_of_nobody(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    assert maker_of(tmp_path) == ""
    assert maker_of(tmp_path / "none") == ""


def test_the_names_are_those_of_the_records() -> None:
    pytest.importorskip("sklearn", reason="needs the extra train")
    from histpred.experiments import report
    from histpred.labels import folder
    from histpred.reports import evaluate

    assert {
        record.RUN: "predict",
        variants_record.RECORD: "variants",
        scatter.SCATTER: "scatter",
        evaluate.METRICS: "evaluate",
        folder.RECORD: "labels",
        MANIFEST: "train",
        report.RECORD: "experiment",
        f"{multiqc.GENERAL}_mqc.json": "summary",
    } == MADE_BY
