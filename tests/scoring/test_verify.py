from __future__ import annotations

import dataclasses

import pytest

from histpred.bundle.folder import load_bundle, shipped_bundles
from histpred.core.errors import BundleError
from histpred.scoring.verify import verify


@pytest.mark.parametrize("name", shipped_bundles())
def test_every_shipped_bundle_gives_its_known_answer(name):
    assert verify(load_bundle(name)) < 1e-5


def test_a_wrong_answer_names_the_mark():
    bundle = load_bundle()
    known = bundle.manifest.known_answer
    name = bundle.manifest.mark_names[2]
    wrong = known.model_copy(
        update={"probabilities": known.probabilities | {name: known.probabilities[name] + 0.01}}
    )
    manifest = bundle.manifest.model_copy(update={"known_answer": wrong})
    with pytest.raises(BundleError, match=f"{name} is off by 0.01"):
        verify(dataclasses.replace(bundle, manifest=manifest))
