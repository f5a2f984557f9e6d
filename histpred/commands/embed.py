"""histpred embed: the embeddings alone, into a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from histpred.commands import inputs, options
from histpred.commands.help_pages import verb
from histpred.commands.progress import Progress, check_strict, skipped
from histpred.core.errors import UsageError
from histpred.core.log import logger
from histpred.core.text import counted

if TYPE_CHECKING:
    from histpred.genome.genomes import GenomeInput


@verb(
    examples=[
        (
            "Embed genes with DNABERT-2, for predict --store and train --store",
            "histpred encoders get dnabert2\n"
            "histpred embed genes.gtf.gz genome.fa --encoder dnabert2 --store store",
        ),
        (
            "Embed the genomes of a sheet, to train on all of them",
            "histpred embed genomes.csv --encoder dnabert2 --store store",
        ),
    ]
)
@inputs.annotation_or_regions
@options.in_output(
    "--store",
    required=True,
    type=options.FOLDER,
    metavar="DIR",
    help="Folder of embeddings. Those that it holds are not computed again.",
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

    A sheet of genomes can take the place of ANNOTATION and FASTA: see 'histpred train'. If embed is
    killed, run it again: it resumes. Several processes may fill one store.
    """
    from histpred import verbs
    from histpred.bundle.encoding import choose_encoder
    from histpred.core.execution import Execution
    from histpred.genome.genomes import naming

    genomes, given = _read(given, out)
    choice = choose_encoder(**options.encoder_of(given))
    results = []
    for genome in genomes:
        with naming(genome), Progress("embedding windows", quiet) as progress:
            execution = options.filled(Execution, given, progress=progress)
            result = verbs.embed(genome.request, choice, out, execution)
        logger.info(
            f"{out or given['store']}: {genome.name}{': ' if genome.name else ''}"
            f"{counted(result.windows, 'window')} of {counted(result.rows, 'row')} on "
            f"{result.device} in {result.precision}; {counted(result.embedded, 'chunk')} embedded, "
            f"{result.reused:,} found in the store{skipped(result.skipped)}"
        )
        results.append(result)
    ledger = out.with_name(f"{out.name}.ledger.tsv") if out else "histpred windows"
    for result in results:
        check_strict(strict, result.skipped, result.past_end, ledger)


def _read(
    given: dict[str, Any], out: Path | None
) -> tuple[tuple[GenomeInput, ...], dict[str, Any]]:
    """The genome that the arguments name, or those of a sheet; and what else was given."""
    from histpred.genome.genomes import is_sheet, one_genome, read_genomes
    from histpred.genome.request import Request

    sheet = given["fasta"]
    if given["annotation"] or given["sequences"] or not is_sheet(sheet):
        given = inputs.read_inputs(given)
        return one_genome(options.filled(Request, given)), given
    if out:
        hint = "omit -o to fill the store alone, or embed one genome at a time"
        raise UsageError(f"{out} is a table of one genome, and {sheet} names several", hint)
    selection = options.filled(Request, given, annotation="")
    return read_genomes(sheet, selection, labelled=False), given
