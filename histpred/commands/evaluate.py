"""histpred evaluate: how well a bundle does, and beside what."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from histpred.commands import options
from histpred.commands.progress import Progress

logger = logging.getLogger(__name__)


@click.command()
@click.argument("bundle", metavar="BUNDLE")
@options.annotation
@options.fasta
@options.labels
@options.out_folder("DIR", "Folder for metrics.json, tables, figures and report.html.")
@click.option(
    "--beside",
    multiple=True,
    metavar="BUNDLE",
    help="Another bundle, shown in the same tables on the same rows; may be repeated.",
)
@click.option(
    "--rows",
    type=click.Choice(["test", "validation", "all"]),
    default="test",
    show_default=True,
    help="Which set of the bundle's split is evaluated; rows that are not in it are, if none is.",
)
@options.marks
@options.rows
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the bootstrap."
)
@options.device
@options.weights
@options.store
@options.overwrite
@options.cache
@options.quiet
def evaluate(
    bundle: str,
    annotation: str,
    fasta: str,
    labels: Path,
    out: Path,
    beside: tuple[str, ...],
    rows: str,
    marks: tuple[str, ...],
    biotypes: tuple[str, ...],
    level: str | None,
    unstranded: bool,
    seed: int,
    device: str,
    weights: Path | None,
    store: Path | None,
    overwrite: bool,
    cache: Path | None,
    quiet: bool,
) -> None:
    """Evaluate BUNDLE on the rows of ANNOTATION whose marks LABELS tells.

    Micro- and macro-averaged figures with bootstrap intervals, each mark, by biotype and by
    chromosome, calibration, and baselines fitted on the bundle's own training rows.
    """
    options.need("train")
    from histpred import api
    from histpred.reports.evaluate import REPORT, summary

    with Progress("embedding windows", quiet) as progress:
        metrics = api.evaluate(
            bundle,
            annotation,
            fasta,
            labels,
            out,
            beside=beside,
            rows=rows,
            marks=marks,
            biotypes=biotypes,
            by=level,
            unstranded=unstranded,
            seed=seed,
            device=device,
            weights=weights,
            store=store,
            overwrite=overwrite,
            cache=cache,
            progress=progress,
        )
    click.echo(summary(metrics))
    logger.info("%s: open %s", out, out / REPORT)
