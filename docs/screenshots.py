"""Take the pictures of the documentation.

    python docs/screenshots.py SCORES OUT

SCORES is a prediction of yeast with its hub (docs/tracks.md) and its report. You need playwright,
which only the `test` extra installs, Chromium on the PATH, and JBrowse 2, which
tests/browsers/get.sh downloads.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.browsers import (
    IGV,
    JBROWSE,
    chromium,
    igv_goes_to,
    open_igv,
    open_jbrowse,
    served,
    watched_page,
    why_no_browser,
)

LOCUS = "chrI:102,500-130,200"  # the names of the tracks hide no gene here


def main(scores: Path, out: Path) -> None:
    """Write tracks-igv.png, tracks-jbrowse.png and report.png into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    with served(scores / "hub") as address, chromium() as browser:
        sizes = {"format": "chromsizes", "fastaURL": "sacCer3/contigs.chrom.sizes"}
        with watched_page(browser) as page:
            open_igv(page, address, genomes=[{"id": "sacCer3", "name": "sacCer3", **sizes}])
            igv_goes_to(page, LOCUS)
            clip = {"x": 0, "y": 0, "width": 1366, "height": 660}  # the tracks end there
            page.screenshot(path=out / "tracks-igv.png", clip=clip)
        with watched_page(browser) as page:
            open_jbrowse(page, address, LOCUS)
            page.screenshot(path=out / "tracks-jbrowse.png")
        with watched_page(browser) as page:
            page.goto((scores / "report.html").resolve().as_uri())
            page.wait_for_selector("#browser[data-ready=yes]")
            end = page.locator("#trust").bounding_box()["y"]
            clip = {"x": 60, "y": 0, "width": 1246, "height": end}
            page.screenshot(path=out / "report.png", full_page=True, clip=clip)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    if reason := why_no_browser(IGV, JBROWSE):
        sys.exit(reason)
    main(*map(Path, sys.argv[1:]))
