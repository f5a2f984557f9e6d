"""Spectra networks along a chromosome, and a perceptron that learns their logits.

Neighbouring windows share most of their bases. So training and embedding go over segments of the
chromosome: the units of each bin are computed once and serve all windows that contain the bin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from histpred.training.counting import K
from histpred.training.fitting import Losses, fit, reproducible
from histpred.training.perceptron import MarkNetwork
from histpred.training.settings import Settings
from histpred.training.spectra import FEWEST, SpectraNetwork, StretchMeans, nested

SEGMENT = 384  # bins
FEWEST_LOCI = 8  # in a segment; segments with fewer are left out
BINS_AT_ONCE = 2_000


class Bins(NamedTuple):
    """A chromosome in bins.

    shares: float32 [bins, k-mers], standardised as the networks do it, both strands together.
    weight: float32 [bins], the known share of each bin. mean, scale: those of the shares, float32
    [k-mers]. length: of a bin, in bp.
    """

    shares: Tensor
    weight: Tensor
    mean: Tensor
    scale: Tensor
    length: int

    def give_scale(self, network: SpectraNetwork) -> None:
        """Make a network standardise shares as these are."""
        network.stretches.mean.copy_(self.mean)
        network.stretches.scale.copy_(self.scale)


def bins_of(counts: Tensor, length: int) -> Bins:
    """Bins of `length` bp from their counts of 4-mers, uint8 [bins, 256]."""
    means = StretchMeans(length, nested(length), both_strands=True)
    means.standardise_like(counts)
    weight = counts.sum(1) / (length - K + 1)
    blocks = []
    for block, known in zip(counts.split(BINS_AT_ONCE), weight.split(BINS_AT_ONCE), strict=True):
        shares = (means.shares(block.float()) - means.mean) / means.scale
        blocks.append(shares * (known > 0)[:, None])
    return Bins(torch.cat(blocks), weight, means.mean, means.scale, length)


def segment_losses(
    network: SpectraNetwork,
    bins: Bins,
    positions: np.ndarray,
    targets: np.ndarray,
    loss_of: Callable[[Tensor, Tensor], Tensor],
    settings: Settings,
) -> Losses:
    """Losses over shuffled segments of the chromosome, without validation.

    `network` took its scale from the bins. `positions` are loci, int [n], in bp, at most one per
    bin, which stands for the locus; `targets` are float32 [n, marks]. `loss_of` maps logits and
    targets, each [rows, marks], to a number. The order depends on the seed; dropout continues from
    torch's random state, so such a training cannot be interrupted and continued. Raises ValueError
    if the chromosome is shorter than one segment.
    """
    if len(bins.weight) < SEGMENT:
        raise ValueError(f"a chromosome of {len(bins.weight)} bins, a segment has {SEGMENT}")
    rng = np.random.default_rng(settings.seed)
    row_of_bin = np.full(len(bins.weight), -1)
    row_of_bin[positions // bins.length] = np.arange(len(positions))
    starts = np.arange(0, len(row_of_bin), SEGMENT)
    starts = starts[np.add.reduceat((row_of_bin >= 0).astype(int), starts) > FEWEST_LOCI]

    def of_epoch(number: int) -> Iterator[Tensor | None]:
        shift = rng.integers(-SEGMENT // 2, SEGMENT // 2)
        order = rng.permutation(starts)
        for i in range(0, len(order), settings.batch):
            first = (order[i : i + settings.batch] + shift).clip(0, len(row_of_bin) - SEGMENT)
            rows = row_of_bin[first[:, None] + np.arange(SEGMENT)].ravel()
            (chosen,) = np.nonzero(rows >= 0)
            if len(chosen) < FEWEST_LOCI:
                yield None
                continue
            values = _segments(network.stretches, bins, first).flatten(0, 1)
            logits = network.output(network.encoder[2:](values[torch.from_numpy(chosen)]))
            yield loss_of(logits, torch.from_numpy(targets[rows[chosen]]))

    return Losses(of_epoch, math.ceil(len(starts) / settings.batch))


def _segments(means: StretchMeans, bins: Bins, first: np.ndarray) -> Tensor:
    """Means around each bin of segments, [segments, SEGMENT, width], from their first bins."""
    margin = means.reach // bins.length
    wide = first[:, None] + np.arange(-margin, SEGMENT + margin)
    inside = torch.from_numpy((wide >= 0) & (wide < len(bins.weight)))
    index = torch.from_numpy(wide.clip(0, len(bins.weight) - 1))
    weight = bins.weight[index] * inside
    return means_along(means, means.units(bins.shares[index], weight), weight, SEGMENT)


def means_along(means: StretchMeans, units: Tensor, weight: Tensor, count: int) -> Tensor:
    """What `StretchMeans` gives around each of `count` consecutive bins, [batch, count, width].

    `units` [batch, all bins, UNITS] and `weight` [batch, all bins] include as many bins on either
    side as half of the longest stretch, or more.
    """
    length = means.bin_length
    margin = (units.shape[1] - count) // 2
    sums = functional.pad(units.cumsum(1), (0, 0, 1, 0))
    known = functional.pad(weight.cumsum(1), (1, 0))
    values = []
    for start, end in means.stretches:
        first = margin + (start + length // 2) // length
        last = margin + (end + length // 2) // length
        total = sums[:, last : last + count] - sums[:, first : first + count]
        divisor = known[:, last : last + count] - known[:, first : first + count]
        values.append(total / divisor.clamp(min=FEWEST)[..., None])
    return torch.cat(values, dim=2)


def embed_bins(members: Sequence[SpectraNetwork], bins: Bins, chosen: np.ndarray) -> Tensor:
    """Embeddings, [chosen, d], of the encoder of `averaged` around middles of bins, mask [bins]."""
    margin = members[0].stretches.reach // bins.length
    shares = functional.pad(bins.shares, (0, 0, margin, margin))
    weight = functional.pad(bins.weight, (margin, margin))
    blocks = []
    with torch.inference_mode():
        for first in range(0, len(bins.weight), BINS_AT_ONCE):
            here = chosen[first : first + BINS_AT_ONCE]
            around = slice(first, first + len(here) + 2 * margin)
            parts = []
            for member in members:
                means = member.stretches
                units = means.units(shares[None, around], weight[None, around])
                values = means_along(means, units, weight[None, around], len(here))[0]
                parts.append(member.encoder[2:](values[torch.from_numpy(here)]))
            blocks.append(torch.cat(parts, dim=1))
    return torch.cat(blocks)


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
