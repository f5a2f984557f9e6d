"""The marks' vectors of a bundle, and bundles that have none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("sklearn", reason="needs the extra train")

from histpred.bundle.folder import MARK_VECTORS, Bundle, load_bundle
from histpred.evaluation.vectors import similarity_of, why_no_vectors

MARKS = ("H3K4me3", "H3K27me3")


def bundle_of(folder: Path, model: str, dimension: int | None) -> Bundle:
    """A bundle with two vectors at a right angle, trained with this recipe."""
    yeast = load_bundle("yeast")
    recipe = {"recipe": {"model": model, "mark_dimension": dimension}}
    training = yeast.manifest.training.model_copy(update={"recipe": recipe})
    (folder / MARK_VECTORS).write_text("H3K27me3\t0\t2\nH3K4me3\t3\t0\nH3K9me3\t1\t1\n")
    update = {"training": training, "files": {MARK_VECTORS: "0" * 64}}
    return replace(yeast, directory=folder, manifest=yeast.manifest.model_copy(update=update))


def test_vectors_are_read_by_name(tmp_path):
    bundle = bundle_of(tmp_path, "mlp", 2)
    found = similarity_of(bundle, MARKS)
    assert found.loc["H3K4me3", "H3K27me3"] == 0
    assert similarity_of(bundle, ("H3K4me3", "H3K9me3")).iloc[0, 1] == pytest.approx(0.5**0.5)
    assert why_no_vectors(bundle) == ""


def test_weights_that_earlier_releases_wrote_for_one_hot_marks_are_no_vectors(tmp_path):
    bundle = bundle_of(tmp_path, "mlp", None)
    assert similarity_of(bundle, MARKS) is None
    assert "--mark-dimension N" in why_no_vectors(bundle)


def test_other_networks_have_no_vectors_and_nothing_is_said():
    yeast = load_bundle("yeast")
    assert similarity_of(yeast, MARKS) is None
    assert why_no_vectors(yeast) == ""
