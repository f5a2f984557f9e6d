"""Canonical k-mer spectra: how often each k-mer occurs in a sequence, both strands as one.

A k-mer and its reverse complement are one feature, so a sequence and its reverse complement have
one spectrum. Only k-mers without N count, and they are divided by their own number: N changes
nothing. Besides the whole sequence, spectra may be taken of central stretches of it. A stretch too
short or too full of N for any k-mer has a spectrum of zeros.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from histpred.encoders import Embedded

WHOLE = 0
LONGEST_K = 8  # 4^8 counters for each sequence and scale: beyond that a spectrum is mostly zeros
SLICE = 1 << 20  # bases and counters worked on at once: keeps memory flat however long the batch

NOT_A_BASE = 4
CODES = np.full(256, NOT_A_BASE, np.uint8)  # A C G T are 0 1 2 3: 3 - code is the complement
for _code, _base in enumerate(b"ACGT"):
    CODES[_base] = _code


class KmerEncoder:
    """Spectra of central stretches of a sequence, then of the whole, and within each k by k.

    Parameters
    ----------
    k
        Lengths of the k-mers counted over the whole sequence, 1 to 8.
    centres
        Lengths of central stretches in bp, each with the lengths of the k-mers counted there.

    Attributes
    ----------
    dimension : int
        Features in all; 2, 10, 32, 136, 512 for k of 1 to 5 in one stretch.
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
            if (
                not lengths
                or len(set(lengths)) < len(lengths)
                or any(not 1 <= length <= LONGEST_K for length in lengths)
            ):
                raise ValueError(
                    f"k must be different lengths of 1 to {LONGEST_K}, found {lengths}"
                )

        counted = [length for _, lengths in self.stretches for length in lengths]
        self._longest = max(counted)
        self._strands = {length: _both_strands(length) for length in counted}
        self.dimension = sum(self._strands[length][0].size for length in counted)

    def embed(self, pieces: Sequence[bytes]) -> Embedded:
        """The spectra; a token is a base."""
        bases = [len(piece) - piece.count(b"N") for piece in pieces]
        return Embedded(self.spectra(pieces), np.array(bases, np.int64))

    def spectra(self, sequences: Sequence[bytes]) -> np.ndarray:
        """The spectra, float32 [n, dimension]."""
        spectra = np.zeros((len(sequences), self.dimension), np.float32)
        for first, last in self._slices(sequences):
            batch = sequences[first:last]
            spectra[first:last] = np.hstack(
                [
                    self._fold(length, counts)
                    for centre, k in self.stretches
                    for length, counts in count_kmers([_central(s, centre) for s in batch], k)
                ]
            )
        return spectra

    def _fold(self, length: int, counts: np.ndarray) -> np.ndarray:
        """Counts [n, 4^k] of one strand to frequencies [n, canonical k-mers]."""
        forward, reverse = self._strands[length]
        canonical = counts[:, forward] + np.where(forward == reverse, 0, counts[:, reverse])
        frequencies: np.ndarray = canonical / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        return frequencies

    def _slices(self, sequences: Sequence[bytes]) -> Iterator[tuple[int, int]]:
        """Index ranges of about SLICE bases and counters each, at least one sequence long."""
        first, size = 0, 0
        for i, sequence in enumerate(sequences):
            size += len(sequence) + 4**self._longest
            if size >= SLICE:
                yield first, i + 1
                first, size = i + 1, 0
        if first < len(sequences):
            yield first, len(sequences)


def from_settings(
    settings: Mapping[str, object],
    directory: Path | None = None,
    device: str = "cpu",
    precision: str = "auto",
) -> KmerEncoder:
    """The encoder of a bundle's settings, `k` and, if any, `centres`; it has no files, and runs on
    the CPU whatever the device of the scorer.

    In JSON, {"k": [1, 2, 3, 4], "centres": {"400": [1, 2, 3]}}.
    """
    unknown = set(settings) - {"k", "centres"}
    if unknown or "k" not in settings:
        raise ValueError(f"settings are 'k' and 'centres', found {sorted(settings)}")

    centres = settings.get("centres", {})
    if not isinstance(centres, dict) or not all(str(centre).isdecimal() for centre in centres):
        raise ValueError(f"settings: 'centres' must map lengths in bp to k, found {centres}")
    return KmerEncoder(
        _whole_numbers(settings["k"]),
        {int(centre): _whole_numbers(k) for centre, k in centres.items()},
    )


def _whole_numbers(value: object) -> list[int]:
    if not isinstance(value, list) or any(type(number) is not int for number in value):
        raise ValueError(f"settings: k must be a list of whole numbers, found {value}")
    return value


def count_kmers(sequences: Sequence[bytes], lengths: Sequence[int]) -> list[tuple[int, np.ndarray]]:
    """Each k of `lengths` with its counts, int64 [n, 4^k]: AA.. first, TT.. last, none across an N.

    The sequences are joined, an N after each, and counted block by block of k-mer starts.
    """
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


def _both_strands(length: int) -> tuple[np.ndarray, np.ndarray]:
    """The canonical k-mers (the smaller of the two strands) and their reverse complements, as
    codes.
    """
    kmers = np.arange(4**length)
    reverse = np.zeros_like(kmers)
    rest = kmers.copy()
    for _ in range(length):
        reverse = reverse * 4 + 3 - rest % 4
        rest //= 4

    canonical = kmers[kmers <= reverse]
    return canonical, reverse[canonical]


def _central(sequence: bytes, centre: int) -> bytes:
    """The central `centre` bp, one more where only that is symmetric; all of a shorter sequence."""
    shave = max(len(sequence) - centre, 0) // 2 if centre != WHOLE else 0
    return sequence[shave : len(sequence) - shave]
