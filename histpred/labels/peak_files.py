"""Files of ChIP-seq peaks: the mark and sample of each, and their peaks by contig.

Peaks are BED3 or more (narrowPeak, broadPeak, gappedPeak); only the first three columns are read.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import InputError, UsageError, first_few
from histpred.core.marks import ALIASES, canonical, is_mark
from histpred.core.text import agreeing, counted
from histpred.genome.bed import read_bed
from histpred.genome.lines import Lines, open_lines
from histpred.genome.mistaken import refuse_foreign
from histpred.genome.naming import ContigNames
from histpred.labels.matrix import check_mark_name
from histpred.labels.table import read_records

logger = logging.getLogger(__name__)

SUFFIXES = re.compile(r"(\.(bed|narrowPeak|broadPeak|gappedPeak))?(\.b?gz)?$", re.IGNORECASE)
PEAK = re.compile(r"([^\s#][^\t]*)\t([0-9]{1,9})\t([0-9]{1,9})(?:\t|$)")
Peaks = dict[int, list[tuple[int, int]]]
"""Starts and ends of peaks by the number of their contig."""


class PeakFile(NamedTuple):
    """Peaks of one mark (canonical name) in one sample."""

    mark: str
    sample: str
    path: Path


def peak_files(paths: Sequence[Path], sheet: Path | None) -> list[PeakFile]:
    """The mark and sample of each file of peaks, from the names of the files or from a sheet.

    Files are named MARK.SAMPLE.bed.gz, with anything between SAMPLE and the suffix, or MARK.bed.gz;
    .narrowPeak, .broadPeak and .gappedPeak likewise, compressed or not. A mark may be spelt with a
    dot (H2A.Z, H3.3). A sheet, in place of `paths`, is a tab-separated table with a header that
    names the columns mark, file (relative to the sheet) and, optionally, sample; other columns are
    ignored. A file without a sample is a sample of its own.

    Raises UsageError for both or neither of the two, and for names that do not begin with a histone
    mark; InputError (file:line) for a sheet that cannot be used.
    """
    if bool(paths) == bool(sheet):
        raise UsageError(
            "both peaks and a sheet were given" if sheet else "no peaks were given",
            "give files named MARK.SAMPLE.bed.gz, or a sheet with the columns mark, file, sample",
        )
    if sheet:
        return _read_sheet(Path(sheet))
    files = [_from_name(Path(path)) for path in paths]
    if strange := [file.path.name for file in files if not is_mark(file.mark)]:
        for file in files:
            refuse_foreign(file.path)
        raise UsageError(
            f"{len(strange)} of {counted(len(files), 'file name')} "
            f"{agreeing(len(strange), 'does', 'do')} not begin with a histone mark: "
            f"{first_few(strange)}",
            "name them MARK.SAMPLE.bed.gz (H3K4me3.K562.bed.gz), or give a sheet with the mark and "
            "sample of each",
        )
    return files


def _from_name(path: Path) -> PeakFile:
    fields = SUFFIXES.sub("", path.name, count=1).split(".")
    dotted = {alias.upper() for alias in ALIASES if "." in alias}
    if ".".join(fields[:2]).upper() in dotted:
        fields[:2] = [".".join(fields[:2])]
    mark, sample, *_ = [*fields, ""]
    return PeakFile(canonical(mark), sample or str(path), path)


def _read_sheet(sheet: Path) -> list[PeakFile]:
    files = []
    for number, row in read_records(sheet, ("mark", "file"), ("sample",)):
        if not (row["mark"] and row["file"]):
            raise InputError(sheet, "a row without a mark or a file", "fill it in", number)
        path = sheet.parent / row["file"]
        if not path.exists():
            hint = "paths are relative to the sheet"
            raise InputError(sheet, f"{path} does not exist", hint, number)
        mark = canonical(row["mark"])
        check_mark_name(sheet, mark, number)
        files.append(PeakFile(mark, row.get("sample") or str(path), path))
    if not files:
        hint = "add a row for each file below the header"
        raise InputError(sheet, "names no file of peaks", hint)
    return files


class PeakReader:
    """Reads peaks on given contigs, and collects what is to be reported about the files.

    contigs: their names, by number; aliases: see `histpred.genome.annotation.Annotation`.
    with_peaks: the numbers of the contigs that have a peak in any file so far.
    """

    def __init__(self, contigs: list[str], aliases: dict[str, str]) -> None:
        self.contigs = contigs
        self.aliases = aliases
        self.with_peaks: set[int] = set()
        self._renamed: dict[str, str] = {}
        self._filled = 0
        self._foreign: list[str] = []
        self._foreign_contigs: dict[str, None] = {}
        self._empty: list[str] = []
        self._zero_length = 0

    def read(self, path: Path) -> Peaks:
        """Read the peaks of a file; those on other contigs are left out."""
        by_contig: dict[str, list[tuple[int, int]]] = {}
        with open_lines(path) as lines:
            for chrom, start, end in _intervals(lines):
                if start < end:
                    by_contig.setdefault(chrom, []).append((start, end))
                else:
                    self._zero_length += 1

        names = ContigNames(by_contig, dict)
        found: Peaks = {}
        for number, contig in enumerate(self.contigs):
            if name := names.resolve(contig, self.aliases.get(contig)):
                found[number] = by_contig[name]
        self._renamed |= names.renamed
        self.with_peaks.update(found)
        self._filled += bool(by_contig)
        if not by_contig:
            self._empty.append(str(path))
        elif not found:
            self._foreign.append(str(path))
            self._foreign_contigs |= dict.fromkeys(by_contig)
        return found

    def report(self, annotation: str) -> None:
        """Warn of empty files and renamed contigs; refuse files of other contigs.

        Raises InputError for files without a contig in common with `annotation`: their samples
        would count as samples without the mark.
        """
        if self._foreign:
            raise InputError(
                self._foreign[0],
                f"none of the contigs of {len(self._foreign)} of {self._filled} files of peaks is "
                f"in {annotation}: {first_few(self._foreign_contigs)} here, "
                f"{first_few(self.contigs)} there",
                "are they of the same assembly? chr1, 1 and NC_000001.11 are taken for one contig "
                "where that is unambiguous",
            )
        if self._renamed:
            pairs = first_few(f"{name} = {other}" for name, other in self._renamed.items())
            logger.info(f"contigs under another name in the peaks: {pairs}")
        if self._empty:
            are = agreeing(len(self._empty), "file of peaks is", "files of peaks are")
            logger.warning(f"{len(self._empty)} {are} empty: {first_few(self._empty)}")
        if self._zero_length:
            number = self._zero_length
            how = agreeing(number, "is 0 bp long and was", "are 0 bp long and were")
            logger.warning(f"{counted(number, 'peak')} {how} left out")


def _intervals(lines: Lines) -> Iterator[tuple[str, int, int]]:
    """Contig, start and end of each peak; the columns after them differ between peak callers."""
    columns = 0
    for number, line in lines:
        match = PEAK.match(line)
        chrom, start, end = (match[1], int(match[2]), int(match[3])) if match else ("", 0, 0)
        if not match or start > end:
            short = "\t".join(line.split("\t", 3)[:3])
            feature = next(read_bed(lines.name, [(number, short)]), None)  # raises if it is no BED
            if feature is None:
                continue
            _, chrom, start, end, *_ = feature
        tabs = line.count("\t")
        if tabs + 1 != (columns := columns or tabs + 1):
            message = f"{tabs + 1} columns where the rows before have {columns}"
            hint = "every row needs the same columns; is a tab missing or is the file cut short?"
            raise InputError(lines.name, message, hint, number)
        yield chrom, start, end
