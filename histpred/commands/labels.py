"""histpred labels: what is known of marks and genes, as the matrix that training reads."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from histpred.commands import options

logger = logging.getLogger(__name__)

_out = options.out_folder(
    "LABELS", "Folder for the matrix (labels.tsv.gz), tables and pictures of what is in it."
)
_existing = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def labels() -> None:
    """Make a gene x mark matrix: from RNAInter, or from ChIP-seq peaks."""


@labels.command()
@click.argument("table", metavar="TABLE", type=_existing)
@options.annotation
@_out
@click.option(
    "--species",
    multiple=True,
    metavar="NAME",
    help="Only RNAs of this species ('Homo sapiens'); may be repeated. [default: all]",
)
@click.option(
    "--unobserved",
    type=click.Choice(["negative", "unlabelled"]),
    default="negative",
    show_default=True,
    help="What a pair is that the table does not have: no interaction, as in the paper, or unknown "
    "(for train --loss nnpu).",
)
@click.option("--min-score", type=float, help="Only pairs with at least this confidence score.")
@options.biotype
@options.overwrite
@options.quiet
def rnainter(
    table: Path,
    annotation: str,
    out: Path,
    species: tuple[str, ...],
    unobserved: str,
    min_score: float | None,
    biotypes: tuple[str, ...],
    overwrite: bool,
    quiet: bool,
) -> None:
    """Labels of the genes of ANNOTATION from RNAInter's table of RNA-histone pairs.

    Genes are found by Ensembl ID, else NCBI gene ID, else symbol; unjoined.tsv has the RNAs that
    are not in the annotation.
    """
    options.need("labels", but="pybedtools")  # for peaks alone
    from histpred.labels.folder import make_folder
    from histpred.labels.rnainter import from_rnainter
    from histpred.reports.evaluation_figures import draw_labels

    counts = make_folder(
        out,
        (table, annotation),
        {
            "source": "rnainter",
            "species": species,
            "unobserved": unobserved,
            "min_score": min_score,
            "biotypes": biotypes,
        },
        lambda work: from_rnainter(
            table,
            annotation,
            work,
            species=species,
            unlabelled=unobserved == "unlabelled",
            min_score=min_score,
            biotypes=biotypes,
        ),
        draw_labels,
        overwrite,
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
    help="The peak files, in place of PEAKS: columns mark, file and, if there are several, sample.",
)
@options.rows
@options.window_or("promoter:2000:2000")
@click.option(
    "--min-fraction",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Share of the window that peaks must cover. [default: any base]",
)
@click.option(
    "--min-samples",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Share of a mark's samples that must have it. [default: any sample]",
)
@options.overwrite
@options.quiet
def peaks(
    annotation: str,
    peaks: tuple[Path, ...],
    out: Path,
    sheet: Path | None,
    biotypes: tuple[str, ...],
    level: str | None,
    kind: str,
    unstranded: bool,
    min_fraction: float,
    min_samples: float,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Labels of the genes of ANNOTATION from ChIP-seq peaks (BED, narrowPeak, broadPeak).

    PEAKS are named MARK.SAMPLE.bed.gz or MARK.bed. A gene has a mark if peaks lie in its window,
    which is around its TSS unless --window says otherwise.
    """
    options.need("labels")
    from histpred.genome.windows import parse_window
    from histpred.labels.folder import make_folder
    from histpred.labels.peak_files import peak_files
    from histpred.labels.peaks import PeakRule, from_peaks
    from histpred.reports.evaluation_figures import draw_labels

    window = parse_window(kind)
    files = peak_files(peaks, sheet)
    inputs = [annotation, *(str(file.path) for file in files), *([str(sheet)] if sheet else [])]
    counts = make_folder(
        out,
        inputs,
        {
            "source": "peaks",
            "window": str(window),
            "by": level,
            "biotypes": biotypes,
            "unstranded": unstranded,
            "min_fraction": min_fraction,
            "min_samples": min_samples,
            "files": [[file.mark, file.sample, str(file.path)] for file in files],
        },
        lambda work: from_peaks(
            files,
            annotation,
            work,
            PeakRule(window, min_fraction, min_samples),
            level=level,
            biotypes=biotypes,
            unstranded=unstranded,
        ),
        draw_labels,
        overwrite,
    )
    _tell(out, counts)


def _tell(out: Path, counts: dict[str, int]) -> None:
    logger.info("%s: %s", out, ", ".join(f"{name} {count:,}" for name, count in counts.items()))
