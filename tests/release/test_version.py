"""Every file names the version of histpred/core/version.py, and one command changes all of them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest

import histpred
from support.command_line import ROOT
from support.scripts import load_script

FOLDERS = ("containers", "docs", "nextflow", "recipes", "training")
"""Where people and programs read how images and packages are called."""


@pytest.fixture(scope="module")
def version() -> ModuleType:
    return load_script("release/version.py")


@pytest.fixture
def copy(version: ModuleType, tmp_path: Path) -> Path:
    """The files that name the version, elsewhere."""
    for name in version.PLACES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_every_file_names_the_same_version(version: ModuleType) -> None:
    assert version.current() == histpred.__version__
    assert version.different() == []


def test_a_new_version_reaches_every_place(version: ModuleType, copy: Path) -> None:
    before = sum((copy / name).read_text().count(histpred.__version__) for name in version.PLACES)
    version.write("12.3.4", copy)
    texts = [(copy / name).read_text() for name in version.PLACES]
    assert version.different(copy) == []
    assert sum(text.count("12.3.4") for text in texts) == before
    assert not any(histpred.__version__ in text for text in texts)


def test_no_page_or_setting_names_an_image_beyond_the_table(version: ModuleType) -> None:
    image = re.compile(rf"\bhistpred[:=-]{re.escape(histpred.__version__)}\b")
    files = [*ROOT.glob("*"), *(path for name in FOLDERS for path in (ROOT / name).rglob("*"))]
    texts = {path: path.read_bytes().decode(errors="replace") for path in files if path.is_file()}
    naming = {str(path.relative_to(ROOT)) for path, text in texts.items() if image.search(text)}
    assert naming - version.PLACES.keys() == set()
    assert "docs/tutorials/cluster.md" in naming


def test_a_place_that_was_forgotten_is_named(version: ModuleType, copy: Path) -> None:
    citation = copy / "CITATION.cff"
    citation.write_text(citation.read_text().replace(histpred.__version__, "0.0.9"))
    (copy / "recipes/recipe.yaml").write_text("no version\n")
    assert version.different(copy) == ["CITATION.cff: 0.0.9", "recipes/recipe.yaml: none"]


def test_what_is_no_version_is_refused(version: ModuleType, copy: Path) -> None:
    with pytest.raises(SystemExit, match="v2: not a version"):
        version.write("v2", copy)
