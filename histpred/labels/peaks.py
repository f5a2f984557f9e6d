"""A gene x mark matrix from ChIP-seq peaks: a gene has a mark where peaks cover its region.

Peaks of one mark and sample are united before anything is counted. bedtools counts (Quinlan and
Hall 2010, doi:10.1093/bioinformatics/btq033), through pybedtools. It says nothing when the disk is
full. So every file for it ends with the row LAST, and every complete output does too.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from histpred.core.errors import HistpredError, UsageError, first_few, first_line
from histpred.core.extras import how_to_install
from histpred.core.hts import has_room, no_room
from histpred.core.text import agreeing, counted
from histpred.genome.regions import PROMOTER
from histpred.genome.request import Request
from histpred.genome.windows import WindowSpec
from histpred.labels.matrix import LabelMatrix
from histpred.labels.peak_files import PeakFile, PeakReader, Peaks
from histpred.labels.peak_regions import Regions, read_regions, unjoined_genes, without_peaks

logger = logging.getLogger(__name__)

INSTALL_BEDTOOLS = "install it: apt install bedtools, conda install -c bioconda bedtools, or brew"
REGIONS = "regions.bed"
LAST = "z\t0\t1"  # sorts after the contig names of `_write_bed`


class PeakRule(NamedTuple):
    """When peaks give a mark to a gene.

    window: the region of a gene; its `max_n_fraction` is not used. min_fraction: the share of the
    region that a sample's peaks must cover, and at least one base of it. min_samples: the share of
    the mark's samples that must do so. Both from 0 to 1. fewest_samples: their number, from 1 on; a
    mark with fewer samples is left out.
    """

    window: WindowSpec
    min_fraction: float = 0.0
    min_samples: float = 0.0
    fewest_samples: int = 1

    def check(self) -> None:
        """Raise UsageError for shares outside 0 to 1 and for a window without a base."""
        shares = {
            "region that peaks must cover": self.min_fraction,
            "samples with the mark": self.min_samples,
        }
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise UsageError(f"the share of the {name} is {share}", "give a number from 0 to 1")
        if self.fewest_samples < 1:
            raise UsageError(f"at least {self.fewest_samples} samples", "give a number from 1 on")
        if self.window.kind == PROMOTER and self.window.upstream + self.window.downstream <= 0:
            raise UsageError(
                f"an empty region: {self.window}", "give it bases upstream or downstream"
            )


def from_peaks(files: list[PeakFile], request: Request, work: Path, rule: PeakRule) -> LabelMatrix:
    """Find which genes of an annotation have which marks.

    If the window has tiles, rows are cut into them and each tile counts as a gene, whose id is
    CONTIG:START-END (`histpred.genome.windows.tile_name`). A gene with several regions (rows with
    one id) has a mark if one of them does. The matrix gives the position of its first row, not of
    the region. Marks are sorted, no value is NaN. unjoined: rows without a region, and genes on
    contigs where no file has a peak. A sample counts once for each mark that it has peaks of.

    Of the request, all but the FASTA matters; contigs of the annotation may have other names than
    in the peaks (chr1, 1). `work` is a private folder for temporary files.

    Raises InputError for peaks (file:line) and annotations that cannot be used, and UsageError for
    a rule that does not pass its check, absent biotypes, and absent bedtools or pybedtools.
    """
    rule.check()
    _check_bedtools()
    regions, unjoined = read_regions(request, work, rule.window)
    samples = _samples(files, rule.fewest_samples)
    reader = PeakReader(regions.contigs, regions.aliases)
    _write_bed(work / REGIONS, regions.blocks, f"{LAST}\t-1")
    having = np.column_stack(
        [_having(each.values(), regions, rule, reader, work) for each in samples.values()]
    )
    reader.report(request.annotation)
    away = without_peaks(regions, reader.with_peaks)
    if away.any():
        unjoined = pandas.concat([unjoined, unjoined_genes(regions.genes[away])], ignore_index=True)
    genes = regions.genes[~away].reset_index(drop=True)
    shares = having / np.array([len(each) for each in samples.values()])
    enough = (having >= rule.fewest_samples) & (shares >= rule.min_samples)
    values = enough[~away].astype(np.float32)
    counts = {
        "peak files": len({file.path for file in files if file.mark in samples}),
        "samples": sum(map(len, samples.values())),
        "marks": len(samples),
        "genes": len(genes),
        "marked pairs": int(values.sum()),
    }
    return LabelMatrix(genes, tuple(samples), values, unjoined, counts)


def _check_bedtools() -> None:
    if shutil.which("bedtools") is None:
        raise UsageError(
            "the program bedtools, which finds the genes under peaks, is not installed",
            INSTALL_BEDTOOLS,
        )
    try:
        import pybedtools  # noqa: F401 (its import runs bedtools)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"labels from peaks need the package {error.name}, which is not installed",
            how_to_install("labels"),
        ) from error


def _samples(files: list[PeakFile], fewest: int) -> dict[str, dict[str, list[Path]]]:
    """The files of each sample of each mark with at least `fewest` samples, marks sorted.

    A warning names the other marks. Raises UsageError if no mark has enough samples.
    """
    samples: dict[str, dict[str, list[Path]]] = {}
    for mark, sample, path in dict.fromkeys(files):
        samples.setdefault(mark, {}).setdefault(sample, []).append(path)
    samples = dict(sorted(samples.items()))
    few = [f"{mark} ({len(each)})" for mark, each in samples.items() if len(each) < fewest]
    if len(few) == len(samples):
        raise UsageError(
            f"no mark has the {fewest} samples that are asked for: {first_few(few)}",
            "lower --min-samples",
        )
    if few:
        logger.warning(
            f"{counted(len(few), 'mark')} {agreeing(len(few), 'is', 'are')} left out, with fewer "
            f"than {fewest} samples: "
            f"{first_few(few)}"
        )
    return {mark: each for mark, each in samples.items() if len(each) >= fewest}


def _having(
    samples: Iterable[list[Path]], regions: Regions, rule: PeakRule, reader: PeakReader, work: Path
) -> np.ndarray:
    """The number of one mark's samples, int [genes], whose peaks cover a region of each gene."""
    having = np.zeros(len(regions.genes), np.int64)
    for paths in samples:
        peaks: Peaks = {}
        for path in paths:
            for contig, rows in reader.read(path).items():
                peaks.setdefault(contig, []).extend(rows)
        covered = _covered(peaks, len(regions.bases), work)
        enough = (covered > 0) & (covered / regions.bases >= rule.min_fraction)
        having[np.unique(regions.gene[enough])] += 1
    return having


def _covered(peaks: Peaks, regions: int, work: Path) -> np.ndarray:
    """The bases that `peaks` cover of each region in the file REGIONS of `work`, [regions]."""
    import pybedtools

    written, united, overlaps = paths = [work / f"{n}.bed" for n in ("peaks", "united", "overlaps")]
    _write_bed(written, ((contig, *peak) for contig in peaks for peak in peaks[contig]), LAST)
    try:
        merged = pybedtools.BedTool(str(written)).merge(output=str(united))
        pybedtools.BedTool(str(work / REGIONS)).intersect(
            merged, wo=True, sorted=True, output=str(overlaps)
        )
    except pybedtools.helpers.BEDToolsError as error:
        if not has_room(work):
            raise no_room(overlaps) from error
        raise HistpredError(
            f"bedtools failed: {first_line(error)}", "try a newer one: bedtools --version"
        ) from error
    region, bases = _read_overlaps(overlaps)
    for path in paths:
        path.unlink()
    return np.bincount(region, bases, regions)


def _write_bed(path: Path, rows: Iterable[tuple[int, ...]], last: str) -> None:
    """Write rows (contig number, start, end, ...), sorted: contigs are named to sort by number."""
    with open(path, "w", encoding="ascii") as target:
        for contig, *rest in sorted(rows):
            target.write("\t".join([f"c{contig:09d}", *map(str, rest)]) + "\n")
        target.write(f"{last}\n")


def _read_overlaps(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Region and length of each overlap; raises TemporaryError for a file that is cut short."""
    try:
        table = pandas.read_csv(
            path, sep="\t", header=None, usecols=[3, 7], names=range(8), dtype=np.int64
        )
        region, bases = table[3].to_numpy(), table[7].to_numpy()
        whole = region[-1] == -1 and bases[-1] == 1
    except (ValueError, IndexError):  # cut within a row, or empty
        whole = False
    if not whole:
        raise no_room(path)
    return region[:-1], bases[:-1]
