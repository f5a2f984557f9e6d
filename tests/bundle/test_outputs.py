from __future__ import annotations

import pytest

from histpred.bundle.folder import DEFAULT_BUNDLE, load_bundle
from histpred.bundle.outputs import (
    assembly_of,
    encoder_for,
    interval_output,
    was_trained_on,
    window_for,
)

HUMAN = load_bundle(DEFAULT_BUNDLE)


@pytest.mark.parametrize(
    ("lengths", "assembly"),
    [
        ([51304566], "hg19"),
        ([51304566, 50818468, 46709983], "hg38"),
        ([51324926], "T2T-CHM13v2.0"),
        ([51304565], None),
        ([], None),
    ],
)
def test_the_assembly_is_the_one_that_shares_most_lengths(lengths, assembly):
    assert assembly_of(lengths, HUMAN.manifest.species) == assembly


def test_a_window_as_in_training_is_calibrated_and_another_is_not():
    for kind, trained, intervals in [
        (None, True, False),
        ("interval", True, True),
        ("body", False, False),
    ]:
        window = window_for(HUMAN, kind)
        assert was_trained_on(HUMAN, window) is trained
        assert bool(interval_output(HUMAN, window)) is intervals


def test_the_encoder_of_intervals_embeds_the_middle_of_what_genes_embed_at_several_places():
    manifest = HUMAN.manifest
    several = manifest.encoder
    settings = dict(several.settings)
    places = settings.pop("places")
    dimension = several.dimension // len(places)
    one = several.model_copy(update={"settings": settings, "dimension": dimension})
    assert encoder_for(manifest, None) == several
    assert encoder_for(manifest, manifest.interval) == one
    without_places = manifest.model_copy(update={"encoder": one})
    for output in (None, manifest.interval):
        assert encoder_for(without_places, output) == one
