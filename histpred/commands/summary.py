"""histpred summary: finished outputs as sections of a MultiQC report."""

from __future__ import annotations

from pathlib import Path

import click

from histpred.commands import options
from histpred.commands.help_pages import verb
from histpred.core.errors import first_few
from histpred.core.log import logger


@verb(
    examples=[
        (
            "Make a MultiQC report of several predictions",
            "histpred summary scores-* -o summary && multiqc summary",
        ),
    ]
)
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=options.PATH)
@options.out("DIR", "Folder for the *_mqc.json files.", options.PATH)
@options.overwrite
@options.quiet
def summary(folders: tuple[Path, ...], out: Path, overwrite: bool, quiet: bool) -> None:
    """Write MultiQC sections for the outputs of predict, variants and evaluate in each FOLDER.

    Sample names are taken from the folder names. Then run: multiqc DIR
    """
    from histpred import verbs
    from histpred.reports.summary import sample_name

    verbs.summary(folders, out, overwrite=overwrite)
    names = first_few(sorted({sample_name(folder) for folder in folders}))
    logger.info(f"{out}: summary of {names}; show it with: multiqc {out}")
