"""Figures of merit against arithmetic on paper and scikit-learn."""

from __future__ import annotations

import numpy as np
import pandas
import pytest

pytest.importorskip("sklearn", reason="needs the extra train")

from sklearn.metrics import average_precision_score

from histpred.evaluation.metrics import (
    by_group,
    card_figures,
    expected_calibration_error,
    measure,
    reliability,
)
from histpred.evaluation.result import MACRO, METRICS, MICRO
from support.rankings import LABELS, MARKS, PROBABILITIES, THRESHOLDS, auroc, made_up

# measure.


def test_the_papers_formulas_worked_out_on_paper():
    """Counts of outcomes at the thresholds.

    A is called (from 0.5 on) in rows 1, 0, 1, 0: TP 1, FN 1, FP 1, TN 1.
    B is called (from 0.3 on) in rows 1, 1, 0, 1: TP 2, FP 1, TN 1, FN 0.
    """
    table = measure(LABELS, PROBABILITIES, THRESHOLDS, MARKS)
    assert list(table.index) == [MICRO, MACRO, "A", "B"]
    assert list(table.columns) == ["positives", "negatives", *METRICS]
    assert table.loc[MICRO].to_dict() == pytest.approx(
        {
            "positives": 4,
            "negatives": 4,
            # Positives .9 .8 .7 .4, negatives .6 .3 .2 .1: of 16 pairs, only .4 < .6 is wrong.
            "auroc": 15 / 16,
            # Precision at each positive: 1/1, 2/2, 3/3, and 4/5 after .6.
            "auprc": (1 + 1 + 1 + 4 / 5) / 4,
            # TP 3, FP 2, FN 1, TN 2 (equations 2 to 5).
            "accuracy": (3 + 2) / 8,
            "precision": 3 / (3 + 2),
            "recall": 3 / (3 + 1),
            # Harmonic mean: 2 x 0.6 x 0.75 / (0.6 + 0.75).
            "f1": 0.9 / 1.35,
            # (3 x 2 - 2 x 1) / (sqrt((3 + 2)(3 + 1)) sqrt((2 + 2)(2 + 1))) (equation 6).
            "mcc": 4 / (20**0.5 * 12**0.5),
            # Eight pairs, each a bin: |y - p| = .1 .2 .6 .3 .6 .1 .2 .3.
            "ece": 2.4 / 8,
        }
    )
    assert table.loc["A"].to_dict() == pytest.approx(
        {
            "positives": 2,
            "negatives": 2,
            "auroc": 3 / 4,
            "auprc": (1 + 2 / 3) / 2,
            "accuracy": 1 / 2,
            "precision": 1 / 2,
            "recall": 1 / 2,
            "f1": 1 / 2,
            "mcc": 0,
            "ece": (0.1 + 0.6 + 0.6 + 0.2) / 4,
        }
    )
    assert table.loc["B"].to_dict() == pytest.approx(
        {
            "positives": 2,
            "negatives": 2,
            "auroc": 1,
            "auprc": 1,
            "accuracy": 3 / 4,
            "precision": 2 / 3,
            "recall": 1,
            "f1": 4 / 5,
            "mcc": 2 / 12**0.5,
            "ece": (0.2 + 0.3 + 0.1 + 0.3) / 4,
        }
    )
    assert table.loc[MACRO, "auroc"] == 7 / 8
    assert table.loc[MACRO, "f1"] == pytest.approx(0.65)
    assert table.loc[MACRO, "mcc"] == pytest.approx(12**-0.5)
    assert (table.loc[MACRO, "positives"], table.loc[MACRO, "negatives"]) == (4, 4)


def test_a_probability_at_its_threshold_is_called():
    table = measure(LABELS[:, :1], np.full((4, 1), 0.5), np.array([0.5]), ["A"])
    assert table.loc["A", "recall"] == 1


def test_a_perfect_ranking_has_an_average_precision_of_one():
    """scikit-learn sums it to 1.0000000000000002, which no bundle can hold."""
    labels = np.repeat([1.0, 0.0], [9, 6])[:, None]
    scores = np.linspace(0.9, 0.1, 15)[:, None]
    assert average_precision_score(labels.ravel(), scores.ravel()) > 1
    assert measure(labels, scores, np.array([0.5]), ["A"]).loc["A", "auprc"] == 1
    card = card_figures("test", ["A"], labels, scores, {"GC": scores})
    assert card is not None
    assert card.marks["A"].model.auprc == card.marks["A"].baselines["GC"].auprc == 1


def test_what_is_unlabelled_counts_nowhere():
    wanted = measure(LABELS, PROBABILITIES, THRESHOLDS, MARKS)
    labels = np.vstack([LABELS, [[np.nan, np.nan]] * 3])
    probabilities = np.vstack([PROBABILITIES, [[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]]])
    pandas.testing.assert_frame_equal(measure(labels, probabilities, THRESHOLDS, MARKS), wanted)


@pytest.mark.parametrize(
    ("labels", "called", "undefined"),
    [
        ([1, 1], [0, 1], {"auroc", "auprc", "mcc"}),
        ([0, 0], [0, 1], {"auroc", "auprc", "mcc", "recall"}),
        ([0, 0], [0, 0], {"auroc", "auprc", "mcc", "recall", "precision", "f1"}),
        ([0, 1], [0, 0], {"mcc", "precision"}),
        ([0, 1], [1, 1], {"mcc"}),
        ([np.nan, np.nan], [0, 1], set(METRICS)),
        ([], [], set(METRICS)),
    ],
)
def test_what_is_undefined_is_nan(labels, called, undefined):
    column = np.array(labels, np.float32)[:, None]
    probabilities = np.array(called, float)[:, None]
    table = measure(column, probabilities, np.array([0.5]), ["A"])
    for row in ("A", MICRO):
        assert set(table.columns[table.loc[row].isna()]) == undefined


def test_macro_is_over_marks_with_both_classes_for_which_it_is_defined():
    """C has no negative; of B nothing is called, which leaves its precision undefined."""
    labels = np.column_stack([LABELS, np.ones(4)])
    probabilities = np.column_stack([PROBABILITIES, np.full(4, 0.9)])
    table = measure(labels, probabilities, np.array([0.5, 0.95, 0.5]), "ABC")
    assert table.loc["C", "accuracy"] == 1
    assert table.loc[MACRO, "accuracy"] == table.loc[["A", "B"], "accuracy"].mean()
    assert table.loc[MACRO, "auroc"] == 7 / 8
    assert table.loc[MACRO, "precision"] == table.loc["A", "precision"]
    alone = measure(labels[:, 2:], probabilities[:, 2:], np.array([0.5]), "C")
    assert alone.loc[MACRO, list(METRICS)].isna().all()


# Calibration.


def binned_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    bins = np.array_split(np.argsort(probabilities, kind="stable"), 10)
    gaps = [abs((labels[rows] - probabilities[rows]).sum()) for rows in bins]
    return sum(gaps) / len(labels)


@pytest.mark.parametrize("rows", [7, 10, 58, 400, 999])
def test_calibration_error_over_bins_of_equal_count(rng, rows):
    labels, probabilities = (rng.random(rows) < 0.4).astype(float), rng.random(rows)
    found = expected_calibration_error(labels, probabilities)
    assert found == pytest.approx(binned_error(labels, probabilities))


def test_calibration_error_of_a_constant_does_not_depend_on_the_order_of_rows():
    labels = np.repeat([1.0, 0.0], [30, 70])
    assert expected_calibration_error(labels, np.full(100, 0.25)) == pytest.approx(0.05)


def test_calibration_error_does_not_depend_on_the_order_of_rows(rng):
    labels, probabilities = (values[:, 0] for values in made_up(rng, 300, 1))
    order = rng.permutation(300)
    found = expected_calibration_error(labels[order], probabilities[order])
    assert found == pytest.approx(expected_calibration_error(labels, probabilities), abs=1e-12)
    known = ~np.isnan(labels)
    assert found != pytest.approx(binned_error(labels[known], probabilities[known]))


def test_reliability():
    """Five pairs in two bins: the first has one more.

    The two of 0.3 lie on either side of the boundary, and count one half each way.
    """
    labels = np.array([0, 1, np.nan, 1, 0, 1])
    probabilities = np.array([0.3, 0.3, 0.5, 0.9, 0.1, 0.2])
    table = reliability(labels, probabilities, bins=2)
    wanted = pandas.DataFrame({"predicted": [0.2, 0.6], "observed": [0.5, 0.75], "count": [3, 2]})
    pandas.testing.assert_frame_equal(table, wanted)


def test_fewer_pairs_than_bins_are_a_bin_each():
    table = reliability(np.array([1.0, 0.0, 0.0]), np.array([0.9, 0.2, 0.4]))
    np.testing.assert_allclose(table, [[0.2, 0, 1], [0.4, 0, 1], [0.9, 1, 1]])


def test_reliability_of_nothing():
    assert reliability(np.array([np.nan]), np.array([0.2])).empty
    assert np.isnan(expected_calibration_error(np.array([]), np.array([])))


def test_by_group(rng):
    labels, probabilities = made_up(rng, 100, 2)
    labels[70:, 1] = 0
    groups = np.repeat(["chr2", "chr1", "chr3", "chrM"], [40, 30, 20, 10])
    models = {"a": probabilities, "b": 1 - probabilities}
    table = by_group(labels, models, groups, "chromosome", smallest=5)
    assert list(table.columns) == (
        ["by", "group", "windows", "model", "marks", "micro_auroc", "macro_auroc", "micro_auprc"]
    )
    assert set(table["by"]) == {"chromosome"}
    assert list(table["group"]) == ["chr2", "chr2", "chr1", "chr1", "chr3", "chr3", "chrM", "chrM"]
    assert list(table["model"]) == ["a", "b"] * 4
    assert list(table["windows"]) == [40, 40, 30, 30, 20, 20, 10, 10]
    assert list(table["marks"]) == [2, 2, 2, 2, 1, 1, 1, 1]
    for row in table.itertuples():
        chosen = groups == row.group
        truth, scores = labels[chosen], models[row.model][chosen]
        known = ~np.isnan(truth)
        each = [auroc(truth[:, i], scores[:, i]) for i in range(row.marks)]
        assert row.macro_auroc == pytest.approx(np.mean(each))
        assert row.micro_auroc == pytest.approx(auroc(truth.ravel(), scores.ravel()))
        assert row.micro_auprc == pytest.approx(
            average_precision_score(truth[known], scores[known])
        )


def test_small_groups_are_joined(rng):
    labels, probabilities = made_up(rng, 60, 2)
    groups = ["small"] * 9 + ["large"] * 20 + ["tiny"] + ["larger"] * 30
    table = by_group(labels, {"a": probabilities}, groups, "biotype")
    assert list(table["group"]) == ["large", "larger", "other (2 groups)"]
    assert list(table["windows"]) == [20, 30, 10]
    joined = np.isin(groups, ["small", "tiny"])
    wanted = auroc(labels[joined].ravel(), probabilities[joined].ravel())
    assert table["micro_auroc"].iloc[2] == pytest.approx(wanted)


def test_a_single_small_group_keeps_its_name(rng):
    labels, probabilities = made_up(rng, 30, 2)
    groups = pandas.Series(["."] * 25 + ["miRNA"] * 5)
    table = by_group(labels, {"a": probabilities}, groups, "biotype")
    assert list(table["group"]) == [".", "miRNA"]


def test_a_group_of_one_class_has_no_figures():
    (row,) = by_group(
        np.zeros((25, 2)), {"a": np.full((25, 2), 0.5)}, ["x"] * 25, "biotype"
    ).itertuples()
    assert row.marks == 0
    assert np.isnan([row.micro_auroc, row.macro_auroc, row.micro_auprc]).all()


def test_figures_of_a_card_by_hand():
    """Five positives and five negatives; one positive lies below one negative: 24 of 25 pairs."""
    labels = np.array([[1, 1]] * 5 + [[0, np.nan]] * 5, float)
    scores = np.array([9, 8, 7, 6, 4, 5, 3, 2, 1, 0], float)[:, None].repeat(2, 1)
    worse = -scores
    card = card_figures("Ten rows.", ("A", "B"), labels, scores, {"worse": worse}, [0.1, None])
    assert card is not None
    assert (card.description, card.windows) == ("Ten rows.", 10)
    assert list(card.marks) == ["A"]  # B has no negatives
    figures = card.marks["A"]
    assert (figures.positives, figures.prevalence) == (5, 0.5)
    assert figures.model.auroc == pytest.approx(24 / 25)
    assert figures.model.auprc == pytest.approx((4 + 5 / 6) / 5)  # precision at each positive
    assert figures.model.ece == 0.1
    assert figures.baselines["worse"].auroc == pytest.approx(1 / 25)
    assert figures.baselines["prevalence"].auroc == 0.5
    assert figures.baselines["prevalence"].auprc == 0.5


def test_marks_that_all_lack_a_class_make_no_table_of_a_card():
    nothing = np.zeros((10, 2))
    assert card_figures("Ten rows.", ("A", "B"), nothing, nothing, {}) is None
