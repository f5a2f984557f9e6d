"""What all tests of the pipeline compare with."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.command_line import histpred
from support.pipeline import INPUTS


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of one `histpred predict`."""
    out = tmp_path_factory.mktemp("plain") / "scores"
    assert histpred("predict", *INPUTS, "-o", out, report=True).code == 0
    return out
