"""Baselines by block: which rows each is fitted on, and what it then says."""

from __future__ import annotations

import numpy as np
import pandas
import pytest

pytest.importorskip("sklearn", reason="needs the extra train")

from sklearn.metrics import roc_auc_score

from histpred.evaluation import blocks as module
from histpred.evaluation.baselines import INPUTS, NEAREST, OF_GENOME, PREVALENCE, fit_predictors
from histpred.evaluation.blocks import GAP, Blocks, out_of_fold

LENGTH = 500_000


def tiles(count: int = 3_000) -> pandas.DataFrame:
    """Windows of 200 bp, every 2 kb, on two chromosomes of 3 Mb."""
    start = np.arange(count) % 1_500 * 2_000
    chrom = np.where(np.arange(count) < 1_500, "chr1", "chr2")
    return pandas.DataFrame({"chrom": chrom, "start": start, "end": start + 200})


def labels_of(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of which the first is informative, and two marks: one follows it, one is noise."""
    features = rng.random((count, 182)).astype(np.float32)
    noise = rng.random((count, 2))
    labels = np.column_stack([features[:, 0] + 0.3 * noise[:, 0] > 0.65, noise[:, 1] < 0.3])
    labels = labels.astype(np.float32)
    labels[rng.random(labels.shape) < 0.05] = np.nan
    return features, labels


def test_a_window_lies_where_its_middle_lies():
    windows = pandas.DataFrame(
        {
            "chrom": ["chr2", "chr1", "chr1", "chr10", "chr1"],
            "start": [5, 990, 989, 2_500, 3_000],
            "end": [7, 1_010, 1_010, 2_600, 3_001],
        }
    )
    found = Blocks(windows, 1_000)
    assert [found.names[number] for number in found.numbers] == [
        "chr2:0-1000",
        "chr1:1000-2000",
        "chr1:0-1000",
        "chr10:2000-3000",
        "chr1:3000-4000",
    ]
    assert found.folds.tolist() == [4, 1, 0, 3, 2]


def test_no_baseline_sees_the_rows_that_it_scores_nor_their_neighbours(rng, monkeypatch):
    windows = tiles()
    features, labels = labels_of(rng, len(windows))
    features[:, 5] = np.arange(len(windows))  # tells which rows are used
    blocks = Blocks(windows, LENGTH)
    seen: list[tuple[set[int], set[int]]] = []

    def spy(rows, these, truth, shares):
        trained = set(these[:, 5].astype(int).tolist())
        predictors = fit_predictors(rows, these, truth, shares)

        def predict(held, inputs):
            seen.append((trained, set(inputs[:, 5].astype(int).tolist())))
            return predictors[PREVALENCE](held, inputs)

        return predictors | {PREVALENCE: predict}

    monkeypatch.setattr(module, "fit_predictors", spy)
    out_of_fold(windows, features, labels, blocks)
    assert len(seen) == 5
    assert sorted(row for _, scored in seen for row in scored) == list(range(len(windows)))
    place = [(row.chrom, row.start, row.end) for row in windows.itertuples()]
    for trained, scored in seen:
        assert len(trained) > len(windows) / 2
        for chrom in ("chr1", "chr2"):
            ends = [
                [place[row][1:] for row in rows if place[row][0] == chrom]
                for rows in (trained, scored)
            ]
            fitted, held = (np.array(each) for each in ends)
            apart = np.maximum(
                held[:, None, 0] - fitted[None, :, 1], fitted[None, :, 0] - held[:, None, 1]
            )
            assert apart.min() >= GAP


def test_each_row_is_scored_by_what_was_fitted_on_the_other_folds(rng):
    windows = tiles()
    features, labels = labels_of(rng, len(windows))
    blocks = Blocks(windows, LENGTH)
    found = out_of_fold(windows, features, labels, blocks)
    assert {*found, OF_GENOME} == {*INPUTS}
    known = ~np.isnan(labels)
    for name, (probabilities, thresholds) in found.items():
        assert np.isfinite(probabilities).all(), name
        assert thresholds.shape == (2,)
    assert roc_auc_score(labels[known[:, 0], 0], found["GC"][0][known[:, 0], 0]) > 0.9
    for name in ("GC", "CpG o/e", "4-mers + logistic"):
        noise = roc_auc_score(labels[known[:, 1], 1], found[name][0][known[:, 1], 1])
        assert 0.4 < noise < 0.6
    shares = np.nanmean(labels, axis=0)
    np.testing.assert_allclose(found[PREVALENCE][0], np.tile(shares, (len(windows), 1)), rtol=1e-6)


def test_labels_of_a_fold_change_nothing_in_it_but_the_prevalence(rng):
    windows = tiles()
    features, labels = labels_of(rng, len(windows))
    blocks = Blocks(windows, LENGTH)
    held_out = blocks.folds == 2
    changed = labels.copy()
    changed[held_out] = labels[held_out][::-1]  # of the same prevalence
    before, after = (out_of_fold(windows, features, each, blocks) for each in (labels, changed))
    for name in before:
        np.testing.assert_allclose(before[name][0][held_out], after[name][0][held_out], rtol=1e-6)
    others = ~held_out
    assert (before[NEAREST][0][others] != after[NEAREST][0][others]).any()


def test_many_rows_are_thinned_evenly(rng, monkeypatch):
    windows = tiles()
    features, labels = labels_of(rng, len(windows))
    monkeypatch.setattr(module, "ENOUGH", 700)
    numbers = []

    def spy(rows, *rest):
        numbers.append(len(rows))
        return fit_predictors(rows, *rest)

    monkeypatch.setattr(module, "fit_predictors", spy)
    found = out_of_fold(windows, features, labels, Blocks(windows, LENGTH))
    assert all(350 < number <= 700 for number in numbers)
    known = ~np.isnan(labels[:, 0])
    assert roc_auc_score(labels[known, 0], found["GC"][0][known, 0]) > 0.9


def test_the_prevalence_by_genome_is_that_of_all_rows_of_a_genome(rng):
    windows = tiles()
    _, labels = labels_of(rng, len(windows))
    half = np.arange(len(windows)) < len(windows) // 2
    windows = windows.assign(genome=np.where(half, "human", "mouse"))
    features = np.zeros((len(windows), 182), np.float32)
    probabilities, _ = out_of_fold(windows, features, labels, Blocks(windows, LENGTH))[OF_GENOME]
    for chosen in (half, ~half):
        expected = np.broadcast_to(np.nanmean(labels[chosen], axis=0), labels[chosen].shape)
        np.testing.assert_allclose(probabilities[chosen], expected, rtol=1e-6)
