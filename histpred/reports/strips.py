"""What speaks for a mark at a locus, as a strip and as a sentence.

A strip has a bar for each stretch of the window, 5' to 3' from left to right: upwards where it
speaks for the mark, downwards where it speaks against it. Bars are paths of an SVG.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from histpred.reports.landscape import Locus
from histpred.scoring.explain_tables import Explained

WIDTH, HEIGHT = 300, 28  # of a strip
THIN = 0.05  # height below which a bar is not seen
NEAR = 2_000  # bp from the TSS
ALL = 0.995  # a share that is said to be all
SMALL = 0.1  # log-odds below which a stretch matters little by itself


class Bars(NamedTuple):
    """The contributions to a mark along a window, 5' to 3'.

    places: of the stretches on the genome, [n, 2], 0-based half-open. starts, ends: their distance
    from the anchor in bp, negative upstream. values: [n].
    """

    locus: Locus
    places: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    values: np.ndarray


class Tick(NamedTuple):
    """A place on the axis in percent of its length, and its text."""

    at: float
    text: str


def bars_of(locus: Locus, explained: Explained, column: int) -> Bars:
    """The contributions to the mark of a column; the window's anchor is known."""
    places, values = np.array(explained.stretches), explained.contributions[:, column]
    anchor = explained.anchor or 0
    if locus.strand == "-":
        places, values = places[::-1], values[::-1]
        starts, ends = (anchor + 1 - places[:, ::-1]).T
    else:
        starts, ends = (places - anchor).T
    return Bars(locus, places, starts, ends, values)


def path_of(bars: Bars, axis: tuple[int, int], top: float, sign: int) -> str:
    """The bars that point upwards (sign 1) or downwards (-1).

    axis: bp at the left and the right end. top: what a bar of full height stands for.
    """
    first, last = axis
    middle = HEIGHT / 2
    parts = []
    for start, end, value in zip(bars.starts, bars.ends, bars.values.tolist(), strict=True):
        left, right = ((at - first) / (last - first) * WIDTH for at in (start, end))
        height = sign * value / top * (middle - 1)
        if height >= THIN:
            at = middle - sign * height
            parts.append(f"M{left:.1f} {middle:g}V{at:.1f}H{right:.1f}V{middle:g}Z")
    return "".join(parts)


def sentence_of(bars: Bars, anchor: str, unit: str) -> str:
    """Where most of what speaks for the mark lies, and the stretch that says most."""
    best = int(bars.values.argmax())
    most = float(bars.values[best])
    if most <= 0:
        return "No stretch speaks for it."
    start, end = bars.places[best].tolist()
    away = distance_text(int(bars.starts[best]), int(bars.ends[best]), anchor)
    where = f"{bars.locus.chrom}:{start + 1:,}-{end:,}, {away}"
    if most < SMALL:
        return f"No stretch matters much by itself: the strongest, {where}, adds {most:.2f} {unit}."
    strongest = f"The strongest stretch is {where} (+{most:.2f} {unit})."
    if int(bars.starts[0]) >= -NEAR and int(bars.ends[-1]) <= NEAR:
        return strongest
    near, upstream, downstream = shares_of(bars)
    kb = NEAR // 1000
    if near >= 0.5:
        how = "All" if near > ALL else "Most"
        many = "" if near > ALL else f" ({near:.0%})"
        return f"{how} of what speaks for it{many} lies within {kb} kb of the {anchor}. {strongest}"
    return (
        f"Most of what speaks for it lies beyond {kb} kb of the {anchor} ({upstream:.0%} upstream, "
        f"{downstream:.0%} downstream). {strongest}"
    )


def shares_of(bars: Bars) -> tuple[float, float, float]:
    """The share of all that speaks for the mark: near the anchor, farther upstream, and behind."""
    rising = bars.values.clip(0)
    per_base = rising / rising.sum() / (bars.ends - bars.starts)
    near, upstream, downstream = (
        float((per_base * (bars.ends.clip(*zone) - bars.starts.clip(*zone))).sum())
        for zone in ((-NEAR, NEAR), (None, -NEAR), (NEAR, None))
    )
    return near, upstream, downstream


def distance_text(start: int, end: int, anchor: str) -> str:
    """How far from the anchor a stretch begins.

    >>> distance_text(-500, 500, "TSS"), distance_text(-1500, -500, "TSS")
    ('at the TSS', '500 bp upstream')
    """
    if start <= 0 < end:
        return f"at the {anchor}"
    return f"{start:,} bp downstream" if start > 0 else f"{-end:,} bp upstream"


def ticks_of(first: int, last: int, anchor: str) -> list[Tick]:
    """The anchor, and the ends of the axis that do not lie close to it.

    >>> [tick.text for tick in ticks_of(-500, 17_100, "TSS")]
    ['TSS', '+17 kb']
    """
    middle = -first / (last - first) * 100
    ends = (Tick(0.0, bp_text(first)), Tick(100.0, bp_text(last)))
    kept = [tick for tick in ends if abs(middle - tick.at) > 20]
    return sorted([*kept, Tick(round(middle, 2), anchor)])


def bp_text(bp: int) -> str:
    """A distance with its sign, in kb from 2 kb on.

    >>> bp_text(17_100), bp_text(400)
    ('+17 kb', '+400 bp')
    """
    sign = "+" if bp > 0 else "\N{MINUS SIGN}"
    return f"{sign}{abs(bp) / 1000:.0f} kb" if abs(bp) >= NEAR else f"{sign}{abs(bp):,} bp"
