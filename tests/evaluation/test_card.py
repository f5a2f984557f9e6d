from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra train")

from histpred.evaluation.card import card_figures


def test_figures_of_a_card_by_hand():
    """Five positives and five negatives; one positive lies below one negative: 24 of 25 pairs."""
    labels = np.array([[1, 1]] * 5 + [[0, np.nan]] * 5, float)
    scores = np.array([9, 8, 7, 6, 4, 5, 3, 2, 1, 0], float)[:, None].repeat(2, 1)
    worse = -scores
    card = card_figures("Ten rows.", ("A", "B"), labels, scores, {"worse": worse}, [0.1, None])
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
