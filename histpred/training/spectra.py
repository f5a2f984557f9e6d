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

For compact genomes, `frames` adds the codons of open reading frames on either strand, per bin: what
is not interrupted by a stop for `OPEN` codons is taken for coding, and marks of gene bodies follow
where genes lie.

A base that is not known (N) takes part in no 4-mer, and a bin weighs as its share of known 4-mers,
so that neither the number of N nor their place changes anything but what is missing. Where the two
strands are told apart, the window must lie 5' to 3'; where they are not, both strands of a window
give the same numbers.

The arrangement was found by experiment (see the card of human-promoter); nested spectra with
gradient boosting were the line to beat.
"""

from __future__ import annotations

import copy
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
TEN = 10
OPEN = TEN * TEN  # codons without a stop that make an open reading frame
CODONS = 64
STOPS = {"+": (b"TAA", b"TAG", b"TGA"), "-": (b"TTA", b"CTA", b"TCA")}
"""as read on '+'"""
FEWEST = 1e-3  # the weight below which a stretch has no known bases

Stretches = Sequence[tuple[int, int]]
"""From and to, in bp from the point; negative is 5' of it"""

AROUND_START = (
    *((-200, 0), (-600, 0), (-1_000, 0), (-2_000, 0), (0, 200), (0, 600), (0, 1_000), (0, 2_000)),
    *((-600, 600), (-1_000, 1_000), (-2_000, 2_000), (-5_000, 5_000), (-10_000, 10_000)),
)
"""bp from the TSS"""


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
        digits = digits_of(codes, self.reach)
        number = numbers_of(digits.reshape(-1, self.bin_length), K)
        return histogram(number, KINDS).view(len(codes), -1, KINDS)


class CodonCounts(nn.Module):
    """Codes as `BinCounts` takes them to counts of the codons that begin in each bin and lie in an
    open reading frame, float32 [batch, bins, 128]: those of '+', then those of '-', both as they
    read on '+', in the order AAA to TTT.
    """

    stops: Tensor

    def __init__(self, bin_length: int, reach: int) -> None:
        super().__init__()
        self.bin_length, self.reach = bin_length, reach
        stops = torch.zeros(CODONS + 1, len(STOPS))
        for strand, codons in enumerate(STOPS.values()):
            stops[[_number(codon) for codon in codons], strand] = 1
        stops[CODONS] = 1  # with an N
        self.register_buffer("stops", stops, persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        digits = digits_of(codes, self.reach)
        batch, length = digits.shape
        filled = functional.pad(digits, (0, 2), value=KINDS)
        codons = numbers_of(filled, 3)
        missing = -length % 3
        frames = functional.pad(codons, (0, missing), value=CODONS).view(batch, -1, 3)
        stops = functional.embedding(frames, self.stops).permute(0, 3, 2, 1).flatten(1, 2)
        closed = _highest_of_open(stops)  # by where a stretch begins: [batch, strands x frames, n]
        is_open = _highest_of_open(functional.pad(1 - closed, (OPEN - 1, OPEN - 1)))
        is_open = is_open.view(batch, len(STOPS), 3, -1).transpose(2, 3).flatten(2)[..., :length]
        counts = [
            histogram(
                torch.where(is_open[:, strand] > 0, codons, CODONS).view(-1, self.bin_length),
                CODONS,
            )
            for strand in range(len(STOPS))
        ]
        return torch.cat(counts, dim=1).view(batch, -1, len(STOPS) * CODONS)


def _highest_of_open(values: Tensor) -> Tensor:
    """The maximum of OPEN values from each on, [batch, rows, n] to [batch, rows, n - OPEN + 1]."""
    of_ten = functional.max_pool1d(values, TEN, stride=1)
    return functional.max_pool1d(of_ten, TEN, stride=1, dilation=TEN)


def digits_of(codes: Tensor, reach: int) -> Tensor:
    """The bases `reach` bp either side of the middle as numbers 0 to 3, int64 [batch, 2 x reach];
    N is 256, so that a k-mer with one has a number beyond all k-mers.
    """
    middle = codes.shape[1] // 2
    whole = functional.pad(codes, (reach, reach), value=4)
    digits = whole[:, middle : middle + 2 * reach].long()
    return torch.where(digits < 4, digits, KINDS)


def numbers_of(digits: Tensor, k: int) -> Tensor:
    """The number of the k-mer that begins at each base, int64 [rows, length - k + 1]; 4^k for one
    with an N.
    """
    last = digits.shape[1] - k + 1
    number = digits[:, :last]
    for i in range(1, k):
        number = number * 4 + digits[:, i : i + last]
    return number.clamp(max=4**k)


def histogram(numbers: Tensor, kinds: int) -> Tensor:
    """How often each of `kinds` numbers is in a row, float32 [rows, kinds]."""
    counts = torch.zeros(len(numbers), kinds + 1, device=numbers.device)
    counts.scatter_add_(1, numbers, torch.ones_like(numbers, dtype=counts.dtype))
    return counts[:, :kinds]


class StretchMeans(nn.Module):
    """Counts, float32 [batch, bins, 256 or, with codons, 384], to means over stretches of units of
    the bins, float32 [batch, stretches x UNITS].

    Parameters
    ----------
    bin_length
        bp.
    stretches
        In bp from the middle of the bins; each begins and ends between two bins.
    both_strands
        Whether a k-mer and its reverse complement are one.
    frames
        Whether there are codons behind the 4-mers.

    Raises
    ------
    ValueError
        For a stretch that cuts a bin.
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
                raise ValueError(f"{start} to {end} bp is no stretch of whole bins")
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
        """Take mean and scale of the shares from bins [n, 256 or 384] of which half or more is
        known.
        """
        known = counts[:, :KINDS].sum(1)
        shares = self.shares(counts[known * 2 >= self.bin_length - K + 1])
        if len(shares) > 1:
            self.mean.copy_(shares.mean(0))
            self.scale.copy_(shares.std(0) + 1e-5)

    def shares(self, counts: Tensor) -> Tensor:
        """Shares of the 1- to 4-mers of bins, [..., 256] to [..., k-mers]; of codons, [..., 384],
        behind them the share of the bin that each of them is.
        """
        four_mers, codons = counts[..., :KINDS], counts[..., KINDS:]
        shares = four_mers / four_mers.sum(-1, keepdim=True).clamp(min=1) @ self.fold
        return torch.cat([shares, codons * (3 / self.bin_length)], dim=-1)

    def units(self, standardised: Tensor, weight: Tensor) -> Tensor:
        """Weighted units [..., UNITS] of bins: their standardised shares [..., k-mers], and how
        much of each is known [...].
        """
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
    """Networks side by side on one input: what they give, one after the other."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, values: Tensor) -> Tensor:
        return torch.cat([network(values) for network in self.networks], dim=-1)


class Middle(nn.Module):
    """All bins but `skipped` at either end, [batch, bins, counts]."""

    def __init__(self, skipped: int) -> None:
        super().__init__()
        self.skipped = skipped

    def forward(self, counts: Tensor) -> Tensor:
        return counts[:, self.skipped : counts.shape[1] - self.skipped]


class SpectraNetwork(nn.Module):
    """The network with one output for each mark.

    Parameters
    ----------
    marks
        Number of marks.
    bin_length, stretches, both_strands, frames
        See `StretchMeans`.
    """

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
        self.encoder = nn.Sequential(
            OrderedDict(
                counts=counts,
                stretches=means,
                norm=nn.BatchNorm1d(width),
                hidden=nn.Sequential(*_hidden(width, HIDDEN[0]), *_hidden(*HIDDEN)),
            )
        )
        self.output = nn.Linear(HIDDEN[1], marks)

    def counts_of(self, codes: Tensor) -> Tensor:
        """What is counted in windows, uint8 [n, length]: uint8 [n, bins, 256 or 384]; no bin is
        longer than 255.
        """
        with torch.inference_mode():
            counts: Tensor = self.encoder[0](codes)
            return counts.byte()

    def after_counts(self) -> nn.Sequential:
        """The network behind what `counts_of` gives, sharing its weights: to train it, since the
        counts of a window never change.
        """
        return nn.Sequential(self.encoder[1:], self.output)

    def standardise_like(self, counts: Tensor) -> None:
        """Take the scale of the shares from what `counts_of` gives."""
        self.encoder[1].standardise_like(counts.flatten(0, 1).float())

    def forward(self, codes: Tensor) -> Tensor:
        """Logits [batch, marks] of codes, uint8 [batch, length] (A C G T N = 0 to 4)."""
        logits: Tensor = self.output(self.encoder(codes))
        return logits


def spectra(marks: int) -> SpectraNetwork:
    """The network of `histpred train --model spectra`: 10 kb to each side of the TSS in bins of
    200 bp, strands told apart, with reading frames.
    """
    return SpectraNetwork(marks, 200, AROUND_START, both_strands=False, frames=True)


def side_by_side(networks: Sequence[SpectraNetwork]) -> nn.Sequential:
    """An encoder that gives the last hidden layers of several networks one after the other; none
    may reach farther than the first, nor have bins of another length.
    """
    counts, widest = networks[0].encoder[:2]
    members = []
    for network in networks:
        skipped = (widest.reach - network.encoder[1].reach) // widest.bin_length
        ahead = [Middle(skipped)] if skipped else []
        members.append(nn.Sequential(*ahead, *network.encoder[1:]))
    both = OrderedDict(counts=counts, members=Beside(members))
    return copy.deepcopy(nn.Sequential(both)).eval()


def averaged(networks: Sequence[SpectraNetwork]) -> SpectraNetwork:
    """One network that gives the mean of the logits of several of one shape."""
    wide = copy.deepcopy(networks[0])
    wide.encoder = side_by_side(networks)
    outputs = [network.output for network in networks]
    wide.output = nn.Linear(HIDDEN[1] * len(networks), outputs[0].out_features)
    with torch.no_grad():
        weights = torch.cat([output.weight for output in outputs], dim=1)
        wide.output.weight.copy_(weights / len(networks))
        wide.output.bias.copy_(torch.stack([output.bias for output in outputs]).mean(0))
    return wide.eval()


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


def _number(word: bytes) -> int:
    return sum(4 ** (len(word) - 1 - i) * b"ACGT".index(base) for i, base in enumerate(word))


def _name(word: bytes, both_strands: bool) -> bytes:
    return min(word, reverse_complement(word)) if both_strands else word


def _hidden(wide: int, width: int) -> list[nn.Module]:
    return [nn.Linear(wide, width), nn.ReLU(), nn.BatchNorm1d(width), nn.Dropout(HIDDEN_DROPOUT)]
