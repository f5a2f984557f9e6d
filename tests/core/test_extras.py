"""Hints that name the extra which installs a missing package."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from histpred.core import extras
from histpred.core.errors import UsageError
from histpred.core.extras import hides_gpu, how_to_install, how_to_use_gpu, need
from support.command_line import ROOT, histpred


def test_in_a_checkout_the_hint_is_a_command_of_the_checkout() -> None:
    assert how_to_install("train", ROOT).startswith("HISTPRED_EXTRAS=train bin/histpred ")


def test_elsewhere_the_hint_says_where_to_install_from(tmp_path: Path) -> None:
    assert how_to_install("train", tmp_path) == "in a checkout of histpred: pip install '.[train]'"


def test_only_one_module_says_how_to_install_histpred() -> None:
    """No page does so before histpred is on a package index."""
    sources = [*ROOT.glob("histpred/**/*.py"), *ROOT.glob("docs/**/*.md"), ROOT / "README.md"]
    said = re.compile(r"pip install '?histpred")
    assert [path.name for path in sources if said.search(path.read_text())] == ["extras.py"]


def installed_from(folder: Path, record: dict[str, object] | None) -> Path:
    """A folder of packages that holds histpred, with what pip writes about its origin."""
    metadata = folder / "histpred-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: histpred\nVersion: 1.0\n")
    if record is not None:
        (metadata / "direct_url.json").write_text(json.dumps(record))
    return folder


def test_what_came_from_a_package_index_is_installed_from_there(tmp_path: Path) -> None:
    folder = installed_from(tmp_path, None)
    assert how_to_install("train", folder) == "pip install 'histpred[train]'"


def test_what_came_from_an_address_is_installed_from_there(tmp_path: Path) -> None:
    wheel = tmp_path / "a b.whl"
    wheel.touch()
    folder = installed_from(tmp_path, {"url": wheel.as_uri(), "archive_info": {}})
    assert how_to_install("gpu", folder) == f"pip install 'histpred[gpu] @ {wheel.as_uri()}'"

    wheel.unlink()
    assert how_to_install("gpu", folder) == "in a checkout of histpred: pip install '.[gpu]'"


def test_what_came_from_git_is_installed_at_the_same_commit(tmp_path: Path) -> None:
    record = {
        "url": "https://example.org/histpred.git",
        "vcs_info": {"vcs": "git", "commit_id": "abc", "requested_revision": "main"},
    }
    address = "git+https://example.org/histpred.git@abc"
    expected = f"pip install 'histpred[labels] @ {address}'"
    assert how_to_install("labels", installed_from(tmp_path, record)) == expected


@pytest.fixture
def both_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime-gpu 1.2 beside the onnxruntime of this environment."""
    folder = tmp_path / "onnxruntime_gpu-1.2.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: onnxruntime-gpu\nVersion: 1.2\n")
    monkeypatch.syspath_prepend(str(tmp_path))


COMMAND = "pip install --force-reinstall --no-deps onnxruntime-gpu==1.2"


def test_without_onnxruntime_gpu_the_extra_is_named() -> None:
    assert how_to_use_gpu() == how_to_install("gpu")
    assert not hides_gpu(["CPUExecutionProvider"])


def test_the_command_that_brings_cuda_back(both_installed: None) -> None:
    assert how_to_use_gpu() == COMMAND
    assert hides_gpu(["AzureExecutionProvider", "CPUExecutionProvider"])
    assert not hides_gpu(["CUDAExecutionProvider", "CPUExecutionProvider"])


def test_doctor_says_that_onnxruntime_lies_over_onnxruntime_gpu(both_installed: None) -> None:
    done = histpred("doctor")
    assert "note     onnxruntime-gpu          onnxruntime lies over onnxruntime-gpu" in done.out
    assert COMMAND in done.out


def test_a_missing_package_is_a_usage_error_that_names_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="needs pybedtools, sklearn, scipy and 1 more") as raised:
        need("labels")
    assert how_to_install("labels") in raised.value.hint
    with pytest.raises(UsageError, match="needs sklearn, scipy, matplotlib"):
        need("labels", but="pybedtools")


def test_the_extras_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert extras.PACKAGES.keys() <= project["optional-dependencies"].keys()
