"""histpred convert: a finished prediction as one file for Python."""

from __future__ import annotations

from pathlib import Path

from histpred.commands import options
from histpred.commands.help_pages import verb
from histpred.commands.progress import Progress
from histpred.core.extras import need
from histpred.core.log import logger
from histpred.core.text import counted


@verb(
    examples=[
        ("Write an AnnData file for scanpy", "histpred convert scores -o scores.h5ad"),
    ]
)
@options.scores
@options.out(
    "FILE",
    "File to write: FILE.h5ad for AnnData, FILE.parquet for Parquet.",
    options.PATH,
    writes="a file of AnnData or Parquet",
)
@options.in_output(
    "--embeddings",
    metavar="EMBEDDED.parquet",
    type=options.PATH,
    help="Table of embeddings to add, made by embed with the options of predict. [default: no "
    "embeddings]",
)
@options.overwrite
@options.quiet
def convert(scores: Path, out: Path, embeddings: Path | None, overwrite: bool, quiet: bool) -> None:
    """Write SCORES, a folder of predict, as one table of windows and marks for Python."""
    from histpred import verbs
    from histpred.reports.convert import PARQUET, suffix_of

    if suffix_of(out) == PARQUET:
        need("anndata", but="anndata")
    else:
        need("anndata", but=None if embeddings else "pyarrow")
    with Progress("converting windows", quiet) as progress:
        result = verbs.convert(scores, out, embeddings, overwrite=overwrite, progress=progress)
    vectors = f", vectors of {result.dimension}" if result.dimension else ""
    logger.info(
        f"{out}: {counted(result.windows, 'window')}, {counted(result.marks, 'mark')}{vectors}"
    )
