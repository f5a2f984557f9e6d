"""histpred gather: what predict made of the shards, as one prediction."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from histpred.commands import options
from histpred.commands.progress import skipped

logger = logging.getLogger(__name__)


@click.command()
@click.argument(
    "scattered",
    metavar="SCATTERED",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.argument(
    "parts",
    metavar="PART...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@options.out_folder("OUT", "Output folder, with the files that predict writes.")
@options.overwrite
@options.quiet
def gather(
    scattered: Path, parts: tuple[Path, ...], out: Path, overwrite: bool, quiet: bool
) -> None:
    """Join the predictions of all shards in SCATTERED, the folder that histpred scatter wrote.

    Each PART is the output folder of predict for one shard. Their order does not matter. OUT holds,
    byte for byte, the tables that a single predict on the whole annotation writes.
    """
    from histpred import verbs

    result = verbs.gather(scattered, parts, out, overwrite)
    if not result.fresh:
        logger.info("%s already holds this prediction: nothing to do", out)
    logger.info(
        "%s: %s of %s rows scored in %d parts, %s calls%s",
        out,
        f"{result.scored:,}",
        f"{result.rows:,}",
        len(parts),
        f"{result.calls:,}",
        skipped(result.skipped),
    )
