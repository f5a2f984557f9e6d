"""A gene x mark matrix from ChIP-seq peaks: a gene has a mark where peaks cover its region.

Peaks of one mark and sample are united before anything is counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from histpred.core.errors import UsageError
from histpred.genome.regions import PROMOTER
from histpred.genome.windows import WindowSpec
from histpred.labels.coverage import Coverage, check_bedtools
from histpred.labels.matrix import LabelMatrix
from histpred.labels.peak_files import PeakFile, PeakReader, Peaks
from histpred.labels.peak_regions import Regions, read_regions, unjoined_genes, without_peaks


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
    level, biotypes, unstranded
        As in `histpred.genome.request.Request`.

    Returns
    -------
    LabelMatrix
        Marks sorted; no value is NaN. unjoined: rows without a region, and genes on contigs where
        no file has a peak. A sample counts once for each mark that it has peaks of.

    Raises
    ------
    InputError
        For peaks (file:line) and annotations that cannot be used.
    UsageError
        For a rule that does not pass its check, absent biotypes, and absent bedtools or pybedtools.
    """
    rule.check()
    check_bedtools()
    regions, unjoined = read_regions(annotation, work, rule.window, level, biotypes, unstranded)
    samples = _samples(files)
    reader = PeakReader(regions.contigs, regions.aliases)
    coverage = Coverage(regions.blocks, len(regions.bases), work)
    shares = np.column_stack(
        [_share(each.values(), regions, rule, reader, coverage) for each in samples.values()]
    )
    reader.report(annotation)
    away = without_peaks(regions, reader.with_peaks)
    if away.any():
        unjoined = pandas.concat([unjoined, unjoined_genes(regions.genes[away])], ignore_index=True)
    genes = regions.genes[~away].reset_index(drop=True)
    values = ((shares > 0) & (shares >= rule.min_samples))[~away].astype(np.float32)
    counts = {
        "peak files": len({file.path for file in files}),
        "samples": sum(map(len, samples.values())),
        "marks": len(samples),
        "genes": len(genes),
        "marked pairs": int(values.sum()),
    }
    return LabelMatrix(genes, tuple(samples), values, unjoined, counts)


def _samples(files: list[PeakFile]) -> dict[str, dict[str, list[Path]]]:
    """The files of each sample of each mark, marks sorted."""
    samples: dict[str, dict[str, list[Path]]] = {
        mark: {} for mark in sorted({f.mark for f in files})
    }
    for mark, sample, path in dict.fromkeys(files):
        samples[mark].setdefault(sample, []).append(path)
    return samples


def _share(
    samples: Iterable[list[Path]],
    regions: Regions,
    rule: PeakRule,
    reader: PeakReader,
    coverage: Coverage,
) -> np.ndarray:
    """The share of one mark's samples, float64 [genes], whose peaks cover a region of each gene."""
    each = []
    for paths in samples:
        peaks: Peaks = {}
        for path in paths:
            for contig, rows in reader.read(path).items():
                peaks.setdefault(contig, []).extend(rows)
        covered = coverage.covered(peaks)
        enough = (covered > 0) & (covered / regions.bases >= rule.min_fraction)
        each.append(np.isin(np.arange(len(regions.genes)), regions.gene[enough]))
    share: np.ndarray = np.mean(each, axis=0)
    return share
