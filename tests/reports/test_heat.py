"""Heat maps that are tables: rows, order, and what stands in a cell."""

from __future__ import annotations

import json

import numpy as np
import pytest

from histpred.bundle.mark_spec import MarkSpec
from histpred.reports.heat import FEW, STRONG, HeatCell, group_heat, short, window_heat
from histpred.reports.landscape import Group
from support.landscapes import landscape_of, specs


def test_each_window_is_a_row_with_most_calls_first():
    heat = window_heat(landscape_of([[0.2, 0.1], [0.7, 0.9], [0.1, 0.6]]), specs(), "gene")
    assert [row.name for row in heat.rows] == ["g1", "g2", "g0"]
    assert [locus.name for locus in heat.loci] == ["g1", "g2", "g0"]
    assert heat.marks == ["H3K4me3", "H3K27me3"]
    assert [cell.text for cell in heat.rows[0].cells] == [".70", ".90"]
    assert [cell.kind for cell in heat.rows[1].cells] == ["", "called"]
    assert json.loads(heat.rows[0].place) == ["chr1", 10, 19]
    assert heat.foot == [".50", ".50"]


def test_marks_that_are_never_called_or_not_predicted_say_so():
    marks = [*specs(0.5, 1.0), MarkSpec(name="H3K9me3", threshold=1, unpredicted="too few")]
    heat = window_heat(landscape_of([[0.2, 0.1]], (0.5, 1.0)), marks, "gene")
    assert heat.foot == [".50", "never", "NA"]
    last = heat.rows[0].cells[-1]
    assert (last.text, last.style) == ("NA", "na")
    assert last.value < min(cell.value for cell in heat.rows[0].cells[:-1])


def test_windows_that_share_a_name_are_told_apart_by_their_place():
    landscape = landscape_of([[0.2, 0.1], [0.7, 0.9], [0.1, 0.1]])
    one, *others = landscape.sample
    others = [other._replace(name="twice", biotype="lncRNA") for other in others]
    landscape = landscape._replace(sample=(one._replace(name="."), *others))
    heat = window_heat(landscape, specs(), "tile")
    assert [(row.name, row.note) for row in heat.rows] == [
        ("chr1:11-19", "twice lncRNA"),
        ("chr1:1-9", ""),
        ("chr1:21-29", "twice lncRNA"),
    ]


def test_many_windows_have_no_rows_of_their_own():
    assert window_heat(landscape_of([[0.2, 0.1]] * FEW), specs(), "gene") is not None
    assert window_heat(landscape_of([[0.2, 0.1]] * (FEW + 1)), specs(), "gene") is None


def test_groups_are_shares_of_their_windows():
    landscape = landscape_of([[0.2, 0.1]] * 100)
    assert group_heat(landscape, "gene") is None
    groups = (Group("lncRNA", 80, np.array([40, 0])), Group("miRNA", 300, np.array([1, 30])))
    heat = group_heat(landscape._replace(groups=groups), "gene")
    assert [[cell.text for cell in row.cells] for row in heat.rows] == [["50", "0"], ["<1", "10"]]
    assert heat.top == "50%"
    assert heat.rows[0].cells[0].share == 1


def luminance(colour):
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    parts = [part / 255 for part in colour]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


@pytest.mark.parametrize(
    ("heat", "page", "weak", "strong"),
    [
        ((8, 48, 107), (255, 255, 255), 0.0, 1.0),  # as page.css has them, light
        ((107, 174, 214), (21, 24, 28), 1.0, 0.0),  # and dark
    ],
)
def test_every_cell_has_text_that_can_be_read(heat, page, weak, strong):
    for share in np.linspace(0, 1, 101):
        colour = [share * one + (1 - share) * other for one, other in zip(heat, page, strict=True)]
        text = strong if "strong" in HeatCell("", share).style else weak
        light, dark = sorted((luminance(colour), text), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, share
    assert 0 < STRONG < 1


def test_a_probability_never_looks_certain_unless_it_rounds_to_it():
    assert [short(value) for value in (0, 0.004, 0.994, 0.996, 1)] == [
        ".00",
        ".00",
        ".99",
        "1.0",
        "1.0",
    ]
