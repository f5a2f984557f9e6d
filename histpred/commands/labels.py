"""histpred labels: what is known of marks and genes, as the matrix that training reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from histpred.commands import options
from histpred.commands.help_pages import VerbGroup, option_in
from histpred.commands.numbers import Whole
from histpred.core.errors import UsageError
from histpred.core.extras import need
from histpred.core.log import logger
from histpred.genome.regions import INTERVAL

WINDOW = "promoter:2000:2000"
_out = options.out("LABELS", "Folder for the matrix (labels.tsv.gz), its tables and its figures.")
in_labels = option_in("Labels")
_existing = click.Path(exists=True, dir_okay=False, path_type=Path)


class SamplesType(click.ParamType):
    """A number of samples, a share of the samples, or both."""

    name = "N|SHARE|N,SHARE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, float]:
        """Return the number, 1 unless it is given, and the share, 0 unless it is given."""
        if isinstance(value, tuple):
            return value
        number, share = "1", "0"
        match str(value).split(","):
            case [text] if text.strip().isdecimal() and text.strip() not in ("0", "1"):
                number = text
            case [text]:
                share = text
            case [number, share]:
                pass
            case _:
                self.fail(f"{value!r} is more than a number and a share", param, ctx)
        try:
            found = int(number), float(share)
        except ValueError:
            found = 0, 0.0
        if found[0] < 1 or not 0 <= found[1] <= 1:
            self.fail(f"{value!r} is no number of samples and no share from 0 to 1", param, ctx)
        return found


@click.group(cls=VerbGroup)
def labels() -> None:
    """Make a gene x mark matrix from RNAInter or from ChIP-seq peaks."""


@labels.command(
    examples=[
        (
            "Label genes from RNAInter's table of RNA-histone pairs",
            "histpred labels rnainter Download_data_RH.tar.gz genes.gtf.gz \\\n"
            "    --species 'Homo sapiens' -o labels",
        ),
        (
            "Label the genes of the genomes of a sheet",
            "histpred labels rnainter Download_data_RH.tar.gz genomes.csv -o labels",
        ),
    ],
)
@click.argument("table", metavar="TABLE", type=_existing)
@click.argument("annotation", metavar="SHEET|ANNOTATION", type=options.INPUT)
@_out
@in_labels(
    "--species",
    multiple=True,
    metavar="NAME",
    help="Use only RNAs of this species ('Homo sapiens'). May be repeated. [default: all species]",
)
@in_labels(
    "--unobserved",
    type=click.Choice(["negative", "unlabelled"]),
    default="negative",
    help="Label of a pair that is not in the table. Unlabelled is for train --loss nnpu.",
)
@in_labels(
    "--min-score",
    type=float,
    metavar="SCORE",
    help="Use only pairs with at least this confidence score. [default: all pairs]",
)
@in_labels(
    "--top",
    type=Whole(1),
    metavar="N",
    help="Number of marks to keep: those with most pairs (50 in the paper). [default: all]",
)
@options.biotype
@options.overwrite
@options.quiet
def rnainter(table: Path, out: Path, overwrite: bool, **given: Any) -> None:
    """Label the genes of ANNOTATION from RNAInter's table of RNA-histone pairs.

    A sheet of genomes can take the place of ANNOTATION: see 'histpred train'. Each genome gets a
    folder of its name in LABELS. RNAs join within the species of the sheet's column species or,
    without it, of --species.

    Genes are looked up by Ensembl ID, NCBI gene ID, miRBase accession, then symbol. RNAs without a
    gene are listed in unjoined.tsv.
    """
    need("labels", but="pybedtools")  # for peaks alone
    from histpred import verbs
    from histpred.genome.genomes import is_sheet, read_genomes
    from histpred.genome.request import Request

    request = options.filled(Request, given, fasta="")
    rules = {name: given[name] for name in ("species", "unobserved", "min_score", "top")}
    if is_sheet(request.annotation):
        genomes = read_genomes(request.annotation, request, labelled=False)
        every = verbs.label_genomes_from_rnainter(table, genomes, out, overwrite=overwrite, **rules)
        for name, counts in every.items():
            _tell(out / name, counts)
        return
    counts = verbs.label_from_rnainter(table, request, out, overwrite=overwrite, **rules)
    _tell(out, counts)


@labels.command(
    examples=[
        (
            "Label genes from peaks named H3K4me3.liver.bed.gz and so on",
            "histpred labels peaks genes.gtf.gz peaks/*.bed.gz -o labels",
        ),
        (
            "A mark counts where half of its samples have a peak",
            "histpred labels peaks genes.gtf.gz peaks/*.bed.gz --min-samples 0.5 \\\n    -o labels",
        ),
    ],
)
@options.annotation
@click.argument("peaks", metavar="[PEAKS]...", nargs=-1, type=_existing)
@_out
@in_labels(
    "--sheet",
    type=_existing,
    metavar="TSV",
    help="Table of the peak files, in place of PEAKS, with the columns mark, file and, where "
    "needed, sample. [default: PEAKS]",
)
@options.annotation_rows
@options.window_or(WINDOW)
@in_labels(
    "--min-fraction",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="SHARE",
    help="Share of a window's bases that peaks must cover, from 0 to 1. [default: any base]",
)
@in_labels(
    "--min-samples",
    type=SamplesType(),
    default=(1, 0.0),
    help="Share of a mark's samples that must have a peak, from 0 to 1; or their number, from 2 "
    "on; or both: 2,0.25. [default: any sample]",
)
@options.in_rows(
    "--tile",
    type=Whole(1),
    metavar="BP",
    help="Label tiles of BP bases in place of rows, for evaluate --tile. [default: rows are not "
    "cut]",
)
@options.overwrite
@options.quiet
def peaks(
    peaks: tuple[Path, ...], out: Path, sheet: Path | None, overwrite: bool, **given: Any
) -> None:
    """Label the genes of ANNOTATION from ChIP-seq peaks (BED, narrowPeak, broadPeak).

    Name the files of PEAKS MARK.SAMPLE.bed.gz or MARK.bed. A gene has a mark if a peak lies in its
    window.
    """
    need("labels")
    from histpred import verbs
    from histpred.genome.request import Request
    from histpred.genome.windows import parse_window
    from histpred.labels.peaks import PeakRule

    request = options.filled(Request, given, fasta="")
    window, tile = given["kind"], given["tile"]
    if tile and window not in (WINDOW, INTERVAL):
        raise UsageError(
            f"--tile is for {INTERVAL} windows, not for {window}", "leave --window out"
        )
    spec = parse_window(INTERVAL)._replace(tile=tile) if tile else parse_window(window)
    fewest, share = given["min_samples"]
    rule = PeakRule(spec, given["min_fraction"], share, fewest)
    counts = verbs.label_from_peaks(peaks, sheet, request, out, rule, overwrite)
    _tell(out, counts)


def _tell(out: Path, counts: dict[str, int]) -> None:
    logger.info(f"{out}: {', '.join(f'{name} {count:,}' for name, count in counts.items())}")
