"""The sentences of an evaluation's report, from figures that are known."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas
import pytest

for package in ("jinja2", "sklearn", "scipy"):
    pytest.importorskip(package, reason="needs the extra train")

from histpred.evaluation.result import MACRO, MICRO, Correlation  # noqa: E402
from histpred.reports.findings import (  # noqa: E402
    Finding,
    calibration_findings,
    group_findings,
    mark_findings,
    performance_findings,
    relation_findings,
    standing,
)
from support.results import compared, made  # noqa: E402


def said(findings: Iterable[Finding]) -> str:
    return " ".join(finding.text for finding in findings)


def weak(findings: Iterable[Finding]) -> str:
    return " ".join(finding.text for finding in findings if finding.weak)


def test_standing_needs_intervals_that_do_not_overlap():
    one = made({MICRO: 0.80, MACRO: 0.80, "H3K4me3": 0.80})
    rows = {0.75: "better", 0.77: "open", 0.80: "open", 0.83: "open", 0.85: "worse"}
    for value, wanted in rows.items():
        other = made({MICRO: value, MACRO: 0.5, "H3K4me3": 0.5})
        assert standing(one, other, MICRO) == wanted
    unknown = made({MICRO: np.nan, MACRO: 0.5, "H3K4me3": 0.5})
    assert standing(one, unknown, MICRO) == "undefined"


def test_a_model_that_beats_its_baselines():
    result = compared(
        {MICRO: 0.9, MACRO: 0.85, "H3K4me3": 0.9, "H3K9ac": 0.8},
        {"GC": {MICRO: 0.6, MACRO: 0.61, "H3K4me3": 0.6, "H3K9ac": 0.6}},
    )
    text = said(performance_findings(result))
    assert "macro-AUROC of 0.850 (95 % interval 0.830 to 0.870)" in text
    assert "Its macro-AUROC is higher than that of GC (0.610)." in text
    assert not weak(performance_findings(result))
    assert not weak(mark_findings(result))
    text = said(mark_findings(result))
    assert "every mark with both classes the interval lies above chance" in text


def test_a_weak_model_is_called_weak():
    """Against GC it is open by macro-AUROC; against k-mers it is worse."""
    result = compared(
        {MICRO: 0.9, MACRO: 0.66, "H3K4me3": 0.8, "H3K9ac": 0.51},
        {
            "GC": {MICRO: 0.6, MACRO: 0.65, "H3K4me3": 0.7, "H3K9ac": 0.6},
            "k-mers": {MICRO: 0.95, MACRO: 0.75, "H3K4me3": 0.9, "H3K9ac": 0.6},
        },
    )
    text = weak(performance_findings(result))
    assert "Its macro-AUROC is not clearly different from that of GC (0.650); " in text
    assert "lower than that of k-mers (0.750)." in text
    assert "do not show that bundle ranks windows better than GC and k-mers." in text
    text = weak(mark_findings(result))
    assert "For 1 of 2 marks the interval reaches down to 0.5" in text
    assert "not shown to beat chance for H3K9ac." in text
    assert "for 2 marks: H3K4me3 (k-mers, 0.900) and H3K9ac (GC, 0.600)." in text


def test_accuracy_is_compared_with_the_more_common_class():
    result = compared({MICRO: 0.9, MACRO: 0.9, "H3K4me3": 0.9}, {})
    bundle = result.models["bundle"]
    for positives, negatives, word in ((1, 9, "negative"), (9, 1, "positive")):
        figures = bundle.figures.assign(positives=positives, negatives=negatives)
        models = {"bundle": bundle._replace(figures=figures)}
        text = weak(performance_findings(result._replace(models=models)))
        assert f"accuracy of 0.600 is below the 0.900 of calling every pair {word}" in text
        text = weak(mark_findings(result._replace(models=models)))
        assert "always calling the more common class for 1 of 1 mark: H3K4me3" in text


def test_calls_are_counted_in_both_readings(result):
    text = said(performance_findings(result))
    bundle = next(iter(result.models.values()))
    for start, micro in (
        ("At its thresholds it calls", bundle.figures.loc[MICRO]),
        ("By the paper's rule it calls", bundle.paper.figures.loc[MICRO]),
    ):
        sentence = text[text.index(start) :].split(").")[0]
        assert f"{100 * micro['precision']:.1f}\N{NO-BREAK SPACE}% of the calls" in sentence
        assert f"MCC {micro['mcc']:.3f}" in sentence
    never = bundle._replace(thresholds=np.ones(len(result.marks)), paper=None)
    text = said(performance_findings(result._replace(models={"tiny 1.0": never})))
    assert "At its thresholds it calls none of the labelled pairs." in text
    assert "paper" not in text


def test_a_constant_baseline_shows_what_micro_rewards(result):
    text = said(performance_findings(result))
    assert "prevalence gives every window the same probabilities" in text
    assert "GC + CpG gives" not in text


def test_groups_go_from_worst_to_best(result):
    table = result.groups.assign(macro_auroc=np.nan)
    mine = (table["model"] == "tiny 1.0") & (table["by"] == "biotype")
    table.loc[mine, "macro_auroc"] = [0.7, 0.45, 0.8]
    groups = list(table.loc[mine, "group"])
    findings = list(group_findings(result._replace(groups=table)))
    assert f"ranges from 0.450 ({groups[1]}, " in findings[0].text
    assert f"to 0.800 ({groups[2]}, " in findings[0].text
    assert weak(findings) == f"It does not exceed 0.5 for {groups[1]}."


def test_large_calibration_errors_are_named():
    result = compared({MICRO: 0.9, MACRO: 0.9, "H3K4me3": 0.9, "H3K9ac": 0.9}, {})
    bundle = result.models["bundle"]
    figures = bundle.figures.assign(ece=[0.03, 0.05, 0.01, 0.09])
    models = {"bundle": bundle._replace(figures=figures)}
    findings = list(calibration_findings(result._replace(models=models)))
    assert "from 0.010 (H3K4me3) to 0.090 (H3K9ac)" in findings[0].text
    assert "exceeds 0.05 for H3K9ac:" in weak(findings)


def test_relations_by_hand():
    """Off the diagonal 0.5, 0.2, -0.4: mean 0.1, standard deviation sqrt(0.42 / 3) = 0.374."""
    marks = ["H3K4me3", "H3K9ac", "H3K27me3"]
    matrix = [[1, 0.5, 0.2], [0.5, 1, -0.4], [0.2, -0.4, 1]]
    similarity = pandas.DataFrame(matrix, index=marks, columns=marks)
    result = compared({MICRO: 0.9, MACRO: 0.9, **dict.fromkeys(marks, 0.9)}, {})
    result = result._replace(similarity=similarity, correlation=Correlation(0.1, -0.2, 3))
    findings = list(relation_findings(result))
    assert "+0.100 \N{PLUS-MINUS SIGN} 0.374" in findings[0].text
    assert "66.7\N{NO-BREAK SPACE}% of the pairs" in findings[0].text
    assert "r = +0.100 (Spearman \N{MINUS SIGN}0.200, 3 pairs of marks)" in findings[1].text
    assert "do not reflect" in weak(findings)
    assert not list(relation_findings(result._replace(similarity=None, correlation=None)))
