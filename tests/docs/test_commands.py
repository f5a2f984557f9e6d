"""The commands that the pages show are commands of histpred, and their links lead to files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.command_line import ROOT, parse

PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "benchmarks").glob("*.md"),
    *(ROOT / "containers").glob("*.md"),
]
COMMAND = re.compile(r"^(?:[A-Z_]+=(?:\"[^\"]*\"|\S+) )*(?:bin/)?histpred ([a-z].*)$")
STANDS_FOR = {"NAME|DIR": "NAME", "...": "FILE"}  # in a page; in a command


def commands(page: Path) -> Iterator[str]:
    """What follows 'histpred' in the lines of code of a page, with continued lines joined."""
    text = re.sub(r"\\\n\s+", "", page.read_text(encoding="utf-8"))
    fenced = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE))
    indented = "\n".join(re.findall(r"^    (\S.*)$", text, flags=re.MULTILINE))
    for line in f"{fenced}\n{indented}".splitlines():
        if found := COMMAND.match(line.strip()):
            yield found[1]


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
