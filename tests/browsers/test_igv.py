"""A hub's sessions in igv.js: it draws what the table says, in the colours of marks."""

from __future__ import annotations

import pytest

from histpred.core.marks import CLASS_COLOURS, mark, mark_colour
from support.browsers import IGV, colours, igv_goes_to, open_igv, served, why_no_browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(bool(why_no_browser(IGV)), reason=why_no_browser(IGV)),
]

CLASSES = list(CLASS_COLOURS)
WIDTH = 1262  # pixels that igv.js has for a track, on our screen


def by_class(marks: list[str]) -> list[str]:
    return sorted(marks, key=lambda name: CLASSES.index(mark(name).mark_class))


def shown_tracks(page) -> list[str]:
    """In their order on the page."""
    return page.evaluate("browser.trackViews.map(view => view.track.name).filter(name => name)")


def features(page, track: str, start: int, end: int, field: str) -> list[tuple]:
    """Where igv.js has features on a track of chr22, and what a field of theirs says."""
    found = page.evaluate(
        """async ([name, start, end, field]) => {
            const [track] = browser.findTracks(track => track.name === name)
            const found = await track.getFeatures('chr22', start, end, 1)
            return found.filter(feature => start < feature.end && feature.end <= end)
                .map(feature => [feature.start, feature.end, feature[field]])
        }""",
        [track, start, end, field],
    )
    return [tuple(feature) for feature in found]


def test_genes(page, genes):
    start, end = 20_015_000, 20_095_000  # to the right of the names of the tracks
    rows = genes.between(start, end)
    places = [(int(row["start"]), int(row["end"])) for row in rows]
    with served(genes.folder) as address:
        open_igv(page, address)
        classes = ["active promoter (2 marks)", "enhancer (2 marks)"]
        first = ["annotation", "called marks", *classes]
        assert shown_tracks(page) == [*first, *by_class(genes.shown)]

        igv_goes_to(page, "chr22:20000000-20100000")
        names = [(*place, row["name"]) for place, row in zip(places, rows, strict=True)]
        assert features(page, "H3K4me3", start, end, "name") == names
        seen = colours(page)
        for name in genes.shown:
            shades = genes.shades(rows, name)
            said = [f"rgb({shade[0]},{shade[1]},{shade[2]})" for shade in shades]
            expected = [(*place, colour) for place, colour in zip(places, said, strict=True)]
            assert features(page, name, start, end, "color") == expected
            assert all(seen[shade] > 30 for shade in shades)
        called = features(page, "called marks", start, end, "name")
        assert {name for *_, name in called} >= {"H3K4me3", "H3K27ac", "H2AFZ"}
        for *_, name in called:
            assert seen[mark_colour(name)] > 100
        assert features(page, "annotation", start, end, "name")


@pytest.mark.parametrize("session", ["igv-session.json", "igv-session.xml"])
def test_tiles_of_an_assembly_that_igv_knows(session, page, tiles):
    values = tiles.transcribed
    with served(tiles.folder) as address:
        sizes = {"format": "chromsizes", "fastaURL": f"{address}/hg19/contigs.chrom.sizes"}
        open_igv(page, address, session, [{"id": "hg19", "name": "Human (hg19)", **sizes}])
        shown = shown_tracks(page)
        marks = tiles.shown if session.endswith("json") else tiles.scores.marks  # of XML, all
        assert shown[:2] == ["annotation", "called marks"]
        assert [name for name in shown if name in marks] == by_class(marks)
        ranges = page.evaluate(
            "browser.findTracks(track => track.type === 'wig').map(track => track.dataRange)"
        )
        assert ranges == [{"min": 0, "max": 1}] * (len(shown) - 2)
        found = features(page, "transcribed (4 marks)", 20_100_000, 20_120_000, "value")
        assert [value for *_, value in found] == pytest.approx(values, rel=1e-6)
        # Bars as high as they are likely, in a track of 24 pixels, partly beneath its name.
        mean = sum(values) / len(values)
        assert colours(page)[CLASS_COLOURS["transcribed"]] > 0.7 * mean * WIDTH * 24
