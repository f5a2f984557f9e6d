"""Weighted figures against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra train")

from sklearn.metrics import average_precision_score, roc_auc_score

from histpred.evaluation import ranking as module
from histpred.evaluation.ranking import by_locus, drawn_figures, rank, weighted_figures
from support.rankings import made_up


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


@pytest.mark.parametrize("ties", [True, False])
def test_pairs_added_up_by_locus_give_the_figures_of_their_rows(rng, monkeypatch, ties):
    labels, probabilities = (values[:, 0] for values in made_up(rng, 3_000, 1, ties))
    loci = rng.integers(0, 40, 3_000)
    weights = rng.poisson(1.0, (25, 40)).astype(float)
    ranking = rank(labels, probabilities, np.arange(3_000))
    wanted = weighted_figures(ranking, weights[:, loci])
    np.testing.assert_allclose(drawn_figures(by_locus(ranking, loci), weights), wanted)
    monkeypatch.setattr(module, "MOST_ENDS", 200)
    few = by_locus(ranking, loci)
    assert few.shape[0] <= 3 * 200
    np.testing.assert_allclose(drawn_figures(few, weights)[:, [0, 2]], wanted[:, [0, 2]], atol=3e-3)
    np.testing.assert_allclose(drawn_figures(few, weights)[:, 1], wanted[:, 1], atol=0.01)
