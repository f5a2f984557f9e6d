from __future__ import annotations

import re

import pytest

from histpred.bundle.mark_spec import NAME_PATTERN
from histpred.core.marks import canonical
from histpred.labels.rnainter_marks import Marks, mark_name

HISTONE = "histone modification"


@pytest.mark.parametrize(
    ("partner", "name"),
    [
        ("H3K4me3", "H3K4me3"),
        ("h2a.z", "H2AFZ"),
        ("H2A.Zac", "H2A.Zac"),
        ("acetyl H3", "acetyl_H3"),
        ("H2A(S139)ph", "H2A_S139_ph"),
        ("(H3K4me3)", "H3K4me3"),
        ("\u03b3-H2AX", "gamma-H2AX"),
        ("H4K16ac\u2019", "H4K16ac"),
        ("strand", "strand_mark"),
        ("n_fraction", "n_fraction_mark"),
        ("ID", "ID_mark"),
        ("n/a", ""),
        ("\u2014", ""),
    ],
)
def test_names_of_marks(partner, name):
    assert mark_name(partner) == name
    if name:
        assert re.fullmatch(NAME_PATTERN, name)
        assert mark_name(name) == canonical(name) == name  # as the reader of labels spells it


def test_spellings_share_a_bit_in_any_order():
    spellings = ["macroH2A", "MacroH2A", "H3K4me3", "H3K4ME3", "acH3"]
    for names in (spellings, spellings[::-1]):
        marks = Marks()
        bits = {name: marks.bit(name, HISTONE) for name in names}
        assert bits["macroH2A"] == bits["MacroH2A"] != bits["acH3"]
        assert bits["H3K4me3"] == bits["H3K4ME3"]
        assert sorted(marks.names) == ["H3K4me3", "MacroH2A", "acH3"]
        assert marks.renamed() == []
        assert {bits[name] for name in names} == {1, 2, 4}


def test_one_name_is_a_mark_in_one_category_and_none_in_another():
    marks = Marks()
    assert [marks.bit("acH3", kind) for kind in (HISTONE, "protein", "N/A", "Histone")] == [
        *(1, 0, 0, 1)
    ]
