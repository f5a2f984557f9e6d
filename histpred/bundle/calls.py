"""What the calls and the probabilities of marks promise, and the words that say so.

Messages, the report, the card and the tracks take their words from here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from histpred.core.errors import UsageError, first_few

if TYPE_CHECKING:
    from histpred.bundle.manifest import Manifest
    from histpred.bundle.mark_spec import CurvePoint, MarkSpec

NEVER = 1.0  # a threshold that no probability reaches
PRECISION_OF_GENES, PRECISION_OF_INTERVALS = 0.8, 0.5  # usual precisions of calls
PRECISION, YOUDEN = "precision", "youden"  # rules for thresholds
PREDICT_OTHERS = "choose other marks with --marks, or other windows"


def wanted_precision(rule: str | None, of_intervals: bool) -> float | None:
    """The precision that a rule names, None for Youden's J; ValueError for another text.

    rule: 'youden', 'precision:SHARE' or None for the usual precision of calls of genes or of
    intervals.

    >>> wanted_precision("precision:0.9", False), wanted_precision(None, True)
    (0.9, 0.5)
    """
    if rule is None:
        return PRECISION_OF_INTERVALS if of_intervals else PRECISION_OF_GENES
    if rule == YOUDEN:
        return None
    name, _, share = rule.partition(":")
    wanted = float(share)  # ValueError if it is no number
    if name != PRECISION or not (math.isfinite(wanted) and 0 < wanted <= 1):
        raise ValueError(rule)
    return wanted


def point_for(curve: Iterable[CurvePoint], wanted: float) -> CurvePoint | None:
    """The point of the lowest threshold whose precision is at least `wanted`; None if none is."""
    return next((point for point in curve if point.precision >= wanted), None)


def with_precision(mark: MarkSpec, wanted: float) -> MarkSpec:
    """The mark with the threshold for a precision: never called if it cannot reach it.

    A mark that is not predicted stays as it is. Raises UsageError if the mark has no curve of its
    precision.
    """
    if mark.unpredicted:
        return mark
    if mark.calls is None:
        raise UsageError(
            f"the bundle does not state the precision of calls of {mark.name} in these windows, so "
            "no threshold can be chosen for one",
            "leave --call-precision out; histpred train makes bundles that state it",
        )
    point = point_for(mark.calls.curve, wanted)
    stated = {
        "rule": "precision",
        "wanted": wanted,
        "precision": point and point.precision,
        "recall": point and point.recall,
    }
    calls = mark.calls.model_copy(update=stated)
    threshold = point.threshold if point else NEVER
    return mark.model_copy(update={"threshold": threshold, "calls": calls})


def in_tiles(mark: MarkSpec) -> MarkSpec:
    """The mark as it is called in tiles: never, if what its calls promise does not hold there."""
    if mark.calls is None or not mark.calls.rows:
        return mark
    calls = mark.calls.model_copy(update={"precision": None, "recall": None, "curve": ()})
    return mark.model_copy(update={"threshold": NEVER, "calls": calls})


def why_never(mark: MarkSpec) -> str:
    """Why a mark is never called, as a phrase; '' if its bundle does not say."""
    calls = mark.calls
    if calls is None:
        return ""
    if calls.rows and not calls.curve:
        return f"the precision of its calls is known for {calls.rows} only"
    return f"no threshold reaches a precision of {calls.wanted:g}" if calls.wanted else ""


def refuse_unpredicted(marks: Sequence[MarkSpec], bundle: str) -> None:
    """Raise UsageError if the bundle predicts none of the marks."""
    if all(mark.unpredicted for mark in marks):
        reasons = [promise_of(mark) for mark in marks]
        what = f"the bundle {bundle} predicts none of these marks: {first_few(reasons)}"
        raise UsageError(what, PREDICT_OTHERS)


def expected_of(mark: MarkSpec) -> tuple[float | None, float | None]:
    """Precision and recall of a mark's calls; None if not stated, or the mark is never called."""
    return (mark.calls.precision, mark.calls.recall) if mark.calls else (None, None)


def promise_of(mark: MarkSpec) -> str:
    """What a call of a mark promises, or why there is none, as a phrase.

    >>> from histpred.bundle.mark_spec import MarkSpec
    >>> promise_of(MarkSpec(name="H3K4me3", threshold=0.25))
    'H3K4me3: called from 0.25'
    """
    if mark.unpredicted:
        return f"{mark.name}: NA, not predicted: {mark.unpredicted}"
    calls = mark.calls
    if mark.threshold >= NEVER:
        return f"{mark.name}: " + ": ".join(filter(None, ("never called", why_never(mark))))
    phrase = f"{mark.name}: called from {mark.threshold:.3g}"
    if calls is None:
        return phrase
    return f"{phrase}, expected precision {calls.precision:.2f}, recall {calls.recall:.2f}"


def meanings_of(marks: Sequence[MarkSpec]) -> list[str]:
    """Sentences on what a probability is of, as far as the bundle says."""
    groups: dict[str, list[MarkSpec]] = {}
    for mark in marks:
        if mark.meaning and not mark.unpredicted:
            groups.setdefault(mark.meaning, []).append(mark)
    sentences = []
    for meaning, group in groups.items():
        whole = len(group) == len(marks)
        whose = "" if whole else f" of {', '.join(mark.name for mark in group)}"
        needed = [f"{mark.needed_samples} for {mark.name}" for mark in group if mark.needed_samples]
        counts = f": {', '.join(needed)}" if needed else ""
        sentences.append(f"A probability{whose} is that of {meaning}{counts}.")
    return sentences


def first_words(manifest: Manifest, marks: Sequence[MarkSpec]) -> list[str]:
    """The sentences that a user must read first: what a probability is of, and the caveats."""
    return [*meanings_of(marks), *manifest.caveats]
