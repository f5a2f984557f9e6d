"""The two tables of a prediction: bgzip-compressed, sorted by position, indexed for tabix.

scores.tsv.gz has a header line that begins with '#', so that tabix and bedtools pass over it;
calls.bed.gz is BED9 (https://samtools.github.io/hts-specs/BEDv1.pdf): scores are whole numbers from
0 to 1000, names printable ASCII.
"""

from __future__ import annotations

import gzip
import math
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from histpred.core.colours import Colour
from histpred.core.columns import HEADER, LAYOUT, NA, NAMES, PROBABILITY, values_of
from histpred.core.errors import InputError, first_few
from histpred.core.hts import BgzipWriter, check_open_files, no_room
from histpred.core.marks import mark_colour
from histpred.genome.naming import BED, TABIX, TSV
from histpred.genome.windows import Row

# bp from which on a .tbi cannot address (SAM specification, section 5.2); a .csi can.
TBI_LIMIT = 1 << 29
Preset = Literal["bed", "vcf"] | None
BED_NAME_LIMIT = 255
SCORES, CALLS = "scores.tsv.gz", "calls.bed.gz"
FORMATS = (TSV, BED, TABIX)  # of the two
PALEST = 0.1  # share of a mark's colour in a window with probability 0
NOTHING = f"%.0s{NA}"  # writes NA, whatever the value is
JOIN_BUFFER = 1 << 20
NOT_PLAIN = re.compile('[^!-~]|[<>"]')  # igv.js reads the names of a BED as HTML
REMAKE = "make this part again"
AT_ONCE = 1 << 14  # rows that are read
AGAIN = "give a folder of histpred predict as that wrote it, or run it again"


class Tables:
    """A context manager that writes scores.tsv.gz and calls.bed.gz; rows must come sorted.

    `marks` are in the order of the columns of `probabilities`. Each has a threshold, the
    probability from which a window is called, or NaN if it is not predicted: its column is NA, and
    it has no calls. scores: False: only calls.bed.gz is written.
    """

    def __init__(
        self, folder: Path, marks: Sequence[str], thresholds: Sequence[float], scores: bool = True
    ) -> None:
        self.calls = 0
        self._marks = list(marks)
        self._thresholds = np.asarray(thresholds)
        self._colours = [bed_colour(mark) for mark in marks]
        layouts = [NOTHING if np.isnan(each) else PROBABILITY for each in self._thresholds]
        self._format = "\t".join((LAYOUT, *layouts)) + "\n"
        self.paths = [folder / CALLS, *([folder / SCORES] if scores else [])]
        self._calls, *self._scores = map(BgzipWriter, self.paths)
        self._longest = 0
        for table in self._scores:
            table.write(("\t".join((*HEADER, *marks)) + "\n").encode())

    def __enter__(self) -> Tables:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        with ExitStack() as stack:
            for table in (self._calls, *self._scores):
                stack.push(table)
        if kind is None:
            for path in self.paths:
                index(path, self._longest)

    def write(self, rows: Sequence[Row], probabilities: np.ndarray) -> None:
        """Append rows with their probabilities, float [rows, marks]."""
        values = probabilities.tolist()
        for table in self._scores:
            pairs = zip(rows, values, strict=True)
            cells = tuple(cell for row, found in pairs for cell in (*row.values, *found))
            table.write((self._format * len(rows) % cells).encode())
        calls = self._calls_of(rows, probabilities)
        self._longest = max(self._longest, *(row.window.end for row in rows))
        self.calls += len(calls)
        self._calls.write("".join(calls).encode())

    def _calls_of(self, rows: Sequence[Row], probabilities: np.ndarray) -> list[str]:
        """The lines of calls.bed.gz."""
        hits = np.nonzero(probabilities >= self._thresholds)
        columns = *hits, bed_scores(probabilities[hits])
        lines, window = [], -1
        for number, mark, score in zip(*(column.tolist() for column in columns), strict=True):
            if number != window:
                window = number
                chrom, start, end, strand, name, *_ = rows[number].window
                label = printable_ascii(name)
                before, after = f"{chrom}\t{start}\t{end}\t", f"\t{strand}\t{start}\t{end}\t"
            called = bed_name(label, self._marks[mark])
            lines.append(f"{before}{called}\t{score}{after}{self._colours[mark]}\n")
        return lines


class Rows(NamedTuple):
    """Some rows of scores.tsv.gz.

    line: of the first of them, counted from 1. windows: the columns before the probabilities, as
    text. probabilities: float64 [rows, marks]; NaN in all rows of a mark that is not predicted.
    """

    line: int
    windows: list[list[str]]
    probabilities: np.ndarray


@contextmanager
def read_scores(path: Path) -> Iterator[tuple[tuple[str, ...], Iterator[Rows]]]:
    """The marks of scores.tsv.gz, and its rows in blocks of at most `AT_ONCE`.

    Raises InputError, with the line, if the table is not one of histpred's, or a row has too few or
    too many columns, a coordinate that is not a number, or a value that is not a probability. NA
    is one where all rows have it.
    """
    shared = len(NAMES)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        header = tuple(next(lines, "").rstrip("\n").split("\t"))
        if header[:shared] != HEADER or len(header) == shared:
            raise InputError(path, "is not a table of scores", AGAIN, line=1)
        if twice := sorted({name for name in header if header.count(name) > 1}):
            raise InputError(path, f"two columns {first_few(twice)}", AGAIN, line=1)

        def rows() -> Iterator[Rows]:
            line, absent = 2, None
            while block := list(islice(lines, AT_ONCE)):
                windows = []
                probabilities = np.empty((len(block), len(header) - shared))
                for row, text in enumerate(block):
                    fields = text.rstrip("\n").split("\t")
                    if absent is None:
                        absent = [i for i, text in enumerate(fields) if i >= shared and text == NA]
                    try:
                        probabilities[row] = _probabilities(fields, len(header), absent)
                    except ValueError as error:
                        raise InputError(path, str(error), AGAIN, line=line + row) from error
                    windows.append(fields[:shared])
                yield Rows(line, windows, probabilities)
                line += len(block)

        yield header[shared:], rows()


def _probabilities(fields: list[str], columns: int, absent: list[int]) -> list[float]:
    """The probabilities in a row of scores.tsv.gz; ValueError if the row is malformed.

    absent: the numbers of the columns that must be NA.
    """
    if len(fields) != columns:
        raise ValueError(f"{len(fields)} columns where the header has {columns}")
    values_of(fields)  # raises if one is not of its type
    texts = fields[len(NAMES) :]
    for column in absent:
        if fields[column] != NA:
            raise ValueError(f"a probability in column {column + 1}, which is {NA} above")
        texts[column - len(NAMES)] = "0"
    found = list(map(float, texts))
    if not all(0 <= probability <= 1 for probability in found):
        raise ValueError("a probability is not from 0 to 1")
    for column in absent:
        found[column - len(NAMES)] = math.nan
    return found


def join(parts: Sequence[Path], whole: Path) -> None:
    """Write the rows of several such tables, in this order, as one, and index it.

    Their header is written once. The result is what `Tables` would have written. Raises InputError
    if the parts have different headers.
    """
    header = b""
    with BgzipWriter(whole) as target:
        for part in parts:
            with gzip.open(part) as source:
                first = source.readline()
                if header and first != header:
                    raise InputError(part, "its columns are not those of the other parts", REMAKE)
                if not header:
                    target.write(first)
                if first.startswith(b"#"):
                    header = first
                shutil.copyfileobj(source, target, JOIN_BUFFER)
    wide = any(part.with_name(f"{part.name}.csi").exists() for part in parts)
    index(whole, TBI_LIMIT if wide else 0)


@lru_cache(maxsize=1 << 10)
def printable_ascii(name: str) -> str:
    """A name as BED allows it: printable ASCII.

    Without spaces too, since many tools split there, and without what would make it HTML in a
    genome browser.

    >>> printable_ascii("LINC 1é"), printable_ascii('<b id="x">')
    ('LINC_1_', '_b_id=_x__')
    """
    return NOT_PLAIN.sub("_", name)


def bed_scores(probabilities: np.ndarray) -> np.ndarray:
    """The scores of a BED, int, 0 to 1000.

    >>> bed_scores(np.array([0.1234, 1.0])).tolist()
    [123, 1000]
    """
    scores: np.ndarray = np.rint(probabilities * 1000).astype(int)
    return scores


def bed_colour(mark: str) -> str:
    """The colour of a mark, as the field itemRgb has it.

    >>> bed_colour("H3K36me3")
    '54,147,38'
    """
    return ",".join(map(str, mark_colour(mark)))


def bed_shades(colour: Colour) -> list[str]:
    """For each score from 0 to 1000, `colour`, paler for lower scores.

    All colours are opaque and none is white.

    >>> shades = bed_shades((0, 128, 0))
    >>> shades[0], shades[500], shades[1000]
    ('230,242,230', '115,185,115', '0,128,0')
    """
    strengths = [PALEST + (1 - PALEST) * score / 1000 for score in range(1001)]
    return [
        ",".join(str(round(255 - strength * (255 - part))) for part in colour)
        for strength in strengths
    ]


def bed_name(name: str, mark: str) -> str:
    """The name of a call, at most 255 characters long.

    >>> bed_name("LINC01", "H3K4me3")
    'LINC01|H3K4me3'
    """
    return f"{name[: BED_NAME_LIMIT - len(mark) - 1]}|{mark}"


def index(path: Path, longest: int, preset: Preset = "bed") -> None:
    """Write a tabix index beside a bgzip table.

    A .tbi, or a .csi if `longest`, the last position (bp), is beyond what a .tbi can hold. preset:
    the format of the table; None: chrom and a 1-based position are its first columns.
    """
    import pysam

    csi = longest >= TBI_LIMIT
    try:
        pysam.tabix_index(
            os.path.abspath(path), True, 0, 1, 1, preset, meta_char="#", zerobased=False, csi=csi
        )
    except OSError as error:
        check_open_files(path)
        raise no_room(path) from error
