"""release/metadata.py: links in the README of the package work without a checkout."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from types import ModuleType

import pytest

import histpred
from support.command_line import ROOT
from support.scripts import load_script

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("hatchling") is None,
    reason="needs the extra release: HISTPRED_EXTRAS=release bin/test",
)
ADDRESS = "https://example.org/histpred"


@pytest.fixture
def metadata() -> ModuleType:
    return load_script("release/metadata.py")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[a](docs/a.md)", f"[a]({ADDRESS}/blob/v1.0.0/docs/a.md)"),
        ("[a\nb](docs/a.md#c)", f"[a\nb]({ADDRESS}/blob/v1.0.0/docs/a.md#c)"),
        ("![a](docs/a.png)", f"![a]({ADDRESS}/raw/v1.0.0/docs/a.png)"),
        ("[a](https://a.b/c)", "[a](https://a.b/c)"),
        ("[a](#b)", "[a](#b)"),
    ],
)
def test_a_link_to_a_file_becomes_an_address(metadata: ModuleType, before: str, after: str) -> None:
    assert metadata.absolute(before, ADDRESS, "1.0.0") == after


def test_the_built_metadata_has_no_relative_link() -> None:
    from hatchling.metadata.core import ProjectMetadata
    from hatchling.plugin.manager import PluginManager

    core = ProjectMetadata(str(ROOT), PluginManager()).core
    targets = re.findall(r"\]\(([^)]*)\)", core.readme)
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    address = pyproject["tool"]["hatch"]["metadata"]["hooks"]["custom"]["address"]
    kinds = {f"{address}/{kind}/v{histpred.__version__}/" for kind in ("raw", "blob")}
    assert {re.sub(r"(/v[\d.]+/).*", r"\1", target) for target in targets} == kinds
    paths = [target.split(f"/v{histpred.__version__}/")[1] for target in targets]
    assert paths == re.findall(r"\]\(([^)]*)\)", (ROOT / "README.md").read_text())
    assert set(core.urls.values()) >= {address, f"{address}/issues"}
