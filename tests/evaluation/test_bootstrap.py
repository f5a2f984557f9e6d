"""Bootstrap intervals against samples that are written out."""

from __future__ import annotations

import numpy as np
import pandas
import pytest

pytest.importorskip("sklearn", reason="needs the extra train")


from histpred.evaluation.bootstrap import draws, intervals, lead
from histpred.evaluation.metrics import measure
from histpred.evaluation.result import MACRO, METRICS, MICRO
from support.rankings import LABELS, MARKS, PROBABILITIES, THRESHOLDS, auroc, made_up


def test_draws_are_of_as_many_loci():
    each = np.concatenate([*draws(4, 2000, 0, 64)])
    assert each.shape == (2000, 4)
    assert set(each.sum(axis=1)) == {4}
    # Binomial(4, 1/4) in each sample: the mean of 2000 has a standard error of 0.02.
    np.testing.assert_allclose(each.mean(axis=0), 1, atol=0.08)
    np.testing.assert_allclose(each.var(axis=0), 3 / 4, atol=0.1)


def test_draws_depend_on_the_seed_and_not_on_how_many_at_once():
    wanted = np.concatenate([*draws(50, 20, 3, 1000)])
    np.testing.assert_array_equal(np.concatenate([*draws(50, 20, 3, 7)]), wanted)
    assert (np.concatenate([*draws(50, 20, 4, 7)]) != wanted).any()


def test_intervals_are_the_percentiles_of_samples_written_out(rng):
    """The samples are put together row by row and measured by `measure`."""
    labels, probabilities = made_up(rng, 60, 3)
    labels[:, 2] = np.where(np.arange(60) < 2, 1, 0)  # some samples have no positive
    thresholds, marks = np.array([0.5, 0.3, 0.6]), ("A", "B", "C")
    loci = np.sort(rng.integers(0, 40, 60))
    names = sorted(set(loci.tolist()))
    (drawn,) = draws(len(names), 30, 5, 1000)
    tables = []
    for weight in drawn[:, [names.index(locus) for locus in loci]]:
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
    """A model that is slightly better in each pair is better in each sample."""
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
