"""histpred evaluate: how well a bundle does, and beside what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from histpred.commands import completers, inputs, options
from histpred.commands.help_pages import verb
from histpred.commands.numbers import Whole
from histpred.commands.progress import Progress
from histpred.core.extras import need
from histpred.core.log import logger
from histpred.core.text import say
from histpred.genome.regions import BLOCK

OF_GENOMES = ("annotation", "fasta", "labels", "level", "biotypes", "unstranded", "cache")


@verb(
    examples=[
        (
            "Evaluate a bundle on the test rows of its split",
            "histpred evaluate mine genes.gtf.gz genome.fa labels -o evaluation",
        ),
        (
            "Compare two bundles on all labelled rows",
            "histpred evaluate mine genes.gtf.gz genome.fa labels --rows all \\\n"
            "    --beside human-promoter -o evaluation",
        ),
    ]
)
@click.argument("bundle", metavar="BUNDLE", shell_complete=completers.bundles)
@options.labelled_genomes
@options.out("DIR", "Folder for metrics.json, tables, figures and report.html.")
@options.in_model(
    "--beside",
    multiple=True,
    metavar="BUNDLE",
    shell_complete=completers.bundles,
    help="Another bundle to compare on the same rows. May be repeated. [default: none]",
)
@options.in_rows(
    "--rows",
    type=click.Choice(["test", "validation", "all"]),
    default="test",
    help="Set of the bundle's split to evaluate; all rows, if none belongs to the split.",
)
@options.marks
@options.selection
@inputs.transcripts
@options.tile
@options.in_rows(
    "--block",
    type=Whole(1),
    default=BLOCK,
    metavar="BP",
    help="Length of the blocks of the genome by which baselines are fitted if no row here trained "
    "the bundle, in bp.",
)
@options.in_running(
    "--seed",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Random seed of the bootstrap.",
)
@options.threads
@options.device
@options.weights
@options.store
@options.overwrite
@options.cache
@options.quiet
def evaluate(out: Path, kind: str | None, quiet: bool, **given: Any) -> None:
    """Evaluate BUNDLE on the rows of ANNOTATION that LABELS labels, or on several genomes.

    SHEET is a CSV, or a TSV, with a row for each genome: its name, annotation, fasta and labels.

    With --tile, each tile of a row is evaluated, on the labels of histpred labels peaks --tile;
    with --window interval, each row as an interval.

    Metrics have bootstrap intervals and stand beside baselines, by the thresholds of the bundle and
    by the paper's rule.
    """
    need("train")
    from histpred import api
    from histpred.reports.evaluate import REPORT, summary

    genomes = inputs.genomes_of(given)
    others = {name: value for name, value in given.items() if name not in OF_GENOMES}
    with Progress("embedding windows", quiet) as progress:
        metrics = api.evaluate(
            annotation=genomes, out=out, window=kind, progress=progress, **others
        )
    say(summary(metrics))
    logger.info(f"{out}: open {out / REPORT}")
