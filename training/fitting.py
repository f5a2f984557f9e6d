"""Fitting a `MarkNetwork` to embeddings, and choosing its settings on held-out blocks of the
training stretch.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from measuring import macro_auroc
from torch import Tensor, nn

from histpred.models.network import MarkNetwork

logger = logging.getLogger(__name__)


class Settings(NamedTuple):
    """What is chosen between. `noise` (standard deviations) and `input_dropout` (share) blur the
    embedding in training; `rarity` is the power of negatives/positives that positives of a mark are
    weighted with."""

    hidden: tuple[int, ...] = (64, 32, 32, 16, 16)
    dropout: float = 0.0
    noise: float = 0.5
    input_dropout: float = 0.3
    rarity: float = 0.5
    epochs: int = 12
    batch: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2


class Examples(NamedTuple):
    """Windows as the network meets them.

    embeddings: float32 [n, dimension]; targets: float32 [n, marks], graded 0-1; labels: bool [n,
    marks], what is predicted in the end; position: int [n], middle of the window in bp.
    """

    embeddings: np.ndarray
    targets: np.ndarray
    labels: np.ndarray
    position: np.ndarray

    def between(self, start: float, end: float, margin: int) -> Examples:
        """Those whose window of `margin` bp either side lies within [start, end)."""
        return self.where((self.position - margin >= start) & (self.position + margin <= end))

    def where(self, keep: np.ndarray) -> Examples:
        """Those of a boolean mask [n]."""
        return Examples(*(values[keep] for values in self))


def fit(examples: Examples, settings: Settings, seed: int) -> MarkNetwork:
    """A network trained on all the examples; the learning rate goes through one cycle."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    embeddings, targets = torch.from_numpy(examples.embeddings), torch.from_numpy(examples.targets)
    network = MarkNetwork(
        embeddings.shape[1], targets.shape[1], settings.hidden, dropout=settings.dropout
    )
    network.standardise_like(embeddings)

    prevalence = targets.mean(0)
    loss_of = nn.BCEWithLogitsLoss(pos_weight=((1 - prevalence) / prevalence) ** settings.rarity)
    optimiser = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    batches = -(-len(embeddings) // settings.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.epochs * batches
    )

    for _ in range(settings.epochs):
        for rows in np.array_split(rng.permutation(len(embeddings)), batches):
            loss = loss_of(network(_blur(embeddings[rows], network, settings)), targets[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return network.eval()


def _blur(embeddings: Tensor, network: MarkNetwork, settings: Settings) -> Tensor:
    """Embeddings with noise added and some of their numbers set to the mean."""
    blurred = embeddings + torch.randn_like(embeddings) * network.scale * settings.noise
    kept = torch.rand_like(embeddings) >= settings.input_dropout
    return network.mean + (blurred - network.mean) * kept / (1 - settings.input_dropout)


def logits_of(network: MarkNetwork, embeddings: np.ndarray) -> np.ndarray:
    """The network's logits, float32 [n, marks]."""
    with torch.inference_mode():
        return network(torch.from_numpy(embeddings)).numpy()


def choose(
    examples: Examples,
    candidates: dict[str, Settings],
    blocks: Sequence[tuple[float, float]],
    margin: int,
    gap: int,
    seed: int,
) -> tuple[str, dict[str, float]]:
    """The candidate with the highest macro AUROC, and that of each, over held-out blocks.

    Each block in turn is left out of the training with `gap` bp either side, then scored.
    """
    figures = {}
    for name, settings in candidates.items():
        scores = []
        for start, end in blocks:
            held_out = examples.between(start, end, margin)
            outside = (examples.position < start - gap) | (examples.position > end + gap)
            network = fit(examples.where(outside), settings, seed)
            scores.append(macro_auroc(held_out.labels, logits_of(network, held_out.embeddings)))
        figures[name] = float(np.mean(scores))
        logger.info(
            "%s: macro AUROC %.4f on held-out blocks of the training stretch", name, figures[name]
        )

    return max(figures, key=lambda name: figures[name]), figures
