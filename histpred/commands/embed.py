"""histpred embed: the embeddings alone, into a store."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click

from histpred.commands import options
from histpred.commands.progress import Progress, check_strict, skipped

logger = logging.getLogger(__name__)


@click.command()
@options.annotation
@options.fasta
@click.option(
    "--store",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of embeddings. Embeddings that it already holds are not computed again.",
)
@click.option(
    "-o",
    "--out",
    metavar="OUT.parquet",
    type=click.Path(path_type=Path),
    help="Also write a table of the windows with their vectors, and its ledger beside it. "
    "[default: only the store]",
)
@options.encoder
@options.selection
@options.embedding
@options.running
def embed(out: Path | None, strict: bool, quiet: bool, **given: Any) -> None:
    """Embed the windows of ANNOTATION on FASTA, for predict --store and for training.

    If embed is killed, run it again: it resumes where it stopped. Several processes may fill one
    store at the same time.
    """
    from histpred import verbs
    from histpred.bundle.encoding import choose_encoder
    from histpred.core.execution import Execution
    from histpred.genome.request import Request

    request = options.filled(Request, given)
    choice = choose_encoder(**options.encoder_of(given))
    with Progress("embedding windows", quiet) as progress:
        execution = options.filled(Execution, given, progress=progress)
        result = verbs.embed(request, choice, out, execution)
    logger.info(
        "%s: %s windows of %s rows on %s in %s; %s chunks embedded, %s found in the store%s",
        out or given["store"],
        f"{result.windows:,}",
        f"{result.rows:,}",
        result.device,
        result.precision,
        f"{result.embedded:,}",
        f"{result.reused:,}",
        skipped(result.skipped),
    )
    ledger = out.with_name(f"{out.name}.ledger.tsv") if out else "histpred windows"
    check_strict(strict, result.skipped, result.past_end, ledger)
