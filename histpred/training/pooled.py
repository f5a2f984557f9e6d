"""Genes from the tiles around their start: the logits of all places, pooled, then linear layers.

A gene has a mark if a peak lies within some distance of its transcription start. So a network that
knows a mark at one place is asked at places around the start. The highest and the mean logit of
each of its marks go into a logistic regression for each mark of genes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from histpred.training.perceptron import MarkNetwork


class Pooled(NamedTuple):
    """Logits of genes from the vectors of `places` places, which stand side by side.

    network: its logits at each place. weight: float64 [2 x its marks, marks of genes], for the
    maxima and then for the means of its logits. bias: float64 [marks of genes].
    """

    network: MarkNetwork
    places: int
    weight: np.ndarray
    bias: np.ndarray

    def logits(self, embeddings: np.ndarray) -> np.ndarray:
        """Logits [n, marks of genes] of embeddings, float32 [n, places x dimension]."""
        with torch.inference_mode():
            values = pool(at_places(self.network, torch.from_numpy(embeddings), self.places))
        found: np.ndarray = values.numpy().astype(float) @ self.weight + self.bias
        return found


def at_places(network: MarkNetwork, embeddings: Tensor, places: int) -> Tensor:
    """The network's logits, [n, places, marks], of embeddings [n, places x dimension]."""
    rows = embeddings.reshape(len(embeddings) * places, network.dimension)
    return torch.as_tensor(network(rows)).reshape(len(embeddings), places, -1)


def pool(logits: Tensor) -> Tensor:
    """The maxima and then the means over places: [n, places, marks] to [n, 2 x marks]."""
    return torch.cat([logits.amax(dim=1), logits.mean(dim=1)], dim=1)
