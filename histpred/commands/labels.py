"""histpred labels: what is known of marks and genes, as the matrix that training reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from histpred.commands import options
from histpred.core.log import logger

_out = options.out("LABELS", "Folder for the matrix (labels.tsv.gz), its tables and its figures.")
_existing = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def labels() -> None:
    """Make a gene x mark matrix from RNAInter or from ChIP-seq peaks."""


@labels.command()
@click.argument("table", metavar="TABLE", type=_existing)
@options.annotation
@_out
@click.option(
    "--species",
    multiple=True,
    metavar="NAME",
    help="Use only RNAs of this species ('Homo sapiens'). May be repeated. [default: all species]",
)
@options.option(
    "--unobserved",
    type=click.Choice(["negative", "unlabelled"]),
    default="negative",
    help="Label of a pair that is not in the table: negative, as in the paper, or unlabelled (for "
    "train --loss nnpu).",
)
@click.option(
    "--min-score",
    type=float,
    help="Use only pairs with at least this confidence score. [default: all pairs]",
)
@options.biotype
@options.overwrite
@options.quiet
def rnainter(
    table: Path, out: Path, unobserved: str, min_score: float | None, overwrite: bool, **given: Any
) -> None:
    """Label the genes of ANNOTATION from RNAInter's table of RNA-histone pairs.

    Genes are looked up by Ensembl ID, then by NCBI gene ID, then by symbol. RNAs that are not in
    the annotation are listed in unjoined.tsv.
    """
    options.need("labels", but="pybedtools")  # for peaks alone
    from histpred import verbs
    from histpred.genome.request import Request

    request = options.filled(Request, given, fasta="")
    counts = verbs.label_from_rnainter(
        table, request, out, given["species"], unobserved, min_score, overwrite
    )
    _tell(out, counts)


@labels.command()
@options.annotation
@click.argument("peaks", metavar="[PEAKS]...", nargs=-1, type=_existing)
@_out
@click.option(
    "--sheet",
    type=_existing,
    metavar="TSV",
    help="Table of the peak files, in place of PEAKS, with the columns mark, file and, if a mark "
    "has several samples, sample. [default: PEAKS]",
)
@options.annotation_rows
@options.window_or("promoter:2000:2000")
@click.option(
    "--min-fraction",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Share of a window's bases that peaks must cover, from 0 to 1. [default: any base]",
)
@click.option(
    "--min-samples",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Share of a mark's samples that must have a peak, from 0 to 1. [default: any sample]",
)
@options.overwrite
@options.quiet
def peaks(
    peaks: tuple[Path, ...], out: Path, sheet: Path | None, overwrite: bool, **given: Any
) -> None:
    """Label the genes of ANNOTATION from ChIP-seq peaks (BED, narrowPeak, broadPeak).

    Name the files of PEAKS MARK.SAMPLE.bed.gz or MARK.bed. A gene has a mark if a peak lies in its
    window. The window is around the gene's TSS unless you set --window.
    """
    options.need("labels")
    from histpred import verbs
    from histpred.genome.request import Request
    from histpred.genome.windows import parse_window
    from histpred.labels.peaks import PeakRule

    request = options.filled(Request, given, fasta="")
    rule = PeakRule(parse_window(given["kind"]), given["min_fraction"], given["min_samples"])
    counts = verbs.label_from_peaks(peaks, sheet, request, out, rule, overwrite)
    _tell(out, counts)


def _tell(out: Path, counts: dict[str, int]) -> None:
    logger.info(f"{out}: {', '.join(f'{name} {count:,}' for name, count in counts.items())}")
