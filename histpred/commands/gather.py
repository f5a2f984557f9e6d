"""histpred gather: what predict or variants made of the shards, as one output."""

from __future__ import annotations

from pathlib import Path

import click

from histpred.commands import options
from histpred.commands.help_pages import verb
from histpred.commands.progress import skipped
from histpred.commands.report import bundle_of_scores, genome_of_scores, no_report, report_on
from histpred.commands.variants import say_effects
from histpred.core.log import logger
from histpred.core.text import counted

_existing = click.Path(exists=True, file_okay=False, path_type=Path)


@verb(
    examples=[
        ("Join the predictions of all shards", "histpred gather scattered parts/* -o scores"),
        ("Join the effects of all shards of a VCF", "histpred gather scattered parts/* -o effects"),
    ]
)
@click.argument("scattered", metavar="SCATTERED", type=_existing)
@click.argument("parts", metavar="PART...", nargs=-1, required=True, type=_existing)
@options.out("OUT", "Output folder, with the files that predict or variants writes.")
@no_report
@genome_of_scores
@bundle_of_scores
@options.in_output(
    "--launched-by",
    metavar="JSON",
    help="Description of the run of the pipeline, for the record and the report. "
    "[default: without a pipeline, none]",
)
@options.overwrite
@options.cache
@options.quiet
@options.threads
def gather(
    scattered: Path,
    parts: tuple[Path, ...],
    out: Path,
    report: bool,
    fasta: str | None,
    bundle: str | None,
    launched_by: str | None,
    overwrite: bool,
    cache: Path | None,
    quiet: bool,
) -> None:
    """Join the predictions of all shards in SCATTERED, the folder that histpred scatter wrote.

    Each PART is the output folder of predict, or of variants, for one shard, in any order. OUT
    holds, byte for byte, the files of a single run.
    """
    from histpred import verbs
    from histpred.bundle.folder import load_bundle
    from histpred.scoring.launch import parse_launch
    from histpred.scoring.scatter_variants_record import is_of_vcf

    loaded = load_bundle(bundle) if bundle else None
    launch = parse_launch(launched_by) if launched_by else None
    if is_of_vcf(scattered):
        joined = verbs.gather_variants(scattered, parts, out, overwrite=overwrite, launch=launch)
        say_effects(out, joined)
        return
    result = verbs.gather(scattered, parts, out, overwrite=overwrite, launch=launch)
    if not result.fresh:
        logger.info(f"{out} already holds this prediction: nothing to do")
    logger.info(
        f"{out}: {result.scored:,} of {counted(result.rows, 'row')} scored in "
        f"{counted(len(parts), 'part')}, {counted(result.calls, 'call')}{skipped(result.skipped)}"
    )
    for sentence in result.first_words:
        logger.info(sentence)
    if report:
        report_on(out, loaded, result, fasta, cache)
