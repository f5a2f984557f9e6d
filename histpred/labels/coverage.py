"""How much of each region peaks cover, counted by bedtools through pybedtools.

bedtools: Quinlan and Hall 2010, doi:10.1093/bioinformatics/btq033. It says nothing when the disk is
full. So every file for it ends with the row LAST, and every complete output does too.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas

from histpred.core.errors import HistpredError, UsageError, first_line
from histpred.core.hts import has_room, no_room
from histpred.labels.peak_files import Peaks

INSTALL_LABELS = "pip install 'histpred[labels]' (a checkout: HISTPRED_EXTRAS=labels bin/histpred)"
INSTALL_BEDTOOLS = "install it: apt install bedtools, conda install -c bioconda bedtools, or brew"
LAST = "z\t0\t1"  # sorts after the contig names of `_contig`


def check_bedtools() -> None:
    """Raise UsageError if bedtools or pybedtools is not installed."""
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
            INSTALL_LABELS,
        ) from error


class Coverage:
    """Counts the bases of regions that peaks cover.

    blocks: contig number, start, end and region number; regions: how many there are; work: a
    private folder for temporary files.
    """

    def __init__(
        self, blocks: Iterable[tuple[int, int, int, int]], regions: int, work: Path
    ) -> None:
        self._regions = regions
        self._work = work
        self._bed = work / "regions.bed"
        _write(
            self._bed,
            (f"{_contig(contig)}\t{a}\t{b}\t{region}" for contig, a, b, region in sorted(blocks)),
            f"{LAST}\t-1",
        )

    def covered(self, peaks: Peaks) -> np.ndarray:
        """The bases of each region that `peaks` cover, int64 [regions]."""
        import pybedtools

        paths = [self._work / f"{name}.bed" for name in ("peaks", "united", "overlaps")]
        written, united, overlaps = paths
        rows = (
            (_contig(number), *peak) for number in sorted(peaks) for peak in sorted(peaks[number])
        )
        _write(written, (f"{contig}\t{start}\t{end}" for contig, start, end in rows), LAST)
        try:
            merged = pybedtools.BedTool(str(written)).merge(output=str(united))
            pybedtools.BedTool(str(self._bed)).intersect(
                merged, wo=True, sorted=True, output=str(overlaps)
            )
        except pybedtools.helpers.BEDToolsError as error:
            if not has_room(self._work):
                raise no_room(overlaps) from error
            raise HistpredError(
                f"bedtools failed: {first_line(error)}", "try a newer one: bedtools --version"
            ) from error
        region, bases = _read_overlaps(overlaps)
        covered = np.zeros(self._regions, np.int64)
        np.add.at(covered, region, bases)
        for path in paths:
            path.unlink()
        return covered


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


def _contig(number: int) -> str:
    """A contig's name for bedtools: it sorts as the number does."""
    return f"c{number:09d}"


def _write(path: Path, rows: Iterable[str], last: str) -> None:
    with open(path, "w", encoding="ascii") as target:
        target.writelines(f"{row}\n" for row in rows)
        target.write(f"{last}\n")
