"""histpred report: a finished prediction as one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from histpred.commands import completers, options
from histpred.commands.help_pages import verb
from histpred.core.errors import BundleError
from histpred.core.log import logger

if TYPE_CHECKING:
    from histpred.bundle.folder import Bundle
    from histpred.scoring.record import Prediction

MOST_WINDOWS = 100_000  # that predict writes a report on; a million take a minute or two

bundle_of_scores = options.in_model(
    "--bundle",
    metavar="NAME|DIR",
    shell_complete=completers.bundles,
    help="Bundle that made the scores. [default: the shipped bundle of that name]",
)
genome_of_scores = options.in_output(
    "--fasta",
    metavar="FASTA",
    type=options.INPUT,
    help="Genome of the scores, for the report's sequence and for what speaks for the calls. "
    "[default: the FASTA where predict read it, if it is there]",
)
no_report = options.in_output(
    "--no-report",
    "report",
    flag_value=False,
    default=True,
    help="Leave out OUT/report.html.",
)


@verb(
    examples=[
        ("Write scores/report.html", "histpred report scores"),
        (
            "The same, if the prediction read the genome elsewhere",
            "histpred report scores --fasta genome.fa",
        ),
    ]
)
@options.scores
@options.out(
    "PAGE.html",
    "HTML file to write. [default: SCORES/report.html]",
    click.Path(dir_okay=False, path_type=Path),
    required=False,
    writes="an HTML file",
)
@genome_of_scores
@bundle_of_scores
@options.overwrite
@options.cache
@options.quiet
def report(
    scores: Path,
    out: Path | None,
    fasta: str | None,
    bundle: str | None,
    overwrite: bool,
    cache: Path | None,
    quiet: bool,
) -> None:
    """Write an HTML report on SCORES, a folder of predict: what was found, how far to trust it.

    predict and gather write the same report, unless there are more than 100,000 windows.
    """
    from histpred import verbs
    from histpred.bundle.folder import load_bundle

    loaded = load_bundle(bundle) if bundle else None
    page = verbs.report(scores, out, loaded, fasta=fasta, cache=cache, overwrite=overwrite)
    logger.info(f"{page}: {page.stat().st_size / 1e6:.1f} MB, for any browser")


def report_on(
    out: Path,
    bundle: Bundle | None,
    result: Prediction,
    fasta: str | None = None,
    cache: Path | None = None,
) -> None:
    """Write the report of a new prediction into its folder, and say where it is.

    bundle: that of the prediction; None: a shipped one, and no report if it does not ship. A file
    of that name stays: it is the report of this very prediction, or the user's own. fasta, cache:
    see `histpred.reports.prediction.write_report`.
    """
    from histpred import verbs
    from histpred.scoring.derived import REPORT

    page = out / REPORT
    if not result.scored or page.exists():
        return
    if result.scored > MOST_WINDOWS:
        many = f"{result.scored:,} windows"
        logger.info(f"no report is written on {many}; histpred report {out} writes one")
        return
    try:
        verbs.report(out, None, bundle, fasta=fasta, cache=cache)
    except BundleError as error:
        if bundle:
            raise
        logger.info(f"no report is written: {error.message}; histpred report {out} --bundle DIR")
        return
    logger.info(f"{page}: what was found, for any browser")
