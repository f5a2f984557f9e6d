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
@options.out_folder("HUB", "Folder for the hub. Put it on a web server to share it.")
@click.option(
    "--assembly",
    metavar="NAME",
    help="UCSC's name of the assembly, such as hg38 or sacCer3. [default: recognised by the "
    "contigs' lengths, or the beginning of FASTA's name]",
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
    """Write genome-browser tracks of SCORES, a folder that predict made with FASTA.

    HUB holds a bigBed of the calls and a bigBed for each mark. If SCORES are of tiles, it holds a
    bigWig for each mark. Open it with hub.txt (UCSC's genome browser, IGV), the IGV sessions or the
    JBrowse 2 configuration.
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
