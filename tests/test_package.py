"""histpred as users get it: a wheel that works without the checkout, and a demo from a clone."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from itertools import chain
from pathlib import Path

import pytest

import histpred
from histpred.core.shipped import demo_data as shipped_demo_data

OUTPUTS = ("scores.tsv.gz", "scores.tsv.gz.tbi", "calls.bed.gz", "ledger.tsv", "run.json")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder]
    subprocess.run([*build, request.config.rootpath], check=True)
    (path,) = folder.glob("*.whl")
    return path


def test_constraints_pin_everything_that_pyproject_names(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    named = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    pins = [line for line in (repository / "constraints.txt").read_text().splitlines() if line]
    pinned = {line.split("==")[0].lower() for line in pins if not line.startswith("#")}
    assert {re.split(r"[\[>]", requirement)[0].lower() for requirement in named} <= pinned


def test_version_is_said_once() -> None:
    assert importlib.metadata.version("histpred") == histpred.__version__


def test_a_checkout_finds_its_demo_data(demo_data: Path) -> None:
    assert shipped_demo_data() == demo_data


@pytest.mark.slow
def test_wheel_holds_the_package_its_bundles_and_the_demo_data(wheel: Path, repository: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"histpred"}
    assert "histpred/py.typed" in names  # type checkers then read the package's annotations
    for source, target in (
        ("histpred", "histpred"),
        ("test-data/human-chr22-20M", "histpred/demo_data"),
    ):
        for path in (repository / source).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"{target}/{path.relative_to(repository / source)}" in names


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_installed_wheel_runs_the_demo_anywhere(wheel, repository, tmp_path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / "bin"
    install = [binaries / "python", "-m", "pip", "install", "--quiet", "--no-compile", wheel]
    subprocess.run([*install, "--constraint", repository / "constraints.txt"], check=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {"PATH": f"{binaries}:/usr/bin:/bin", "HOME": str(tmp_path)}

    version = ["histpred", "--version"]
    said = subprocess.check_output(version, env=environment, cwd=elsewhere, text=True)
    assert histpred.__version__ in said

    subprocess.run(["histpred", "demo"], env=environment, cwd=elsewhere, check=True)
    assert_outputs(elsewhere)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_demo_from_the_checkout(repository: Path, tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "HISTPRED_VENV": sys.prefix, "PATH": os.environ["PATH"]}
    subprocess.run([repository / "bin/histpred", "demo"], env=environment, cwd=tmp_path, check=True)
    assert_outputs(tmp_path)


def assert_outputs(folder: Path) -> None:
    (scores,) = folder.rglob("scores.tsv.gz")
    for name in OUTPUTS:
        assert (scores.parent / name).stat().st_size > 0
