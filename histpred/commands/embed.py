"""histpred embed: the embeddings alone, into a store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from histpred.commands import inputs, options
from histpred.commands.help_pages import verb
from histpred.commands.progress import Progress, check_strict, skipped
from histpred.core.log import logger


@verb(
    examples=[
        (
            "Embed genes with DNABERT-2, for predict --store and train --store",
            "histpred encoders get dnabert2\n"
            "histpred embed genes.gtf.gz genome.fa --encoder dnabert2 --store store",
        ),
    ]
)
@inputs.annotation_or_regions
@options.in_output(
    "--store",
    required=True,
    type=options.FOLDER,
    metavar="DIR",
    help="Folder of embeddings. Embeddings that it already holds are not computed again.",
)
@options.out(
    "OUT.parquet",
    "Also write a table of the windows with their vectors, and its ledger beside it. "
    "[default: only the store]",
    options.PATH,
    required=False,
    writes="a Parquet file",
)
@options.encoder
@options.selection
@inputs.genes
@inputs.sequences
@inputs.transcripts
@options.threads
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

    given = inputs.read_inputs(given)
    request = options.filled(Request, given)
    choice = choose_encoder(**options.encoder_of(given))
    with Progress("embedding windows", quiet) as progress:
        execution = options.filled(Execution, given, progress=progress)
        result = verbs.embed(request, choice, out, execution)
    logger.info(
        f"{out or given['store']}: {result.windows:,} windows of {result.rows:,} rows on "
        f"{result.device} in {result.precision}; {result.embedded:,} chunks embedded, "
        f"{result.reused:,} found in the store{skipped(result.skipped)}"
    )
    ledger = out.with_name(f"{out.name}.ledger.tsv") if out else "histpred windows"
    check_strict(strict, result.skipped, result.past_end, ledger)
