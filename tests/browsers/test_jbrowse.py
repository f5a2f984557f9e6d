"""A hub's configuration in JBrowse 2 draws the table in the colours of the marks.

It shows the values under the mouse.
"""

from __future__ import annotations

import pytest

from histpred.core.marks import CLASS_COLOURS, mark_colour
from support.browsers import (
    JBROWSE,
    colours,
    jbrowse_track,
    jbrowse_x,
    open_jbrowse,
    served,
    why_no_browser,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(bool(why_no_browser(JBROWSE)), reason=why_no_browser(JBROWSE)),
]


def point_at(page, track: str, position: int) -> None:
    """Move the mouse over a track at a position of chr22."""
    box = jbrowse_track(page, track)
    x, y = box["x"] + jbrowse_x(page, "chr22", position), box["y"] + 8
    page.mouse.move(x - 1, y)
    page.mouse.move(x, y)


def test_genes(page, genes):
    rows = genes.between(20_015_000, 20_095_000)  # to the right of the tracks' names
    assert len(rows) > 1
    with served(genes.folder) as address:
        open_jbrowse(page, address, "chr22:20,000,000-20,100,000")
        seen = colours(page)
        for name in genes.shown:
            assert all(seen[shade] > 30 for shade in genes.shades(rows, name))
        for name in ("H3K4me3", "H3K27ac", "H2AFZ"):
            assert seen[mark_colour(name)] > 100  # of the calls
        for name in ("H3K4me3", "H3K36me3"):
            point_at(page, name, int(rows[0]["start"]) + 1_500)
            said = f"{rows[0]['name']}: {round(float(rows[0][name]), 3):g}"
            page.get_by_text(said).wait_for()


def test_tiles(page, tiles):
    values = tiles.transcribed
    with served(tiles.folder) as address:
        open_jbrowse(page, address)
        box = jbrowse_track(page, "transcribed-4-marks")
        drawn = colours(page, page.screenshot(clip=box))[CLASS_COLOURS["transcribed"]]
        # Bars as high as they are likely, below 10 pixels of margin, partly beneath the name.
        mean = sum(values) / len(values)
        assert drawn > 0.6 * mean * box["width"] * (box["height"] - 10)
        point_at(page, "transcribed-4-marks", int(tiles.scores.rows[50]["start"]) + 100)
        page.get_by_text(f"{values[50]:.6g}").wait_for()
