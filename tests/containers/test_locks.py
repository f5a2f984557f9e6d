"""The locks of the images have what histpred needs, at the versions that it is tested with."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.command_line import ROOT
from support.containers import pins

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LARGER = ("anndata", "encoders", "train")
EXTRAS = {"cpu": (), "train": LARGER, "gpu": ("gpu", *LARGER)}
LOCKS = ("build", *EXTRAS)
PYTHON = {"python_version": "3.11", "python_full_version": "3.11.2"}  # Debian bookworm's


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def named(kind: str) -> set[Requirement]:
    """Return the requirements of pyproject.toml for a kind of image."""
    project = PROJECT["project"]
    groups = [project["optional-dependencies"][extra] for extra in EXTRAS[kind]]
    return {Requirement(line) for line in sum(groups, project["dependencies"])}


def needed(requirements: set[Requirement]) -> set[str]:
    """Return the packages that these requirements install, by what is installed here.

    A package that is not installed here adds only itself.
    """
    found: set[tuple[str, str]] = set()
    todo = [(one, "") for one in requirements]
    while todo:
        requirement, extra = todo.pop()
        if requirement.marker and not requirement.marker.evaluate({**PYTHON, "extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for own in {"", *requirement.extras}:
            if (name, own) in found:
                continue
            found.add((name, own))
            try:
                lines = metadata.requires(name) or []
            except metadata.PackageNotFoundError:
                continue
            todo += [(Requirement(line), own) for line in lines]
    return {name for name, _ in found}


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_has_hashes(name: str) -> None:
    text = (ROOT / "containers" / "locks" / f"{name}.txt").read_text(encoding="utf-8")
    joined = re.sub(r"\\\n\s*", "", text)
    lines = [line for line in joined.splitlines() if not line.startswith("#")]
    assert len(lines) == len(pins(name)) > 10
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==\S+( --hash=sha256:[0-9a-f]{64})+", line), line


@pytest.mark.parametrize("name", LOCKS)
def test_versions_are_those_of_the_constraints(name: str) -> None:
    known = constraints()
    found = {package: version.removesuffix("+cpu") for package, version in pins(name).items()}
    if name == "build":
        found = {package: version for package, version in found.items() if package in known}
        assert "hatchling" in found
    assert found == {package: known.get(package) for package in found}


@pytest.mark.parametrize("kind", ["cpu", "train"])
def test_a_lock_has_what_the_kind_needs_and_no_more(kind: str) -> None:
    for package in pins(kind):
        try:
            metadata.version(package)
        except metadata.PackageNotFoundError:
            pytest.skip(f"needs {package}: HISTPRED_EXTRAS='{' '.join(LARGER)}' bin/test")
    assert set(pins(kind)) == needed(named(kind))


def test_the_gpu_lock_is_that_of_train_with_cuda() -> None:
    gpu, train = pins("gpu"), pins("train")
    assert set(train) - set(gpu) == {"onnxruntime"}
    assert gpu["torch"] == train["torch"].removesuffix("+cpu")
    more = set(gpu) - set(train)
    assert {"onnxruntime-gpu", "triton", "nvidia-cudnn-cu13"} <= more
    assert all(re.match("cuda-|nvidia-|onnxruntime-gpu|triton", package) for package in more)
