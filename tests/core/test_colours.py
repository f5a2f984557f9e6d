from __future__ import annotations

import pytest

from histpred.core.colours import oklab, shade

# From the page that defines OKLab, by its own code.
KNOWN = {(255, 255, 255): (1, 0, 0), (255, 0, 0): (0.628, 0.225, 0.126), (0, 0, 0): (0, 0, 0)}


@pytest.mark.parametrize("colour", KNOWN)
def test_oklab_is_that_of_its_definition(colour):
    assert oklab(colour) == pytest.approx(KNOWN[colour], abs=1e-3)


@pytest.mark.parametrize("colour", [(224, 49, 56), (8, 155, 178), (108, 119, 129)])
def test_a_shade_has_the_lightness_that_was_asked_for(colour):
    for lightness in (0.3, 0.5, 0.7):
        assert oklab(shade(colour, lightness))[0] == pytest.approx(lightness, abs=0.005)
    assert shade(colour, oklab(colour)[0]) == colour
    assert shade(colour, 0.5, 360) == shade(colour, 0.5)
