"""The commands that the pages show are commands of histpred, and their links lead to files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    relative = [link for link in links if "://" not in link]
    assert [link for link in relative if not (page.parent / link).exists()] == []
