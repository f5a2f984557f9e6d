"""The paper's reading beside histpred's: in metrics.json, in the tables and on the page."""

from __future__ import annotations

import json

import pytest

for package in ("jinja2", "sklearn", "scipy"):
    pytest.importorskip(package, reason="needs the extra train")

from histpred.evaluation.result import MACRO, MICRO, PAPER_METRICS, Result  # noqa: E402
from histpred.reports.evaluation import metrics_of  # noqa: E402
from histpred.reports.readings import readings_of  # noqa: E402

MISSING = "There is no reading by the paper's rule: none of the rows is a validation row."


def without_validation(result: Result) -> Result:
    models = {name: one._replace(paper=None) for name, one in result.models.items()}
    return result._replace(models=models, validation=MISSING)


def test_json_holds_both_readings_of_each_model(result):
    metrics = json.loads(json.dumps(metrics_of(result), allow_nan=False))
    assert metrics["validation"] == {"windows": 100, "one_class": ["H3T11ph"]}
    assert list(metrics["readings"]) == ["histpred", "paper"]
    assert "on the 100 validation rows" in metrics["readings"]["paper"]
    for name, one in result.models.items():
        paper = metrics["models"][name]["paper"]
        assert list(paper["thresholds"].values()) == list(one.paper.thresholds)
        assert list(paper["figures"]) == [MICRO, MACRO, *result.marks]
        micro = paper["figures"][MICRO]
        assert list(micro) == ["positives", "negatives", *PAPER_METRICS]
        assert micro["mcc"] == pytest.approx(one.paper.figures.loc[MICRO, "mcc"])
    assert metrics["models"]["tiny 1.0"]["paper"]["figures"]["H3T11ph"]["auroc"] is None


def test_without_validation_rows_json_says_why_there_is_no_such_reading(result):
    metrics = metrics_of(without_validation(result))
    assert metrics["validation"] is None
    assert metrics["readings"]["paper"] == MISSING
    assert all(one["paper"] is None for one in metrics["models"].values())
    assert "calibrated" in readings_of(result)["histpred"]
