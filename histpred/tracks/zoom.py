"""The zoom levels of a bigBed or bigWig, in memory that does not grow with the rows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

LEVELS, STEP = 10, 4  # zoom levels at most; each is this much coarser than the one before
WIDEST = (1 << 32) - 1  # bp
IN_MEMORY = 1 << 20  # bytes of a level; more goes to a file

SUMMARY = np.dtype(
    [(name, "<u4") for name in ("contig", "start", "end", "count")]
    + [(name, "<f4") for name in ("least", "most", "sum", "squares")]
)
"""A row of a zoom level: bases covered, and their values."""


class Level:
    """One zoom level: `count` summaries of all that lies in the same `width` bp of a contig."""

    def __init__(self, width: int, folder: Path, stack: ExitStack) -> None:
        self.width, self.count = width, 0
        file = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(folder))  # noqa: SIM115 - below
        self._file = stack.enter_context(file)
        self._last = np.empty(0, SUMMARY)  # the next rows may still add to it

    def add(self, summaries: np.ndarray) -> np.ndarray:
        """Add finer summaries, in order; returns those of this level that became complete."""
        if not len(summaries):
            return summaries
        found = _coarser(np.concatenate([self._last, summaries]), self.width)
        self._last = found[-1:]
        return self._write(found[:-1])

    def finish(self) -> np.ndarray:
        """Write and return the last summary, after all rows were added."""
        last, self._last = self._last, np.empty(0, SUMMARY)
        return self._write(last)

    def _write(self, summaries: np.ndarray) -> np.ndarray:
        self._file.write(summaries.tobytes())
        self.count += len(summaries)
        return summaries

    def parts(self, size: int) -> Iterator[np.ndarray]:
        """Yield the summaries, at most `size` at a time."""
        self._file.seek(0)
        while part := self._file.read(size * SUMMARY.itemsize):
            yield np.frombuffer(part, SUMMARY)


class Zoom:
    """All zoom levels of a file; temporary files go to `folder` until `stack` is closed."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._levels: list[Level] = []

    def add(self, stretches: Sequence[np.ndarray], width: int) -> None:
        """Add stretches (contig, start, end) with their values, in order.

        width: bp of the finest level; that of the first call counts.
        """
        if not self._levels:
            while width <= WIDEST:
                self._levels.append(Level(width, self._folder, self._stack))
                width *= STEP
        values = _summaries(stretches, self._levels[0].width)
        for level in self._levels:
            values = level.add(values)

    def finish(self) -> list[Level]:
        """The levels, after all rows were added: each is at most half of the one before."""
        rest = np.empty(0, SUMMARY)
        for level in self._levels:
            rest = np.concatenate([level.add(rest), level.finish()])
        kept = self._levels[:1]
        for level in self._levels[1:]:
            if 2 * level.count <= kept[-1].count and len(kept) < LEVELS:
                kept.append(level)
        return kept


def _summaries(stretches: Sequence[np.ndarray], width: int) -> np.ndarray:
    """One summary for each stretch, cut at the multiples of `width`."""
    pieces = (stretches[2] - 1) // width - stretches[1] // width + 1
    contigs, starts, ends, values = (np.repeat(each, pieces) for each in stretches)
    number = np.arange(len(starts)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    cut = (starts // width + number) * width
    result = np.empty(len(starts), SUMMARY)
    result["contig"], result["least"], result["most"] = contigs, values, values
    result["start"], result["end"] = np.maximum(starts, cut), np.minimum(ends, cut + width)
    result["count"] = result["end"] - result["start"]
    result["sum"], result["squares"] = result["count"] * values, result["count"] * values**2
    return result


def _coarser(summaries: np.ndarray, width: int) -> np.ndarray:
    """The summaries of all that lies in the same `width` bp of a contig."""
    place = summaries["contig"].astype(np.int64) << 32 | summaries["start"] // width
    firsts = np.flatnonzero(np.diff(place, prepend=-1))
    result = summaries[firsts]
    result["end"] = summaries["end"][[*(firsts[1:] - 1), -1]]
    result["least"] = np.minimum.reduceat(summaries["least"], firsts)
    result["most"] = np.maximum.reduceat(summaries["most"], firsts)
    for name in ("count", "sum", "squares"):
        result[name] = np.add.reduceat(summaries[name], firsts, dtype=float)
    return result
