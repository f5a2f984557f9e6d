"""histpred convert: a finished prediction as one file for Python."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from histpred.commands import options
from histpred.commands.progress import Progress

logger = logging.getLogger(__name__)


@click.command()
@options.scores
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="File to write: FILE.h5ad for AnnData, FILE.parquet for Parquet.",
)
@click.option(
    "--embeddings",
    metavar="EMBEDDED.parquet",
    type=click.Path(path_type=Path),
    help="Table of the same windows' embeddings to add. Make it with embed and the options of "
    "predict. [default: no embeddings]",
)
@options.overwrite
@options.quiet
def convert(scores: Path, out: Path, embeddings: Path | None, overwrite: bool, quiet: bool) -> None:
    """Write SCORES, a folder of predict, as one table of windows and marks for Python."""
    from histpred.reports import convert as stage

    if stage.suffix_of(out) == stage.PARQUET:
        options.need("anndata", but="anndata")
    else:
        options.need("anndata", but=None if embeddings else "pyarrow")
    with Progress("converting windows", quiet) as progress:
        result = stage.convert(scores, out, embeddings, overwrite=overwrite, progress=progress)
    logger.info(
        "%s: %s windows, %d marks%s",
        out,
        f"{result.windows:,}",
        result.marks,
        f", vectors of {result.dimension}" if result.dimension else "",
    )
