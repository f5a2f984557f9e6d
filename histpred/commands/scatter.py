"""histpred scatter: one prediction as several that run side by side."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from histpred.commands import options
from histpred.commands.progress import check_strict, skipped

logger = logging.getLogger(__name__)


@click.command()
@options.annotation_or_contigs
@options.out_folder("DIR", "Folder for the shards, the ledger and scatter.json.")
@options.encoder
@options.selection
@options.tile
@click.option(
    "--shard-bases",
    type=click.IntRange(1),
    default=100_000_000,
    show_default=True,
    metavar="BP",
    help="Largest number of bases in the windows of one shard, give or take one window. All shards "
    "get about the same number of bases.",
)
@options.weights
@options.running
def scatter(
    annotation: str,
    fasta: str | None,
    out: Path,
    bundle: str | None,
    encoder_name: str | None,
    chunks: str | None,
    biotypes: tuple[str, ...],
    level: str | None,
    kind: str | None,
    unstranded: bool,
    tile: int | None,
    shard_bases: int,
    weights: Path | None,
    strict: bool,
    overwrite: bool,
    cache: Path | None,
    quiet: bool,
) -> None:
    """Check ANNOTATION against FASTA and write its windows as shards of about equal work.

    Each of DIR/shards/*.tsv is an annotation. Run predict or embed on it with the same FASTA and
    bundle, on any machine. Then histpred gather joins the predictions. Its files are those of a
    single predict, byte for byte.
    """
    from histpred.api import verbs
    from histpred.bundle.encoding import choose_encoder
    from histpred.genome.request import Request

    annotation, fasta = options.inputs(annotation, fasta, tile)
    request = Request(annotation, fasta, level, biotypes, unstranded, cache)
    choice = choose_encoder(bundle, encoder_name, chunks, kind, weights, tile)
    result = verbs.scatter(request, choice, out, shard_bases, overwrite)
    if not result.fresh:
        logger.info("%s already holds these shards: nothing to do", out)
    logger.info(
        "%s: %s windows of %s rows, %s bp, in %d shards%s",
        out,
        f"{result.windows:,}",
        f"{result.rows:,}",
        f"{result.bases:,}",
        result.shards,
        skipped(result.skipped),
    )
    check_strict(strict, result.skipped, result.past_end, out / "ledger.tsv")
