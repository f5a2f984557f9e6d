"""The examples in the docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import histpred

NEED_EXTRAS = {
    "histpred.encoders.batching",
    "histpred.encoders.devices",
    "histpred.encoders.dnabert2",
    "histpred.encoders.hf",
    "histpred.encoders.quantised",
    "histpred.encoders.rnafm",
    "histpred.encoders.weights",
    "histpred.models.export",
    "histpred.models.network",
}
MODULES = [module.name for module in pkgutil.walk_packages(histpred.__path__, "histpred.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    if name in NEED_EXTRAS:
        for package in ("torch", "transformers", "onnx"):
            pytest.importorskip(package, reason="needs the extras encoders and train")
    assert doctest.testmod(importlib.import_module(name)).failed == 0
