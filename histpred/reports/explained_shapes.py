"""The figures of an explanation: a map and a logo for each window, and profiles of many windows.

They are parts of SVG; the page's template puts them together and gives them their colours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import pandas

from histpred.core.marks import by_class
from histpred.reports.explained import Contributions, largest_biotypes
from histpred.reports.shapes import picture_address
from histpred.scoring.profile import ALL

WIDTH, ROW = 900, 16  # of a map; height of a mark
LETTER = 7.0  # width of a letter of a name
COLUMNS = 900  # pixels of a map's picture
MOST_GENE_ROWS = 6
LOGO_BASES, LOGO_HEIGHT, LOGO_MARKS = 150, 70, 3
PANEL_WIDTH, PANEL_HEIGHT = 300, 110
LINES = 3  # biotypes in a panel
TICKS = 5
TSS, MIDDLE = "TSS", "middle"  # of a gene, of an interval

Values = TypeVar("Values", float, pandas.Series)


class Tick(NamedTuple):
    """A tick of an axis: its place, and its text."""

    at: float
    text: str


class Gene(NamedTuple):
    """A row of the annotation: from and to where it is drawn, where its name begins, the row."""

    left: float
    right: float
    label: float
    row: int
    name: str
    arrow: str
    own: bool


class Letter(NamedTuple):
    """A base of a logo: its place, its height, and whether it speaks for the mark."""

    base: str
    left: float
    top: float
    width: float
    height: float
    positive: bool


class Logo(NamedTuple):
    """The bases around those that matter most, for one mark. top: the largest height, log-odds."""

    mark: str
    letters: Sequence[Letter]
    place: str
    top: str
    middle: float


class Map(NamedTuple):
    """The contributions of a window: marks as rows, the genome from left to right.

    top: what the darkest colour stands for, log-odds. tss: where it lies; None if not known.
    """

    name: str
    place: str
    marks: Sequence[str]
    probabilities: Sequence[str]
    address: str
    top: str
    tss: float | None
    ticks: Sequence[Tick]
    genes: Sequence[Gene]
    logos: Sequence[Logo]
    height: int
    gene_rows: int


class Panel(NamedTuple):
    """The profile of a mark: the mean with its interval, and the means of some biotypes.

    zero, tss: places of the lines. top, bottom: the ends of the axis, log-odds.
    """

    mark: str
    band: str
    mean: str
    others: Sequence[tuple[str, str]]
    zero: float
    tss: float
    ticks: Sequence[Tick]
    top: str
    bottom: str


def map_of(one: Contributions, marks: Sequence[str]) -> Map:
    """The map of a window."""
    names = by_class(marks)
    columns = [marks.index(name) for name in names]
    values = one.values[:, columns]
    top = float(np.abs(values).max(initial=0)) or 1.0
    length = one.end - one.start

    def across(position: float) -> float:
        return round((position - one.start) / length * WIDTH, 1)

    pixels = one.start + (np.arange(COLUMNS) + 0.5) * length / COLUMNS
    picture = np.zeros((len(names), COLUMNS))
    number = np.searchsorted(one.stretches[:, 0], pixels, "right") - 1
    inside = number >= 0
    inside[inside] = pixels[inside] < one.stretches[number[inside], 1]
    picture[:, inside] = values[number[inside]].T / top
    genes, rows = _genes(one, across)
    return Map(
        one.name,
        f"{one.contig}:{one.start + 1:,}-{one.end:,}",
        names,
        [f"{one.own[column]:.2f}" for column in columns],
        picture_address(picture),
        f"{top:.2g}",
        None if one.anchor is None else across(one.anchor + 0.5),
        _ticks(one, across),
        genes,
        _logos(one, marks),
        ROW * len(names),
        rows,
    )


def _ticks(one: Contributions, across: Callable[[float], float]) -> list[Tick]:
    """Positions on the genome, some round numbers of bp apart."""
    length = one.end - one.start
    step = 10 ** int(np.log10(max(length / TICKS, 1)))
    step *= next(times for times in (1, 2, 5, 10) if length / (step * times) <= TICKS + 1)
    first = -(-one.start // step) * step
    return [Tick(across(at), f"{at:,}") for at in range(first, one.end, step) if at > 0]


def _genes(one: Contributions, across: Callable[[float], float]) -> tuple[list[Gene], int]:
    """The rows of the annotation in as few rows as they need, `MOST_GENE_ROWS` at most."""
    ends: list[float] = []
    found = []
    for _, start, end, name, strand, _ in sorted(one.features, key=lambda feature: feature[1:3]):
        left, right = max(0.0, across(start)), min(float(WIDTH), across(end))
        label = max(0.0, min(left, WIDTH - LETTER * len(name)))
        row = next((row for row, taken in enumerate(ends) if taken < label), len(ends))
        if row == MOST_GENE_ROWS:
            continue
        ends[row : row + 1] = [max(right + 10, label + LETTER * len(name))]
        at, way = (left, -7) if strand == "-" else (right, 7)
        arrow = "" if strand not in "+-" else f"M{at} 0l{way} 5l{-way} 5z"
        found.append(Gene(left, max(right, left + 1), label, row, name, arrow, name == one.name))
    return found, len(ends)


def _logos(one: Contributions, marks: Sequence[str]) -> list[Logo]:
    """The marks that the bases change most, each around the base that matters most to it."""
    if not one.bases:
        return []
    positions = np.array([place for place, _, _ in one.bases])
    firsts = np.flatnonzero(np.diff(positions, prepend=-1))
    # The base against the mean of all four, as tangermeme.saturation_mutagenesis has it.
    heights = -np.add.reduceat(one.effects, firsts) / 4
    places, letters = positions[firsts], [one.bases[first][1] for first in firsts]
    order = np.argsort(-np.abs(heights).max(axis=0), kind="stable")[:LOGO_MARKS]
    found = []
    for column in order.tolist():
        peak = int(np.abs(heights[:, column]).argmax())
        first = max(0, min(peak - LOGO_BASES // 2, len(places) - LOGO_BASES))
        some = slice(first, first + LOGO_BASES)
        found.append(
            _logo(marks[column], one.contig, places[some], letters[some], heights[some, column])
        )
    return found


def _logo(
    mark: str, contig: str, places: np.ndarray, bases: Sequence[str], heights: np.ndarray
) -> Logo:
    top = float(np.abs(heights).max()) or 1.0
    width = WIDTH / len(places)
    middle = LOGO_HEIGHT / 2
    letters = []
    for number, (base, height) in enumerate(zip(bases, heights.tolist(), strict=True)):
        tall = abs(height) / top * middle
        above = middle - tall if height > 0 else middle
        letters.append(
            Letter(base, round(number * width, 2), round(above, 2), width, tall, height > 0)
        )
    place = f"{contig}:{places[0] + 1:,}-{places[-1] + 1:,}"
    return Logo(mark, letters, place, f"{top:.2g}", middle)


def panels_of(profile: pandas.DataFrame, anchor: str = TSS) -> tuple[list[Panel], list[str]]:
    """A panel for each mark, and the biotypes whose means are drawn too.

    anchor: what distances are counted from.
    """
    biotypes = largest_biotypes(profile, LINES)
    found = []
    for name in by_class(dict.fromkeys(profile["mark"])):
        of_mark = profile[profile["mark"] == name]
        found.append(_panel(name, of_mark, biotypes, anchor))
    return found, biotypes


def _panel(name: str, of_mark: pandas.DataFrame, biotypes: Sequence[str], anchor: str) -> Panel:
    whole = of_mark[of_mark["biotype"] == ALL]
    lines = [of_mark[of_mark["biotype"] == biotype] for biotype in biotypes]
    first, last = int(whole["start"].min()), int(whole["end"].max())
    reach = [whole[["mean", "low", "high"]].to_numpy().ravel(), *(one["mean"] for one in lines)]
    values = np.concatenate([*reach, [0.0]])
    bottom, top = float(np.nanmin(values)), float(np.nanmax(values))
    top += (top - bottom) * 0.05 or 1.0

    def across(at: Values) -> Values:
        return (at - first) / (last - first) * PANEL_WIDTH

    def up(value: Values) -> Values:
        return (top - value) / (top - bottom) * PANEL_HEIGHT

    def path(table: pandas.DataFrame, column: str, back: bool = False) -> str:
        middles = across((table["start"] + table["end"]) / 2)
        points = [*zip(middles, up(table[column].fillna(table["mean"])), strict=True)]
        return "L".join(f"{x:.1f} {y:.1f}" for x, y in (points[::-1] if back else points))

    step = 10_000 if last - first > 20_000 else 5_000 if last - first > 10_000 else 1_000
    ticks = [
        Tick(float(across(at)), f"{at // 1000:+d} kb" if at else anchor)
        for at in range(-(-first // step) * step, last + 1, step)
    ]
    others = [
        (biotype, f"M{path(one, 'mean')}") for biotype, one in zip(biotypes, lines, strict=True)
    ]
    return Panel(
        name,
        f"M{path(whole, 'low')}L{path(whole, 'high', back=True)}Z",
        f"M{path(whole, 'mean')}",
        others,
        float(up(0)),
        float(across(0)),
        ticks,
        f"{top:.2g}",
        f"{bottom:.2g}",
    )
