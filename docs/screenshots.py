"""Pictures of genome browsers for the documentation: python docs/screenshots.py HUB OUT

HUB is that of yeast (docs/tracks.md). Needs what the tests in tests/browsers need.
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

LOCUS = "chrI:102,500-130,200"  # no gene lies beneath the names of the tracks


def main(hub: Path, out: Path) -> None:
    """Write tracks-igv.png and tracks-jbrowse.png into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    with served(hub) as address, chromium() as browser:
        sizes = {"format": "chromsizes", "fastaURL": "sacCer3/contigs.chrom.sizes"}
        with watched_page(browser) as page:
            open_igv(page, address, genomes=[{"id": "sacCer3", "name": "sacCer3", **sizes}])
            igv_goes_to(page, LOCUS)
            page.screenshot(path=out / "tracks-igv.png")
        with watched_page(browser) as page:
            open_jbrowse(page, address, LOCUS)
            page.screenshot(path=out / "tracks-jbrowse.png")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    if reason := why_no_browser(IGV, JBROWSE):
        sys.exit(reason)
    main(*map(Path, sys.argv[1:]))
