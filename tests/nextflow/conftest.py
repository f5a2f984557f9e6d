"""What all tests of the pipeline compare with."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.command_line import histpred
from support.once import made_once
from support.pipeline import INPUTS


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of one `histpred predict`."""

    def predict(folder: Path) -> None:
        assert histpred("predict", *INPUTS, "-o", folder / "scores", report=True).code == 0

    return made_once(tmp_path_factory, "plain", predict) / "scores"
