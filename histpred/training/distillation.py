"""Several spectra networks as one scorer: a perceptron that learns their logits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from histpred.training.fitting import Losses, fit
from histpred.training.perceptron import MarkNetwork
from histpred.training.reproducible import reproducible
from histpred.training.settings import Settings
from histpred.training.spectra import SpectraNetwork, averaged


def mean_logits(members: Sequence[SpectraNetwork], embeddings: Tensor) -> Tensor:
    """The mean of the members' logits, [n, marks].

    `embeddings` are those of all members together, as `histpred.training.chromosome.embed_bins`
    gives them.
    """
    with torch.inference_mode():
        logits: Tensor = averaged(members).output(embeddings)
        return logits


def distil(
    embeddings: Tensor, logits: Tensor, hidden: Sequence[int], settings: Settings
) -> MarkNetwork:
    """A marker-conditioned perceptron that gives the logits [n, marks] of the embeddings [n, d].

    The logits of each mark are standardised, since calibration has its own slope and intercept.
    """
    rows = len(embeddings) // settings.batch * settings.batch
    targets = (logits - logits.mean(0)) / logits.std(0)
    with reproducible(settings.seed):
        network = MarkNetwork(embeddings.shape[1], logits.shape[1], hidden, dropout=0.0)
        network.standardise_like(embeddings)
        shuffled = torch.Generator().manual_seed(settings.seed)

        def of_epoch(number: int) -> Iterator[Tensor]:
            order = torch.randperm(len(embeddings), generator=shuffled)
            for chosen in order[:rows].split(settings.batch):
                yield functional.mse_loss(network(embeddings[chosen]), targets[chosen])

        fit(network, Losses(of_epoch, rows // settings.batch), settings)
    return network
