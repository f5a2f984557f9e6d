"""The record of variants: what was asked for, and a finished folder that is left alone."""

from __future__ import annotations

import json

import pytest

from histpred.core.errors import OutputError
from histpred.core.execution import Execution

pytest.importorskip("torch", reason="needs torch")

from support.command_line import contents
from support.variant_runs import VariantInputs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return VariantInputs(tmp_path_factory.mktemp("inputs"))


def test_a_finished_folder_is_left_alone_and_another_request_refused(inputs, tmp_path):
    out = tmp_path / "out"
    first = inputs.run(out)
    before = contents(out)
    again = inputs.run(out)
    assert (first.fresh, again.fresh) == (True, False)
    assert again.model_copy(update={"fresh": True}) == first
    with pytest.raises(OutputError, match=r"background \(20 -> 21\)"):
        inputs.run(out, background=21)
    assert contents(out) == before
    inputs.run(out, background=21, execution=Execution(overwrite=True))
    assert json.loads((out / "variants.json").read_text())["identity"]["background"] == 21
