"""histpred tracks: a track hub from a finished prediction."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from histpred.commands import options
from histpred.commands.report import Progress

logger = logging.getLogger(__name__)


@click.command()
@click.argument("scores", type=click.Path(path_type=Path))
@click.argument("fasta")
@options.out_folder("HUB", "Folder for the hub; put it on a web server.")
@click.option(
    "--assembly", required=True, metavar="NAME", help="As UCSC calls it, such as hg38 or sacCer3."
)
@options.overwrite
@options.quiet
def tracks(
    scores: Path, fasta: str, out: Path, assembly: str, overwrite: bool, quiet: bool
) -> None:
    """Write a track hub of SCORES, a folder of predict, that was made with FASTA.

    HUB gets hub.txt for UCSC's genome browser, IGV and JBrowse, with a bigBed of calls and one for
    each mark, or a bigWig for each mark where SCORES are of tiles.
    """
    from histpred.tracks.hub import write_hub

    with Progress("writing tracks", quiet) as progress:
        hub = write_hub(scores, fasta, out, assembly, overwrite=overwrite, progress=progress)
    logger.info(
        "%s: %d marks in %s windows as %s, %s calls; open %s",
        out,
        len(hub.marks),
        f"{hub.windows:,}",
        "bigWig" if hub.signal else "bigBed",
        f"{hub.calls:,}",
        out / "hub.txt",
    )
