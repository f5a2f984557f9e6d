"""release/matrix.py tests the installed wheel, never the checkout. It needs a package index."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from support.command_line import ROOT
from support.scripts import load_script


@pytest.fixture
def matrix() -> ModuleType:
    return load_script("release/matrix.py")


def test_it_refuses_to_test_the_checkout(matrix: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"would import .*histpred/__init__\.py"):
        matrix.tests(Path(sys.executable), "newest", ["tests/core"])


def test_its_tests_exist(matrix: ModuleType) -> None:
    assert [name for name in matrix.QUICK if not (ROOT / name).exists()] == []


def test_versions_are_those_of_the_project(matrix: ModuleType) -> None:
    found = matrix.versions(Path(sys.executable))
    assert found.startswith("click 8.")
    assert ", onnxruntime 1." in found


def test_versions_of_an_extra_are_shown_with_them(matrix: ModuleType) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra anndata")
    pytest.importorskip("anndata", reason="needs the extra anndata")
    found = matrix.versions(Path(sys.executable), ["anndata"])
    assert found.startswith("anndata 0.")
    assert ", pyarrow " in found
