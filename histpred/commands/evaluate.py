"""histpred evaluate: how well a bundle does, and beside what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from histpred.commands import options
from histpred.commands.progress import Progress
from histpred.core.log import logger
from histpred.core.text import say


@click.command()
@click.argument("bundle", metavar="BUNDLE")
@options.annotation
@options.fasta
@options.labels
@options.out("DIR", "Folder for metrics.json, tables, figures and report.html.")
@click.option(
    "--beside",
    multiple=True,
    metavar="BUNDLE",
    help="Another bundle to compare, in the same tables and on the same rows. May be repeated. "
    "[default: none]",
)
@options.option(
    "--rows",
    type=click.Choice(["test", "validation", "all"]),
    default="test",
    help="Set of the bundle's split to evaluate. If no row belongs to the split, all rows are "
    "evaluated.",
)
@options.marks
@options.annotation_rows
@options.option("--seed", type=click.IntRange(0), default=0, help="Random seed of the bootstrap.")
@options.device
@options.weights
@options.store
@options.overwrite
@options.cache
@options.quiet
def evaluate(out: Path, level: str | None, quiet: bool, **given: Any) -> None:
    """Evaluate BUNDLE on the rows of ANNOTATION that LABELS labels.

    The result has micro- and macro-averaged metrics with bootstrap intervals, metrics of each mark,
    biotype and chromosome, calibration, and baselines fitted on the bundle's own training rows.
    """
    options.need("train")
    from histpred import api
    from histpred.reports.evaluate import REPORT, summary

    with Progress("embedding windows", quiet) as progress:
        metrics = api.evaluate(out=out, by=level, progress=progress, **given)
    say(summary(metrics))
    logger.info(f"{out}: open {out / REPORT}")
