from __future__ import annotations

from dataclasses import replace

import pytest

from histpred.bundle.calls import promise_of
from histpred.bundle.folder import DEFAULT_BUNDLE, load_bundle
from histpred.bundle.outputs import (
    assembly_of,
    encoder_for,
    interval_output,
    marks_of,
    was_trained_on,
    window_for,
    window_of_regions,
    window_of_sequences,
)
from histpred.core.errors import UsageError

HUMAN = load_bundle(DEFAULT_BUNDLE)


def test_marks_whose_calls_were_measured_on_other_windows_are_not_called_in_tiles():
    interval, tiles = window_for(HUMAN, "interval"), window_for(HUMAN, tile=200)
    for precision in (None, 0.7):
        whole = {mark.name: mark for mark in marks_of(HUMAN, interval, (), precision)}
        tiled = {mark.name: mark for mark in marks_of(HUMAN, tiles, (), precision)}
        assert whole["H3K4me2"].threshold < 1
        assert tiled["H3K4me2"].threshold == 1
        assert promise_of(tiled["H3K4me2"]) == (
            "H3K4me2: never called: the precision of its calls is known for short regions near "
            "genes only"
        )
        assert tiled["H3K4me3"] == whole["H3K4me3"]


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


def test_regions_and_sequences_are_intervals_where_the_bundle_scores_them():
    assert window_of_regions(HUMAN) == window_of_sequences(HUMAN) == "interval"


def test_a_bundle_of_transcripts_takes_sequences_as_transcripts_and_no_regions():
    spliced = HUMAN.manifest.window.model_copy(update={"kind": "spliced"})
    update = {"window": spliced, "interval": None}
    bundle = replace(HUMAN, manifest=HUMAN.manifest.model_copy(update=update))
    assert window_of_sequences(bundle) == "spliced"
    with pytest.raises(UsageError, match="scores spliced windows of genes, and no regions"):
        window_of_regions(bundle)
