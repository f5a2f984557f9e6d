"""The probabilities of many windows as pictures: a distribution for each mark, and an overview.

A distribution is the path of an SVG; the overview is a PNG that is transparent where a value is
that of the mean, so both suit a light and a dark page.
"""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from histpred.bundle.calls import NEVER
from histpred.bundle.mark_spec import MarkSpec
from histpred.core.columns import NA
from histpred.core.marks import by_class
from histpred.reports.landscape import BINS, Landscape

POINTS = 200  # up to this many windows, each is a line of its own
WIDTH, HEIGHT = 100, 24  # of a distribution's box
NARROWEST = 0.8  # bins; the standard deviation of the smallest kernel
SPREAD = 2.5  # standard deviations at which the colours of the overview end
LINES = 400  # most lines of the overview
SAME = 0.05  # s.d. of the log-odds below which a mark does not distinguish windows
ABOVE, BELOW = (211, 63, 55), (45, 122, 200)  # colours of the overview


class Distribution(NamedTuple):
    """The distribution of a mark's probabilities.

    below, above: paths of the windows that are not called and that are. threshold: where it lies
    in the box, None if the mark is never called. called: a text. reason: why there is no
    distribution, '' if there is one.
    """

    mark: str
    below: str
    above: str
    threshold: float | None
    called: str
    reason: str = ""


class Overview(NamedTuple):
    """A picture of windows and marks. address: a data URL. lines: windows that make one row."""

    marks: tuple[str, ...]
    address: str
    windows: int
    lines: int


def distributions(landscape: Landscape, marks: Sequence[MarkSpec]) -> list[Distribution]:
    """The distributions of all marks, by class."""
    specs = {one.name: one for one in marks}
    found = []
    for name in by_class(specs):
        one = specs[name]
        if one.unpredicted:
            found.append(Distribution(name, "", "", None, NA, one.unpredicted))
            continue
        number = landscape.marks.index(name)
        threshold = one.threshold if one.threshold < NEVER else None
        cut = 1.0 if threshold is None else threshold
        if landscape.windows <= POINTS:
            values = np.array([locus.probabilities[number] for locus in landscape.sample])
            calls = np.array([locus.called[number] for locus in landscape.sample])
            below, above = _strokes(values[~calls]), _strokes(values[calls])
        else:
            below, above = _areas(landscape.histograms[number], cut)
        share = f"{landscape.called[number] / landscape.windows:.1%}"
        called = "never called" if threshold is None else share
        found.append(Distribution(name, below, above, threshold and threshold * WIDTH, called))
    return found


def _strokes(values: np.ndarray) -> str:
    return "".join(f"M{value * WIDTH:.1f} 3V{HEIGHT}" for value in values.tolist())


def _areas(counts: np.ndarray, threshold: float) -> tuple[str, str]:
    """The density as two areas, below and above the threshold; heights are square roots."""
    heights = np.sqrt(smoothed(counts))
    heights = heights / heights.max() * (HEIGHT - 1)
    places = (np.arange(BINS) + 0.5) / BINS
    at = float(np.interp(threshold, places, heights))
    parts = []
    for side, ends in (
        (places < threshold, (0.0, threshold)),
        (places > threshold, (threshold, 1)),
    ):
        if ends[0] >= ends[1]:
            parts.append("")
            continue
        first, last = (at if end == threshold else float(heights[-int(end)]) for end in ends)
        points = [(ends[0], first), *zip(places[side], heights[side], strict=True), (ends[1], last)]
        line = "".join(f"L{x * WIDTH:.1f} {HEIGHT - y:.1f}" for x, y in points)
        parts.append(f"M{ends[0] * WIDTH:.1f} {HEIGHT}{line}V{HEIGHT}Z")
    return parts[0], parts[1]


def smoothed(counts: np.ndarray) -> np.ndarray:
    """A histogram smoothed by a normal kernel, by Silverman's rule, reflected at its ends.

    It keeps its sum.
    """
    total, places = counts.sum(), np.arange(len(counts))
    mean = (counts * places).sum() / total
    deviation = np.sqrt((counts * (places - mean) ** 2).sum() / total)
    width = max(NARROWEST, 0.9 * deviation * total**-0.2)
    reach = min(len(counts), int(4 * width) + 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    padded = np.pad(counts.astype(float), reach, mode="symmetric")
    density: np.ndarray = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    return density


def overview(landscape: Landscape) -> Overview | None:
    """Windows as rows and marks as columns, similar windows beside each other.

    Colours: the log-odds, in standard deviations from the mark's mean. Rows are ordered by their
    angle in the plane of the first two principal components. Marks with nearly the same
    probability for all windows are left out; None if fewer than two marks or three windows remain.
    """
    names = by_class(landscape.marks)
    columns = [landscape.marks.index(name) for name in names]
    values = np.array([locus.probabilities for locus in landscape.sample])[:, columns]
    values = values.clip(1e-6, 1 - 1e-6)
    logits = np.log(values / (1 - values))
    deviations = logits.std(axis=0)
    kept = deviations > SAME
    if len(logits) < 3 or kept.sum() < 2:
        return None
    scaled = ((logits - logits.mean(axis=0)) / np.where(kept, deviations, 1))[:, kept]
    left, sizes, right = np.linalg.svd(scaled, full_matrices=False)
    first, second = (left * sizes * np.sign(right.sum(axis=1)))[:, :2].T
    scaled = scaled[np.argsort(np.arctan2(second, first), kind="stable")]
    together = -(-len(scaled) // LINES)
    starts = np.arange(0, len(scaled), together)
    sums = np.add.reduceat(scaled, starts)
    means = sums / np.diff([*starts, len(scaled)])[:, None]
    marks = tuple(name for name, used in zip(names, kept, strict=True) if used)
    return Overview(marks, picture_address(means / SPREAD), len(scaled), together)


def picture_address(values: np.ndarray) -> str:
    """Values from -1 to 1 as a PNG in a data URL: a pixel each, transparent at 0."""
    colours = np.where(values[..., None] > 0, ABOVE, BELOW)
    strength = np.abs(values).clip(0, 1)[..., None] * 255
    pixels = np.concatenate([colours, strength], axis=2).round().astype(np.uint8)
    height, width = values.shape
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    head = struct.pack(">2I5B", width, height, 8, 6, 0, 0, 0)  # 8 bits a channel, RGBA
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    content = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return "data:image/png;base64," + b64encode(b"\x89PNG\r\n\x1a\n" + content).decode()
