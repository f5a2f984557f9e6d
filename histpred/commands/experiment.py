"""histpred experiment: several configurations on the same genes, and one report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from histpred.commands import completers, options
from histpred.commands.help_pages import option_in, verb
from histpred.commands.progress import Progress
from histpred.core.errors import HistpredError
from histpred.core.extras import need
from histpred.core.log import logger

if TYPE_CHECKING:
    from histpred.training.fitting import Epoch

in_stage = option_in("Stages")


@verb(
    examples=[
        ("Try it on data that comes with histpred", "histpred experiment smoke -o smoke-test"),
        (
            "Run the paper's experiment on genomes and labels of your own",
            "histpred experiment paper genomes.csv -o reproduction",
        ),
    ]
)
@click.argument(
    "sheet",
    metavar="SHEET",
    type=options.PATH,
    shell_complete=completers.one_of(["paper", "smoke"], "file"),
)
@click.argument("genomes", metavar="[GENOMES]", type=options.PATH, required=False)
@options.out("DIR", "Folder for the plan, the configurations, the tables and report.html.")
@in_stage(
    "--only",
    type=options.NameList("configuration"),
    default=(),
    help="Run only these configurations, and write no report. [default: run all configurations, "
    "then write the report]",
)
@in_stage(
    "--plan",
    "plan_only",
    is_flag=True,
    help="Choose the genes and make the splits, and run no configuration.",
)
@options.threads
@options.device
@options.precision
@options.store
@options.overwrite
@options.cache
@options.quiet
def experiment(
    sheet: Path,
    genomes: Path | None,
    out: Path,
    only: tuple[str, ...],
    plan_only: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Train and evaluate the configurations of SHEET, and report on them as the paper does.

    SHEET is a YAML file, or one of those that come with histpred: 'paper' or 'smoke'. GENOMES, a
    samplesheet with the columns name, annotation, fasta and labels, takes the place of the sheet's
    genomes.

    If the command is stopped, run it again: it resumes. A configuration that fails does not stop
    the others; the exit code is then 1.
    """
    need("train")
    from histpred import verbs
    from histpred.core.execution import Execution
    from histpred.experiments.report import REPORT
    from histpred.experiments.run import Stage

    with Progress("training", quiet) as progress, Progress("embedding windows", quiet) as embedded:

        def tell(epoch: Epoch, most: int) -> None:
            progress(epoch.epoch, most)

        execution = options.filled(Execution, given, progress=embedded)
        stage = Stage(only, plan_only)
        outcome = verbs.experiment(sheet, genomes, out, stage, execution, given["cache"], tell)
    if outcome.missing:
        names = ", ".join(outcome.missing)
        why = "the messages above say why" if only else f"{out / REPORT} says why"
        raise HistpredError(
            f"{len(outcome.missing)} of {len(outcome.missing) + len(outcome.done)} configurations "
            f"are missing: {names}",
            f"{why}; mend it and run the same command again",
        )
    if not only and not plan_only:
        logger.info(f"{out}: open {out / REPORT}")
