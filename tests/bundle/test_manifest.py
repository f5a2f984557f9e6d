"""What a manifest may say, and which window and which marks a bundle means."""

from __future__ import annotations

import dataclasses

import pytest
from pydantic import ValidationError

from histpred.bundle.folder import Bundle, load_bundle
from histpred.bundle.manifest import Manifest
from histpred.bundle.outputs import interval_output, was_trained_on, window_for
from histpred.core.errors import UsageError
from histpred.genome.windows import WindowSpec

GENES = {"kind": "promoter", "upstream": 300, "downstream": 300, "whole": True}
INTERVALS = {"kind": "interval", "upstream": 250, "downstream": 350, "whole": True}


def bundle(**changes) -> Bundle:
    """The default bundle with two outputs of made-up windows; `changes` to its fields."""
    loaded = load_bundle()
    fields = loaded.manifest.model_dump()
    marks = [{**mark, "threshold": 0.123, "calls": None} for mark in fields["marks"]]
    fields["window"] = {**GENES, "max_n_fraction": 0.9}
    fields["interval"] = {
        "window": {**INTERVALS, "max_n_fraction": 0.4},
        "resolution": 200,
        "marks": marks,
    }
    return dataclasses.replace(loaded, manifest=Manifest.model_validate({**fields, **changes}))


@pytest.mark.parametrize(
    ("wanted", "tile", "expected"),
    [
        (None, None, ("promoter", 300, 300, 0.9, True, 0, 0)),
        ("promoter", None, ("promoter", 300, 300, 0.9, True, 0, 0)),
        ("promoter:5:7", None, ("promoter", 5, 7, 0.9, True, 0, 0)),
        ("interval", None, ("interval", 250, 350, 0.4, True, 0, 0)),
        ("interval:5:7", None, ("interval", 5, 7, 0.4, True, 0, 0)),
        ("body", None, ("body", 0, 0, 0.9, False, 0, 0)),
        (None, 50, ("interval", 250, 350, 0.4, True, 0, 50)),
        ("interval", 50, ("interval", 250, 350, 0.4, True, 0, 50)),
    ],
)
def test_the_window_of_a_bundle_with_two_outputs(wanted, tile, expected):
    assert window_for(bundle(), wanted, tile) == WindowSpec(*expected)


def test_a_bundle_with_one_output_takes_intervals_as_they_are():
    alone = bundle(interval=None)
    assert window_for(alone, "interval") == WindowSpec("interval", 0, 0, 0.9)
    assert window_for(alone, None, 200) == WindowSpec("interval", 0, 0, 0.9, tile=200)
    assert interval_output(alone, window_for(alone, "interval")) is None
    assert not was_trained_on(alone, window_for(alone, "interval"))


def test_the_output_goes_with_the_window():
    both = bundle()
    assert interval_output(both, window_for(both, "interval")) == both.manifest.interval
    assert interval_output(both, window_for(both)) is None
    assert was_trained_on(both, window_for(both, None, 7))
    assert was_trained_on(both, window_for(both))
    assert not was_trained_on(both, window_for(both, "interval:5:7"))


def test_tiles_are_of_intervals():
    with pytest.raises(UsageError, match="--tile is for interval windows, not for body"):
        window_for(bundle(), "body", 200)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"window": {"kind": "interval", "max_n_fraction": 0.5}}, "no interval with a reach"),
        ({"window": {**GENES, "max_n_fraction": 0.5}}, "no interval with a reach"),
        ({"marks": [{"name": "H3K9me3", "threshold": 0.5}] * 2}, "same mark is listed twice"),
        ({"marks": [{"name": "windows", "threshold": 0.5}]}, "no mark may be called 'windows'"),
        (
            {"marks": [{"name": "class-active-promoter", "threshold": 0.5}]},
            "no mark may be called 'class-active-promoter'",
        ),
        ({"resolution": 0}, "greater than 0"),
    ],
)
def test_an_interval_output_that_cannot_be_is_refused(change, why):
    interval = bundle().manifest.interval.model_dump()
    with pytest.raises(ValidationError, match=why):
        bundle(interval={**interval, **change})


@pytest.mark.parametrize(
    ("window", "why"),
    [
        ({"kind": "context", "whole": True}, "a context window is not read whole"),
        ({"kind": "interval", "whole": True}, "an interval is whole where it has a reach"),
        ({"kind": "interval", "upstream": 5}, "an interval is whole where it has a reach"),
        ({"kind": "promoter", "upstream": 5, "shown": 2}, "only a promoter that is read whole"),
        ({"kind": "promoter"}, "needs bases upstream or downstream"),
    ],
)
def test_a_window_that_cannot_be_is_refused(window, why):
    with pytest.raises(ValidationError, match=why):
        bundle(window={**window, "max_n_fraction": 0.5})


def test_an_answer_that_lacks_a_mark_is_refused():
    known = bundle().manifest.known_answer.model_dump()
    del known["probabilities"]["H3K4me3"]
    with pytest.raises(ValidationError, match="known_answer does not cover exactly the marks"):
        bundle(known_answer=known)
