"""The examples in the docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import histpred

NEED_EXTRAS = {
    "histpred.reports.figures",
    "histpred.reports.page",
    "histpred.encoders.batching",
    "histpred.encoders.devices",
    "histpred.encoders.dnabert2",
    "histpred.encoders.dnabert2_network",
    "histpred.encoders.hf",
    "histpred.encoders.quantised",
    "histpred.encoders.rnafm",
    "histpred.encoders.weights",
    "histpred.evaluation.analysis",
    "histpred.evaluation.baselines",
    "histpred.evaluation.bootstrap",
    "histpred.evaluation.card",
    "histpred.evaluation.compare",
    "histpred.reports.evaluate",
    "histpred.evaluation.metrics",
    "histpred.reports.evaluation_figures",
    "histpred.reports.evaluation",
    "histpred.labels.folder",
    "histpred.evaluation.calibration",
    "histpred.reports.landscape_figures",
    "histpred.reports.prediction",
    "histpred.training.deephistone",
    "histpred.training.describe",
    "histpred.training.export",
    "histpred.training.fitting",
    "histpred.training.losses",
    "histpred.training.perceptron",
    "histpred.training.recipe",
    "histpred.training.spectra",
    "histpred.training.train",
}
MODULES = [module.name for module in pkgutil.walk_packages(histpred.__path__, "histpred.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    if name in NEED_EXTRAS:
        for package in ("torch", "transformers", "onnx", "sklearn", "matplotlib"):
            pytest.importorskip(package, reason="needs the extras encoders, labels and train")
    assert doctest.testmod(importlib.import_module(name)).failed == 0
