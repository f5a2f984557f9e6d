"""Heat maps that are tables: every cell is text, and the page's style makes its colour.

They are drawn for genes by name, if there are few, and for groups of windows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from histpred.bundle.calls import NEVER
from histpred.bundle.mark_spec import MarkSpec
from histpred.core.columns import NA
from histpred.core.marks import by_class
from histpred.reports.browser import place_json, place_text
from histpred.reports.landscape import NOT_STATED, Landscape, Locus

FEW = 40  # up to this many windows, each has a row
STRONG = 0.66  # share of the colour from which text of the other brightness has more contrast


class HeatCell(NamedTuple):
    """A cell: its text, and the share of the colour from 0 to 1.

    kind: 'called', 'na' or ''.
    """

    text: str
    share: float
    kind: str = ""

    @property
    def value(self) -> float:
        """What its column is sorted by: NA below all others."""
        return -1 if self.kind == "na" else round(self.share, 6)

    @property
    def style(self) -> str:
        """The classes of its element."""
        return " ".join(filter(None, (self.kind, "strong" if self.share >= STRONG else "")))


class HeatRow(NamedTuple):
    """A row; `note` in small letters after the name, `place` as in `page.Row`."""

    name: str
    note: str
    cells: Sequence[HeatCell]
    place: str = ""


class Heat(NamedTuple):
    """A heat map. marks: the columns. foot: a last row of texts, without colours.

    top: what the darkest colour stands for. loci: of the rows, if each is a window.
    """

    title: str
    caption: str
    head: str
    marks: Sequence[str]
    rows: Sequence[HeatRow]
    foot: Sequence[str] = ()
    name: str = ""
    top: str = "1"
    loci: Sequence[Locus] = ()


def window_heat(landscape: Landscape, marks: Sequence[MarkSpec], unit: str) -> Heat | None:
    """A row for each window, the one with most calls first; None if there are more than FEW.

    unit: what a window is of, such as 'gene'.
    """
    if landscape.windows > FEW:
        return None
    specs = {one.name: one for one in marks}
    names = by_class(specs)
    loci = sorted(landscape.sample, key=lambda one: (-one.called.sum(), -one.probabilities.sum()))
    counts = Counter(one.name for one in loci)
    rows = [
        HeatRow(
            place_text(one) if one.name == NOT_STATED or counts[one.name] > 1 else one.name,
            _note(one, counts[one.name] > 1),
            [_cell(landscape, specs[name], one) for name in names],
            place_json(one),
        )
        for one in loci
    ]
    return Heat(
        "Probability of each mark",
        f"Each row is a {unit}, each column a mark, each cell the probability of the mark. Framed "
        "and bold: called.",
        unit.capitalize(),
        names,
        rows,
        [threshold_text(specs[name]) for name in names],
        "window-table",
        loci=loci,
    )


def group_heat(landscape: Landscape, unit: str) -> Heat | None:
    """The share of each group's windows that are called, by mark; None if there is one group."""
    if len(landscape.groups) < 2:
        return None
    names = by_class(landscape.marks)
    columns = [landscape.marks.index(name) for name in names]
    shares = [group.called[columns] / group.windows for group in landscape.groups]
    most = max(0.05, *(float(row.max()) for row in shares))
    rows = [
        HeatRow(
            group.name,
            f"{group.windows:,}",
            [HeatCell(percent_text(share), share / most) for share in row.tolist()],
        )
        for group, row in zip(landscape.groups, shares, strict=True)
    ]
    return Heat(
        f"Calls by {landscape.by}",
        f"The percentage of the {unit}s of each {landscape.by} that are called for a mark; the "
        f"number beside a name is that of its {unit}s.",
        landscape.by.capitalize(),
        names,
        rows,
        top=f"{most:.0%}",
    )


def _note(locus: Locus, shared: bool) -> str:
    """What stands after a row's name: the biotype, and before it the name if rows share it."""
    parts = [locus.name if shared else NOT_STATED, locus.biotype]
    return " ".join(part for part in parts if part != NOT_STATED)


def _cell(landscape: Landscape, mark: MarkSpec, locus: Locus) -> HeatCell:
    if mark.unpredicted:
        return HeatCell(NA, 0, "na")
    column = landscape.marks.index(mark.name)
    value = float(locus.probabilities[column])
    return HeatCell(short(value), value, "called" if locus.called[column] else "")


def threshold_text(mark: MarkSpec) -> str:
    """The probability from which a mark is called, 'never', or NA if it is not predicted."""
    if mark.unpredicted:
        return NA
    return short(mark.threshold) if mark.threshold < NEVER else "never"


def short(value: float) -> str:
    """A probability with two decimals, without the zero before them.

    >>> short(0.574), short(0.999), short(0.0012)
    ('.57', '1.0', '.00')
    """
    return "1.0" if value >= 0.995 else f"{value:.2f}".removeprefix("0")


def percent_text(share: float) -> str:
    """A share in whole percent; '<1' below that, '0' for none.

    >>> percent_text(0), percent_text(0.004), percent_text(0.574)
    ('0', '<1', '57')
    """
    return "<1" if 0 < share < 0.005 else f"{100 * share:.0f}"
