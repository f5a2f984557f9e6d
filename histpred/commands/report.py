"""histpred report: a finished prediction as one page."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from histpred.commands import options

logger = logging.getLogger(__name__)


@click.command()
@options.scores
@click.option(
    "-o",
    "--out",
    metavar="PAGE.html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="HTML file to write. [default: SCORES/report.html]",
)
@click.option(
    "--bundle",
    metavar="NAME|DIR",
    help="Bundle that made SCORES. [default: the shipped bundle of that name]",
)
@options.overwrite
@options.quiet
def report(
    scores: Path, out: Path | None, bundle: str | None, overwrite: bool, quiet: bool
) -> None:
    """Write an HTML report on SCORES, a folder of predict: rows, marks, biotypes, top loci.

    The report is one self-contained file. It opens without a network.
    """
    options.need("report")
    from histpred.bundle.folder import load_bundle
    from histpred.reports.prediction import write_report

    loaded = load_bundle(bundle) if bundle else None
    page = write_report(scores, out, loaded, overwrite=overwrite)
    logger.info("%s: %.1f MB, for any browser", page, page.stat().st_size / 1e6)
