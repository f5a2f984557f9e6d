"""Counts of k-mers and codons in bins of DNA, and sums over stretches of bins, with numpy.

Codes are A C G T N = 0 to 4. The numbers of k-mers are those of `histpred.encoders.kmer`; the same
counts on torch, for training, are in `histpred.training.counting`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from histpred.encoders.kmer import NOT_A_BASE, canonical_columns, number_of
from histpred.encoders.onnx import codes_of

K = 4
KINDS = 4**K
OPEN = 100  # codons without a stop that make an open reading frame
CODONS = 64
BASES_AT_ONCE = 30_000  # so that their 64-bit numbers fit into the cache of a core
PLACES = 1 << 16  # that 16-bit numbers tell apart
STOPS = {"+": (b"TAA", b"TAG", b"TGA"), "-": (b"TTA", b"CTA", b"TCA")}
"""Stop codons of each strand, as read on '+'."""


def four_mer_columns(both_strands: bool) -> np.ndarray:
    """The column of each 4-mer, int [256]; with `both_strands`, shared with its complement."""
    return canonical_columns(K) if both_strands else np.arange(KINDS)


def count_four_mers(codes: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Counts of the 4-mers that lie wholly in a bin, float32 [bins, columns].

    codes: uint8 [bins, length]. columns: see `four_mer_columns`. 4-mers with an N do not count.
    """
    counts = np.empty((len(codes), int(columns.max()) + 1), np.float32)
    at_once = max(1, min(BASES_AT_ONCE // codes.shape[1], PLACES // (counts.shape[1] + 1)))
    for start in range(0, len(codes), at_once):
        some = codes[start : start + at_once]
        counts[start : start + len(some)] = _count(some, columns, counts.shape[1])
    return counts


def _count(codes: np.ndarray, columns: np.ndarray, width: int) -> np.ndarray:
    """The counts of a few bins."""
    bins, length = codes.shape
    # numpy multiplies bytes faster than it shifts them. What an N makes of a number is not used.
    bases = codes.ravel()
    pairs = bases[:-1] * np.uint8(4) + bases[1:]
    number = np.zeros(len(bases), np.uint8)
    number[: 1 - K] = pairs[:-2] * np.uint8(16) + pairs[2:]
    if width < KINDS:
        table = columns.astype(np.uint8).tobytes()
        number = np.frombuffer(bytearray(number).translate(table), np.uint8)
    # Behind the columns of each bin is one for what does not count.
    first = np.arange(0, bins * (width + 1), width + 1, dtype=np.uint16)[:, None]
    found = number.reshape(codes.shape)[:, : length - K + 1] + first
    unknown = codes >= NOT_A_BASE
    if unknown.any():
        parts = [unknown[:, i : length - K + 1 + i] for i in range(K)]
        np.copyto(found, first + np.uint16(width), where=np.logical_or.reduce(parts))
    counts = np.bincount(found.ravel(), minlength=bins * (width + 1))
    return counts.reshape(-1, width + 1)[:, :-1]


def count_codons(codes: np.ndarray, bin_length: int) -> np.ndarray:
    """Counts of the codons of open reading frames, float32 [windows, bins, 128].

    codes: uint8 [windows, length]. A codon counts in the bin where it begins. Codons of '+' come
    first, then those of '-', both as they read on '+'. A frame ends where the codes end.
    """
    windows, length = codes.shape
    thirds, bins = -(-length // 3), length // bin_length
    filled = np.full((windows, 3 * thirds + 2), NOT_A_BASE, np.uint8)
    filled[:, :length] = codes
    first, second, third = (filled[:, i : i + 3 * thirds] for i in range(3))
    number = first << 4 | second << 2 | third
    number[(first | second | third) >= NOT_A_BASE] = CODONS
    counts = np.zeros((windows * bins, len(STOPS) * CODONS), np.float32)
    for strand, stops in enumerate(STOPS.values()):
        is_stop = np.zeros(CODONS + 1, bool)
        is_stop[[CODONS, *map(number_of, stops)]] = True
        closed = np.ones((windows, 3, thirds + 1), bool)
        closed[..., 1:] = is_stop[number].reshape(windows, thirds, 3).swapaxes(1, 2)
        is_open = _long_runs(closed.ravel()).reshape(closed.shape)[..., 1:]
        window, place = np.nonzero(is_open.swapaxes(1, 2).reshape(windows, -1))
        row = window * bins + place // bin_length
        found = np.bincount(row * CODONS + number[window, place], minlength=len(counts) * CODONS)
        counts[:, strand * CODONS : (strand + 1) * CODONS] = found.reshape(-1, CODONS)
    return counts.reshape(windows, bins, -1)


def sums_over(values: np.ndarray, stretches: np.ndarray) -> np.ndarray:
    """Sums of values [windows, bins, width] over stretches, float64 [windows, stretches, width]."""
    edges, numbers = np.unique(stretches, return_inverse=True)
    starts, ends = numbers.reshape(stretches.shape).T
    running = np.zeros((len(values), len(edges), values.shape[2]))
    for number, (left, right) in enumerate(pairwise(edges), 1):
        between = values[:, left:right].sum(axis=1)
        np.add(running[:, number - 1], between, out=running[:, number])
    found: np.ndarray = running[:, ends] - running[:, starts]
    return found


def bins_inside(stretches: np.ndarray, bins: int) -> np.ndarray:
    """1 where a bin lies in a stretch, else 0; float64 [stretches, bins]."""
    places = np.arange(bins)
    inside = (stretches[:, :1] <= places) & (places < stretches[:, 1:])
    return inside.astype(float)


def changed_bins(
    own: np.ndarray, copies: Sequence[tuple[int, bytes]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The bins of copies of a sequence that have other bases.

    own: its codes, uint8 [bins, length]. copies: where the bases (ACGTN) of each begin that replace
    as many; those outside the sequence are left out. Returns the number of the copy, ascending, and
    the bin, int [n] each, and the codes of the bin, uint8 [n, length].
    """
    length = own.shape[1]
    starts = np.array([max(0, place) for place, _ in copies], int)
    read = [bases[max(0, -place) : max(0, own.size - place)] for place, bases in copies]
    lengths = np.array([len(bases) for bases in read], int)
    first = starts // length
    many = np.where(lengths > 0, (starts + lengths - 1) // length - first + 1, 0)
    before = np.cumsum(many) - many
    numbers = np.repeat(np.arange(len(copies)), many)
    bins = first[numbers] + np.arange(len(numbers)) - before[numbers]
    codes = own[bins]
    copy = np.repeat(np.arange(len(copies)), lengths)
    place = np.arange(len(copy)) - (np.cumsum(lengths) - lengths)[copy] + starts[copy]
    row = before[copy] + place // length - first[copy]
    codes[row, place % length] = codes_of([b"".join(read)], len(copy))[0]
    differ = (codes != own[bins]).any(axis=1)
    return numbers[differ], bins[differ], codes[differ]


def _long_runs(closed: np.ndarray) -> np.ndarray:
    """True where a value lies in a run of OPEN or more that are not closed; the first is closed."""
    ends = np.append(np.flatnonzero(closed), len(closed))
    is_open = np.zeros(len(closed), bool)
    for run in np.flatnonzero(np.diff(ends) > OPEN):
        is_open[ends[run] + 1 : ends[run + 1]] = True
    return is_open
