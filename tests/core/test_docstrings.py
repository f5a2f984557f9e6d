"""The examples in the docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import histpred

NEED_TORCH = {"histpred.models.export", "histpred.models.network"}
MODULES = [
    module.name
    for module in pkgutil.walk_packages(histpred.__path__, "histpred.")
    if module.name not in NEED_TORCH
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
