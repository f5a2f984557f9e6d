"""histpred tracks: a track hub from a finished prediction."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from histpred.commands import options
from histpred.commands.progress import Progress

if TYPE_CHECKING:
    from histpred.tracks.hub import Hub

logger = logging.getLogger(__name__)


@click.command()
@options.scores
@click.argument("fasta")
@options.out_folder("HUB", "Folder for the hub; put it on a web server.")
@click.option(
    "--assembly",
    metavar="NAME",
    help="As UCSC calls it, such as hg38 or sacCer3. [default: known by the contigs' lengths, else "
    "the beginning of FASTA's name]",
)
@options.overwrite
@options.cache
@options.quiet
def tracks(
    scores: Path,
    fasta: str,
    out: Path,
    assembly: str | None,
    overwrite: bool,
    cache: Path | None,
    quiet: bool,
) -> None:
    """Write tracks of SCORES, a folder of predict, that was made with FASTA.

    HUB gets a bigBed of calls and one for each mark, or a bigWig for each mark where SCORES are of
    tiles, with what opens them: hub.txt for UCSC's genome browser and IGV, sessions for IGV, a
    configuration for JBrowse 2.
    """
    from histpred.tracks.hub import write_hub

    with Progress("writing tracks", quiet) as progress:
        hub = write_hub(
            scores, fasta, out, assembly, cache=cache, overwrite=overwrite, progress=progress
        )
    tell_hub(hub, out)


def tell_hub(hub: Hub, out: Path) -> None:
    """Say what was written into the folder of a hub."""
    from histpred.scoring.derived import HUB

    logger.info(
        "%s: %d marks in %s windows of %s as %s, %s calls",
        out / HUB,
        len(hub.marks),
        f"{hub.windows:,}",
        hub.assembly,
        "bigWig" if hub.signal else "bigBed",
        f"{hub.calls:,}",
    )
