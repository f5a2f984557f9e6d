"""histpred report: a finished prediction as one page."""

from __future__ import annotations

from pathlib import Path

import click

from histpred.commands import completers, options
from histpred.commands.help_pages import verb
from histpred.core.extras import need
from histpred.core.log import logger


@verb(
    examples=[
        ("Write scores/report.html", "histpred report scores"),
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
@options.in_model(
    "--bundle",
    metavar="NAME|DIR",
    shell_complete=completers.bundles,
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
    need("report")
    from histpred import verbs
    from histpred.bundle.folder import load_bundle

    loaded = load_bundle(bundle) if bundle else None
    page = verbs.report(scores, out, loaded, overwrite=overwrite)
    logger.info(f"{page}: {page.stat().st_size / 1e6:.1f} MB, for any browser")
