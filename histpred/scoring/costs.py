"""What windows cost, and where a list of them is cut into parts of about the same work."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise, repeat
from operator import mul

import numpy as np

from histpred.encoders.chunks import GRID, ChunkPolicy
from histpred.genome.changes import blocks_of
from histpred.genome.regions import Window


class Costs:
    """Bases and work of windows, in the order in which they are added.

    `bases` has the length of each window in bp, `work` the bases that the encoder must see for it:
    on a grid, bases that windows on the same strand share are seen once. `counts`: how many windows
    an entry of both stands for; tiles that cost the same are one entry.
    """

    def __init__(self, chunks: ChunkPolicy | None) -> None:
        self.bases = array("q")  # 8 bytes each: all else of a window is on disk
        self.work = array("q")
        self.counts = array("q")
        self._shared = chunks is not None and chunks.policy == GRID
        self._reached: dict[tuple[str, bool], int] = {}

    @property
    def windows(self) -> int:
        """The number of windows."""
        return sum(self.counts)

    def add_tiles(self, work: np.ndarray) -> None:
        """The next tiles; `work`, int [n], is also their `bases`."""
        for first, last in pairwise([0, *(np.flatnonzero(np.diff(work)) + 1).tolist(), len(work)]):
            if self.work and self.work[-1] == work[first]:
                self.counts[-1] += last - first
            else:
                self._append(int(work[first]), int(work[first]), last - first)

    def _append(self, bases: int, work: int, count: int) -> None:
        self.bases.append(bases)
        self.work.append(work)
        self.counts.append(count)

    def add(self, window: Window) -> None:
        """The next window."""
        bases = sum(end - start for start, end in blocks_of(window))
        place = (window.chrom, window.strand == "-")  # '.' is read as '+'
        reached = self._reached.get(place, 0)
        new = max(0, window.end - max(window.start, reached))
        self._append(bases, new if self._shared else bases, 1)
        self._reached[place] = max(reached, window.end)

    def spent(self, ends: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Bases and work of the windows of each part, which ends before the window `ends[part]`."""
        entries = zip(self.bases, self.work, self.counts, strict=True)
        bases = work = left = 0
        for start, end in pairwise([0, *ends]):
            wanted, sums = end - start, [0, 0]
            while wanted:
                if not left:
                    bases, work, left = next(entries)
                taken = min(left, wanted)
                sums = [sums[0] + taken * bases, sums[1] + taken * work]
                wanted, left = wanted - taken, left - taken
            yield sums[0], sums[1]


def cuts(work: Sequence[int], most: int, counts: Sequence[int] | None = None) -> list[int]:
    """Cut a list of windows into parts of about the same work: the end index of each part.

    There are as many parts as would hold at most `most` each if windows were small. A window
    belongs to the part in which its middle lies. counts: how many windows each entry of `work`
    stands for; None: one.

    >>> cuts([5, 5, 5, 5, 1], 10), cuts([5, 1], 10, [4, 1])
    ([1, 3, 5], [1, 3, 5])
    """
    total = sum(map(mul, work, counts)) if counts else sum(work)
    parts = max(1, -(-total // most))
    ends: list[int] = []
    windows = done = last = 0
    for each, count in zip(work, counts or repeat(1, len(work)), strict=True):
        inside = 0
        while inside < count:
            # Twice the middle of the window, so that all numbers are whole.
            middle = (2 * (done + inside * each) + each) * parts
            part = min(middle // (2 * max(total, 1)), parts - 1)
            if part > last and windows + inside:
                ends.append(windows + inside)
            last = part
            beyond = 2 * total * (part + 1) - middle  # to the next part
            inside += -(-beyond // (2 * each * parts)) if each and part < parts - 1 else count
        windows += count
        done += each * count
    return [*ends, windows]
