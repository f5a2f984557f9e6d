"""The conda recipe asks for what pyproject.toml asks for."""

from __future__ import annotations

import tomllib

import pytest

from support.command_line import ROOT

yaml = pytest.importorskip("yaml", reason="needs the extra train: HISTPRED_EXTRAS=train bin/test")

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RECIPE = yaml.safe_load((ROOT / "recipes/recipe.yaml").read_text())


def test_the_recipe_has_the_requirements_of_the_project() -> None:
    found = {requirement.replace(" ", "") for requirement in RECIPE["requirements"]["run"]}
    assert found == {f"python{PROJECT['requires-python']}", *PROJECT["dependencies"]}


def test_the_recipe_describes_the_project() -> None:
    about = RECIPE["about"]
    assert about["summary"] == PROJECT["description"]
    assert about["license"] == PROJECT["license"]
    ((name, target),) = PROJECT["scripts"].items()
    assert RECIPE["build"]["python"]["entry_points"] == [f"{name} = {target}"]
