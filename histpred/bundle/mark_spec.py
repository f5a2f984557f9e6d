"""The schema of a mark in bundle.json: its calibration, its threshold, and what calls promise."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from histpred.bundle.figures import Fraction, Record
from histpred.core.columns import NAMES
from histpred.core.marks import CLASS_COLOURS, class_track

RESERVED = (
    *(*NAMES, "anchor", "genome", "id", "unit", "vector", "window", "windows"),  # columns
    *("annotation", "calls", "macro", "mean", "micro"),  # tracks, and rows of figures
    *map(class_track, CLASS_COLOURS),
)
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._+-]*$"
Name = Annotated[str, Field(min_length=1, pattern=NAME_PATTERN)]


class Calibration(Record):
    """From one mark's logits to its probabilities: see `histpred.bundle.probability`.

    sigmoid(slope * logit + intercept), unless there are knots (ascending `logits` with their
    `probabilities`): then the line through them, constant beyond either end.
    """

    slope: Annotated[float, Field(gt=0)] = 1.0
    intercept: float = 0.0
    logits: tuple[float, ...] = ()
    probabilities: tuple[Fraction, ...] = ()
    method: Literal["temperature", "platt", "isotonic", "base rate"] = "platt"

    @model_validator(mode="after")
    def _knots_make_a_line(self) -> Calibration:
        if len(self.logits) != len(self.probabilities):
            found = f"{len(self.logits)} logits for {len(self.probabilities)} probabilities"
            raise ValueError(found)
        if any(left >= right for left, right in pairwise(self.logits)):
            raise ValueError("the logits do not ascend")
        if any(left > right for left, right in pairwise(self.probabilities)):
            raise ValueError("the probabilities descend")
        return self


class CurvePoint(NamedTuple):
    """Precision and recall of the windows that are called from a threshold."""

    threshold: Fraction
    precision: Fraction
    recall: Fraction


class Calls(Record):
    """What a call of a mark promises, measured on held-out windows.

    rule: how the threshold was chosen: for the precision `wanted`, or by Youden's J. precision,
    recall: at the threshold; None if the mark is never called. curve: other thresholds. All
    precisions are cautious, see `histpred.evaluation.calibration.precision_curve`. rows: which
    windows it was measured on, in the plural, if tiles of a genome differ from them; '' if not.
    """

    rule: Literal["precision", "youden"]
    wanted: Fraction | None = None
    precision: Fraction | None = None
    recall: Fraction | None = None
    curve: tuple[CurvePoint, ...] = ()
    rows: str = ""

    @model_validator(mode="after")
    def _is_consistent(self) -> Calls:
        if (self.wanted is None) == (self.rule == "precision"):
            raise ValueError("'wanted' belongs to the rule 'precision', and only to it")
        if (self.precision is None) != (self.recall is None):
            raise ValueError("precision and recall are stated together")
        for left, right in pairwise(self.curve):
            if left.threshold >= right.threshold:
                raise ValueError("the thresholds of the curve do not ascend")
            if left.precision > right.precision or left.recall < right.recall:
                raise ValueError("along the curve precision descends or recall ascends")
        return self


class MarkSpec(Record):
    """A mark that is scored, and called if its calibrated probability reaches `threshold`.

    A threshold of 1 means never. meaning: a phrase that says what a positive label was.
    needed_samples: samples with a peak that a positive label needs. unpredicted: why the bundle
    knows nothing about the mark; its probabilities are NA then.
    """

    name: Name
    threshold: Fraction
    calibration: Calibration = Calibration()
    meaning: str = ""
    needed_samples: Annotated[int, Field(gt=0)] | None = None
    calls: Calls | None = None
    unpredicted: str = ""

    @model_validator(mode="after")
    def _calls_agree(self) -> MarkSpec:
        if self.unpredicted and (self.threshold < 1 or self.calls):
            raise ValueError("a mark that is not predicted has the threshold 1 and no calls")
        if self.calls and (self.calls.precision is None) != (self.threshold == 1):
            raise ValueError("a precision is stated if the mark is called, and only then")
        return self

    @property
    def called_from(self) -> float:
        """The threshold; NaN if the mark is not predicted."""
        return math.nan if self.unpredicted else self.threshold


Marks = Annotated[tuple[MarkSpec, ...], Field(min_length=1)]
