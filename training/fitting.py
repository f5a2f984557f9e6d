"""Fitting spectra networks along a chromosome, and distilling several into one scorer.

Neighbouring windows share most of their bases, so training goes over stretches of the chromosome:
the units of each bin are made once and serve all windows that hold it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from samples import BIN, Places
from torch import Tensor, nn
from torch.nn import functional

from histpred.training.perceptron import MarkNetwork
from histpred.training.spectra import (
    FEWEST,
    SpectraNetwork,
    StretchMeans,
    averaged,
    nested,
)

logger = logging.getLogger(__name__)

LENGTHS = (200, 600, 1_000, 2_200, 4_200, 10_200, 30_200)
FEWEST_PLACES = 8  # of a segment, below which it is left out
MOST_WEIGHT = 20.0
BINS_AT_ONCE = 2_000


class Settings(NamedTuple):
    """How a member is trained.

    lengths: of the nested stretches, bp. rarity: the power of negatives/positives that positives of
    a mark are weighted with. graded: whether the target is the share of samples, or the label.
    near: whether it is the highest share within 2 kb. segment: bins of a stretch of the chromosome,
    of which `segments_at_once` make a step.
    """

    lengths: tuple[int, ...] = LENGTHS
    rarity: float = 0.5
    graded: bool = True
    near: bool = False
    input_dropout: float = 0.3
    epochs: int = 12
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    segment: int = 384
    segments_at_once: int = 2


class Distillation(NamedTuple):
    """How the scorer learns from the members."""

    hidden: tuple[int, ...] = (128, 64, 64, 32, 32)
    epochs: int = 12
    batch: int = 512
    learning_rate: float = 2e-3


class Bins(NamedTuple):
    """A chromosome in bins.

    shares: float32 [bins, k-mers], standardised as the networks do it. weight: float32 [bins], how
    much of each is known. mean, scale: of the shares, float32 [k-mers].
    """

    shares: Tensor
    weight: Tensor
    mean: Tensor
    scale: Tensor


def bins_of(counts: Tensor) -> Bins:
    """The bins of 4-mer counts, uint8 [bins, 256]."""
    means = StretchMeans(BIN, nested(BIN), both_strands=True)
    counts = counts.float()
    means.standardise_like(counts)
    shares = (means.shares(counts) - means.mean) / means.scale
    weight = counts.sum(1) / (BIN - 3)
    return Bins(shares * (weight > 0)[:, None], weight, means.mean, means.scale)


def fit(bins: Bins, places: Places, settings: Settings, seed: int) -> SpectraNetwork:
    """A network trained on all the places; the learning rate goes through one cycle."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    shares = places.near if settings.near else places.targets
    targets = shares if settings.graded else places.labels.astype(np.float32)
    network = SpectraNetwork(targets.shape[1], BIN, nested(*settings.lengths), both_strands=True)
    counts, means, norm, hidden = network.encoder
    means.mean.copy_(bins.mean)
    means.scale.copy_(bins.scale)
    means.dropout.p = settings.input_dropout

    row_of_bin = np.full(len(bins.weight), -1)
    row_of_bin[places.position // BIN] = np.arange(len(places.position))
    size, margin = settings.segment, counts.reach // BIN
    starts = [
        start
        for start in range(0, len(row_of_bin), size)
        if (row_of_bin[start : start + size] >= 0).sum() > FEWEST_PLACES
    ]
    prevalence = targets.mean(axis=0)
    ratio = ((1 - prevalence) / np.maximum(prevalence, 1e-3)) ** settings.rarity
    loss_of = nn.BCEWithLogitsLoss(pos_weight=torch.from_numpy(ratio).clamp(max=MOST_WEIGHT))
    optimiser = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    steps = settings.epochs * math.ceil(len(starts) / settings.segments_at_once)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=steps
    )

    network.train()
    for _ in range(settings.epochs):
        shift = rng.integers(-size // 2, size // 2)
        order = rng.permutation(starts)
        for i in range(0, len(order), settings.segments_at_once):
            first = order[i : i + settings.segments_at_once] + shift
            first = first.clip(0, len(row_of_bin) - size)
            wide = first[:, None] + np.arange(-margin, size + margin)
            inside = torch.from_numpy((wide >= 0) & (wide < len(row_of_bin)))
            wide = wide.clip(0, len(row_of_bin) - 1)
            rows = row_of_bin[wide[:, margin : margin + size]].ravel()
            (chosen,) = np.nonzero(rows >= 0)
            if len(chosen) >= FEWEST_PLACES:
                index = torch.from_numpy(wide)
                weight = bins.weight[index] * inside
                values = means_along(means, means.units(bins.shares[index], weight), weight, size)
                picked = values.flatten(0, 1)[torch.from_numpy(chosen)]
                logits = network.output(hidden(norm(picked)))
                loss = loss_of(logits, torch.from_numpy(targets[rows[chosen]]))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            schedule.step()
    return network.eval()


def means_along(means: StretchMeans, units: Tensor, weight: Tensor, count: int) -> Tensor:
    """What `StretchMeans` gives around each of `count` consecutive bins, [batch, count, width].

    `units` [batch, count + 2 x margin, UNITS] and `weight` [batch, count + 2 x margin] hold the
    bins around them too, `margin` being the longest stretch's bins on one side of its middle one.
    """
    margin = (units.shape[1] - count) // 2
    sums = functional.pad(units.cumsum(1), (0, 0, 1, 0))
    known = functional.pad(weight.cumsum(1), (1, 0))
    values = []
    for start, end in means.stretches:
        first = margin + (start + BIN // 2) // BIN
        last = margin + (end + BIN // 2) // BIN
        total = sums[:, last : last + count] - sums[:, first : first + count]
        divisor = known[:, last : last + count] - known[:, first : first + count]
        values.append(total / divisor.clamp(min=FEWEST)[..., None])
    return torch.cat(values, dim=2)


def embed_bins(members: Sequence[SpectraNetwork], bins: Bins, chosen: np.ndarray) -> Tensor:
    """What the encoder of `averaged` gives around the middles of the bins of a mask [bins]:
    [chosen, dimension].
    """
    counts = members[0].encoder[0]
    margin = counts.reach // BIN
    shares = functional.pad(bins.shares, (0, 0, margin, margin))
    weight = functional.pad(bins.weight, (margin, margin))
    blocks = []
    with torch.inference_mode():
        for first in range(0, len(bins.weight), BINS_AT_ONCE):
            here = chosen[first : first + BINS_AT_ONCE]
            around = slice(first, first + len(here) + 2 * margin)
            parts = []
            for _, means, norm, hidden in (member.encoder for member in members):
                units = means.units(shares[None, around], weight[None, around])
                values = means_along(means, units, weight[None, around], len(here))[0]
                parts.append(hidden(norm(values[torch.from_numpy(here)])))
            blocks.append(torch.cat(parts, dim=1))
    return torch.cat(blocks)


def mean_logits(members: Sequence[SpectraNetwork], embeddings: Tensor) -> Tensor:
    """The mean of the members' logits [n, marks], of embeddings of `embed_bins`."""
    with torch.inference_mode():
        return averaged(members).output(embeddings)


def distil(embeddings: Tensor, logits: Tensor, settings: Distillation, seed: int) -> MarkNetwork:
    """A marker-conditioned perceptron that gives the logits [n, marks] of the embeddings [n, d].

    Of each mark, it gives them less their mean and by their standard deviation: a calibration has
    its own slope and intercept.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = MarkNetwork(embeddings.shape[1], logits.shape[1], settings.hidden, dropout=0.0)
    network.standardise_like(embeddings)
    centre, spread = logits.mean(0), logits.std(0)
    optimiser = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=0.0)
    batches = len(embeddings) // settings.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.epochs * batches
    )
    for _ in range(settings.epochs):
        order = torch.randperm(len(embeddings), generator=generator)
        for rows in order[: batches * settings.batch].split(settings.batch):
            loss = functional.mse_loss(network(embeddings[rows]), (logits[rows] - centre) / spread)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return network.eval()
