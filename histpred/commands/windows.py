"""histpred windows: write windows to a file, without scoring them."""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from histpred.commands import inputs, options
from histpred.commands.help_pages import verb
from histpred.commands.numbers import Whole
from histpred.commands.progress import check_strict, skipped
from histpred.core.log import logger
from histpred.core.text import counted
from histpred.genome.regions import LONGEST_REACH


@verb(
    examples=[
        (
            "Write the windows that predict would read, with their sequences",
            "histpred windows genes.gtf.gz genome.fa -o windows.fa",
        ),
        (
            "Give 2 kb around each TSS to another program",
            "histpred windows genes.gtf.gz genome.fa --window promoter:1000:1000 \\\n"
            "    -o -.bed | bedtools intersect -u -a - -b peaks.bed",
        ),
    ]
)
@inputs.annotation_or_regions
@options.out(
    "OUT",
    "Output file. Its suffix sets the format: .tsv, .bed or .fa. '-' is standard output, as TSV; "
    "'-.bed' and '-.fa' likewise in those formats.",
    options.PATH,
    writes="",
)
@options.bundle
@options.selection
@inputs.genes
@inputs.sequences
@inputs.transcripts
@options.tile
@options.in_rows(
    "--upstream",
    type=Whole(0, LONGEST_REACH),
    metavar="BP",
    help="Bases upstream of the TSS (promoter) or of the gene (context), in bp. "
    "[default: the bundle's, or the kind's]",
)
@options.in_rows(
    "--downstream",
    type=Whole(0, LONGEST_REACH),
    metavar="BP",
    help="Bases downstream of the TSS (promoter), in bp. [default: the bundle's, or the kind's]",
)
@options.in_rows(
    "--max-n",
    "max_n_fraction",
    type=click.FloatRange(0, 1),
    metavar="FRACTION",
    help="Skip windows with a larger fraction of N, from 0 to 1. [default: the bundle's]",
)
@options.running
def windows(
    out: Path, upstream: int | None, downstream: int | None, strict: bool, **given: Any
) -> None:
    """Write the windows of ANNOTATION on FASTA as TSV, BED or FASTA, and their ledger beside it.

    They are those of predict with the same bundle, unless --window, --upstream or --downstream
    changes them. Standard output gets no ledger.
    """
    from histpred import verbs
    from histpred.bundle.folder import load_bundle
    from histpred.bundle.outputs import window_for
    from histpred.core.errors import UsageError
    from histpred.genome.regions import CONTEXT, PROMOTER
    from histpred.genome.request import Request

    given = inputs.read_inputs(given)
    request = options.filled(Request, given)
    window = window_for(load_bundle(given["bundle"]), given["kind"], given["tile"])
    if upstream is not None and window.kind not in (CONTEXT, PROMOTER):
        raise UsageError(f"--upstream does not apply to {window.kind} windows", "omit it")
    if downstream is not None and window.kind != PROMOTER:
        raise UsageError(f"--downstream does not apply to {window.kind} windows", "omit it")
    if upstream is not None:
        window = window._replace(upstream=upstream, shown=0)
    if downstream is not None:
        window = window._replace(downstream=downstream, shown=0)
    if window.kind == PROMOTER and not window.upstream + window.downstream:
        raise UsageError("an empty window", "give at least one base upstream or downstream")
    if given["max_n_fraction"] is not None:
        window = window._replace(max_n_fraction=given["max_n_fraction"])

    suffix = out.suffix
    if str(out).partition(".")[0] != "-":
        result = verbs.windows(request, window, out, given["overwrite"])
        ledger = str(result.ledger)
    else:  # standard output gets whole windows or nothing
        ledger, out = "the ledger beside a file named with -o", Path("standard output")
        with TemporaryDirectory(prefix="histpred-") as folder:
            whole = Path(folder, f"-{suffix or '.tsv'}")
            result = verbs.windows(request, window, whole)
            with open(whole, "rb") as source:
                shutil.copyfileobj(source, sys.stdout.buffer)
    logger.log(
        logging.WARNING if result.rows and not result.written else logging.INFO,
        f"{out}: {counted(result.written, 'window')} of "
        f"{counted(result.rows, 'row')}{skipped(result.skipped)}",
    )
    check_strict(strict, result.skipped, result.past_end, ledger)
