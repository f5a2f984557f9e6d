"""histpred variants: what each allele of a VCF changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from histpred.commands import inputs, options
from histpred.commands.help_pages import verb
from histpred.commands.numbers import Whole
from histpred.commands.progress import Progress, check_strict, skipped
from histpred.core.log import logger
from histpred.core.text import counted

if TYPE_CHECKING:
    from histpred.scoring.variants_record import VariantsRun


@verb(
    examples=[
        (
            "Score the variants of a VCF in the promoters of genes",
            "histpred variants calls.vcf.gz genes.gtf.gz genome.fa -o effects",
        ),
        (
            "Look at the largest effects on one mark",
            "bcftools view -H effects/variants.vcf.gz | grep HISTPRED= | less -S",
        ),
    ]
)
@click.argument("vcf", metavar="VCF", type=options.INPUT)
@inputs.annotation_or_regions
@options.out("OUT", "Output folder.", options.PATH)
@options.bundle
@options.selection
@inputs.genes
@options.in_output(
    "--background",
    type=Whole(0),
    default=50,
    metavar="N",
    help="Number of random substitutions (bases) in each window that effects are ranked among; 0: "
    "no ranks.",
)
@options.in_output(
    "--recorded-as",
    nargs=3,
    metavar="VCF ANNOTATION FASTA",
    help="Paths for the record of the inputs, if the given ones are links or copies. [default: "
    "the given paths]",
)
@options.marks
@options.threads
@options.embedding
@options.store
@options.running
@options.in_running(
    "--anyway",
    is_flag=True,
    help="Also use a bundle whose effects are within its numerical noise. [default: refuse it]",
)
def variants(
    out: Path,
    vcf: str,
    recorded_as: tuple[str, str, str] | None,
    strict: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Score each allele of VCF in the windows of ANNOTATION that read it.

    VCF (or BCF) must be sorted, and of the assembly of ANNOTATION and FASTA. Each ALT is scored
    alone, in every window that reads its place and, if the bundle scores intervals, in its tile.
    Genotypes are not read. For a shard of scatter --vcf, ANNOTATION is the table beside it.

    OUT holds effects.tsv.gz (for each allele and window: the probabilities of each mark with both
    alleles, the difference in log-odds, and its rank among random substitutions), variants.vcf.gz
    (with the largest effect of each ALT in INFO/HISTPRED), variants.ledger.tsv (each ALT: scored,
    or skipped and why), ledger.tsv and variants.json.
    """
    from histpred import verbs
    from histpred.core.execution import Execution
    from histpred.genome.request import REGIONS, Request
    from histpred.scoring.variants import VariantOptions

    given = inputs.read_inputs(given)
    if recorded_as and given["source"] == REGIONS:  # no file is read, so there is no link to it
        recorded_as = (recorded_as[0], given["annotation"], recorded_as[2])
    request = options.filled(Request, given)
    choice = inputs.choice_of(given)
    chosen = VariantOptions(given["background"], given["anyway"], recorded_as)
    with Progress("scoring variants", quiet) as progress:
        execution = options.filled(Execution, given, progress=progress)
        result = verbs.variants(vcf, request, choice, out, chosen, execution)

    say_effects(out, result)
    check_strict(strict, result.skipped, result.past_end, out / "variants.ledger.tsv")


def say_effects(out: Path, result: VariantsRun) -> None:
    """Say what was scored, and what the bundle resolves."""
    if not result.fresh:
        logger.info(f"{out} already holds these effects: nothing to do")
    logger.info(
        f"{out}: {result.scored:,} of {counted(result.alleles, 'allele')} scored, "
        f"{counted(result.effects, 'effect')} in windows, on "
        f"{result.device}{skipped(result.skipped)}"
    )
    if result.resolution:
        logger.info(result.resolution.sentence())
