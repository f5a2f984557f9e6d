"""Scores of windows with other bases, beside those of the genome.

Only what differs is computed again: bins of an encoder that compares (`spectra`), chunks of one
that cuts windows (DNABERT-2, RNA-FM). Where chunks lie on a grid of the genome, the grid stays: a
bin grows or shrinks, and no end of the window gives way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from histpred.bundle.mark_spec import MarkSpec
from histpred.core.sequence import reverse_complement
from histpred.encoders import ComparingEncoder, Copies
from histpred.encoders.chunks import GRID, Chunk, bases, chunks_of
from histpred.encoders.embedder import Plan, Vectors, embed_kept, pooled
from histpred.encoders.store import chunk_key
from histpred.genome.changes import (
    Change,
    UnplaceableError,
    changed_sequence,
    edited,
    pieces_of,
)
from histpred.genome.reference import Reference
from histpred.genome.windows import Row, Window
from histpred.scoring.opened import OpenBundle
from histpred.scoring.scorer import NotFiniteError

CALIBRATED, RAW = "calibrated", "raw"  # scales of differences
LONGER_THAN_CHUNK = "longer-than-a-chunk"

Alternative = Sequence[Change]
"""What is changed at once, ascending; usually one change."""


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
        than one by one. Raises ModelError for a window that gives NaN or infinity, and
        UnplaceableError for an alternative that `reason_against` names a reason for.
        """
        if not given:
            return []
        if isinstance(self._encoder, ComparingEncoder) and self._policy is None:
            vectors = self._compared(self._encoder, given)
        else:
            vectors = self._pooled(given)
        ends = np.cumsum([len(some) for some in vectors])
        try:
            logits = self.bundle.scorer.logits(np.concatenate(vectors))
        except NotFiniteError as error:
            row, _ = given[int(np.searchsorted(ends, error.row, side="right"))]
            raise error.in_window(row.window) from error
        return np.split(logits, ends[:-1])

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
        """Vectors of windows by what differs from them."""
        copies = []
        for row, others in given:
            placed = [self._placed(row, changes) for changes in others]
            places = np.array([place for place, _ in placed], int)
            copies.append(Copies(row.sequence, places, [bases for _, bases in placed]))
        return encoder.embed_copies(copies)

    def _placed(self, row: Row, changes: Alternative) -> tuple[int, bytes]:
        """Where new bases begin in a window and what they are; -1: they are all of it."""
        if not any(change.gain for change in changes):
            pieces = [*pieces_of(row.window, len(row.sequence), changes)] or [(0, b"")]
            if len(pieces) == 1:
                return pieces[0]
        return -1, self._changed(row.window, changes)

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
        plans: list[list[Plan]] = []
        for row, others in given:
            own = chunks_of(row.window, row.sequence, self._reference, self._policy)
            plans.append([])
            for chunks in (own, *(self._chunks(row, changes) for changes in others)):
                keys = [chunk_key(chunk.sequence) for chunk in chunks]
                sequences |= zip(keys, (chunk.sequence for chunk in chunks), strict=True)
                plans[-1].append(list(zip(keys, (c.share for c in chunks), strict=True)))
        self._known = self._embed(sequences)
        dimension = self._encoder.dimension
        return [
            np.stack([pooled(plan, self._known, dimension, self._policy) for plan in some])
            for some in plans
        ]

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
            chunks = {key: sequences[key] for key in keys}
            known |= embed_kept(self._encoder, chunks, self._store)
        return known


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
    as they are; see `scales_of`.
    """
    stepped = np.array([bool(mark.calibration.logits) for mark in marks])
    slope = np.array([mark.calibration.slope for mark in marks])
    intercept = np.array([mark.calibration.intercept for mark in marks])
    found = logits.astype(float)
    return np.where(stepped, found, slope * found + intercept)


def scales_of(marks: Iterable[MarkSpec]) -> dict[str, str]:
    """What `log_odds` gives for each mark that is predicted: `CALIBRATED`, or the `RAW` score."""
    return {
        mark.name: RAW if mark.calibration.logits else CALIBRATED
        for mark in marks
        if not mark.unpredicted
    }
