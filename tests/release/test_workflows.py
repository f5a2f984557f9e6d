"""The workflows run what the checkout has, with actions that nobody can change."""

from __future__ import annotations

import re

import pytest

from support.command_line import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TEXTS = {path.name: path.read_text() for path in WORKFLOWS}


@pytest.mark.parametrize("name", TEXTS)
def test_actions_are_named_by_digest_and_release(name: str) -> None:
    used = re.findall(r"uses: (.+)", TEXTS[name])
    assert [use for use in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", use)] == []


@pytest.mark.parametrize("name", TEXTS)
def test_a_workflow_has_no_more_rights_than_it_states(name: str) -> None:
    assert "\npermissions:\n  contents: read\n" in TEXTS[name]
    jobs = TEXTS[name].split("\njobs:\n")[1]
    assert jobs.count("timeout-minutes:") == jobs.count("runs-on:")


def test_the_scripts_that_workflows_run_exist() -> None:
    named = set(
        re.findall(r"(?<![\w./])(?:bin|release|containers)/[\w.]+", "".join(TEXTS.values()))
    )
    assert {"bin/test", "release/dry_run.py", "release/matrix.py"} <= named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_pythons_are_those_of_the_classifiers() -> None:
    (line,) = re.findall(r"python: (\[.*\])", TEXTS["tests.yml"])
    classified = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    assert re.findall(r"3\.\d+", line) == classified
