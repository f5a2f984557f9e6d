"""docs/notebook.ipynb runs, cell by cell, in an empty folder."""

from __future__ import annotations

import json
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.command_line import ROOT, lacks

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
SCANPY = "scanpy"  # tag of the cells that need it

pytestmark = pytest.mark.skipif(lacks("anndata"), reason="needs the extra anndata")


def code_cells(tagged: bool) -> list[str]:
    """The code of the cells with the tag SCANPY, or without it."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [
        "".join(cell["source"])
        for cell in cells
        if cell["cell_type"] == "code" and (SCANPY in cell["metadata"].get("tags", ())) == tagged
    ]


@pytest.fixture
def after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The variables after the cells that need no scanpy."""
    import matplotlib
    import matplotlib.pyplot as plt

    matplotlib.use("Agg")
    plt.close("all")  # figures of other tests
    monkeypatch.chdir(tmp_path)
    variables: dict[str, object] = {}
    for source in code_cells(tagged=False):
        exec(compile(source, str(NOTEBOOK), "exec"), variables)
    return variables


def test_the_notebook_ends_in_a_heat_map(after) -> None:
    import matplotlib.pyplot as plt

    names = after["names"]
    (figure,) = map(plt.figure, plt.get_fignums())
    labels = [label.get_text() for label in after["right"].get_yticklabels()]
    assert sorted(labels) == sorted(names)  # every gene is in the shipped data
    assert after["right"].get_xticklabels()
    plt.close(figure)


@pytest.mark.scanpy
@pytest.mark.skipif(find_spec("scanpy") is None, reason="needs scanpy")
@pytest.mark.skipif(find_spec("seaborn") is None, reason="needs seaborn")
def test_scanpy_takes_the_data_as_it_is(after) -> None:
    import matplotlib.pyplot as plt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scanpy's and seaborn's own
        for source in code_cells(tagged=True):
            exec(compile(source, str(NOTEBOOK), "exec"), after)
    plt.close("all")
