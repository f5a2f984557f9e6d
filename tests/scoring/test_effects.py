"""Effects in batches of any size."""

from __future__ import annotations

import pytest

from histpred.scoring import effects

pytest.importorskip("torch", reason="needs torch")

from support.command_line import contents
from support.variant_runs import FILES, VariantInputs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return VariantInputs(tmp_path_factory.mktemp("inputs"))


@pytest.mark.parametrize("at_once", [1, 7])
def test_batches_do_not_change_the_bytes(inputs, tmp_path, monkeypatch, at_once):
    inputs.run(tmp_path / "whole")
    monkeypatch.setattr(effects, "AT_ONCE", at_once)
    inputs.run(tmp_path / "parts")
    for name in FILES - {"variants.json"}:
        assert contents(tmp_path / "parts")[name] == contents(tmp_path / "whole")[name], name
