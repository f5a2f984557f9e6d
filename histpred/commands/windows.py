"""histpred windows: write windows to a file, without scoring them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click

from histpred.commands import options
from histpred.commands.progress import check_strict, skipped

logger = logging.getLogger(__name__)


@click.command()
@options.annotation_or_contigs
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="Output file. Its suffix sets the format: .tsv, .bed or .fa.",
)
@options.bundle
@options.selection
@options.tile
@click.option(
    "--upstream",
    type=click.IntRange(min=0),
    metavar="BP",
    help="Bases upstream of the TSS (promoter) or of the gene (context), in bp. "
    "[default: the bundle's, or the kind's]",
)
@click.option(
    "--downstream",
    type=click.IntRange(min=0),
    metavar="BP",
    help="Bases downstream of the TSS (promoter), in bp. [default: the bundle's, or the kind's]",
)
@click.option(
    "--max-n",
    "max_n_fraction",
    type=click.FloatRange(0, 1),
    metavar="FRACTION",
    help="Skip windows with a larger fraction of N, from 0 to 1. [default: the bundle's]",
)
@options.running
def windows(
    out: Path,
    upstream: int | None,
    downstream: int | None,
    max_n_fraction: float | None,
    strict: bool,
    overwrite: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Write the windows of ANNOTATION on FASTA as TSV, BED or FASTA, and their ledger beside it.

    The windows are those that predict would score with the same bundle, unless --window,
    --upstream or --downstream changes them.
    """
    from histpred import verbs
    from histpred.bundle.folder import load_bundle
    from histpred.bundle.outputs import window_for
    from histpred.core.errors import UsageError
    from histpred.genome.regions import CONTEXT, PROMOTER
    from histpred.genome.request import Request

    request = options.filled(Request, options.inputs(given))
    window = window_for(load_bundle(given["bundle"]), given["kind"], given["tile"])
    if upstream is not None and window.kind not in (CONTEXT, PROMOTER):
        raise UsageError(f"--upstream does not apply to {window.kind} windows", "omit it")
    if downstream is not None and window.kind != PROMOTER:
        raise UsageError(f"--downstream does not apply to {window.kind} windows", "omit it")
    window = window._replace(
        upstream=window.upstream if upstream is None else upstream,
        downstream=window.downstream if downstream is None else downstream,
        max_n_fraction=window.max_n_fraction if max_n_fraction is None else max_n_fraction,
        shown=window.shown if upstream is None and downstream is None else 0,
    )

    result = verbs.windows(request, window, out, overwrite)
    logger.log(
        logging.WARNING if result.rows and not result.written else logging.INFO,
        "%s: %s windows of %s rows%s",
        out,
        f"{result.written:,}",
        f"{result.rows:,}",
        skipped(result.skipped),
    )
    check_strict(strict, result.skipped, result.past_end, result.ledger)
