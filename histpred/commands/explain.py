"""histpred explain: where in its window a prediction comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from histpred.commands import inputs, options
from histpred.commands.help_pages import verb
from histpred.commands.numbers import Whole
from histpred.commands.progress import Progress, check_strict, skipped
from histpred.core.log import logger
from histpred.core.text import counted


@verb(
    examples=[
        (
            "See which DNA speaks for the marks of two genes",
            "histpred explain genes.gtf.gz genome.fa --genes XIST,MALAT1 -o explained",
        ),
        (
            "Replace every base of a promoter by the three others",
            "histpred explain genes.gtf.gz genome.fa --genes XIST \\\n"
            "    --bases chrX:73,072,400-73,072,700 -o explained",
        ),
        (
            "Average over all lncRNAs by the distance from the TSS",
            "histpred explain genes.gtf.gz genome.fa --biotype lncRNA -o explained",
        ),
    ]
)
@inputs.annotation_or_regions
@options.out("OUT", "Output folder.", options.PATH)
@options.bundle
@options.selection
@inputs.genes
@inputs.sequences
@options.in_rows(
    "--resolution",
    type=Whole(1),
    metavar="BP",
    help="Length of the stretches that are replaced by N, in bp. [default: bins or chunks of the "
    "bundle's encoder, else a 20th of the window]",
)
@options.in_rows(
    "--bases",
    default="",
    metavar="REGION",
    help="Also replace each base of these regions (at most 10,000 bases) by the three others. "
    "[default: no base]",
)
@options.in_output(
    "--tracks", is_flag=True, help="Also write a bigWig for each mark, as a hub in OUT/hub."
)
@options.in_output(
    "--no-report",
    "report",
    flag_value=False,
    default=True,
    help="Leave out OUT/report.html, the picture of the windows.",
)
@options.marks
@options.threads
@options.embedding
@options.store
@options.running
def explain(
    out: Path,
    tracks: bool,
    report: bool,
    resolution: int | None,
    bases: str,
    strict: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Show which stretches of DNA the predictions for ANNOTATION come from.

    In each window of histpred predict, explain replaces one stretch after another by N ("not
    known"). The contribution of a stretch is the fall of a mark's log-odds: positive where it
    speaks for the mark. It says what the bundle uses, not what the cell uses.

    OUT holds contributions.tsv.gz, windows.tsv.gz, profile.tsv (mean contribution by distance from
    the TSS), bases.tsv.gz (with --bases), ledger.tsv, run.json and report.html.
    """
    from histpred import verbs
    from histpred.core.execution import Execution
    from histpred.genome.request import Request
    from histpred.scoring.derived import FOLDER, HUB, REPORT
    from histpred.scoring.substitutions import bases_text

    given = inputs.read_inputs(given)
    request = options.filled(Request, given)
    choice = inputs.choice_of(given)
    replaced = bases_text(bases, request.fasta)
    with (
        Progress("explaining windows", quiet) as progress,
        Progress("writing tracks", quiet) as drawn,
    ):
        execution = options.filled(Execution, given, progress=progress)
        shown = drawn if tracks else None
        result = verbs.explain(request, choice, out, execution, resolution, replaced, shown)

    if not result.fresh:
        logger.info(f"{out} already holds this explanation: nothing to do")
    logger.info(
        f"{out}: {result.explained:,} of {counted(result.rows, 'row')} explained by "
        f"{counted(result.stretches, 'stretch', 'stretches')} on "
        f"{result.device}{skipped(result.skipped)}"
    )
    for sentence in result.first_words:
        logger.info(sentence)
    if tracks:
        logger.info(f"{out / FOLDER / HUB}: what speaks for each mark, as bigWig")
    if report and result.explained and not (out / REPORT).exists():
        page = verbs.explanation(out)
        logger.info(f"{page}: where the predictions come from, for any browser")
    check_strict(strict, result.skipped, result.past_end, out / "ledger.tsv")
