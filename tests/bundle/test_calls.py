"""Thresholds from a curve, and the words that say what calls and probabilities promise."""

from __future__ import annotations

import pytest

from histpred.bundle.calls import (
    first_words,
    meanings_of,
    point_for,
    promise_of,
    refuse_unpredicted,
    wanted_precision,
    with_precision,
)
from histpred.bundle.folder import load_bundle
from histpred.bundle.mark_spec import Calls, CurvePoint, MarkSpec
from histpred.core.errors import UsageError

CURVE = (CurvePoint(0.2, 0.5, 0.9), CurvePoint(0.5, 0.8, 0.6), CurvePoint(0.6, 0.9, 0.4))
CALLS = Calls(rule="precision", wanted=0.8, precision=0.8, recall=0.6, curve=CURVE)
MARK = MarkSpec(name="H3K4me3", threshold=0.5, calls=CALLS)
ABSENT = MarkSpec(name="H3K9me3", threshold=1, unpredicted="no gene carries it")


@pytest.mark.parametrize(
    ("wanted", "place"), [(0.1, 0), (0.5, 0), (0.51, 1), (0.8, 1), (0.9, 2), (0.91, None)]
)
def test_the_lowest_threshold_that_reaches_a_precision(wanted, place):
    assert point_for(CURVE, wanted) == (None if place is None else CURVE[place])


def test_the_precision_of_the_bundle_gives_the_threshold_of_the_bundle():
    assert with_precision(MARK, 0.8) == MARK


def test_another_precision_gives_another_threshold():
    changed = with_precision(MARK, 0.85)
    assert changed.threshold == 0.6
    assert changed.calls == Calls(
        rule="precision", wanted=0.85, precision=0.9, recall=0.4, curve=CURVE
    )
    assert MarkSpec.model_validate(changed.model_dump()) == changed


def test_a_precision_out_of_reach_is_never_called():
    changed = with_precision(MARK, 0.95)
    assert changed.threshold == 1
    assert (changed.calls.precision, changed.calls.recall) == (None, None)
    assert MarkSpec.model_validate(changed.model_dump()) == changed
    assert promise_of(changed) == "H3K4me3: never called: no threshold reaches a precision of 0.95"


def test_a_mark_without_a_curve():
    assert with_precision(ABSENT, 0.9) == ABSENT
    with pytest.raises(UsageError, match="does not state the precision of calls of a in these"):
        with_precision(MarkSpec(name="a", threshold=0.5), 0.9)


def test_promises():
    assert promise_of(MARK) == "H3K4me3: called from 0.5, expected precision 0.80, recall 0.60"
    assert promise_of(ABSENT) == "H3K9me3: NA, not predicted: no gene carries it"
    assert promise_of(MarkSpec(name="a", threshold=1)) == "a: never called"
    refuse_unpredicted([MARK, ABSENT], "tiny")
    with pytest.raises(UsageError, match="tiny predicts none of these marks: H3K9me3: NA"):
        refuse_unpredicted([ABSENT], "tiny")


def test_what_a_probability_is_of():
    spec = {"threshold": 0.5, "meaning": "a peak in two samples"}
    marks = [
        MarkSpec(name="a", needed_samples=20, **spec),
        MarkSpec(name="b", needed_samples=2, **spec),
    ]
    whole = "A probability is that of a peak in two samples: 20 for a, 2 for b."
    assert meanings_of(marks) == [whole]
    part = "A probability of a, b is that of a peak in two samples: 20 for a, 2 for b."
    assert meanings_of([*marks, ABSENT]) == [part]
    assert meanings_of([MARK]) == []


def test_the_first_words_are_the_meanings_and_the_caveats():
    manifest = load_bundle("yeast").manifest.model_copy(update={"caveats": ("Read me.",)})
    assert first_words(manifest, [MARK]) == ["Read me."]


@pytest.mark.parametrize(
    ("rule", "of_intervals", "wanted"),
    [
        (None, False, 0.8),
        (None, True, 0.5),
        ("youden", True, None),
        ("precision:0.9", True, 0.9),
        ("precision:1", False, 1.0),
    ],
)
def test_rules_for_thresholds(rule, of_intervals, wanted):
    assert wanted_precision(rule, of_intervals) == wanted


@pytest.mark.parametrize(
    "rule", ["", "precision", "precision:", "precision:0", "precision:nan", "recall:0.5", "0.8"]
)
def test_other_rules_are_refused(rule):
    with pytest.raises(ValueError):  # noqa: PT011
        wanted_precision(rule, False)
