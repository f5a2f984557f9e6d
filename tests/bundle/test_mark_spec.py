"""What the schema of a mark refuses."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from histpred.bundle.mark_spec import Calibration, Calls, CurvePoint, MarkSpec

STATED = Calls(rule="youden", precision=0.8, recall=0.5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"threshold": 1, "calls": STATED}, "a precision is stated if the mark is called"),
        ({"threshold": 0.5, "calls": Calls(rule="youden")}, "and only then"),
        ({"threshold": 0.5, "unpredicted": "no skill"}, "has the threshold 1 and no calls"),
        ({"threshold": 1, "unpredicted": "no skill", "calls": STATED}, "and no calls"),
    ],
)
def test_a_mark_that_contradicts_itself(fields, message):
    with pytest.raises(ValidationError, match=message):
        MarkSpec(name="H3K4me3", **fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rule": "youden", "wanted": 0.8}, "'wanted' belongs to the rule 'precision'"),
        ({"rule": "precision"}, "'wanted' belongs to the rule 'precision'"),
        ({"rule": "youden", "precision": 0.8}, "precision and recall are stated together"),
        (
            {"rule": "youden", "curve": (CurvePoint(0.5, 0.8, 0.5), CurvePoint(0.4, 0.9, 0.4))},
            "the thresholds of the curve do not ascend",
        ),
        (
            {"rule": "youden", "curve": (CurvePoint(0.4, 0.8, 0.5), CurvePoint(0.5, 0.7, 0.4))},
            "precision descends",
        ),
    ],
)
def test_calls_that_contradict_themselves(fields, message):
    with pytest.raises(ValidationError, match=message):
        Calls(**fields)


@pytest.mark.parametrize(
    ("logits", "probabilities", "message"),
    [
        ((0.0,), (), "1 logits for 0 probabilities"),
        ((1.0, 0.0), (0.1, 0.2), "the logits do not ascend"),
        ((0.0, 1.0), (0.2, 0.1), "the probabilities descend"),
    ],
)
def test_knots_that_make_no_line(logits, probabilities, message):
    with pytest.raises(ValidationError, match=message):
        Calibration(logits=logits, probabilities=probabilities)


def test_nothing_is_called_where_nothing_is_predicted():
    assert MarkSpec(name="H3K4me3", threshold=0.4).called_from == 0.4
    assert math.isnan(MarkSpec(name="H3K4me3", threshold=1, unpredicted="no skill").called_from)
