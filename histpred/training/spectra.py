"""A small network over k-mer spectra in nested stretches around a locus: bases to marks.

The locus is the window's middle. The bases are cut into bins, and in each bin the 4-mers that lie
wholly inside are counted; their counts also give the shares of all 1- to 4-mers. One linear layer,
the same for every bin, turns the shares into `UNITS` numbers, half of them through a ReLU. A bin is
thus recognised (as a CpG island, say) before anything is averaged. Then come means over stretches
of bins around the locus, a perceptron, and a linear layer with a logit for each mark.

For compact genomes, `frames` adds counts of the codons in open reading frames on either strand. A
frame without a stop for `OPEN` codons counts as coding, so the network can find gene bodies, which
some marks follow.

4-mers with an unknown base (N) are not counted, and each bin is weighted by its share of known
4-mers. So unknown bases only remove information, wherever they lie. If the network distinguishes
the two strands, the window must be given 5' to 3'; if not, both strands of a window give the same
numbers.

The architecture was found by experiment (see the card of human-promoter); gradient boosting on
nested spectra was the method to beat.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from histpred.training.counting import CODONS, KINDS, STOPS, BinCounts, CodonCounts, K, fold_of

UNITS = 64
HIDDEN = (128, 64)
INPUT_DROPOUT = HIDDEN_DROPOUT = 0.3
BINS_AT_ONCE = 1 << 12  # whose shares are computed: keeps memory flat
BASES_AT_ONCE = 1 << 20  # that are counted; each takes about 200 bytes
FEWEST = 1e-3  # smallest weight of a stretch: avoids division by zero if no base is known

Stretches = Sequence[tuple[int, int]]
"""Start and end in bp relative to the locus; negative is 5' of it."""

AROUND_START = (
    *((-200, 0), (-600, 0), (-1_000, 0), (-2_000, 0), (0, 200), (0, 600), (0, 1_000), (0, 2_000)),
    *((-600, 600), (-1_000, 1_000), (-2_000, 2_000), (-5_000, 5_000), (-10_000, 10_000)),
)
"""bp relative to the TSS"""


class StretchMeans(nn.Module):
    """Counts of bins to means over stretches, float32 [batch, stretches x UNITS].

    The counts are float32 [batch, bins, 256], or 384 if counts of codons (`frames`) follow those of
    the 4-mers. `bin_length` is in bp, the stretches in bp relative to the middle of the bins. With
    `both_strands`, a k-mer and its reverse complement are one feature. Raises ValueError if a
    stretch does not consist of whole bins.
    """

    fold: Tensor
    members: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(
        self, bin_length: int, stretches: Stretches, both_strands: bool, frames: bool = False
    ) -> None:
        super().__init__()
        self.bin_length, self.stretches = bin_length, tuple(stretches)
        self.reach = max(max(-start, end) for start, end in stretches)
        members = torch.zeros(len(self.stretches), 2 * self.reach // bin_length)
        for row, (start, end) in enumerate(self.stretches):
            bins = [(self.reach + place) / bin_length for place in (start, end, self.reach)]
            if not all(number.is_integer() for number in bins) or start >= end:
                raise ValueError(f"{start} to {end} bp does not consist of whole bins")
            members[row, int(bins[0]) : int(bins[1])] = 1
        fold = fold_of(both_strands)
        self.register_buffer("fold", fold, persistent=False)
        self.register_buffer("members", members, persistent=False)
        features = fold.shape[1] + (len(STOPS) * CODONS if frames else 0)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.dropout = nn.Dropout(INPUT_DROPOUT)
        self.linear = nn.Linear(features, UNITS)

    def standardise_like(self, counts: Tensor) -> None:
        """Take mean and scale of the shares from bins at least half known.

        `counts` are numbers of any type, [n, 256 or 384]. Sums are float64.
        """
        number, sums, squares = 0, torch.zeros(()), torch.zeros(())
        for block in counts.split(BINS_AT_ONCE):
            half = block[:, :KINDS].sum(1) * 2 >= self.bin_length - K + 1
            shares = self.shares(block[half].float()).double()
            number += len(shares)
            sums, squares = sums + shares.sum(0), squares + shares.square().sum(0)
        if number > 1:
            mean = sums / number
            variance = (squares - number * mean.square()).clamp(min=0) / (number - 1)
            self.mean.copy_(mean)
            self.scale.copy_(variance.sqrt() + 1e-5)

    def shares(self, counts: Tensor) -> Tensor:
        """Shares of the 1- to 4-mers of bins: [..., 256] to [..., k-mers].

        With codons, [..., 384], the share of the bin that each codon covers follows.
        """
        four_mers, codons = counts[..., :KINDS], counts[..., KINDS:]
        shares = four_mers / four_mers.sum(-1, keepdim=True).clamp(min=1) @ self.fold
        return torch.cat([shares, codons * (3 / self.bin_length)], dim=-1)

    def units(self, standardised: Tensor, weight: Tensor) -> Tensor:
        """Units of bins, [..., UNITS], from shares [..., k-mers], times the known share [...]."""
        values = self.linear(self.dropout(standardised))
        bent, straight = values.split(UNITS // 2, dim=-1)
        return torch.cat([bent.relu(), straight], dim=-1) * weight[..., None]

    def forward(self, counts: Tensor) -> Tensor:
        counts = counts.float()
        weight = counts[..., :KINDS].sum(-1) / (self.bin_length - K + 1)
        units = self.units((self.shares(counts) - self.mean) / self.scale, weight)
        known = (weight @ self.members.T).clamp(min=FEWEST)
        return (self.members @ units / known[..., None]).flatten(1)


class Beside(nn.Module):
    """Networks with the same input; their outputs are concatenated."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, values: Tensor) -> Tensor:
        return torch.cat([network(values) for network in self.networks], dim=-1)


class Middle(nn.Module):
    """All bins [batch, bins, counts] except `skipped` at either end."""

    def __init__(self, skipped: int) -> None:
        super().__init__()
        self.skipped = skipped

    def forward(self, counts: Tensor) -> Tensor:
        return counts[:, self.skipped : counts.shape[1] - self.skipped]


class SpectraNetwork(nn.Module):
    """The network with one output for each mark; for the other parameters, see `StretchMeans`."""

    def __init__(
        self,
        marks: int,
        bin_length: int,
        stretches: Stretches,
        both_strands: bool,
        frames: bool = False,
    ) -> None:
        super().__init__()
        means = StretchMeans(bin_length, stretches, both_strands, frames)
        width = UNITS * len(stretches)
        counts: nn.Module = BinCounts(bin_length, means.reach)
        if frames:
            counts = Beside([counts, CodonCounts(bin_length, means.reach)])
        norm = nn.BatchNorm1d(width)
        hidden = nn.Sequential(*_hidden(width, HIDDEN[0]), *_hidden(*HIDDEN))
        layers = OrderedDict(counts=counts, stretches=means, norm=norm, hidden=hidden)
        self.encoder = nn.Sequential(layers)
        self.output = nn.Linear(HIDDEN[1], marks)

    @property
    def stretches(self) -> StretchMeans:
        """The layer that makes means over stretches of the counts."""
        layer = self.encoder[1]
        assert isinstance(layer, StretchMeans)
        return layer

    def counts_of(self, codes: Tensor) -> Tensor:
        """Counts of bins up to 255 bp, uint8 [n, bins, 256 or 384], of codes, uint8 [n, length]."""
        with torch.inference_mode():
            parts = codes.split(max(BASES_AT_ONCE // codes.shape[1], 1))
            return torch.cat([self.encoder[0](part).byte() for part in parts])

    def after_counts(self) -> nn.Sequential:
        """The layers after the counts, which are trained; the weights are shared."""
        return nn.Sequential(self.encoder[1:], self.output)

    def standardise_like(self, counts: Tensor) -> None:
        """Take mean and scale of the shares from counts of `counts_of`."""
        self.stretches.standardise_like(counts.flatten(0, 1))

    def forward(self, codes: Tensor) -> Tensor:
        """Logits [batch, marks] of codes, uint8 [batch, length] (A C G T N = 0 to 4)."""
        logits: Tensor = self.output(self.encoder(codes))
        return logits


def spectra(marks: int) -> SpectraNetwork:
    """The network of `histpred train --model spectra`: 10 kb on each side of the TSS."""
    return SpectraNetwork(marks, 200, AROUND_START, both_strands=False, frames=True)


def side_by_side(networks: Sequence[SpectraNetwork]) -> nn.Sequential:
    """An encoder that concatenates the last hidden layers of several networks.

    No network may reach farther than the first; all must have bins of the same length.
    """
    widest = networks[0].stretches
    members = []
    for network in networks:
        skipped = (widest.reach - network.stretches.reach) // widest.bin_length
        ahead = [Middle(skipped)] if skipped else []
        members.append(nn.Sequential(*ahead, *list(network.encoder)[1:]))
    both = OrderedDict(counts=networks[0].encoder[0], members=Beside(members))
    return copy.deepcopy(nn.Sequential(both)).eval()


def averaged(networks: Sequence[SpectraNetwork]) -> SpectraNetwork:
    """One network that gives the mean of the logits of several networks of the same shape."""
    wide = copy.deepcopy(networks[0])
    wide.encoder = side_by_side(networks)
    outputs = [network.output for network in networks]
    wide.output = nn.Linear(HIDDEN[1] * len(networks), outputs[0].out_features)
    with torch.no_grad():
        weights = torch.cat([output.weight for output in outputs], dim=1)
        wide.output.weight.copy_(weights / len(networks))
        wide.output.bias.copy_(torch.stack([output.bias for output in outputs]).mean(0))
    return wide.eval()


def mean_logits(members: Sequence[SpectraNetwork], embeddings: Tensor) -> Tensor:
    """The mean of the members' logits, [n, marks], from the embeddings of all members together."""
    with torch.inference_mode():
        logits: Tensor = averaged(members).output(embeddings)
        return logits


def nested(*lengths: int) -> list[tuple[int, int]]:
    """Stretches of these lengths (bp) centred on the locus.

    >>> nested(200, 600)
    [(-100, 100), (-300, 300)]
    """
    return [(-(length // 2), length - length // 2) for length in lengths]


def _hidden(wide: int, width: int) -> list[nn.Module]:
    return [nn.Linear(wide, width), nn.ReLU(), nn.BatchNorm1d(width), nn.Dropout(HIDDEN_DROPOUT)]
