"""histpred summary: finished outputs as sections of a MultiQC report."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from histpred.commands import options

logger = logging.getLogger(__name__)


@click.command()
@click.argument(
    "folders", metavar="FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the *_mqc.json files.",
)
@options.overwrite
@options.quiet
def summary(folders: tuple[Path, ...], out: Path, overwrite: bool, quiet: bool) -> None:
    """Write MultiQC sections for the outputs of predict and evaluate in each FOLDER.

    Sample names are taken from the folder names. Then run: multiqc DIR
    """
    from histpred.core.errors import first_few
    from histpred.reports.summary import sample_name, summarise

    summarise(folders, out, overwrite=overwrite)
    logger.info(
        "%s: summary of %s; show it with: multiqc %s",
        out,
        first_few(sorted({sample_name(folder) for folder in folders})),
        out,
    )
