from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from histpred.core.colours import oklab
from histpred.core.marks import (
    ALIASES,
    CLASS_COLOURS,
    CLASS_MARKS,
    LIGHTNESSES,
    MARKS,
    canonical,
    mark,
    mark_colour,
)

CHR22 = "H2AFZ H3F3A H3K27ac H3K27me3 H3K36me3 H3K4me1 H3K4me3 H3K9ac H3K9me3"
REGIONS = """H2AFZ H2AK5ac H2AK9ac H2BK120ac H2BK12ac H2BK15ac H2BK20ac H2BK5ac H3F3A
    H3K14ac H3K18ac H3K23ac H3K23me2 H3K27ac H3K27me3 H3K36me3 H3K4ac H3K4me1 H3K4me2 H3K4me3
    H3K56ac H3K79me1 H3K79me2 H3K9ac H3K9me1 H3K9me2 H3K9me3 H3T11ph H4K12ac H4K20me1 H4K5ac H4K8ac
    H4K91ac"""
YEAST = """H2AK5ac H2AS129ph H3K14ac H3K18ac H3K23ac H3K27ac H3K36me H3K36me2 H3K36me3 H3K4ac
    H3K4me H3K4me2 H3K4me3 H3K56ac H3K79me H3K79me3 H3K9ac H3S10ph H4K12ac H4K16ac H4K20me H4K5ac
    H4K8ac H4R3me H4R3me2s Htz1"""


@pytest.mark.parametrize("names", [CHR22, REGIONS, YEAST], ids=["chr22", "33 regions", "yeast"])
def test_every_mark_of_the_data_sets_is_listed_under_its_own_name(names):
    for name in names.split():
        assert name in MARKS
        assert canonical(name) == name


@pytest.mark.parametrize("name", sorted(MARKS))
def test_case_and_surrounding_space_do_not_matter(name):
    assert canonical(f" {name.lower()}\t") == canonical(name.upper()) == name


@pytest.mark.parametrize("name", ["H2A.Z", "H2AZ", "h2az1", "H2AFZ"])
def test_spellings_of_one_variant_are_one(name):
    assert canonical(name) == "H2AFZ"


def test_canonical_is_idempotent_and_aliases_lead_to_listed_marks():
    for name in [*ALIASES, *MARKS, "H3K122AC", "H9X3", "my mark"]:
        assert canonical(canonical(name)) == canonical(name)
    assert set(ALIASES.values()) <= set(MARKS)
    assert not set(ALIASES) & set(MARKS)


@pytest.mark.parametrize(
    ("name", "spelling", "expected"),
    [
        ("h3k122AC", "H3K122ac", "acetylation"),
        ("h2ay57PH", "H2AY57ph", "phosphorylation"),
        ("H3R17ME2A", "H3R17me2a", "other"),
        ("CTCF", "CTCF", "other"),
    ],
)
def test_an_unlisted_mark_is_spelled_and_classed_by_its_modification(name, spelling, expected):
    assert mark(name).name == spelling
    assert mark(name).mark_class == expected
    assert mark_colour(name) == CLASS_COLOURS[expected]


# What colour-blind readers see, linear sRGB in and out (Machado 2009, doi:10.1109/TVCG.2009.113).
SIGHT = {
    "all colours": np.eye(3),
    "no red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
CLOSE = 0.02  # in OKLab; what a reader just notices


def linear(colour) -> np.ndarray:
    levels = np.array(colour) / 255
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


def seen(colour, sight: str) -> np.ndarray:
    """A colour in OKLab, as somebody sees it."""
    levels = np.clip(linear(colour) @ np.array(SIGHT[sight]).T, 0, 1)
    shown = np.where(levels <= 0.0031308, levels * 12.92, 1.055 * levels ** (1 / 2.4) - 0.055)
    return np.array(oklab(tuple(255 * shown)))


def nearest(colours, sight: str) -> float:
    """The distance of the two colours that look most alike."""
    return min(np.linalg.norm(a - b) for a, b in combinations([seen(c, sight) for c in colours], 2))


@pytest.mark.parametrize("sight", SIGHT)
def test_everybody_tells_classes_apart(sight):
    assert nearest(CLASS_COLOURS.values(), sight) > 4 * CLOSE


@pytest.mark.parametrize("mark_class", CLASS_MARKS)
def test_marks_of_a_class_differ_in_shade(mark_class):
    colours = [MARKS[name].colour for name in CLASS_MARKS[mark_class]]
    assert nearest(colours, "all colours") > 1.5 * CLOSE
    for first in range(0, len(colours), len(LIGHTNESSES)):
        some = colours[first : first + len(LIGHTNESSES)]
        if len(some) > 1:
            assert min(nearest(some, sight) for sight in SIGHT) > 1.5 * CLOSE


@pytest.mark.parametrize(
    "colour", [*CLASS_COLOURS.values(), *{one.colour for one in MARKS.values()}]
)
def test_colours_stand_out_on_white(colour):
    """By the contrast that WCAG 2.2 asks of graphics, 3:1."""
    assert all(0 <= level <= 255 for level in colour)
    assert 1.05 / (linear(colour) @ [0.2126, 0.7152, 0.0722] + 0.05) >= 3
