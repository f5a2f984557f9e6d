"""The commands that the pages show are commands of histpred, and their links lead to files."""

from __future__ import annotations

import ast
import inspect
import json
import re
import shlex
from pathlib import Path

import pytest

import histpred
from support.command_line import ROOT, parse
from support.pages import commands

PAGES = [
    *ROOT.glob("*.md"),
    *(path for path in (ROOT / "docs").rglob("*.md") if "commands" not in path.parts),
    *(ROOT / "benchmarks").glob("*.md"),
    *(ROOT / "containers").glob("*.md"),
]
STANDS_FOR = {"NAME|DIR": "NAME", "...": "FILE"}  # in a page; in a command


SHOWN = [(page.name, command) for page in PAGES for command in commands(page)]


def test_there_are_commands_to_check() -> None:
    assert len(SHOWN) > 40


@pytest.mark.parametrize(("page", "command"), SHOWN)
def test_a_command_that_is_shown_is_one_of_histpred(page: str, command: str) -> None:
    words = shlex.split(command.split(" | ")[0], comments=True)
    parse(*(STANDS_FOR.get(word, word) for word in words))


SCHEMA = json.loads((ROOT / "nextflow/schema/nextflow_schema.json").read_text(encoding="utf-8"))
PARAMETERS = {name for group in SCHEMA["$defs"].values() for name in group["properties"]}
PROFILES = set(re.findall(r"^    (\w+) *\{", (ROOT / "nextflow.config").read_text(), re.M))


def launches(page: Path) -> list[str]:
    """The launches of the pipeline in the code of a page, without what follows them."""
    text = re.sub(r"\\\n\s+", "", page.read_text(encoding="utf-8"))
    found = re.findall(r"^ *(?:\$ )?(nextflow run .*)$", text, re.MULTILINE)
    return [re.split(r"\s+#|;", line)[0] for line in found]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if launches(page)], ids=lambda page: page.name
)
def test_a_launch_of_the_pipeline_has_known_parameters_and_profiles(page: Path) -> None:
    for launch in launches(page):
        assert set(re.findall(r"\s--(\w+)", launch)) <= PARAMETERS, launch
        for profiles in re.findall(r"-profile (\S+)", launch):
            assert set(profiles.split(",")) <= PROFILES, launch


PYTHON = [
    block
    for page in PAGES
    for block in re.findall(
        r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    if "import histpred\n" in block
]


def test_calls_of_the_package_have_its_arguments() -> None:
    called = 0
    for block in PYTHON:
        for node in ast.walk(ast.parse(block)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if isinstance(node.func.value, ast.Name) and node.func.value.id == "histpred":
                keywords = {keyword.arg: None for keyword in node.keywords}
                signature = inspect.signature(getattr(histpred, node.func.attr))
                signature.bind(*node.args, **keywords)
                called += 1
    assert called > 5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    relative = [link for link in links if "://" not in link]
    assert [link for link in relative if not (page.parent / link).exists()] == []
