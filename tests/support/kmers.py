"""Random sequences and their k-mers, found one by one; shares no code with histpred."""

from __future__ import annotations

import numpy as np


def random_sequences(count: int, length: int, seed: int = 0) -> list[bytes]:
    """Sequences with runs of N in the first two, one run longer than a bin."""
    rng = np.random.default_rng(seed)
    bases = rng.choice(np.frombuffer(b"ACGT", np.uint8), (count, length))
    bases[0, : length // 3] = ord("N")
    bases[1, length // 2 : length // 2 + 3] = ord("N")
    return [row.tobytes() for row in bases]


def words(sequence: bytes, k: int) -> list[bytes]:
    """All k-mers of a sequence, those with N included."""
    return [sequence[i : i + k] for i in range(len(sequence) - k + 1)]


def all_words(k: int) -> list[bytes]:
    """All k-mers over A, C, G and T, in alphabetical order."""
    shorter = [b""] if k == 1 else all_words(k - 1)
    return [word + bytes([base]) for word in shorter for base in b"ACGT"]
