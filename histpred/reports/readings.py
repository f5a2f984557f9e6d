"""Figures by the paper's rule beside histpred's own, in metrics.json, in tables and on the page."""

from __future__ import annotations

from collections.abc import Sequence

from histpred.evaluation.paper import one_class
from histpred.evaluation.result import MACRO, MICRO, PAPER_METRICS, PaperReading, Result

HISTPRED, PAPER = "histpred", "paper"
COUNTS = ("positives", "negatives")


def readings_of(result: Result) -> dict[str, str]:
    """What each reading is, by name, or why there is none, as sentences."""
    ours = (
        "histpred's reading: calibrated probabilities, and the thresholds of the bundle; a mark "
        "without skill on the validation rows is never called."
    )
    if isinstance(result.validation, str):
        return {HISTPRED: ours, PAPER: result.validation}
    theirs = (
        "The paper's reading, by its appendix F: raw scores (the sigmoid of a logit, not "
        "calibrated), and for every mark the threshold with the highest Youden's J on the "
        f"{len(result.validation.windows):,} validation rows."
    )
    return {HISTPRED: ours, PAPER: theirs}


def nested_reading(
    reading: PaperReading | None, marks: Sequence[str]
) -> dict[str, dict[str, object]] | None:
    """The paper's reading of a model as metrics.json holds it."""
    if reading is None:
        return None
    return {
        "thresholds": dict(zip(marks, reading.thresholds, strict=True)),
        "figures": {
            row: {name: int(reading.figures.loc[row, name]) for name in COUNTS}
            | {name: reading.figures.loc[row, name] for name in PAPER_METRICS}
            for row in (MICRO, MACRO, *marks)
        },
    }


def nested_validation(result: Result) -> dict[str, object] | None:
    """The validation rows as metrics.json describes them; None if there are none."""
    rows = result.validation
    if isinstance(rows, str):
        return None
    return {"windows": len(rows.windows), "one_class": one_class(rows.labels, result.marks)}
