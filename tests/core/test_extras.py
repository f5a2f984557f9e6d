"""Hints that name the extra which installs a missing package."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from histpred.core import extras
from histpred.core.errors import UsageError
from histpred.core.extras import how_to_install, need
from support.command_line import ROOT


def test_in_a_checkout_the_hint_is_a_command_of_the_checkout() -> None:
    assert how_to_install("train", ROOT).startswith("HISTPRED_EXTRAS=train bin/histpred ")


def test_elsewhere_the_hint_says_where_to_install_from(tmp_path: Path) -> None:
    assert how_to_install("train", tmp_path) == "in a checkout of histpred: pip install '.[train]'"


def test_no_hint_names_a_package_index(tmp_path: Path) -> None:
    """histpred is on none, so 'pip install histpred' would install something else or fail."""
    sources = [*ROOT.glob("histpred/**/*.py"), *ROOT.glob("docs/*.md"), ROOT / "bin/environment.sh"]
    found = [path for path in sources if re.search(r"pip install '?histpred", path.read_text())]
    assert found == []


def test_a_missing_package_is_a_usage_error_that_names_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="needs pybedtools, sklearn, scipy and 1 more") as raised:
        need("labels")
    assert "HISTPRED_EXTRAS=labels" in raised.value.hint
    with pytest.raises(UsageError, match="needs sklearn, scipy, matplotlib"):
        need("labels", but="pybedtools")


def test_the_extras_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert extras.PACKAGES.keys() <= project["optional-dependencies"].keys()
