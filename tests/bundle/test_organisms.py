"""The species of a bundle: one alone, or one for each genome."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from histpred.bundle.folder import MANIFEST, load_bundle
from histpred.bundle.manifest import Manifest
from histpred.bundle.organisms import Species, in_words
from histpred.bundle.publish import render_card

HUMAN = Species(name="Homo sapiens", taxon_id=9606, assembly="hg38", genome="human")
MOUSE = Species(name="Mus musculus", taxon_id=10090, assembly="mm39", genome="mouse")


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return load_bundle("human-promoter").manifest


def test_one_species_stands_without_a_list_in_both_directions(manifest):
    fields = json.loads(manifest.model_dump_json())
    assert fields["species"]["name"] == "Homo sapiens"
    assert Manifest.model_validate(fields) == manifest
    shipped = load_bundle("yeast").directory / MANIFEST
    assert isinstance(json.loads(shipped.read_text())["species"], dict)


def test_several_species_are_a_list_in_both_directions(manifest):
    several = manifest.model_copy(update={"species": (HUMAN, MOUSE)})
    fields = json.loads(several.model_dump_json())
    assert [one["genome"] for one in fields["species"]] == ["human", "mouse"]
    assert Manifest.model_validate(fields) == several


def test_a_manifest_without_species_is_refused(manifest):
    fields = json.loads(manifest.model_dump_json()) | {"species": []}
    with pytest.raises(ValidationError, match="species"):
        Manifest.model_validate(fields)


def test_the_card_has_a_line_for_each_genome(manifest):
    card = render_card(manifest.model_copy(update={"species": (HUMAN, MOUSE)}), "")
    assert "- **genome human**: Homo sapiens (9606), hg38\n" in card
    assert "- **genome mouse**: Mus musculus (10090), mm39\n" in card
    assert "**species**" not in card


def test_species_in_words_name_each_once():
    text = "{0.name} ({0.assembly})"
    assert in_words((HUMAN,), text) == "Homo sapiens (hg38)"
    assert in_words((HUMAN, MOUSE, HUMAN)) == "Homo sapiens and Mus musculus"
