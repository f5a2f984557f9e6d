"""The examples in the docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import histpred

NEED_EXTRAS = {
    "histpred.core.figures",
    "histpred.core.page",
    "histpred.encoders.batching",
    "histpred.encoders.devices",
    "histpred.encoders.dnabert2",
    "histpred.encoders.hf",
    "histpred.encoders.quantised",
    "histpred.encoders.rnafm",
    "histpred.encoders.weights",
    "histpred.evaluation.analysis",
    "histpred.evaluation.baselines",
    "histpred.evaluation.card",
    "histpred.evaluation.evaluate",
    "histpred.evaluation.metrics",
    "histpred.evaluation.plots",
    "histpred.evaluation.report",
    "histpred.labels.folder",
    "histpred.models.calibration",
    "histpred.tracks.pictures",
    "histpred.tracks.report",
    "histpred.models.deephistone",
    "histpred.models.describe",
    "histpred.models.export",
    "histpred.models.fitting",
    "histpred.models.losses",
    "histpred.models.network",
    "histpred.models.recipe",
    "histpred.models.spectra",
    "histpred.models.train",
}
MODULES = [module.name for module in pkgutil.walk_packages(histpred.__path__, "histpred.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    if name in NEED_EXTRAS:
        for package in ("torch", "transformers", "onnx", "sklearn", "matplotlib"):
            pytest.importorskip(package, reason="needs the extras encoders, labels and train")
    assert doctest.testmod(importlib.import_module(name)).failed == 0
