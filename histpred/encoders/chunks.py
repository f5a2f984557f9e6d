"""Cuts windows into chunks, which an encoder sees at once, and pools the chunks' vectors.

| policy   | chunks                                         | vector of the window                 |
|----------|------------------------------------------------|--------------------------------------|
| (none)   | the window itself                              | its own                              |
| `window` | consecutive chunks from the window's 5' end    | mean over its chunks (paper, app. B) |
| `grid`   | all bins of the genome that overlap the window | mean weighted by tokens              |

On a grid, isoforms and neighbours share their bins, so the work grows with the union of the windows
instead of their sum. The weight of a bin is its number of tokens times the share of its bases that
lie in the window, so the result depends on the window alone. Windows on '-' use the bins' reverse
complements. Chunks without a base (all N) are left out.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from histpred.core.errors import UsageError
from histpred.core.sequence import count_n
from histpred.genome.reference import Reference
from histpred.genome.regions import SPLICED, Window, is_too_far

Policy = Literal["window", "grid"]
WINDOW: Policy = "window"
GRID: Policy = "grid"


class ChunkPolicy(NamedTuple):
    """How windows are cut: a policy, and the length of a chunk in bp."""

    policy: Policy
    length: int

    def __str__(self) -> str:
        return f"{self.policy}:{self.length}"


class Chunk(NamedTuple):
    """A sequence that the encoder sees at once, 5' to 3' on the window's strand."""

    sequence: bytes
    share: float  # of its bases that lie in the window


def parse_chunks(text: str) -> ChunkPolicy:
    """A policy from text such as 'grid:2000'; UsageError for any other form.

    >>> parse_chunks("window:1000")
    ChunkPolicy(policy='window', length=1000)
    """
    name, _, length = text.partition(":")
    policy = {"window": WINDOW, "grid": GRID}.get(name)
    if not (policy and length.isdecimal() and not is_too_far(length) and int(length)):
        hint = "write window:BP or grid:BP, for example grid:2000"
        raise UsageError(f"{text!r} does not describe chunks", hint)
    return ChunkPolicy(policy, int(length))


def check_window(chunks: ChunkPolicy | None, kind: str) -> None:
    """Raise UsageError for windows that the policy cannot cut."""
    if chunks and chunks.policy == GRID and kind == SPLICED:
        hint = "use window chunks for them"
        raise UsageError("spliced windows do not lie on a grid of the genome", hint)


def chunks_of(
    window: Window, sequence: bytes, reference: Reference, chunks: ChunkPolicy | None
) -> list[Chunk]:
    """The chunks of a window with the bases `sequence`; UsageError if spliced and on a grid."""
    if chunks is None:
        found = [Chunk(sequence, 1.0)]
    elif chunks.policy == WINDOW:
        length = chunks.length
        found = [Chunk(sequence[i : i + length], 1.0) for i in range(0, len(sequence), length)]
    else:
        check_window(chunks, SPLICED if window.blocks else "")  # a table may mix kinds of windows
        found = _bins(window, sequence, reference, chunks.length)
    return [chunk for chunk in found if chunk.share and bases(chunk.sequence)]


def _bins(window: Window, sequence: bytes, reference: Reference, length: int) -> list[Chunk]:
    """The window's bins; bin i is [i * length, (i + 1) * length), cut at the contig's end."""
    chrom, start, end, strand = window[:4]
    found = []
    for left in range(start - start % length, end, length):
        right = min(left + length, reference.lengths[chrom])
        inside = (max(left, start), min(right, end))
        if inside == (left, right):  # the window's own bases: no need to read them again
            first = end - right if strand == "-" else left - start
            found.append(Chunk(sequence[first : first + right - left], 1.0))
            continue
        whole = reference.fetch(chrom, left, right, strand)
        part = reference.fetch(chrom, *inside)
        found.append(Chunk(whole, bases(part) / max(bases(whole), 1)))
    return found


def pool(
    vectors: np.ndarray, tokens: np.ndarray, shares: np.ndarray, chunks: ChunkPolicy | None
) -> np.ndarray:
    """The vector of a window, float32 [dimension]; zeros if no chunk has a token.

    vectors [n, dimension], tokens [n] and shares [n] are those of its chunks.
    """
    weights = shares * tokens if chunks and chunks.policy == GRID else (tokens > 0).astype(float)
    total = weights.sum()
    if not total:
        return np.zeros(vectors.shape[1], np.float32)
    # One chunk after the other, so that the sum is the same on every machine.
    mean = np.zeros(vectors.shape[1])
    for vector, weight in zip(vectors, weights / total, strict=True):
        mean += weight * vector
    return mean.astype(np.float32)


def bases(sequence: bytes) -> int:
    """The number of bases in a cleaned sequence, whose other letters are N."""
    return len(sequence) - count_n(sequence)


def known_part(sequence: bytes) -> tuple[int, int]:
    """The places of the first base of a cleaned sequence and behind its last: N lie around them.

    >>> known_part(b"NNACNGN"), known_part(b"NN")
    ((2, 6), (0, 0))
    """
    # Stripping N from a long sequence takes several times as long.
    is_base = (np.frombuffer(sequence, np.uint8) != ord("N")).tobytes()
    return max(0, is_base.find(True)), is_base.rfind(True) + 1
