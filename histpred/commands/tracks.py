"""histpred tracks: a track hub from a finished prediction."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from histpred.commands import options
from histpred.commands.help_pages import verb
from histpred.commands.progress import Progress
from histpred.core.log import logger
from histpred.core.text import counted

if TYPE_CHECKING:
    from histpred.tracks.hub import Hub


@verb(
    examples=[
        ("Make a hub and open it in IGV", "histpred tracks scores genome.fa -o hub"),
    ]
)
@options.scores
@options.fasta
@options.out("HUB", "Folder for the hub. Put it on a web server to share it.")
@options.in_output(
    "--assembly",
    metavar="NAME",
    help="UCSC's name of the assembly, such as hg38 or sacCer3. [default: recognised by the "
    "contigs' lengths, or the beginning of FASTA's name]",
)
@options.overwrite
@options.cache
@options.quiet
def tracks(out: Path, quiet: bool, **given: Any) -> None:
    """Write genome-browser tracks of SCORES, a folder that predict made with FASTA.

    HUB holds bigBeds (bigWigs for tiles) of the annotation, the calls, the classes of marks and the
    marks. Open it with hub.txt (UCSC's genome browser, IGV), the IGV sessions or the JBrowse 2
    configuration.
    """
    from histpred import verbs

    with Progress("writing tracks", quiet) as progress:
        hub = verbs.tracks(out=out, progress=progress, **given)
    tell_hub(hub, out)


def tell_hub(hub: Hub, out: Path) -> None:
    """Say what was written into the folder of a hub."""
    from histpred.scoring.derived import HUB

    logger.info(
        f"{out / HUB}: {counted(len(hub.marks), 'mark')} in {counted(hub.windows, 'window')} of "
        f"{hub.assembly} as {'bigWig' if hub.signal else 'bigBed'}, {counted(hub.calls, 'call')}"
    )
