"""Genes from the tiles around their transcription start.

The network of tiles is asked at five places within 2 kb of the start. A logistic regression for
each mark reads the highest and the mean logit of all eight marks at these places. It is fitted on
the genes of both chromosomes, each with logits of a network that did not see its block. Non-coding
genes weigh more than coding ones, which are twice as many, and those far from coding genes most:
their probabilities would come out too high.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from samples import NEAR, Places
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from histpred.training.perceptron import MarkNetwork
from histpred.training.pooled import Pooled, pool

STEP = 1_000  # bp between two places; a finer grid gives the same figures
PLACES = tuple(range(-NEAR, NEAR + 1, STEP))  # bp from the transcription start
STRENGTH = 0.05  # scikit-learn's C
WEIGHTS = {"coding": 1.0, "non-coding": 2.0, "far": 3.0}


class GeneModel(NamedTuple):
    """Linear layers from pooled logits: weight [2 x marks, marks] and bias [marks]."""

    weight: np.ndarray
    bias: np.ndarray

    def logits(self, pooled: np.ndarray) -> np.ndarray:
        """Logits, float [n, marks], of pooled logits [n, 2 x marks]."""
        found: np.ndarray = pooled @ self.weight + self.bias
        return found

    def on(self, network: MarkNetwork) -> Pooled:
        """The scorer of genes whose network gives the logits of the places."""
        return Pooled(network, len(PLACES), self.weight, self.bias)


def positions_around(genes: Places) -> np.ndarray:
    """Positions of PLACES around each gene's start, int [n x places]; the order is that of '+'."""
    return (genes.position[:, None] + np.array(PLACES)).ravel()


def pooled_logits(logits: np.ndarray) -> np.ndarray:
    """Maxima and means, [n, 2 x marks], of logits [n x places, marks]."""
    whole = torch.from_numpy(logits).reshape(-1, len(PLACES), logits.shape[1])
    return pool(whole).numpy()


def fit_genes(pooled: np.ndarray, genes: Places) -> GeneModel:
    """Fit a regression for each mark; a mark that all genes or none have gets no slope."""
    kinds = np.select([genes.coding, genes.far], ["coding", "far"], "non-coding")
    weights = np.vectorize(WEIGHTS.get)(kinds)
    scaler = StandardScaler().fit(pooled)
    slopes, intercepts = [], []
    for truth in genes.labels.T:
        if truth.all() or not truth.any():
            slopes.append(np.zeros(pooled.shape[1]))
            intercepts.append(0.0)
            continue
        model = LogisticRegression(C=STRENGTH, max_iter=3000)
        model.fit(scaler.transform(pooled), truth, weights)
        slopes.append(model.coef_[0])
        intercepts.append(model.intercept_[0])
    weight = np.transpose(slopes) / scaler.scale_[:, None]
    return GeneModel(weight, np.array(intercepts) - scaler.mean_ @ weight)
