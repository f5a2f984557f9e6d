"""The documentation as a site: whole, with the reference of the code, and fit for a disk."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from histpred.cli import VERBS
from histpred.core.columns import HEADER
from support.browsers import PHONE, SCREEN
from support.command_line import ROOT, histpred
from support.scripts import load_script

if TYPE_CHECKING:
    from playwright.sync_api import Page as BrowserPage

REFERENCE = ROOT / "docs" / "reference"
make = load_script("docs/site/make.py")
needs_mkdocs = pytest.mark.skipif(find_spec("mkdocs") is None, reason="needs the extra docs")


def test_the_reference_is_what_the_code_says() -> None:
    """`python docs/site/make.py` renews it."""
    pages = make.pages()
    files = {str(path.relative_to(REFERENCE)) for path in REFERENCE.rglob("*") if path.is_file()}
    assert files == pages.keys()
    assert {name for name, text in pages.items() if (REFERENCE / name).read_text() != text} == set()


def test_check_names_a_page_that_would_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(make, "FOLDER", tmp_path)
    assert make.main([]) == 0
    assert make.main(["--check"]) == 0
    capsys.readouterr()
    (tmp_path / "exit-codes.md").write_text("# Exit codes\n")
    assert make.main(["--check"]) == 1
    assert capsys.readouterr().out == "docs/reference/exit-codes.md\n"
    assert (tmp_path / "exit-codes.md").read_text() == "# Exit codes\n"


@pytest.mark.parametrize("verb", VERBS)
def test_a_page_has_every_option_of_its_verb(verb: str) -> None:
    """Counted in the help, which click writes."""
    shown = histpred(verb, "--help").out
    options = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", shown, re.MULTILINE)) - {"--help"}
    page = (REFERENCE / "commands" / f"{verb}.md").read_text()
    assert {
        option for option in options if not re.search(rf"^- `.*{option}\b", page, re.M)
    } == set()


def test_outputs_has_the_columns_of_tables_in_their_order() -> None:
    listed = ", ".join(f"`{name}`" for name in HEADER)
    assert f"{listed}, then a probability" in (ROOT / "docs/outputs.md").read_text()


class Page(HTMLParser):
    """What a page of the site links to, what it loads, and where it can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        loads = found.get("src") or (found.get("href") if tag == "link" else None)
        if loads and not loads.startswith("data:"):
            self.loaded.append(loads)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site; a warning ends the build."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
@needs_mkdocs
def test_links_lead_to_pages_and_nothing_is_loaded_from_the_network(site: Path) -> None:
    pages = {
        path: Page(path.read_text()) for path in site.rglob("*.html") if path.name != "404.html"
    }
    assert len(pages) > 50
    broken = []
    for path, page in pages.items():
        assert [url for url in page.loaded if re.match("[a-z]+:|//", url)] == []
        for link in [*page.links, *page.loaded]:
            if re.match("[a-z]+:", link):
                continue
            name, _, anchor = unquote(link).partition("#")
            target = (path.parent / name).resolve() if name else path
            if not target.is_file() or (target in pages and anchor not in pages[target].anchors):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []


@pytest.mark.slow
@pytest.mark.browser
@needs_mkdocs
@pytest.mark.parametrize("screen", [SCREEN, PHONE], ids=["laptop", "phone"])
def test_the_site_opens_from_disk_and_its_search_finds(
    site: Path, screen: dict[str, int], page: BrowserPage
) -> None:
    page.set_viewport_size(screen)
    for name in ("reference/commands/predict.html", "how-to/how-sure.html", "index.html"):
        page.goto((site / name).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= screen["width"]
    if screen is PHONE:
        page.locator("label.md-header__button[for=__search]").click()
    page.locator("[data-md-component=search-query]").press_sequentially("contigs have other names")
    found = page.locator(".md-search-result__item h1").first
    assert found.inner_text() == "My contigs have other names"
