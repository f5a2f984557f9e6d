"""The histone marks: one spelling, one class and one colour for each.

Names follow the Brno nomenclature (Turner 2005, doi:10.1038/nsmb0205-110): histone, residue,
modification. Variants carry the gene symbol that ENCODE's peak files use (H2AFZ for H2A.Z, H3F3A
for H3.3). An unlisted mark is not an error; its class follows from its modification.

A class has a hue, a mark a shade of it. The hues are those of the Roadmap ChromHMM states where a
state corresponds to the class (Roadmap Epigenomics 2015, doi:10.1038/nature14248). Colour-blind
readers tell all classes apart, and neighbours within a class; all colours stand out on white.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from histpred.core.colours import Colour, shade

CLASS_COLOURS: dict[str, Colour] = {
    "active promoter": (224, 49, 56),
    "enhancer": (208, 130, 7),
    "transcribed": (28, 125, 2),
    "repressed polycomb": (108, 119, 129),
    "heterochromatin": (54, 53, 161),
    "acetylation": (160, 0, 108),
    "phosphorylation": (87, 38, 17),
    "variant": (8, 155, 178),
    "other": (86, 76, 0),
}
LIGHTNESSES = (0.585, 0.36, 0.51, 0.645, 0.435)  # of the marks of a class, one after another
TURN = -12.0  # degrees of hue, each time that the lightnesses begin again

CLASS_MARKS: dict[str, tuple[str, ...]] = {
    "active promoter": ("H3K4me3", "H3K9ac", "H3K4me2", "H4K16ac"),
    "enhancer": ("H3K27ac", "H3K4me1", "H3K4me"),
    "transcribed": (
        *("H3K36me3", "H3K79me2", "H4K20me1", "H3K36me2", "H3K79me1"),
        *("H3K79me3", "H3K36me", "H3K79me", "H4K20me", "H2BK120ub", "H3K36me1"),
    ),
    "repressed polycomb": ("H3K27me3", "H2AK119ub", "H3K27me2", "H3K27me1"),
    "heterochromatin": ("H3K9me3", "H3K9me2", "H3K9me1", "H4K20me3", "H4K20me2", "H3K9me"),
    "acetylation": (
        *("H2AK5ac", "H2AK9ac", "H2BK5ac", "H2BK12ac", "H2BK15ac", "H2BK20ac", "H2BK120ac"),
        *("H3K4ac", "H3K14ac", "H3K18ac", "H3K23ac", "H3K56ac"),
        *("H4K5ac", "H4K8ac", "H4K12ac", "H4K91ac"),
    ),
    "phosphorylation": ("H3S10ph", "H2AS129ph", "H3T3ph", "H3T11ph"),
    "variant": ("H2AFZ", "H3F3A", "Htz1", "H2AFX", "CENPA"),
    "other": ("H4R3me", "H4R3me2s", "H4R3me2a", "H3K23me2"),
}
"""The marks of each class, the best known first: a mark's place sets its shade."""

CORE_MARKS = ("H3K4me3", "H3K27ac", "H3K4me1", "H3K36me3", "H3K27me3", "H3K9me3")
"""The marks of a reference epigenome (IHEC; Stunnenberg 2016, doi:10.1016/j.cell.2016.11.007)."""

ALIASES = {
    "H2A.Z": "H2AFZ",
    "H2AZ": "H2AFZ",
    "H2AZ1": "H2AFZ",
    "H2A.X": "H2AFX",
    "H2AX": "H2AFX",
    "H3.3": "H3F3A",
    "H3F3B": "H3F3A",
    "H3-3A": "H3F3A",
    "CENP-A": "CENPA",
    "H2BK120ub1": "H2BK120ub",
    "H2AK119ub1": "H2AK119ub",
}

MODIFICATION = re.compile(
    r"(H(?:1|2A|2B|3|4)(?:[KRSTY]\d+)?)(AC|ME[123]?[AS]?|PH|UB1?|SU|CR|LA)?", re.IGNORECASE
)


class Mark(NamedTuple):
    """A histone mark: its canonical name, its chromatin class, and its colour.

    The colour is a shade of the class's. A mark that is not listed has the class's own.
    """

    name: str
    mark_class: str
    colour: Colour


def _shade(mark_class: str, number: int) -> Colour:
    """The colour of the listed mark `number` of a class, counted from 0."""
    turns, step = divmod(number, len(LIGHTNESSES))
    return shade(CLASS_COLOURS[mark_class], LIGHTNESSES[step], TURN * turns)


MARKS: dict[str, Mark] = {
    name: Mark(name, mark_class, _shade(mark_class, number))
    for mark_class, names in CLASS_MARKS.items()
    for number, name in enumerate(names)
}

_SPELLINGS = {name.upper(): name for name in MARKS} | {
    alias.upper(): name for alias, name in ALIASES.items()
}


def canonical(name: str) -> str:
    """The canonical spelling of a mark; a name of no known pattern is only stripped of spaces.

    >>> canonical("H2A.Z"), canonical("h3k27ME3"), canonical("H3K122AC"), canonical("mine")
    ('H2AFZ', 'H3K27me3', 'H3K122ac', 'mine')
    """
    name = name.strip()
    if known := _SPELLINGS.get(name.upper()):
        return known
    parts = MODIFICATION.fullmatch(name)
    return parts[1].upper() + (parts[2] or "").lower() if parts else name


def is_mark(name: str) -> bool:
    """True if a name is a listed histone mark or has the pattern of one.

    >>> is_mark("h3k4ME3"), is_mark("H2A.Z"), is_mark("H3K122ac"), is_mark("POLR2A")
    (True, True, True, False)
    """
    name = canonical(name)
    return name in MARKS or MODIFICATION.fullmatch(name) is not None


def mark(name: str) -> Mark:
    """The entry of a mark in any spelling; the modification sets the class of an unlisted mark."""
    name = canonical(name)
    by_modification = {"ac": "acetylation", "ph": "phosphorylation"}
    mark_class = by_modification.get(name[-2:], "other")
    return MARKS.get(name) or Mark(name, mark_class, CLASS_COLOURS[mark_class])


def by_class(names: Iterable[str]) -> list[str]:
    """Names sorted by class, in the order of CLASS_COLOURS; order within a class is kept.

    >>> by_class(["H3K27me3", "H3K4me3", "H3K27ac"])
    ['H3K4me3', 'H3K27ac', 'H3K27me3']
    """
    classes = list(CLASS_COLOURS)
    return sorted(names, key=lambda name: classes.index(mark(name).mark_class))


def mark_colour(name: str) -> Colour:
    """The colour of a mark: red, green and blue, 0 to 255.

    >>> mark_colour("h3k36me3"), mark_colour("H3K36me2")
    ((54, 147, 38), (74, 165, 59))
    """
    return mark(name).colour


def hex_colour(name: str) -> str:
    """The colour of a mark in HTML notation.

    >>> hex_colour("H3K36me3")
    '#369326'
    """
    return html_colour(mark_colour(name))


def html_colour(colour: Colour) -> str:
    """A colour in HTML notation.

    >>> html_colour((255, 0, 10))
    '#ff000a'
    """
    return "#{:02x}{:02x}{:02x}".format(*colour)


def class_track(mark_class: str) -> str:
    """The name of a class's track, without its suffix; no mark may have it.

    >>> class_track("active promoter")
    'class-active-promoter'
    """
    return f"class-{mark_class.replace(' ', '-')}"
