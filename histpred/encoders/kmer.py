"""Canonical k-mer spectra: how often each k-mer occurs in a sequence, both strands together.

The number of a k-mer is its bases as digits to the base 4 (A C G T = 0 1 2 3), the first base most
significant; every count of k-mers in histpred is in this order. A k-mer and its reverse complement
are one feature, so a sequence and its reverse complement have the same spectrum. K-mers with an N
are not counted, and counts are divided by the number of counted k-mers: zeros if there are none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from histpred.encoders import Embedded
from histpred.encoders.chunks import bases

WHOLE = 0
LONGEST_K = 8  # 4^8 counters per sequence and stretch; of longer k-mers most counts are zero
SLICE = 1 << 20  # bases and counters processed at once: keeps memory flat for any batch

NOT_A_BASE = 4
CODES = np.full(256, NOT_A_BASE, np.uint8)  # A C G T are 0 1 2 3: 3 - code is the complement
CODES[list(b"ACGT")] = range(4)
_DIGITS = bytes.maketrans(b"ACGT", b"0123")


class KmerEncoder:
    """Spectra of central stretches of a sequence, then of all of it; in each, one k after another.

    k: lengths of the k-mers counted over the whole sequence, 1 to 8. centres: bp of each central
    stretch, and the lengths of its k-mers. There are 2, 10, 32, 136, 512 features for k of 1 to 5.
    """

    longest = None
    chunks_at_once = 512
    device, precision = "cpu", "fp32"
    files: tuple[Path, ...] = ()

    def __init__(
        self, k: Sequence[int], centres: Mapping[int, Sequence[int]] | None = None
    ) -> None:
        self.stretches = [*(centres or {}).items(), (WHOLE, k)]
        if centres and min(centres) < 1:
            raise ValueError(f"centres must be 1 bp or more, found {min(centres)}")
        for _, lengths in self.stretches:
            usable = set(lengths).intersection(range(1, LONGEST_K + 1))
            if not lengths or len(usable) < len(lengths):
                raise ValueError(
                    f"k must be different lengths of 1 to {LONGEST_K}, found {lengths}"
                )
        counted = [length for _, lengths in self.stretches for length in lengths]
        self._longest = max(counted)
        self.dimension = sum(canonical_kmers(length)[0].size for length in counted)

    def embed(self, chunks: Sequence[bytes]) -> Embedded:
        """Spectra of chunks; a token is a base."""
        tokens = np.array([bases(chunk) for chunk in chunks], np.int64)
        return Embedded(self.spectra(chunks), tokens)

    def spectra(self, sequences: Sequence[bytes]) -> np.ndarray:
        """Spectra, float32 [n, dimension]."""
        spectra = np.zeros((len(sequences), self.dimension), np.float32)
        # Slices of about SLICE bases and counters
        ends = np.cumsum([len(sequence) + 4**self._longest for sequence in sequences])
        edges = np.flatnonzero(np.diff(ends // SLICE)) + 1
        for first, last in pairwise(sorted({0, *edges.tolist(), len(sequences)})):
            columns = []
            for centre, k in self.stretches:
                stretches = [_central(sequence, centre) for sequence in sequences[first:last]]
                for length, counts in count_kmers(stretches, k):
                    total = np.maximum(counts.sum(axis=1, keepdims=True), 1)
                    columns.append(canonical_counts(length, counts) / total)
            spectra[first:last] = np.hstack(columns)
        return spectra


def from_settings(
    settings: Mapping[str, object], directory: Path, device: str, precision: str
) -> KmerEncoder:
    """Build the encoder from a bundle's settings: `k` and, optionally, `centres`.

    In JSON: {"k": [1, 2, 3, 4], "centres": {"400": [1, 2, 3]}}. The encoder has no files and always
    runs on the CPU. Raises ValueError for other settings.
    """
    unknown = set(settings) - {"k", "centres"}
    if unknown or "k" not in settings:
        raise ValueError(f"settings are 'k' and 'centres', found {sorted(settings)}")
    centres = settings.get("centres", {})
    if not isinstance(centres, dict) or not all(str(centre).isdecimal() for centre in centres):
        raise ValueError(f"settings: 'centres' must map lengths in bp to k, found {centres}")
    stretches = {int(centre): _whole_numbers(k) for centre, k in centres.items()}
    return KmerEncoder(_whole_numbers(settings["k"]), stretches)


def _whole_numbers(value: object) -> list[int]:
    if not isinstance(value, list) or any(type(number) is not int for number in value):
        raise ValueError(f"settings: k must be a list of whole numbers, found {value}")
    return value


def count_kmers(sequences: Sequence[bytes], lengths: Sequence[int]) -> list[tuple[int, np.ndarray]]:
    """Count the k-mers without N: each k of `lengths` with its counts, int64 [n, 4^k]."""
    joined = np.frombuffer(b"".join(sequence + b"N" for sequence in sequences), np.uint8)
    edges = np.cumsum([0, *(len(sequence) + 1 for sequence in sequences)])
    counts = {k: np.zeros(len(sequences) * 4**k, np.int64) for k in lengths}
    longest = max(lengths)
    for start in range(0, len(joined), SLICE):
        stop = min(start + SLICE, len(joined))
        rows = np.repeat(np.arange(len(sequences)), np.diff(np.clip(edges, start, stop)))
        codes = CODES[joined[start : stop + longest - 1]]
        real = codes < NOT_A_BASE
        kmers, valid = codes.astype(np.uint16), real
        for k in range(1, longest + 1):
            if k > 1:
                kmers = kmers[:-1] * 4 + codes[k - 1 :]
                valid = valid[:-1] & real[k - 1 :]
            if k in counts:
                starts = min(len(kmers), len(rows))
                bins = rows[:starts] * 4**k + kmers[:starts]
                counts[k] += np.bincount(bins[valid[:starts]], minlength=len(counts[k]))
    return [(k, counts[k].reshape(len(sequences), -1)) for k in lengths]


def number_of(kmer: bytes) -> int:
    """Number of a k-mer without N.

    >>> number_of(b"AAC"), number_of(b"TTT")
    (1, 63)
    """
    return int(kmer.translate(_DIGITS), 4)


@cache
def canonical_kmers(length: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the canonical k-mers, the smaller of both strands, and of their complements."""
    kmers = np.arange(4**length)
    reverse = np.zeros_like(kmers)
    for digit in range(length):
        reverse = reverse * 4 + 3 - kmers // 4**digit % 4
    canonical = kmers[kmers <= reverse]
    return canonical, reverse[canonical]


def canonical_counts(length: int, counts: np.ndarray) -> np.ndarray:
    """Add up both strands: counts [n, 4^k] of one strand to counts [n, canonical k-mers]."""
    forward, reverse = canonical_kmers(length)
    both: np.ndarray = counts[:, forward] + np.where(forward == reverse, 0, counts[:, reverse])
    return both


def canonical_columns(length: int) -> np.ndarray:
    """Position of each k-mer, or of its reverse complement, among the canonical ones, int [4^k]."""
    columns = np.empty(4**length, int)
    for numbers in canonical_kmers(length):
        columns[numbers] = np.arange(len(numbers))
    return columns


def _central(sequence: bytes, centre: int) -> bytes:
    """The central `centre` bp, or one bp more if only that is symmetric; all if it is shorter."""
    shave = max(len(sequence) - centre, 0) // 2 if centre != WHOLE else 0
    return sequence[shave : len(sequence) - shave]
