"""The sentences of an evaluation's report, made from its numbers.

The bundle is said to be better than another model only where the 95 % interval of its lead lies
above 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas

from histpred.core.text import counted
from histpred.evaluation.analysis import off_diagonal_summary
from histpred.evaluation.result import BASELINE, MACRO, MICRO, ModelResult, Result
from histpred.reports.page import listed, number, percent

MISCALIBRATED = 0.05  # an ECE above this is reported
UNRELATED = 0.2  # a correlation below this counts as none

BETTER, WORSE, OPEN, UNDEFINED = "better", "worse", "open", "undefined"
VERDICTS = {
    BETTER: "higher than that of",
    OPEN: "not clearly different from that of",
    WORSE: "lower than that of",
    UNDEFINED: "without an interval to compare with that of",
}


class Finding(NamedTuple):
    """A sentence of the report; `weak` where it speaks against the model."""

    text: str
    weak: bool = False


weakness = partial(Finding, weak=True)


def performance_findings(result: Result) -> Iterator[Finding]:
    """How the bundle performs over all marks, and compared with each other model and baseline."""
    name, bundle = next(iter(result.models.items()))
    defined = int(bundle.figures.loc[list(result.marks), "auroc"].notna().sum())
    both = "." if defined == len(result.marks) else f", {defined} of them with both classes."
    yield Finding(
        f"{name} reaches a macro-AUROC of {_with_interval(bundle, MACRO)} and a micro-AUROC of "
        f"{_with_interval(bundle, MICRO)} over {counted(len(result.windows), 'window')} and "
        f"{counted(len(result.marks), 'mark')}{both}"
    )
    others = {other: one for other, one in result.models.items() if other != name}
    for average in (MACRO, MICRO):
        yield from _comparison(bundle, others, average)
    yield from _baseline_findings(name, bundle, others)
    yield from _threshold_findings(bundle, result.labels)


def _comparison(
    bundle: ModelResult, others: Mapping[str, ModelResult], average: str
) -> Iterator[Finding]:
    parts, weak = [], False
    for verdict, words in VERDICTS.items():
        names = [
            f"{name} ({number(one.figures.loc[average, 'auroc'])})"
            for name, one in others.items()
            if standing(bundle, one, average) == verdict
        ]
        if names:
            parts.append(f"{words} {listed(names)}")
            weak |= verdict in (OPEN, WORSE)
    if parts:
        yield Finding(f"Its {average}-AUROC is {'; '.join(parts)}.", weak)


def _baseline_findings(
    name: str, bundle: ModelResult, others: Mapping[str, ModelResult]
) -> Iterator[Finding]:
    baselines = {other: one for other, one in others.items() if one.kind == BASELINE}
    if not baselines:
        yield weakness("There is no baseline to judge these figures by.")
    as_good = [
        other for other, one in baselines.items() if standing(bundle, one, MACRO) in (OPEN, WORSE)
    ]
    if as_good:
        yield weakness(
            f"These rows do not show that {name} ranks windows better than {listed(as_good)}."
        )
    for other, one in baselines.items():
        several = one.probabilities.shape[1] > 1
        pooled = one.figures.loc[MICRO, "auroc"]
        if several and not np.ptp(one.probabilities, axis=0).any() and pooled > 0.5:
            yield Finding(
                f"{other} gives every window the same probabilities and still has a micro-AUROC of "
                f"{number(pooled)}: pooling the marks rewards knowing how common each mark is. "
                "Macro-AUROC does not."
            )


def _threshold_findings(bundle: ModelResult, labels: np.ndarray) -> Iterator[Finding]:
    micro = bundle.figures.loc[MICRO]
    called = bundle.probabilities >= bundle.thresholds
    yield Finding(f"At its thresholds it calls {_calls(called, labels, micro)}")
    common = _share_of_larger_class(micro)
    if micro["accuracy"] < common:
        always = "negative" if micro["negatives"] >= micro["positives"] else "positive"
        yield weakness(
            f"There, its accuracy of {number(micro['accuracy'])} is below the {number(common)} of "
            f"calling every pair {always}: accuracy says little where one class is rare."
        )
    if bundle.paper:
        called = bundle.raw_scores >= bundle.paper.thresholds
        found = _calls(called, labels, bundle.paper.figures.loc[MICRO])
        yield Finding(f"By the paper's rule it calls {found}")


def _calls(called: np.ndarray, labels: np.ndarray, micro: pandas.Series) -> str:
    """How many of the labelled pairs [n, marks] are called, and how rightly."""
    kept = ~np.isnan(labels)
    if kept.any() and not called[kept].any():
        return "none of the labelled pairs."
    share = called[kept].mean() if kept.any() else np.nan
    return (
        f"{percent(share)} of the labelled pairs: {percent(micro['precision'])} of the calls are "
        f"labelled positive, and {percent(micro['recall'])} of the positives are called (MCC "
        f"{number(micro['mcc'])})."
    )


def mark_findings(result: Result) -> Iterator[Finding]:
    """Best and worst marks, those no better than chance, those where a baseline is as good."""
    name, bundle = next(iter(result.models.items()))
    defined = bundle.figures.loc[list(result.marks), "auroc"].dropna()
    if len(defined) > 1:
        best, worst = defined.idxmax(), defined.idxmin()
        yield Finding(
            f"AUROC is highest for {best}, {_with_interval(bundle, best)}, and lowest for {worst}, "
            f"{_with_interval(bundle, worst)}."
        )
    chance = [mark for mark in defined.index if bundle.low.loc[mark, "auroc"] <= 0.5]
    if chance:
        yield weakness(
            f"For {len(chance)} of {counted(len(defined), 'mark')} the interval reaches down to "
            f"0.5: {name} is not shown to beat chance for {listed(chance)}."
        )
    elif len(defined) and bundle.low.loc[defined.index, "auroc"].notna().all():
        every = "every mark with both classes" if len(defined) > 1 else defined.index[0]
        yield Finding(f"For {every} the interval lies above chance (0.5).")
    matched = [
        f"{mark} ({other[0]}, {number(other[1])})"
        for mark in defined.index
        if (other := best_baseline(result, mark)) and other[1] >= defined[mark]
    ]
    if matched:
        yield weakness(
            f"A baseline has an AUROC at least as high for {counted(len(matched), 'mark')}: "
            f"{listed(matched)}."
        )
    figures = {mark: bundle.figures.loc[mark] for mark in result.marks}
    below = [mark for mark, f in figures.items() if f["accuracy"] < _share_of_larger_class(f)]
    if below:
        yield weakness(
            "At its thresholds, accuracy is below that of always calling the more common class for "
            f"{len(below)} of {counted(len(result.marks), 'mark')}: {listed(below)}."
        )
    if absent := [mark for mark in result.marks if mark not in defined.index]:
        yield weakness(
            f"AUROC is undefined for {listed(absent)}: it needs positives and negatives."
        )


def group_findings(result: Result) -> Iterator[Finding]:
    """The range of the bundle's AUROC over biotypes and over chromosomes."""
    mine = result.groups[result.groups["model"] == next(iter(result.models))]
    for by, table in mine.groupby("by", sort=False):
        table = table.dropna(subset=["macro_auroc"])
        if len(table) < 2:
            continue
        ranked = table.loc[[table.macro_auroc.idxmin(), table.macro_auroc.idxmax()]]
        worst, best = (
            f"{number(row.macro_auroc)} ({row.group}, {counted(row.windows, 'window')})"
            for row in ranked.itertuples()
        )
        yield Finding(f"By {by}, macro-AUROC ranges from {worst} to {best}.")
        if chance := list(table.loc[table.macro_auroc <= 0.5, "group"]):
            yield weakness(f"It does not exceed 0.5 for {listed(chance)}.")


def calibration_findings(result: Result) -> Iterator[Finding]:
    """The bundle's calibration error, and the marks where it is large."""
    bundle = next(iter(result.models.values()))
    errors = bundle.figures.loc[list(result.marks), "ece"].dropna()
    if errors.empty:
        return
    yield Finding(
        f"Over all pairs the expected calibration error is "
        f"{number(bundle.figures.loc[MICRO, 'ece'])}; by mark it ranges from "
        f"{number(errors.min())} ({errors.idxmin()}) to {number(errors.max())} ({errors.idxmax()})."
    )
    if large := list(errors[errors > MISCALIBRATED].sort_values(ascending=False).index):
        yield weakness(
            f"It exceeds {MISCALIBRATED} for {listed(large)}: do not read their scores as "
            "probabilities here."
        )


def relation_findings(result: Result) -> Iterator[Finding]:
    """The spread of the marks' similarities, and whether they follow co-targeting."""
    if result.similarity is not None and len(result.similarity) > 1:
        summary = off_diagonal_summary(result.similarity)
        yield Finding(
            f"The cosine similarity of two marks' vectors is {number(summary['mean'], sign=True)} "
            f"\N{PLUS-MINUS SIGN} {number(summary['sd'])} (mean and standard deviation); "
            f"{percent(summary['share_above_quarter'])} of the pairs lie above 0.25 or below "
            "\N{MINUS SIGN}0.25."
        )
    found = result.correlation
    if found is not None and not math.isnan(found.pearson):
        yield Finding(
            "Its correlation with co-targeting in the labels is Pearson's r = "
            f"{number(found.pearson, sign=True)} (Spearman {number(found.spearman, sign=True)}, "
            f"{counted(found.pairs, 'pair')} of marks)."
        )
        if found.pearson < UNRELATED:
            yield weakness("The vectors do not reflect which marks occur together in the labels.")


def standing(one: ModelResult, other: ModelResult, row: str) -> str:
    """Compare the AUROC of `one` and `other` in a row of figures: BETTER, WORSE, OPEN, UNDEFINED.

    Decides by the interval of the bundle's lead over `other` (OPEN where 0 lies in it). Where that
    was not measured, the result is OPEN if the two intervals overlap, which is cautious for models
    on the same rows. UNDEFINED without intervals.
    """
    if other.lead is not None:
        low, high = other.lead.loc[row, ["low", "high"]]
        if np.isnan([low, high]).any():
            return UNDEFINED
        return BETTER if low > 0 else WORSE if high < 0 else OPEN
    ends = one.low, one.high, other.low, other.high
    low, high, other_low, other_high = (table.loc[row, "auroc"] for table in ends)
    if np.isnan([low, high, other_low, other_high]).any():
        return UNDEFINED
    if low > other_high:
        return BETTER
    return WORSE if high < other_low else OPEN


def best_baseline(result: Result, mark: str) -> tuple[str, float] | None:
    """The baseline with the highest AUROC for a mark, and that AUROC; None if none is defined."""
    figures = {
        name: float(one.figures.loc[mark, "auroc"])
        for name, one in result.models.items()
        if one.kind == BASELINE and not np.isnan(one.figures.loc[mark, "auroc"])
    }
    return max(figures.items(), key=lambda item: item[1], default=None)


def interval(one: ModelResult, row: str, metric: str = "auroc") -> str:
    """The 95 % interval of a figure as 'LOW to HIGH', '' where it is undefined."""
    low, high = one.low.loc[row, metric], one.high.loc[row, metric]
    known = not (pandas.isna(low) or pandas.isna(high))
    return f"{number(low)} to {number(high)}" if known else ""


def _with_interval(one: ModelResult, row: str) -> str:
    found = interval(one, row)
    value = number(one.figures.loc[row, "auroc"])
    return f"{value} (95 % interval {found})" if found else value


def _share_of_larger_class(figures: pandas.Series) -> float:
    total = figures["positives"] + figures["negatives"]
    return max(figures["positives"], figures["negatives"]) / total if total else np.nan
