"""A hub's sessions in igv.js: it draws what the table says, in the colours of marks' classes."""

from __future__ import annotations

import pytest

from histpred.core.marks import CLASS_COLOURS, mark
from support.browsers import IGV, colours, igv_goes_to, open_igv, served, why_no_browser

pytestmark = [
    pytest.mark.browser,
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
        assert shown_tracks(page) == ["called marks", *by_class(genes.scores.marks)]

        igv_goes_to(page, "chr22:20000000-20100000")
        names = [(*place, row["name"]) for place, row in zip(places, rows, strict=True)]
        assert features(page, "H3K4me3", start, end, "name") == names
        seen = colours(page)
        for name in genes.scores.marks:
            shades = genes.shades(rows, name)
            said = [f"rgb({shade[0]},{shade[1]},{shade[2]})" for shade in shades]
            expected = [(*place, colour) for place, colour in zip(places, said, strict=True)]
            assert features(page, name, start, end, "color") == expected
            assert all(seen[shade] > 30 for shade in shades)
        for mark_class in ("active promoter", "enhancer", "transcribed", "variant"):
            assert seen[CLASS_COLOURS[mark_class]] > 100  # of the calls


@pytest.mark.parametrize("session", ["igv-session.json", "igv-session.xml"])
def test_tiles_of_an_assembly_that_igv_knows(session, page, tiles):
    values = [float(row["H3K4me2"]) for row in tiles.scores.rows]
    with served(tiles.folder) as address:
        sizes = {"format": "chromsizes", "fastaURL": f"{address}/hg19/contigs.chrom.sizes"}
        open_igv(page, address, session, [{"id": "hg19", "name": "Human (hg19)", **sizes}])
        assert shown_tracks(page) == ["called marks", *by_class(tiles.scores.marks)]
        ranges = page.evaluate(
            "browser.findTracks(track => track.type === 'wig').map(track => track.dataRange)"
        )
        assert ranges == [{"min": 0, "max": 1}] * len(tiles.scores.marks)
        found = features(page, "H3K4me2", 20_200_000, 20_220_000, "value")
        assert [value for *_, value in found] == pytest.approx(values, rel=1e-6)
        # Bars as high as they are likely, in a track of 24 pixels.
        mean = sum(values) / len(values)
        assert colours(page)[CLASS_COLOURS["active promoter"]] > 0.8 * mean * WIDTH * 24
