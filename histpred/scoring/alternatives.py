"""Scores of windows with other bases, beside those of the genome.

Only what differs is computed again: bins of an encoder that compares (`spectra`), chunks of one
that cuts windows (DNABERT-2, RNA-FM). Where chunks lie on a grid of the genome, the grid stays: a
bin grows or shrinks, and no end of the window gives way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from histpred.bundle.mark_spec import MarkSpec
from histpred.core.sequence import reverse_complement
from histpred.encoders import ComparingEncoder, Substituted, SubstitutingEncoder
from histpred.encoders.chunks import GRID, Chunk, bases, chunks_of, pool
from histpred.encoders.embedder import embed_chunks
from histpred.encoders.store import chunk_key
from histpred.genome.changes import (
    Change,
    UnplaceableError,
    blocks_of,
    changed_sequence,
    edited,
)
from histpred.genome.reference import Reference
from histpred.genome.windows import Row, Window
from histpred.scoring.opened import OpenBundle

LONGER_THAN_CHUNK = "longer-than-a-chunk"

Alternative = Sequence[Change]
"""What is changed at once, ascending; usually one change."""

Vectors = dict[bytes, tuple[np.ndarray, int]]  # key of a chunk -> vector and number of tokens


class Alternatives:
    """A bundle for windows, and for what they would be with other bases.

    embedded, reused: chunks that were computed, and those that were known, from the call before or
    from the store.
    """

    def __init__(self, bundle: OpenBundle, reference: Reference) -> None:
        self.bundle = bundle
        self._reference = reference
        self._spec, self._policy = bundle.choice.window, bundle.choice.chunks
        self._encoder, self._store = bundle.encoder, bundle.store
        self._known: Vectors = {}
        self.embedded = self.reused = 0

    def logits(self, given: Sequence[tuple[Row, Sequence[Alternative]]]) -> list[np.ndarray]:
        """For each row, float32 [1 + alternatives, marks] before calibration: its own bases first.

        The first equals what a prediction gives, to 1e-5. Several windows in one call are quicker
        than one by one. Raises NotFiniteError, and UnplaceableError for an alternative that
        `reason_against` names a reason for.
        """
        if not given:
            return []
        if isinstance(self._encoder, ComparingEncoder) and self._policy is None:
            vectors = self._compared(self._encoder, given)
        else:
            vectors = self._pooled(given)
        logits = self.bundle.scorer.logits(np.concatenate(vectors))
        return np.split(logits, np.cumsum([len(some) for some in vectors])[:-1])

    def reason_against(self, row: Row, changes: Alternative) -> str:
        """Why a window cannot be scored with these changes, a word for a ledger; '' if it can."""
        try:
            for chunk in self._chunks(row, changes):
                if len(chunk.sequence) > (self._encoder.longest or len(chunk.sequence)):
                    return LONGER_THAN_CHUNK
        except UnplaceableError as error:
            return error.reason
        return ""

    def _compared(
        self, encoder: ComparingEncoder, given: Sequence[tuple[Row, Sequence[Alternative]]]
    ) -> list[np.ndarray]:
        """Vectors of windows by what differs from them.

        An encoder that can takes copies with one other base at once; each other copy has a call of
        its own, so that it has the same bits in any company.
        """
        if not (isinstance(encoder, SubstitutingEncoder) and encoder.substitutes):
            return [
                encoder.embed_beside(
                    row.sequence, [self._changed(row.window, changes) for changes in others]
                )
                for row, others in given
            ]
        plain = [
            [is_substitution(row.window, changes) for changes in others] for row, others in given
        ]
        copies = [
            substituted_in(row, [c for c, alone in zip(others, kept, strict=True) if alone])
            for (row, others), kept in zip(given, plain, strict=True)
        ]
        found = []
        for (row, others), kept, some in zip(
            given, plain, encoder.embed_substituted(copies), strict=True
        ):
            vectors = np.empty((1 + len(others), some.shape[1]), np.float32)
            vectors[np.flatnonzero([True, *kept])] = some
            for number, changes in enumerate(others, 1):
                if not kept[number - 1]:
                    changed = self._changed(row.window, changes)
                    vectors[number] = encoder.embed_beside(row.sequence, [changed])[1]
            found.append(vectors)
        return found

    def _changed(self, window: Window, changes: Alternative) -> bytes:
        return changed_sequence(window, self._spec, changes, self._reference)

    def _chunks(self, row: Row, changes: Alternative) -> list[Chunk]:
        if self._policy and self._policy.policy == GRID:
            return _changed_bins(row.window, changes, self._reference, self._policy.length)
        changed = self._changed(row.window, changes)
        return chunks_of(row.window, changed, self._reference, self._policy)

    def _pooled(self, given: Sequence[tuple[Row, Sequence[Alternative]]]) -> list[np.ndarray]:
        """Vectors of windows from those of their chunks, each chunk embedded once."""
        sequences: dict[bytes, bytes] = {}
        plans: list[list[list[tuple[bytes, float]]]] = []
        for row, others in given:
            own = chunks_of(row.window, row.sequence, self._reference, self._policy)
            plans.append([])
            for chunks in (own, *(self._chunks(row, changes) for changes in others)):
                keys = [chunk_key(chunk.sequence) for chunk in chunks]
                sequences |= zip(keys, (chunk.sequence for chunk in chunks), strict=True)
                plans[-1].append(list(zip(keys, (c.share for c in chunks), strict=True)))
        self._known = self._embed(sequences)
        return [np.stack([self._pool(plan) for plan in some]) for some in plans]

    def _embed(self, sequences: dict[bytes, bytes]) -> Vectors:
        known = {key: self._known[key] for key in sequences if key in self._known}
        missing = [key for key in sequences if key not in known]
        if self._store is not None and missing:
            known |= self._store.find(missing)
            missing = [key for key in missing if key not in known]
        self.reused += len(known)
        self.embedded += len(missing)
        size = self._encoder.chunks_at_once
        for start in range(0, len(missing), size):
            keys = missing[start : start + size]
            found = embed_chunks(self._encoder, [sequences[key] for key in keys])
            if self._store is not None and np.isfinite(found.vectors).all():
                self._store.add(keys, found)
            known |= zip(keys, zip(found.vectors, found.tokens.tolist(), strict=True), strict=True)
        return known

    def _pool(self, plan: Sequence[tuple[bytes, float]]) -> np.ndarray:
        if not plan:
            return np.zeros(self._encoder.dimension, np.float32)
        found, tokens = zip(*(self._known[key] for key, _ in plan), strict=True)
        shares = np.array([share for _, share in plan])
        return pool(np.stack(found), np.array(tokens), shares, self._policy)


def is_substitution(window: Window, changes: Alternative) -> bool:
    """True if one base takes the place of another, in a window that is read in one piece."""
    if len(changes) != 1 or len(blocks_of(window)) > 1:
        return False
    start, end, bases = changes[0]
    return end - start == len(bases) == 1


def substituted_in(row: Row, others: Sequence[Alternative]) -> Substituted:
    """A window and the bases that take the place of its own in each alternative."""
    window, ((start, end),) = row.window, blocks_of(row.window)
    places = np.array([change.start for (change,) in others], int) - start
    bases = b"".join(change.bases for (change,) in others)
    if window.strand == "-":
        places, bases = end - start - 1 - places, reverse_complement(bases)[::-1]
    return Substituted(row.sequence, places, bases)


def _changed_bins(
    window: Window, changes: Alternative, reference: Reference, length: int
) -> list[Chunk]:
    """The window's bins of a changed contig; see `histpred.encoders.chunks`."""
    contig, start, end, strand = window[:4]
    found = []
    for left in range(start - start % length, end, length):
        right = min(left + length, reference.lengths[contig])
        inside = edited(reference, contig, (max(left, start), min(right, end)), changes)
        whole = inside
        if left < start or end < right:
            whole = edited(reference, contig, (left, right), changes)
        share = bases(inside) / max(bases(whole), 1)
        found.append(Chunk(reverse_complement(whole) if strand == "-" else whole, share))
    return [chunk for chunk in found if chunk.share and bases(chunk.sequence)]


def log_odds(logits: np.ndarray, marks: Sequence[MarkSpec]) -> np.ndarray:
    """Log-odds of the calibrated probabilities of logits [n, marks], as float64.

    Where a mark's calibration has steps, differences of probability say little, and the logits stay
    as they are; see `scale_of`.
    """
    stepped = np.array([bool(mark.calibration.logits) for mark in marks])
    slope = np.array([mark.calibration.slope for mark in marks])
    intercept = np.array([mark.calibration.intercept for mark in marks])
    found = logits.astype(float)
    return np.where(stepped, found, slope * found + intercept)


def scale_of(mark: MarkSpec) -> str:
    """What `log_odds` gives for a mark: 'calibrated' log-odds, or the 'raw' score."""
    return "raw" if mark.calibration.logits else "calibrated"
