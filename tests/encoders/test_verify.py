"""The trial of `histpred encoders verify`, beside what tests/commands/test_encoders.py shows."""

from __future__ import annotations

from histpred.encoders import ENCODERS
from histpred.encoders.published import find
from histpred.encoders.verify import try_out


def test_without_a_package_loading_is_not_tried(tmp_path, monkeypatch):
    there = ENCODERS["dnabert2"]
    monkeypatch.setitem(ENCODERS, "dnabert2", there._replace(module="missing_package"))
    (said,) = try_out(find("dnabert2"), tmp_path)
    assert said.startswith(
        "loading was not tried: the encoder 'dnabert2' needs the package missing_package, which is "
        "not installed; pip install 'histpred[encoders]'"
    )
