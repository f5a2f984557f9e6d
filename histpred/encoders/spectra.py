"""Networks over k-mer spectra in bins of DNA, cut in two so that windows can share their bins.

| graph      | takes, float32                             | gives, float32                   |
|------------|--------------------------------------------|----------------------------------|
| bins.onnx  | `counts` [bins, columns]                   | `units` [bins, width]            |
| heads.onnx | `sums` [windows, stretches, width+columns] | `embedding` [windows, dimension] |

A window is read `reach` bp to each side of its middle, in bins. The k-mers of each bin are counted,
and bins.onnx turns the counts into units. Units and counts are added up over stretches of bins
around the middle, and heads.onnx turns these sums into a vector. A window may have several vectors
side by side, each around a place of its own, such as every 400 bp around a TSS (`places`).

Windows on a grid of the genome have bins in common: each is counted once, and running sums give the
sums over all stretches (`embed_along`). `histpred.training.onnx_spectra` writes the graphs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np

from histpred.core.cores import usable_cores
from histpred.core.errors import BundleError
from histpred.core.graph import BINS, HEADS
from histpred.core.runtime import open_session, run_session
from histpred.encoders import CALLS_AT_ONCE, Along, Copies, Embedded
from histpred.encoders.bins import (
    CODONS,
    STOPS,
    bins_inside,
    changed_bins,
    count_codons,
    count_four_mers,
    four_mer_columns,
    sums_over,
)
from histpred.encoders.chunks import bases, known_part
from histpred.encoders.onnx import codes_of
from histpred.encoders.spectra_settings import is_length, places_of, stretches_of
from histpred.encoders.spectra_settings import sharing_of as sharing_of  # of the kind

WINDOWS_AT_ONCE = 8  # so that their units fit into the cache of a core
ROWS = 128  # copies in a call: always as many, so that a copy has the same bits in any company


class SpectraEncoder:
    """Two graphs as an encoder; a token is a base.

    grid, reach, symmetric: see `SharingEncoder`.
    """

    longest = None
    chunks_at_once = 128
    precision = "fp32"

    def __init__(self, settings: Mapping[str, object], directory: Path, device: str) -> None:
        self.grid, self.reach, self.symmetric = sharing_of(settings)
        self._bin, stretches = stretches_of(settings)
        self._ends = [tuple((self.reach + at) // self._bin for at in ends) for ends in stretches]
        places = places_of(settings, self._bin) or [0]
        self._margin = max(map(abs, places))
        self._wanted = (np.array(places, int) + self._margin) // self._bin
        self._columns = four_mer_columns(bool(settings.get("both_strands")))
        self._frames = bool(settings.get("frames"))
        self.files = directory / BINS, directory / HEADS
        for path in self.files:
            if not path.is_file():  # else onnxruntime would raise an exception of its own
                raise BundleError(f"{path} is missing", "get the bundle again")
        threads = max(1, usable_cores() // CALLS_AT_ONCE)
        opened = [open_session(path, device, threads) for path in self.files]
        (self._bins, self.device), (self._heads, _) = opened
        counted = int(self._columns.max()) + 1 + self._frames * len(STOPS) * CODONS
        self._widths = self._check(0, ("counts", [counted]), "units"), counted
        taken = [len(stretches), sum(self._widths)]
        self._width = self._check(1, ("sums", taken), "embedding")
        self.dimension = self._width * len(places)

    def embed(self, chunks: Sequence[bytes]) -> Embedded:
        """Vectors of windows of any length: N stand for bases that they lack.

        Bases farther than `reach` from the middle (length // 2), or from a place, are not read.
        """
        tokens = np.array([bases(chunk) for chunk in chunks], np.int64)
        stretches = self._around_places()
        sums = np.empty((len(chunks), len(stretches), sum(self._widths)), np.float32)
        for start in range(0, len(chunks), WINDOWS_AT_ONCE):
            windows = [self._around_middle(chunk) for chunk in chunks[start:][:WINDOWS_AT_ONCE]]
            codes = codes_of(windows, len(windows[0]))
            place = 0
            for values in self._values(codes):
                columns = slice(place, place + values.shape[2])
                sums[start : start + len(windows), :, columns] = sums_over(values, stretches)
                place = columns.stop
        return Embedded(self._vectors(sums), tokens)

    def embed_copies(self, given: Sequence[Copies]) -> list[np.ndarray]:
        """See `ComparingEncoder`: only bins that differ are given to the network again."""
        stretches = self._around_places()
        own = [self._around_middle(one.sequence) for one in given]
        inside = bins_inside(stretches, len(own[0]) // self._bin) if given else np.empty(0)
        sums: list[np.ndarray] = []  # of a window
        copies: list[tuple[int, np.ndarray, np.ndarray]] = []  # window, changed bins, their gain
        for number, (window, one) in enumerate(zip(own, given, strict=True)):
            codes = codes_of([window], len(window))
            values = np.concatenate(self._values(codes), axis=2)
            sums.append(sums_over(values, stretches)[0])
            of, bins, changed = self._differing(codes, one)
            gained = changed - values[0, bins]
            ends = np.searchsorted(of, np.arange(-1, len(one.places)), "right")
            copies.append((number, bins[:0], gained[:0]))
            copies += ((number, bins[a:b], gained[a:b]) for a, b in pairwise(ends))

        def vectors(start: int) -> np.ndarray:
            some = np.zeros((ROWS, *sums[0].shape), np.float32)
            taken = copies[start : start + ROWS]
            for row, (number, bins, gained) in zip(some, taken, strict=False):
                of = inside[:, bins]
                change = of * gained if len(bins) == 1 else of @ gained
                np.add(sums[number], change, out=row, casting="same_kind")
            return self._vectors(some)[: len(taken)]

        with ThreadPoolExecutor(min(CALLS_AT_ONCE, usable_cores())) as workers:
            found = [*workers.map(vectors, range(0, len(copies), ROWS))]
        ends = np.cumsum([1 + len(one.places) for one in given])
        return np.split(np.concatenate(found), ends[:-1]) if given else []

    def _differing(self, own: np.ndarray, one: Copies) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The bins of copies that differ from the window's.

        own: its codes, uint8 [1, length]. Returns the number of the copy, ascending, and the bin,
        int [bins] each, and units and counts of the bin, float32 [bins, width].
        """
        shift = own.size // 2 - len(one.sequence) // 2
        read = [
            (0, self._around_middle(bases)) if place < 0 else (place + shift, bases)
            for place, bases in zip(one.places.tolist(), one.bases, strict=True)
        ]
        numbers, bins, cut = changed_bins(own.reshape(-1, self._bin), read)
        if self._frames:
            numbers, bins, given, added = self._with_codons(own, len(read), numbers, bins, cut)
        else:
            given = added = count_four_mers(cut, self._columns)
        units = np.empty((len(given), self._widths[0]), np.float32)
        for start in range(0, len(given), ROWS):
            some = np.zeros((ROWS, given.shape[1]), np.float32)
            some[: len(given) - start] = given[start : start + ROWS]
            units[start : start + ROWS] = self._units(some)[: len(given) - start]
        return numbers, bins, np.hstack([units, added])

    def _with_codons(
        self, own: np.ndarray, copies: int, numbers: np.ndarray, bins: np.ndarray, cut: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Counts of all bins that differ: a stop codon that comes or goes changes bins far away."""
        before = self._counts(own)[0]
        found = [(numbers[:0], bins[:0], before[:0], before[:0])]
        for number in range(copies):
            codes, mine = own.reshape(-1, self._bin).copy(), numbers == number
            codes[bins[mine]] = cut[mine]
            given, added = self._counts(codes.reshape(1, -1))
            (differ,) = (given != before).any(axis=1).nonzero()
            found.append((np.full(len(differ), number), differ, given[differ], added[differ]))
        numbers, bins, given, added = map(np.concatenate, zip(*found, strict=True))
        return numbers, bins, given, added

    def embed_along(self, parts: Sequence[Along], step: int) -> np.ndarray:
        """See `SharingEncoder`."""
        rows = np.cumsum([0, *(len(wanted) for _, wanted in parts)])
        sums = np.zeros((rows[-1], len(self._ends), sum(self._widths)), np.float32)
        known = [self._without_ends(sequence) for sequence, _ in parts]
        bins = np.cumsum([0, *(len(sequence) // self._bin for _, sequence in known)])
        whole = b"".join(sequence for _, sequence in known)
        place = 0
        for (values,) in self._values(codes_of([whole], len(whole))) if whole else ():
            columns = slice(place, place + values.shape[1])
            for number, ((skipped, _), (_, wanted)) in enumerate(zip(known, parts, strict=True)):
                first = wanted * (step // self._bin) - skipped
                found = self._sums(values[bins[number] : bins[number + 1]], first)
                sums[rows[number] : rows[number + 1], :, columns] = found
            place = columns.stop
        return self._embedding(sums)

    def _without_ends(self, sequence: bytes) -> tuple[int, bytes]:
        """The bins from the first to the last with a base, and how many are left out before.

        Bins of N add nothing, and a contig of a draft genome is shorter than what is read for it.
        """
        begin, end = known_part(sequence)
        first, last = begin // self._bin, -(-end // self._bin)
        return first, sequence[first * self._bin : last * self._bin]

    def _sums(self, values: np.ndarray, first: np.ndarray) -> np.ndarray:
        """Sums over the stretches of windows whose first bins are `first`; bins beyond add nothing.

        values: [bins, width]; the result is float64 [windows, stretches, width].
        """
        # float32 would drift: the sums of all bins are much larger than those of a stretch.
        running = np.zeros((len(values) + 1, values.shape[1]))
        np.cumsum(values, axis=0, dtype=float, out=running[1:])
        places = np.add.outer(first, np.array(self._ends))  # [windows, stretches, 2]
        starts, ends = np.minimum(np.maximum(places, 0), len(values)).transpose(2, 0, 1)
        found: np.ndarray = running[ends] - running[starts]
        return found

    def _around_middle(self, chunk: bytes) -> bytes:
        """The bases up to `reach` from the middle and the outermost place, filled up with N."""
        reach = self.reach + self._margin
        missing = b"N" * (reach - len(chunk) // 2)
        left = max(0, len(chunk) // 2 - reach)
        return (missing + chunk[left : left + 2 * reach]).ljust(2 * reach, b"N")

    def _values(self, codes: np.ndarray) -> list[np.ndarray]:
        """Units, then counts, of bins, each float32 [sequences, bins, width]."""
        given, added = self._counts(codes)
        units = self._units(given)
        return [values.reshape(len(codes), -1, values.shape[1]) for values in (units, added)]

    def _counts(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Counts of bins as the network takes them, and as they are added up; [bins, columns]."""
        counts = count_four_mers(codes.reshape(-1, self._bin), self._columns)
        if not self._frames:
            return counts, counts
        codons = count_codons(codes, self._bin).reshape(len(counts), -1)
        known = counts.sum(axis=1, keepdims=True)
        return np.hstack([counts, codons]), np.hstack([counts, codons * known])

    def _units(self, given: np.ndarray) -> np.ndarray:
        shape = (len(given), self._widths[0])
        return run_session(self._bins, self.files[0], "units", {"counts": given}, shape)

    def _around_places(self) -> np.ndarray:
        """First bin and end of each stretch around each place, [places * stretches, 2]."""
        return np.concatenate([first + np.array(self._ends) for first in self._wanted])

    def _vectors(self, sums: np.ndarray) -> np.ndarray:
        """Vectors, float32 [n, dimension], of sums over the stretches of all places."""
        vectors = self._embedding(sums.reshape(-1, len(self._ends), sums.shape[2]))
        return vectors.reshape(len(sums), self.dimension)

    def _embedding(self, sums: np.ndarray) -> np.ndarray:
        shape = (len(sums), self._width)
        return run_session(self._heads, self.files[1], "embedding", {"sums": sums}, shape)

    def _check(self, number: int, taken: tuple[str, list[int]], given: str) -> int:
        """The width of a graph's output; BundleError unless it takes and gives what it should."""
        session = (self._bins, self._heads)[number]
        ends = [*session.get_inputs(), *session.get_outputs()]
        found = [(end.name, end.type, list(end.shape)) for end in ends]
        names = [(name, kind, shape[1:]) for name, kind, shape in found]
        width = found[-1][2][-1:]
        kind = "tensor(float)"
        if names != [(taken[0], kind, taken[1]), (given, kind, width)] or not is_length(*width):
            what = f"takes and gives {found}, not {taken[0]} {taken[1]} and {given}"
            raise BundleError(f"{self.files[number]}: {what}", "get the bundle again")
        return int(width[0])


def from_settings(
    settings: Mapping[str, object], directory: Path, device: str = "cpu", precision: str = "auto"
) -> SpectraEncoder:
    """The graphs in a bundle's folder, in fp32.

    Settings: `bin_length` in bp, `stretches` (start and end in bp relative to the middle),
    `both_strands` (a k-mer and its reverse complement are one column), `frames` (codons of open
    reading frames are counted too), `places` (bp relative to the middle, in whole bins). Raises
    ValueError for others.
    """
    return SpectraEncoder(settings, directory, device)
