"""A gene x mark matrix from ChIP-seq peaks: a gene has a mark where peaks cover its region.

Peaks of one mark and sample are united before anything is counted.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from histpred.core.errors import UsageError, first_few
from histpred.genome.annotation import TRANSCRIPT, level_for, open_annotation
from histpred.genome.regions import PROMOTER
from histpred.genome.windows import WindowSpec
from histpred.labels.coverage import Coverage, check_bedtools
from histpred.labels.matrix import LabelMatrix
from histpred.labels.peak_files import PeakFile, PeakReader, Peaks
from histpred.labels.peak_regions import Regions, on_contigs, regions_of, without_peaks

logger = logging.getLogger(__name__)


class PeakRule(NamedTuple):
    """When peaks give a mark to a gene.

    window: the region of a gene; its `max_n_fraction` is not used. min_fraction: the share of the
    region that a sample's peaks must cover, and at least one base of it. min_samples: the share of
    the mark's samples that must do so, and at least one of them. Both from 0 to 1.
    """

    window: WindowSpec
    min_fraction: float = 0.0
    min_samples: float = 0.0

    def check(self) -> None:
        """Raise UsageError for shares outside 0 to 1 and for a window without a base."""
        shares = {
            "region that peaks must cover": self.min_fraction,
            "samples with the mark": self.min_samples,
        }
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise UsageError(f"the share of the {name} is {share}", "give a number from 0 to 1")
        if self.window.kind == PROMOTER and self.window.upstream + self.window.downstream <= 0:
            raise UsageError(
                f"an empty region: {self.window}", "give it bases upstream or downstream"
            )


def from_peaks(
    files: list[PeakFile],
    annotation: str,
    work: Path,
    rule: PeakRule,
    *,
    level: str | None = None,
    biotypes: tuple[str, ...] = (),
    unstranded: bool = False,
) -> LabelMatrix:
    """Find which genes of an annotation have which marks.

    A gene with several regions (rows with one id) has a mark if one of them does. The matrix gives
    the position of its first row, not of the region.

    Parameters
    ----------
    annotation
        BED, GTF or GFF3; its contigs may have other names than in the peaks (chr1, 1).
    work
        A private folder for temporary files.
    level, biotypes
        As for `histpred.genome.annotation.open_annotation`.
    unstranded
        Read the strand '.' as '+'.

    Returns
    -------
    LabelMatrix
        Marks sorted; no value is NaN. unjoined: rows without a region, and genes on contigs where
        no file has a peak, with the columns `peak_regions.UNJOINED_COLUMNS`. counts: peak files,
        samples (K562 counts once for each mark that it has peaks of), marks, genes, marked pairs
        (of gene and mark).

    Raises
    ------
    InputError
        For peaks (file:line) and annotations that cannot be read, rows without a strand where the
        window needs one, annotations without any region, and files without a contig in common.
    UsageError
        For rules that `PeakRule.check` refuses, biotypes that the annotation lacks, and where
        pybedtools or bedtools is missing.
    """
    rule.check()
    check_bedtools()
    window = rule.window
    several = level_for(window.kind, level) == TRANSCRIPT  # rows with one id are expected then
    with open_annotation(annotation, work, window.kind, level, biotypes) as rows:
        regions, unjoined = regions_of(
            rows, window, unstranded, logging.INFO if several else logging.WARNING
        )

    samples: dict[str, dict[str, list[Path]]] = {}
    for mark, sample, path in dict.fromkeys(files):
        samples.setdefault(mark, {}).setdefault(sample, []).append(path)
    marks = tuple(sorted(samples))
    reader = PeakReader(regions.contigs, regions.aliases)
    coverage = Coverage(regions.blocks, len(regions.bases), work)
    shares = np.column_stack(
        [_share(list(samples[mark].values()), regions, rule, reader, coverage) for mark in marks]
    )
    values = ((shares > 0) & (shares >= rule.min_samples)).astype(np.float32)
    reader.report(annotation)
    genes = regions.genes
    seen = on_contigs(regions, reader.with_peaks)
    if seen.any() and not seen.all():  # peaks may not have been called on the other contigs
        away = without_peaks(genes[~seen])
        logger.warning(
            "%d genes lie on contigs where no file has a peak (%s): they are left unlabelled",
            len(away),
            first_few(away["chrom"].unique()),
        )
        genes, values = genes[seen].reset_index(drop=True), values[seen]
        unjoined = pandas.concat([unjoined, away], ignore_index=True)
    counts = {
        "peak files": len({file.path for file in files}),
        "samples": sum(map(len, samples.values())),
        "marks": len(marks),
        "genes": len(genes),
        "marked pairs": int((values == 1).sum()),
    }
    return LabelMatrix(genes, marks, values, unjoined, counts)


def _share(
    samples: list[list[Path]],
    regions: Regions,
    rule: PeakRule,
    reader: PeakReader,
    coverage: Coverage,
) -> np.ndarray:
    """The share of one mark's samples, float64 [genes], whose peaks cover a region of each gene."""
    having = np.zeros(len(regions.genes), np.int64)
    for paths in samples:
        peaks: Peaks = {}
        for path in paths:
            for contig, rows in reader.read(path).items():
                peaks.setdefault(contig, []).extend(rows)
        covered = coverage.covered(peaks)
        enough = (covered > 0) & (covered / regions.bases >= rule.min_fraction)
        having[np.unique(regions.gene[enough])] += 1
    return having / len(samples)
