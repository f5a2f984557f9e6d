"""The page of an evaluation as a reader has it: on a laptop or a phone, light or dark."""

from __future__ import annotations

import pytest

from support.browsers import AXE, PHONE, SCREEN, assert_accessible

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    pytest.importorskip("matplotlib", reason="needs the extra train")
    pytest.importorskip("sklearn", reason="needs the extra train")
    from histpred.reports.evaluation import write_report
    from histpred.reports.evaluation_figures import draw
    from support.evaluations import make

    folder = tmp_path_factory.mktemp("evaluation")
    result = make()._replace(warnings=["30 of 300 test windows overlap training windows"])
    write_report(result, draw(result, folder), folder / "report.html")
    return folder / "report.html"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", [SCREEN, PHONE], ids=["laptop", "phone"])
@pytest.mark.skipif(not AXE.is_file(), reason="needs what tests/browsers/get.sh fetches")
def test_axe_finds_no_fault_and_nothing_scrolls_sideways(path, chromium, screen, theme):
    assert_accessible(chromium, path, screen, theme)


def test_text_of_its_figures_has_the_colour_of_the_page(path, chromium):
    colours = set()
    for theme in ("light", "dark"):
        page = chromium.new_page(color_scheme=theme)
        page.goto(path.as_uri())
        fills = page.evaluate(
            """[...document.querySelectorAll('#auroc_by_mark text')].map(
                text => getComputedStyle(text).fill)"""
        )
        assert set(fills) == {page.evaluate("getComputedStyle(document.body).color")}
        colours |= set(fills)
        page.close()
    assert len(colours) == 2
