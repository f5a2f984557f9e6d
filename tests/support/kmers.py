"""Random sequences and their k-mers, found one by one; shares no code with histpred."""

from __future__ import annotations

from collections.abc import Sequence

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


def open_codons(sequence: bytes, bin_length: int, least: int) -> np.ndarray:
    """Codons in runs of `least` or more without a stop or N, by bin and strand: [bins, 128]."""
    counts = np.zeros((len(sequence) // bin_length, 128))
    names = all_words(3)
    for strand, stops in enumerate([(b"TAA", b"TAG", b"TGA"), (b"TTA", b"CTA", b"TCA")]):
        for frame in range(3):
            run: list[int] = []
            for place in [*range(frame, len(sequence) - 2, 3), None]:
                codon = sequence[place : place + 3] if place is not None else b"N"
                if codon not in stops and b"N" not in codon:
                    run.append(place)
                    continue
                for inside in run if len(run) >= least else []:
                    kind = 64 * strand + names.index(sequence[inside : inside + 3])
                    counts[inside // bin_length, kind] += 1
                run = []
    return counts


def with_open_frames(length: int, codons: Sequence[int]) -> list[bytes]:
    """Random sequences that hold so many codons without a stop, on either strand."""
    rng = np.random.default_rng(1)
    every = [word for word in all_words(3) if word not in (b"TAA", b"TAG", b"TGA")]
    complement = bytes.maketrans(b"ACGT", b"TGCA")
    sequences = []
    for count in codons:
        middle = b"TAA" + b"".join(rng.choice(every, count)) + b"TAGNTGA"
        around = bytes(rng.choice(list(b"AATTTGC"), length).tolist())
        start = int(rng.integers(50, length - len(middle) - 50))
        sequence = (around[:start] + middle + around[start:])[:length]
        sequences += [sequence, sequence.translate(complement)[::-1]]
    return sequences
