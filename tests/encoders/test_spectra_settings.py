"""Settings of an encoder of spectra."""

from __future__ import annotations

import pytest

from histpred.encoders.spectra_settings import places_of, sharing_of, stretches_of

SETTINGS = {"bin_length": 100, "stretches": [[-300, 300], [-100, 100]], "both_strands": True}


def test_what_is_shared_follows_from_the_settings():
    assert sharing_of(SETTINGS) == (100, 300, True)
    assert sharing_of({**SETTINGS, "both_strands": False}).symmetric is False
    assert sharing_of({**SETTINGS, "stretches": [[-300, 200]]}) == (100, 300, False)
    assert sharing_of({**SETTINGS, "frames": True}).grid is None
    assert sharing_of({**SETTINGS, "places": [-100, 100]}).grid is None


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"bin_length": 0}, "bin_length"),
        ({"bin_length": 100.0}, "bin_length"),
        ({"stretches": []}, "0 stretches"),
        ({"stretches": [[0, 1, 2]]}, "two whole numbers"),
        ({"stretches": [[100, -100]]}, "no stretch within"),
        ({"stretches": [[-150, 100]]}, "whole bins"),
    ],
)
def test_stretches_that_cannot_be_are_refused(other, why):
    with pytest.raises(ValueError, match=why):
        stretches_of({**SETTINGS, **other})


@pytest.mark.parametrize("places", [[50], [1.0], "0", [0] * 1001])
def test_places_that_cannot_be_are_refused(places):
    with pytest.raises(ValueError, match="place"):
        places_of({"places": places}, 100)
