"""The page of what was tested names tests that exist, and its table of environments is complete."""

from __future__ import annotations

import re
import shlex

import pytest

from support.command_line import ROOT

PAGE = (ROOT / "docs/trust.md").read_text()
EXTRAS = r"(?:HISTPRED_EXTRAS=\"[^\"]*\" )?"
COMMANDS = re.findall(rf"`{EXTRAS}(bin/test [^`]+)`", PAGE)


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) >= 14


@pytest.mark.parametrize("command", COMMANDS)
def test_the_tests_that_it_names_exist(command: str) -> None:
    paths = [word for word in shlex.split(command)[1:] if word.startswith("tests/")]
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
    folders = [ROOT / path for path in paths if (ROOT / path).is_dir()]
    assert all(list(folder.glob("test_*.py")) for folder in folders)


def test_each_python_of_the_classifiers_is_in_the_table() -> None:
    classified = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    rows = re.findall(r"^\| (3\.\d+)[\d.]* \| (\w+) \|", PAGE, re.MULTILINE)
    assert rows == [(python, kind) for python in classified for kind in ("oldest", "newest")]
