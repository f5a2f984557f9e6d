"""The mean contribution of DNA by its distance from the TSS, with bootstrap intervals.

Windows come in genome order and are not kept. Neighbours read the same DNA, so the bootstrap
draws stretches of 100 kb with all windows that begin there: each of its rounds counts a stretch
Poisson(1) times (Hanley and MacGibbon 2006, doi:10.1016/j.cmpb.2006.04.006).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from histpred.core.columns import NA
from histpred.genome.changes import anchor_of
from histpred.genome.regions import Window
from histpred.genome.windows import WindowSpec
from histpred.scoring.stretches import Resolution, width_of

if TYPE_CHECKING:
    import pandas

PROFILE = "profile.tsv"
COLUMNS = (  # strength: the mean size of contributions, whatever their sign
    *("biotype", "mark", "start", "end", "windows"),
    *("mean", "low", "high", "strength", "strength_low", "strength_high"),
)
ALL = "all"  # biotypes together
ROUNDS = 200
TOGETHER = 100_000  # bp whose windows are drawn together
FAR = 30_000  # bp from the TSS to which profiles of whole genes go
LEVELS = (2.5, 97.5)  # percentiles


class Sums:
    """Sums over windows: [2, steps, marks] of contributions and of their sizes.

    windows: [steps]. drawn, drawn_windows: the same for each round of the bootstrap.
    """

    def __init__(self, steps: int, marks: int) -> None:
        self.values = np.zeros((2, steps, marks))
        self.windows = np.zeros(steps, np.int64)
        self.drawn = np.zeros((ROUNDS, 2, steps, marks))
        self.drawn_windows = np.zeros((ROUNDS, steps), np.int64)
        self.blocks = 0


class Profile:
    """Adds up contributions of windows; `write` makes the table.

    distances: bp from the TSS along the window's strand at which steps begin; each is `width` long.
    """

    def __init__(
        self, marks: Sequence[str], spec: WindowSpec, resolution: Resolution, seed: int = 0
    ) -> None:
        self._marks, self._spec, self._seed = tuple(marks), spec, seed
        self.width = width_of(resolution, spec)
        self._phase = -spec.upstream % self.width
        before, after = (spec.upstream, spec.downstream) if spec.whole else (spec.upstream, FAR)
        if not spec.whole and not spec.upstream:
            before = FAR
        self._first = (-before - self._phase) // self.width
        last = -(-(after - self._phase) // self.width)
        self.distances = self._phase + self.width * np.arange(self._first, last)
        self._sums: dict[str, Sums] = {}
        self._block: tuple[str, int] | None = None
        self._here: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def add(
        self,
        window: Window,
        length: int,
        stretches: Sequence[tuple[int, int]],
        contributions: np.ndarray,
    ) -> None:
        """Add a window on a contig of `length` bp; contributions: [stretches, marks]."""
        anchor = anchor_of(window, self._spec, length)
        if anchor is None or not len(stretches):
            return
        block = (window.chrom, window.start // TOGETHER)
        if block != self._block:
            self._draw()
            self._block = block
        starts, ends = np.array(stretches).T
        begin = anchor + 1 - ends if window.strand == "-" else starts - anchor
        middle = begin + (ends - starts) / 2
        steps = np.floor((middle - self._phase) / self.width).astype(int) - self._first
        inside = (steps >= 0) & (steps < len(self.distances))
        values = np.zeros((len(self.distances), len(self._marks)))
        np.add.at(values, steps[inside], contributions[inside])
        covered = np.zeros(len(self.distances), bool)
        covered[steps[inside]] = True
        here = self._here.setdefault(
            window.biotype,
            (np.zeros((2, *values.shape)), np.zeros(len(covered), np.int64)),
        )
        here[0][0] += values
        here[0][1] += np.abs(values)
        here[1][:] += covered

    def _draw(self) -> None:
        """Add the windows of the block to the sums, and to those of each round."""
        if self._block is None:
            return
        contig, number = self._block
        seed = [self._seed, zlib.crc32(contig.encode()), number]
        times = np.random.default_rng(seed).poisson(1, ROUNDS)
        for biotype, (values, windows) in self._here.items():
            sums = self._sums.setdefault(biotype, Sums(len(windows), len(self._marks)))
            sums.blocks += 1
            sums.values += values
            sums.windows += windows
            sums.drawn += times[:, None, None, None] * values
            sums.drawn_windows += times[:, None] * windows
        self._here = {}

    def groups(self) -> dict[str, Sums]:
        """The sums of all windows and, if there are several, of each biotype, by name."""
        self._draw()
        self._block = None
        whole = Sums(len(self.distances), len(self._marks))
        for sums in self._sums.values():
            whole.values += sums.values
            whole.windows += sums.windows
            whole.drawn += sums.drawn
            whole.drawn_windows += sums.drawn_windows
            whole.blocks = max(whole.blocks, sums.blocks)
        each = dict(sorted(self._sums.items())) if len(self._sums) > 1 else {}
        return {ALL: whole, **each}

    def rows(self) -> Iterator[tuple[str | int | float, ...]]:
        """The rows of the table, without steps that no window has; see `COLUMNS`."""
        for name, sums in self.groups().items():
            means, low, high = intervals(sums)
            for number, mark in enumerate(self._marks):
                for step in np.flatnonzero(sums.windows).tolist():
                    start = int(self.distances[step])
                    found = [
                        float(part[kind, step, number])
                        for kind in (0, 1)
                        for part in (means, low, high)
                    ]
                    windows = int(sums.windows[step])
                    yield name, mark, start, start + self.width, windows, *found

    def write(self, path: Path) -> None:
        """Write the table; NA: an interval of windows from one stretch of 100 kb."""
        with open(path, "w", encoding="utf-8", newline="\n") as target:
            target.write("\t".join(COLUMNS) + "\n")
            for row in self.rows():
                target.write("\t".join(map(_text, row)) + "\n")


def profile_table(profile: Profile) -> pandas.DataFrame:
    """The table of a profile; intervals that are not known are NaN."""
    import pandas

    return pandas.DataFrame(list(profile.rows()), columns=list(COLUMNS))


def _text(value: str | int | float) -> str:
    if isinstance(value, float):
        return NA if np.isnan(value) else f"{value:.5g}"
    return str(value)


def intervals(sums: Sums) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means and their 95 % intervals, each [2, steps, marks]; NaN where no window has the step."""
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums.values / sums.windows[:, None]
        drawn = sums.drawn / sums.drawn_windows[:, None, :, None]
    low, high = np.full_like(means, np.nan), np.full_like(means, np.nan)
    if sums.blocks > 1:
        known = sums.windows > 0
        some = np.where(np.isfinite(drawn), drawn, np.nan)[:, :, known]
        if some.size:
            found = np.nanpercentile(some, LEVELS, axis=0)
            low[:, known], high[:, known] = found
    return means, low, high
