"""One finished experiment for all tests of the room."""

from __future__ import annotations

import pytest

for package in ("torch", "sklearn", "matplotlib", "jinja2", "onnx", "pyarrow", "yaml"):
    pytest.importorskip(package, reason="needs the extra train")

from support.experiments import Experiment, finished_experiment  # noqa: E402


@pytest.fixture(scope="session")
def experiment(tmp_path_factory) -> Experiment:
    return finished_experiment(tmp_path_factory)
