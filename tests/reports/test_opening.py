"""The sentences that open a prediction's page."""

from __future__ import annotations

import numpy as np
import pytest

from histpred.bundle.calls import in_tiles
from histpred.bundle.mark_spec import Calls, MarkSpec
from histpred.genome.windows import WindowSpec
from histpred.reports.opening import found, named, trust, unit_of
from support.landscapes import landscape_of, specs


def test_what_was_found():
    landscape = landscape_of([[0.6, 0.1], [0.7, 0.9], [0.1, 0.2]])
    assert found(landscape, specs(), "gene") == [
        "2 of 3 genes have at least one called mark; the average is 1.0.",
        "H3K4me3 is called most often, at 2 genes, then H3K27me3 (1).",
    ]


def test_a_mark_that_could_be_called_and_is_not_is_named_and_one_that_cannot_is_not():
    third = MarkSpec(name="H3K9me3", threshold=0.9)
    landscape = landscape_of([[0.6, 0.1], [0.7, 0.9]])
    called = np.append(landscape.called, 0)
    landscape = landscape._replace(marks=(*landscape.marks, "H3K9me3"), called=called)
    assert found(landscape, [*specs(), third], "gene")[1].endswith(
        "then H3K27me3 (1); H3K9me3 at none."
    )
    never = third.model_copy(update={"threshold": 1.0})
    assert found(landscape, [*specs(), never], "gene")[1].endswith("then H3K27me3 (1).")


def test_the_only_mark():
    assert found(landscape_of([[0.6, 0.1], [0.7, 0.2]]), specs(), "gene") == [
        "All 2 genes have at least one called mark; the average is 1.0.",
        "Only H3K4me3 is called.",
    ]


def test_marks_that_are_called_as_often_are_named_together():
    assert found(landscape_of([[0.6, 0.1], [0.1, 0.7]]), specs(), "gene")[1] == (
        "H3K4me3 and H3K27me3 are called most often, at 1 gene each."
    )


def test_one_mark_that_was_asked_for():
    landscape = landscape_of([[0.6, 0.1], [0.1, 0.1]])
    landscape = landscape._replace(marks=("H3K4me3",), called=landscape.called[:1])
    assert found(landscape, specs()[:1], "gene") == ["H3K4me3 is called at 1 of 2 genes."]


def test_nothing_or_one_gene():
    assert found(landscape_of([[0.1, 0.1]] * 2), specs(), "tile") == [
        "No mark is called at any of the 2 tiles."
    ]
    assert found(landscape_of([[0.1, 0.1]]), specs(), "gene") == ["No mark is called at this gene."]
    assert found(landscape_of([[0.6, 0.8]]), specs(), "gene") == [
        "H3K4me3 and H3K27me3 are called at this gene."
    ]


def test_calls_without_a_stated_precision_are_not_to_be_trusted_silently():
    (sentence,) = trust(landscape_of([[0.6, 0.1]]), specs())
    assert "does not state the precision" in sentence


def promised(name, precision):
    calls = Calls(rule="precision", wanted=0.8, precision=precision, recall=precision and 0.5)
    return MarkSpec(name=name, threshold=0.5 if precision else 1, calls=calls)


def test_how_many_calls_are_expected_to_be_right():
    landscape = landscape_of([[0.6, 0.1]] * 9 + [[0.6, 0.9]])
    marks = [promised("H3K4me3", 0.9), promised("H3K27me3", 0.8)]
    (sentence,) = trust(landscape, marks)
    assert sentence.startswith("Of the 11 calls, about 10 (89%) are expected to be right")
    first, second = trust(landscape, [marks[0], specs()[1]])
    assert first.startswith("Of the 10 calls of H3K4me3, about 9 (90%) are expected")
    assert second == "The bundle does not state the precision of calls of H3K27me3."


def test_never_called_and_not_predicted_are_words():
    landscape = landscape_of([[0.1, 0.1]], (1.0, 1.0))
    of_promoters = Calls(rule="youden", precision=0.6, recall=0.5, rows="promoters")
    marks = [
        promised("H3K4me3", None),
        promised("H3K27me3", None),
        in_tiles(MarkSpec(name="H4K8ac", threshold=0.5, calls=of_promoters)),
        MarkSpec(name="H3K9me3", threshold=1, unpredicted="too few genes carry it"),
    ]
    assert list(trust(landscape, marks)) == [
        "H3K4me3 and H3K27me3 are never called: no threshold reaches a precision of 0.8.",
        "H4K8ac is never called: the precision of its calls is known for promoters only.",
        "H3K9me3 is not predicted (NA): too few genes carry it.",
    ]


@pytest.mark.parametrize(
    ("tile", "annotation", "unit"),
    [
        (200, "BED6", "tile"),
        (0, "GTF", "transcript"),
        (0, "GFF3", "transcript"),
        (0, "BED", "region"),
    ],
)
def test_what_a_window_is_of(tile, annotation, unit):
    window = WindowSpec("interval", 0, 0, 0.5, tile=tile)
    assert unit_of(window, "transcript", annotation) == unit


def test_many_names_are_a_number():
    assert named(["a"] * 7) == "7 marks"
