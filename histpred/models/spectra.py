"""A small network over k-mer spectra in nested stretches around a point: bases to marks.

The window's middle is the point. Its bases are cut into bins; in each, the 4-mers that lie wholly
inside are counted, and with them the shares of all 1- to 4-mers are known. One linear layer, the
same for every bin, makes `UNITS` numbers of the shares, half of them through a ReLU: a bin is seen
as what it is (a CpG island, say) before anything is averaged. Then come means over stretches of
bins around the point, a perceptron, and a linear layer with a logit for each mark.

| part      | layers                                                | gives             |
|-----------|-------------------------------------------------------|-------------------|
| counts    | 4-mers of each bin                                    | bins x 256        |
| stretches | dropout, linear, half of it ReLU; means over bins     | stretches x UNITS |
| norm      | batch norm                                            | stretches x UNITS |
| hidden    | 2 x linear, ReLU, batch norm, dropout                 | 64                |
| output    | linear                                                | marks             |

A base that is not known (N) takes part in no 4-mer, and a bin weighs as its share of known 4-mers,
so that neither the number of N nor their place changes anything but what is missing. Where the two
strands are told apart, the window must lie 5' to 3'; where they are not, both strands of a window
give the same numbers.

The arrangement was found by experiment (see the card of human-promoter); nested spectra with
gradient boosting were the line to beat.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional

from histpred.core.sequence import reverse_complement

K = 4
KINDS = 4**K
UNITS = 64
HIDDEN = (128, 64)
INPUT_DROPOUT = HIDDEN_DROPOUT = 0.3
FEWEST = 1e-3  # the weight below which a stretch has no known bases

Stretches = Sequence[tuple[int, int]]
"""From and to, in bp from the point; negative is 5' of it"""


class BinCounts(nn.Module):
    """Codes, uint8 [batch, length] (A C G T N = 0 to 4), to counts of 4-mers, float32 [batch, bins,
    256], in the order AAAA, AAAC to TTTT.

    The bins cover `reach` bp either side of the codes' middle (length // 2); what the codes do not
    reach is N, what lies beyond is not read.
    """

    def __init__(self, bin_length: int, reach: int) -> None:
        super().__init__()
        self.bin_length, self.reach = bin_length, reach

    def forward(self, codes: Tensor) -> Tensor:
        middle = codes.shape[1] // 2
        whole = functional.pad(codes, (self.reach, self.reach), value=4)
        rows = whole[:, middle : middle + 2 * self.reach].reshape(-1, self.bin_length).long()
        rows = torch.where(rows < 4, rows, KINDS)  # one N makes a number beyond all 4-mers
        last = self.bin_length - K + 1
        number = rows[:, :last]
        for i in range(1, K):
            number = number * 4 + rows[:, i : i + last]
        number = number.clamp(max=KINDS)
        counts = torch.zeros(len(rows), KINDS + 1, device=codes.device)
        counts.scatter_add_(1, number, torch.ones_like(number, dtype=counts.dtype))
        return counts[:, :KINDS].view(len(codes), -1, KINDS)


class StretchMeans(nn.Module):
    """Counts, float32 [batch, bins, 256], to means over stretches of units of the bins, float32
    [batch, stretches x UNITS].

    Parameters
    ----------
    bin_length
        bp.
    stretches
        In bp from the middle of the bins; each begins and ends between two bins.
    both_strands
        Whether a k-mer and its reverse complement are one.

    Raises
    ------
    ValueError
        For a stretch that cuts a bin.
    """

    fold: Tensor
    members: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, bin_length: int, stretches: Stretches, both_strands: bool) -> None:
        super().__init__()
        self.bin_length, self.stretches = bin_length, tuple(stretches)
        self.reach = max(max(-start, end) for start, end in stretches)
        members = torch.zeros(len(self.stretches), 2 * self.reach // bin_length)
        for row, (start, end) in enumerate(self.stretches):
            bins = [(self.reach + place) / bin_length for place in (start, end, self.reach)]
            if not all(number.is_integer() for number in bins) or start >= end:
                raise ValueError(f"{start} to {end} bp is no stretch of whole bins")
            members[row, int(bins[0]) : int(bins[1])] = 1
        fold = fold_of(both_strands)
        self.register_buffer("fold", fold, persistent=False)
        self.register_buffer("members", members, persistent=False)
        self.register_buffer("mean", torch.zeros(fold.shape[1]))
        self.register_buffer("scale", torch.ones(fold.shape[1]))
        self.dropout = nn.Dropout(INPUT_DROPOUT)
        self.linear = nn.Linear(fold.shape[1], UNITS)

    def standardise_like(self, counts: Tensor) -> None:
        """Take mean and scale of the shares from bins [n, 256] of which half or more is known."""
        known = counts.sum(1)
        shares = self.shares(counts[known * 2 >= self.bin_length - K + 1])
        if len(shares) > 1:
            self.mean.copy_(shares.mean(0))
            self.scale.copy_(shares.std(0) + 1e-5)

    def shares(self, counts: Tensor) -> Tensor:
        """Shares of the 1- to 4-mers of bins, [..., 256] to [..., k-mers]."""
        return counts / counts.sum(-1, keepdim=True).clamp(min=1) @ self.fold

    def units(self, standardised: Tensor, weight: Tensor) -> Tensor:
        """Weighted units [..., UNITS] of bins: their standardised shares [..., k-mers], and how
        much of each is known [...].
        """
        values = self.linear(self.dropout(standardised))
        bent, straight = values.split(UNITS // 2, dim=-1)
        return torch.cat([bent.relu(), straight], dim=-1) * weight[..., None]

    def forward(self, counts: Tensor) -> Tensor:
        weight = counts.sum(-1) / (self.bin_length - K + 1)
        units = self.units((self.shares(counts) - self.mean) / self.scale, weight)
        known = (weight @ self.members.T).clamp(min=FEWEST)
        return (self.members @ units / known[..., None]).flatten(1)


class Beside(nn.Module):
    """Networks side by side on one input: their outputs one after the other."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, values: Tensor) -> Tensor:
        return torch.cat([network(values) for network in self.networks], dim=1)


class SpectraNetwork(nn.Module):
    """The network with one output for each mark.

    Parameters
    ----------
    marks
        Number of marks.
    bin_length, stretches, both_strands
        See `StretchMeans`.
    """

    def __init__(
        self, marks: int, bin_length: int, stretches: Stretches, both_strands: bool
    ) -> None:
        super().__init__()
        means = StretchMeans(bin_length, stretches, both_strands)
        width = UNITS * len(stretches)
        self.encoder = nn.Sequential(
            OrderedDict(
                counts=BinCounts(bin_length, means.reach),
                stretches=means,
                norm=nn.BatchNorm1d(width),
                hidden=nn.Sequential(*_hidden(width, HIDDEN[0]), *_hidden(*HIDDEN)),
            )
        )
        self.output = nn.Linear(HIDDEN[1], marks)

    def standardise_like(self, codes: Tensor) -> None:
        """Take the scale of the shares from windows, uint8 [n, length]."""
        counts, means = self.encoder[0], self.encoder[1]
        means.standardise_like(counts(codes).flatten(0, 1))

    def forward(self, codes: Tensor) -> Tensor:
        """Logits [batch, marks] of codes, uint8 [batch, length] (A C G T N = 0 to 4)."""
        logits: Tensor = self.output(self.encoder(codes))
        return logits


def nested(*lengths: int) -> list[tuple[int, int]]:
    """Stretches of these lengths (bp) that have the point in their middle.

    >>> nested(200, 600)
    [(-100, 100), (-300, 300)]
    """
    return [(-(length // 2), length - length // 2) for length in lengths]


def fold_of(both_strands: bool) -> Tensor:
    """From shares of 4-mers to shares of 1- to 4-mers, float32 [256, k-mers].

    A k-mer counts wherever it lies within a 4-mer. With `both_strands`, a k-mer and its reverse
    complement share a column.
    """
    columns = []
    words = [bytes(word) for word in product(b"ACGT", repeat=K)]
    for k in range(1, K + 1):
        names = sorted({_name(bytes(word), both_strands) for word in product(b"ACGT", repeat=k)})
        column = torch.zeros(KINDS, len(names))
        for row, word in enumerate(words):
            for start in range(K - k + 1):
                name = _name(word[start : start + k], both_strands)
                column[row, names.index(name)] += 1 / (K - k + 1)
        columns.append(column)
    return torch.cat(columns, dim=1)


def _name(word: bytes, both_strands: bool) -> bytes:
    return min(word, reverse_complement(word)) if both_strands else word


def _hidden(wide: int, width: int) -> list[nn.Module]:
    return [nn.Linear(wide, width), nn.ReLU(), nn.BatchNorm1d(width), nn.Dropout(HIDDEN_DROPOUT)]
