"""The regions of an annotation's genes, on which peaks are counted.

The region of a row is its window (`histpred.genome.windows`), without a genome: only the start of
the contig clips it. Rows with one id (gene_id, or name where it is '.') are one gene. If the window
has tiles, each tile of a row is a region, and a gene of its own.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from histpred.core.errors import InputError, first_few
from histpred.core.text import agreeing, counted
from histpred.genome.annotation import TRANSCRIPT, Annotation, level_for, open_annotation
from histpred.genome.misfits import Offenders
from histpred.genome.plan import printable
from histpred.genome.reasons import OUTSIDE
from histpred.genome.regions import FARTHEST, INTERVAL, Blocks, Feature, Window
from histpred.genome.request import Request
from histpred.genome.windows import WindowSpec, place, tile_name, whole_tiles
from histpred.labels.matrix import CARRIED, carried, gene_id, gene_table

logger = logging.getLogger(__name__)

UNJOINED_COLUMNS = ("line", "gene_id", *CARRIED[1:], "reason")
NO_PEAKS = "no-peak-on-the-contig"


class Regions(NamedTuple):
    """Regions of genes.

    genes: one row per gene, as in LabelMatrix. gene, bases: int64 [regions], the row of `genes`
    that each region belongs to, and its length in bp. blocks: contig number, start, end, region
    number; a spliced region has several. contigs: names, by number. aliases: as in Annotation.
    """

    genes: pandas.DataFrame
    gene: np.ndarray
    bases: np.ndarray
    blocks: list[tuple[int, int, int, int]]
    contigs: list[str]
    aliases: dict[str, str]


def read_regions(
    request: Request, work: Path, window: WindowSpec
) -> tuple[Regions, pandas.DataFrame]:
    """The regions of an annotation, and its rows without one, with the columns UNJOINED_COLUMNS.

    Raises InputError for rows without a strand where the window needs one, and for an annotation
    without any region.
    """
    path, level = request.annotation, request.level
    with open_annotation(path, work, window.kind, level, request.biotypes) as annotation:
        regions, unjoined = _regions(annotation, window, request.unstranded)
    if unmatched := annotation.unmatched():
        logger.warning(f"no row has the biotype {', '.join(unmatched)}")
    if repeated := len(regions.gene) - len(regions.genes):
        expected = window.tile or level_for(window.kind, level) == TRANSCRIPT
        logger.log(
            logging.INFO if expected else logging.WARNING,
            f"{counted(repeated, 'row')} of {annotation.name} {agreeing(repeated, 'has', 'have')} "
            f"the id of an earlier row and {agreeing(repeated, 'is', 'are')} one gene with it",
        )
    return regions, unjoined


def _regions(
    annotation: Annotation, window: WindowSpec, unstranded: bool
) -> tuple[Regions, pandas.DataFrame]:
    genes: dict[str, Feature] = {}
    numbers: dict[str, int] = {}
    contigs: dict[str, int] = {}
    gene: list[int] = []
    bases: list[int] = []
    blocks: list[tuple[int, int, int, int]] = []
    unjoined: list[tuple[object, ...]] = []
    strandless = Offenders()
    for feature in _cut(annotation, window.tile):
        needs_strand = window.kind != INTERVAL and not unstranded and not feature.problem
        if needs_strand and feature.strand == ".":
            strandless.add(feature)
        placed = place(feature, feature.chrom, FARTHEST, window)
        feature = feature._replace(strand=feature.strand if feature.strand in "+-" else ".")
        parts = _on_the_contig(placed.window) if placed.window else ()
        if not parts:
            reason = placed.reason or OUTSIDE
            unjoined.append((feature.line, feature.gene_id, *carried(feature), reason))
            continue
        name = gene_id(feature)
        genes.setdefault(name, feature)
        contig = contigs.setdefault(feature.chrom, len(contigs))
        blocks += [(contig, start, end, len(gene)) for start, end in parts]
        bases.append(sum(end - start for start, end in parts))
        gene.append(numbers.setdefault(name, len(numbers)))

    if strandless.count:
        raise InputError(
            annotation.name,
            f"{counted(strandless.count, 'row')} {agreeing(strandless.count, 'has', 'have')} no "
            f"strand, which {window.kind} regions need: {strandless}",
            "give strands (column 6 of a BED), use each row as its own region with --window "
            "interval, or read '.' as '+' with --unstranded",
        )
    if not gene:
        raise _none(annotation.name, [str(row[-1]) for row in unjoined])
    regions = Regions(
        gene_table(genes.values()),
        np.array(gene, np.int64),
        np.array(bases, np.int64),
        blocks,
        list(contigs),
        annotation.aliases,
    )
    return regions, pandas.DataFrame(unjoined, columns=list(UNJOINED_COLUMNS))


def _on_the_contig(window: Window) -> Blocks:
    """What is read of a window from the start of its contig on: an interval may begin before it."""
    parts = window.blocks or ((window.start, window.end),)
    return tuple((max(start, 0), end) for start, end in parts if end > 0)


def _cut(annotation: Annotation, tile: int) -> Iterator[Feature]:
    """The rows of an annotation, cut into tiles of `tile` bp unless that is 0."""
    for feature in map(printable, annotation):
        if not tile or feature.problem:
            yield feature
            continue
        first, end = whole_tiles(feature.start, feature.end, FARTHEST, tile)
        for start in range(first, end, tile):
            name = tile_name(feature.chrom, start, tile)
            yield feature._replace(start=start, end=start + tile, name=name, gene_id=".")


def _none(annotation: str, reasons: list[str]) -> InputError:
    """The error for an annotation without a region; `reasons` has one for each row."""
    if not reasons:
        message = "holds no row, so there is nothing to label"
        return InputError(annotation, message, "give an annotation")
    counts = ", ".join(f"{reason} {count}" for reason, count in Counter(reasons).most_common())
    none = f"none of its {len(reasons):,} rows has a region"
    message = f"{agreeing(len(reasons), 'its only row has no region', none)}: {counts}"
    return InputError(annotation, message, "give other rows or another kind of window")


def without_peaks(regions: Regions, with_peaks: set[int]) -> np.ndarray:
    """True, bool [genes], for genes on contigs (by number) where no file has a peak.

    Peaks may not have been called there. All False if every gene is on such a contig.
    """
    seen = np.zeros(len(regions.genes), bool)
    for contig, _, _, region in regions.blocks:
        seen[regions.gene[region]] |= contig in with_peaks
    return ~seen & seen.any()


def unjoined_genes(genes: pandas.DataFrame) -> pandas.DataFrame:
    """Genes on contigs without peaks as rows of unjoined.tsv; a warning names the contigs."""
    logger.warning(
        f"{counted(len(genes), 'gene')} {agreeing(len(genes), 'lies', 'lie')} on contigs where no "
        f"file has a peak ({first_few(genes['chrom'].unique())}), unlabelled"
    )
    rows = genes.rename(columns={"id": "gene_id"}).assign(line="", reason=NO_PEAKS)
    return rows[list(UNJOINED_COLUMNS)]
