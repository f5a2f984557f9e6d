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
    help="Output page. [default: SCORES/report.html]",
)
@click.option(
    "--bundle",
    metavar="NAME|DIR",
    help="Bundle of the prediction. [default: the shipped bundle of its name]",
)
@options.overwrite
@options.quiet
def report(
    scores: Path, out: Path | None, bundle: str | None, overwrite: bool, quiet: bool
) -> None:
    """Write an HTML report of SCORES, a folder of predict: rows, marks, biotypes, top loci.

    The report is self-contained: one file that opens without a network.
    """
    options.need("report")
    from histpred.bundle.folder import load_bundle
    from histpred.reports.prediction import write_report

    loaded = load_bundle(bundle) if bundle else None
    page = write_report(scores, out, loaded, overwrite=overwrite)
    logger.info("%s: %.1f MB, open it in a web browser", page, page.stat().st_size / 1e6)
