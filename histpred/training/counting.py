"""K-mers and codons of bins, counted by torch on codes (A C G T N = 0 to 4).

A k-mer's number is the one that `histpred.encoders.kmer` defines. A k-mer with an N has the number
4^k, which is counted and then dropped. `histpred.encoders.bins` counts the same with numpy.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from histpred.encoders.bins import CODONS, KINDS, OPEN, STOPS, K
from histpred.encoders.kmer import canonical_columns, number_of

TEN = 10  # OPEN is its square


class BinCounts(nn.Module):
    """Codes, uint8 [batch, length], to counts of 4-mers, float32 [batch, bins, 256].

    The order is AAAA, AAAC to TTTT. The bins cover `reach` bp on either side of the codes' middle
    (length // 2). Where the codes do not reach that far, the bases are N; bases beyond the reach
    are not read.
    """

    def __init__(self, bin_length: int, reach: int) -> None:
        super().__init__()
        self.bin_length, self.reach = bin_length, reach

    def forward(self, codes: Tensor) -> Tensor:
        digits = digits_of(codes, self.reach)
        number = numbers_of(digits.reshape(-1, self.bin_length), K)
        return histogram(number, KINDS).view(len(codes), -1, KINDS)


class CodonCounts(nn.Module):
    """Codes to counts of the codons of open reading frames, float32 [batch, bins, 128].

    A codon counts in the bin where it begins. Codons of '+' come first, then those of '-', both as
    they read on '+', in the order AAA to TTT. Codes and bins are as for `BinCounts`.
    """

    stops: Tensor

    def __init__(self, bin_length: int, reach: int) -> None:
        super().__init__()
        self.bin_length, self.reach = bin_length, reach
        stops = torch.zeros(CODONS + 1, len(STOPS))
        for strand, codons in enumerate(STOPS.values()):
            stops[[number_of(codon) for codon in codons], strand] = 1
        stops[CODONS] = 1  # a codon with an N
        self.register_buffer("stops", stops, persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        digits = digits_of(codes, self.reach)
        batch, length = digits.shape
        filled = functional.pad(digits, (0, 2), value=KINDS)
        codons = numbers_of(filled, 3)
        missing = -length % 3
        frames = functional.pad(codons, (0, missing), value=CODONS).view(batch, -1, 3)
        stops = functional.embedding(frames, self.stops).permute(0, 3, 2, 1).flatten(1, 2)
        closed = _highest_of_open(stops)  # by first codon: [batch, strands x frames, n]
        is_open = _highest_of_open(functional.pad(1 - closed, (OPEN - 1, OPEN - 1)))
        is_open = is_open.view(batch, len(STOPS), 3, -1).transpose(2, 3).flatten(2)[..., :length]
        inside = (torch.where(row > 0, codons, CODONS) for row in is_open.unbind(1))
        counts = [histogram(row.view(-1, self.bin_length), CODONS) for row in inside]
        return torch.cat(counts, dim=1).view(batch, -1, len(STOPS) * CODONS)


def _highest_of_open(values: Tensor) -> Tensor:
    """Maximum of OPEN consecutive values: [batch, rows, n] to [batch, rows, n - OPEN + 1]."""
    of_ten = functional.max_pool1d(values, TEN, stride=1)
    return functional.max_pool1d(of_ten, TEN, stride=1, dilation=TEN)


def digits_of(codes: Tensor, reach: int) -> Tensor:
    """Bases within `reach` bp of the middle as numbers 0 to 3, int64 [batch, 2 x reach].

    N is 256, so that the number of a k-mer with an N is larger than that of any k-mer.
    """
    middle = codes.shape[1] // 2
    whole = functional.pad(codes, (reach, reach), value=4)
    digits = whole[:, middle : middle + 2 * reach].long()
    return torch.where(digits < 4, digits, KINDS)


def numbers_of(digits: Tensor, k: int) -> Tensor:
    """Number of the k-mer that begins at each base, int64 [rows, length - k + 1]; 4^k with an N."""
    last = digits.shape[1] - k + 1
    number = digits[:, :last]
    for i in range(1, k):
        number = number * 4 + digits[:, i : i + last]
    return number.clamp(max=4**k)


def histogram(numbers: Tensor, kinds: int) -> Tensor:
    """How often each of `kinds` numbers occurs in a row, float32 [rows, kinds]."""
    counts = torch.zeros(len(numbers), kinds + 1, device=numbers.device)
    counts.scatter_add_(1, numbers, torch.ones_like(numbers, dtype=counts.dtype))
    return counts[:, :kinds]


def fold_of(both_strands: bool) -> Tensor:
    """Matrix from shares of 4-mers to shares of 1- to 4-mers, float32 [256, k-mers].

    A k-mer counts wherever it lies within a 4-mer. With `both_strands`, a k-mer and its reverse
    complement share a column.
    """
    four_mers = np.arange(KINDS)
    parts = []
    for k in range(1, K + 1):
        column = canonical_columns(k) if both_strands else np.arange(4**k)
        counts = np.zeros((KINDS, column.max() + 1))
        for behind in range(K - k + 1):  # bases of the 4-mer behind the k-mer
            np.add.at(counts, (four_mers, column[four_mers // 4**behind % 4**k]), 1)
        parts.append(counts / (K - k + 1))
    return torch.from_numpy(np.hstack(parts)).float()
