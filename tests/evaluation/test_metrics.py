"""Figures of merit against arithmetic on paper, scikit-learn, and samples that are written out."""

from __future__ import annotations

import numpy as np
import pandas
import pytest

pytest.importorskip("sklearn", reason="needs the extra train")

from sklearn.metrics import average_precision_score, roc_auc_score

from histpred.evaluation.metrics import (
    by_group,
    draws,
    expected_calibration_error,
    intervals,
    lead,
    measure,
    rank,
    reliability,
    weighted_figures,
)
from histpred.evaluation.result import MACRO, METRICS, MICRO

MARKS = ("A", "B")
LABELS = np.array([[1, 1], [1, 0], [0, 0], [0, 1]], np.float32)
PROBABILITIES = np.array([[0.9, 0.8], [0.4, 0.3], [0.6, 0.1], [0.2, 0.7]])
THRESHOLDS = np.array([0.5, 0.3])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def made_up(
    rng: np.random.Generator, rows: int, marks: int, ties: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Labels with gaps and probabilities that say something of them, many alike if `ties`."""
    labels = (rng.random((rows, marks)) < 0.3).astype(np.float32)
    probabilities = (0.3 * labels + 0.7 * rng.random((rows, marks))).clip(0, 1)
    labels[rng.random((rows, marks)) < 0.1] = np.nan
    return labels, probabilities.round(1) if ties else probabilities


# measure.


def test_the_papers_formulas_worked_out_on_paper():
    """A is called (from 0.5 on) in rows 1, 0, 1, 0: TP 1, FN 1, FP 1, TN 1.
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
    """Five pairs in two bins: the first has one more. The two of 0.3 lie on either side of the
    boundary, and count one half each way.
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


# Resampling.


@pytest.mark.parametrize("ties", [True, False])
def test_weighted_areas_are_scikit_learns(rng, ties):
    labels, probabilities = (values[:, 0] for values in made_up(rng, 200, 1, ties))
    weights = rng.poisson(1.0, (25, 200)) * rng.random((25, 200))
    found = weighted_figures(rank(labels, probabilities, np.arange(200)), weights)
    known = ~np.isnan(labels)
    for row, weight in zip(found, weights[:, known], strict=True):
        given = labels[known], probabilities[known]
        assert row[0] == pytest.approx(roc_auc_score(*given, sample_weight=weight))
        assert row[1] == pytest.approx(average_precision_score(*given, sample_weight=weight))


def test_weighted_figures_of_one_class_or_nothing_are_nan():
    ranking = rank(np.array([1.0, 0.0]), np.array([0.7, 0.1]), np.arange(2))
    found = weighted_figures(ranking, np.array([[2.0, 0.0], [0.0, 0.0], [1.0, 1.0]]))
    wanted = [[np.nan, np.nan, 0.3], [np.nan] * 3, [1, 1, 0.2]]
    np.testing.assert_allclose(found, wanted)


def test_draws_are_of_whole_loci(rng):
    loci = np.array([7, 3, 7, 7, 5, 9, 9])
    drawn = np.concatenate([*draws(loci, 2000, 0, 64)])
    assert drawn.shape == (2000, 7)
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 2])
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 3])
    np.testing.assert_array_equal(drawn[:, 5], drawn[:, 6])
    each = drawn[:, [0, 1, 4, 5]]
    assert set(each.sum(axis=1)) == {4}
    # Binomial(4, 1/4) in each sample: the mean of 2000 has a standard error of 0.02.
    np.testing.assert_allclose(each.mean(axis=0), 1, atol=0.08)
    np.testing.assert_allclose(each.var(axis=0), 3 / 4, atol=0.1)


def test_draws_depend_on_the_seed_and_not_on_how_many_at_once():
    loci = np.arange(50)
    wanted = np.concatenate([*draws(loci, 20, 3, 1000)])
    np.testing.assert_array_equal(np.concatenate([*draws(loci, 20, 3, 7)]), wanted)
    assert (np.concatenate([*draws(loci, 20, 4, 7)]) != wanted).any()


def test_intervals_are_the_percentiles_of_samples_written_out(rng):
    """The samples are put together row by row and measured by `measure`."""
    labels, probabilities = made_up(rng, 60, 3)
    labels[:, 2] = np.where(np.arange(60) < 2, 1, 0)  # some samples have no positive
    thresholds, marks = np.array([0.5, 0.3, 0.6]), ("A", "B", "C")
    loci = np.sort(rng.integers(0, 40, 60))
    (weights,) = draws(loci, 30, 5, 1000)
    tables = []
    for weight in weights:
        rows = np.repeat(np.arange(60), weight.astype(int))
        tables.append(measure(labels[rows], probabilities[rows], thresholds, marks))
    assert any(np.isnan(table.loc["C", "auroc"]) for table in tables)
    low, high = intervals(labels, probabilities, thresholds, marks, loci, samples=30, seed=5)
    for found, share in ((low, 0.025), (high, 0.975)):
        values = np.nanquantile([table.to_numpy() for table in tables], share, axis=0)
        wanted = pandas.DataFrame(values, tables[0].index, tables[0].columns)
        pandas.testing.assert_frame_equal(found, wanted)


def test_intervals_cover_the_truth_about_as_often_as_they_say(rng):
    """Two normal scores one s.d. apart: the AUROC is the normal distribution at 1 / sqrt(2)."""
    truth, inside = 0.7602499, 0
    for seed in range(100):
        labels = (np.arange(120) % 2).astype(float)[:, None]
        scores = labels + rng.normal(size=labels.shape)
        probabilities = 1 / (1 + np.exp(-scores))
        low, high = intervals(
            labels, probabilities, np.array([0.5]), ["A"], np.arange(120), 100, seed
        )
        inside += low.loc["A", "auroc"] <= truth <= high.loc["A", "auroc"]
    assert 85 <= inside <= 99


def test_windows_of_one_locus_are_no_more_evidence_than_one_of_them(rng):
    """Each row twice, as one locus, gives the intervals of the rows once."""
    labels, probabilities = made_up(rng, 80, 2)
    once = intervals(labels, probabilities, THRESHOLDS, MARKS, np.arange(80))
    twice = intervals(
        labels.repeat(2, 0), probabilities.repeat(2, 0), THRESHOLDS, MARKS, np.arange(160) // 2
    )
    figures = [name for name in METRICS if name != "ece"]  # whose bins may be cut elsewhere
    for single, double in zip(once, twice, strict=True):
        pandas.testing.assert_frame_equal(single[figures], double[figures])
        pandas.testing.assert_series_equal(2 * single["positives"], double["positives"])


def test_one_locus_has_no_interval():
    for table in intervals(LABELS, PROBABILITIES, THRESHOLDS, MARKS, np.zeros(4, int)):
        assert table.shape == (4, 10)
        assert table.isna().all(axis=None)


def test_an_undefined_figure_has_no_interval():
    labels = np.column_stack([LABELS[:, 0], np.ones(4)])
    low, high = intervals(labels, PROBABILITIES, np.array([0.5, 0.99]), MARKS, np.arange(4))
    for table in (low, high):
        assert table.loc["B", ["auroc", "auprc", "precision", "mcc"]].isna().all()
        assert table.loc["B", ["accuracy", "recall"]].notna().all()


# Comparing models.


def auroc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    known = ~np.isnan(labels)
    return roc_auc_score(labels[known], probabilities[known])


def test_standing(rng):
    labels, good = made_up(rng, 300, 2, ties=False)
    loci = np.arange(300) // 2
    bad = rng.random(good.shape)
    found = lead(good, bad, labels, loci, samples=100, seed=0)
    assert list(found.index) == [MICRO, MACRO]
    macro = [np.mean([auroc(labels[:, i], model[:, i]) for i in (0, 1)]) for model in (good, bad)]
    micro = [auroc(labels.ravel(), model.ravel()) for model in (good, bad)]
    differences = [micro[0] - micro[1], macro[0] - macro[1]]
    assert found["difference"].to_list() == pytest.approx(differences)
    assert (found["low"] > 0).all()
    assert (found["low"] < found["difference"]).all()
    assert (found["difference"] < found["high"]).all()

    against = lead(bad, good, labels, loci, samples=100, seed=0)
    np.testing.assert_allclose(against, -found[["difference", "high", "low"]].to_numpy())


def test_standing_is_paired(rng):
    """A model that is a shade better in each pair is better in each sample, however uncertain
    either is.
    """
    labels, probabilities = made_up(rng, 100, 2, ties=False)
    better = np.where(labels == 1, probabilities + 0.02, probabilities)
    low, high = intervals(labels, probabilities, THRESHOLDS, MARKS, np.arange(100))
    found = lead(better, probabilities, labels, np.arange(100), samples=200, seed=0)
    assert (found["low"] > 0).all()
    width = high.loc[MICRO, "auroc"] - low.loc[MICRO, "auroc"]
    assert found.loc[MICRO, "high"] - found.loc[MICRO, "low"] < width / 4


def test_standing_of_a_model_beside_itself_or_on_one_locus():
    same = lead(PROBABILITIES, PROBABILITIES, LABELS, np.arange(4), samples=50, seed=0)
    assert (same == 0).all(axis=None)
    alone = lead(PROBABILITIES, PROBABILITIES, LABELS, np.zeros(4), samples=50, seed=0)
    assert alone["difference"].to_list() == [0, 0]
    assert alone[["low", "high"]].isna().all(axis=None)


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
