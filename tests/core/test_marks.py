from __future__ import annotations

import pytest

from histpred.core.marks import (
    ALIASES,
    CLASS_COLOURS,
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


def test_colours_are_rgb_and_one_a_class():
    assert len(set(CLASS_COLOURS.values())) == len(CLASS_COLOURS)
    for entry in MARKS.values():
        assert entry.colour == CLASS_COLOURS[entry.mark_class]
        assert all(0 <= level <= 255 for level in entry.colour)
