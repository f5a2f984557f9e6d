"""Which windows and marks of a prediction are called, as calls.bed.gz says.

A comparison with thresholds would differ where a probability was rounded to a threshold.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from histpred.core.errors import InputError
from histpred.scoring.tables import AGAIN, bed_name, printable_ascii


class CalledRows:
    """Reads the calls of rows in step with the rows; see `called_rows`."""

    def __init__(self, path: Path, lines: Iterable[str], marks: Sequence[str]) -> None:
        self._path, self._lines = path, enumerate(lines, 1)
        self._marks = {mark: number for number, mark in enumerate(marks)}
        self._advance()

    def take(self, places: Sequence[Sequence[str]]) -> np.ndarray:
        """The calls of the next rows: bool [rows, marks].

        places: the columns `histpred.core.columns.PLACE` of each row, as text.
        """
        called = np.zeros((len(places), len(self._marks)), bool)
        for row, (chrom, start, end, name, strand) in enumerate(places):
            last = -1  # the next row may have the same place and name
            while self._place == (chrom, start, end, strand) and self._number > last:
                if self._name != bed_name(printable_ascii(name), self._mark):
                    break
                called[row, self._number] = True
                last = self._number
                self._advance()
        return called

    def finish(self) -> None:
        """Raise InputError if calls are left, after all rows were taken."""
        if self._place:
            raise InputError(self._path, "a call of no row", AGAIN, line=self._line)

    def _advance(self) -> None:
        self._line, line = next(self._lines, (0, ""))
        self._place: tuple[str, ...] = ()
        if line:
            chrom, start, end, self._name, _, strand, _ = line.split("\t", 6)
            self._place = chrom, start, end, strand
            self._mark = self._name.rpartition("|")[2]
            self._number = self._marks.get(self._mark, -1)


@contextmanager
def called_rows(path: Path, marks: Sequence[str]) -> Iterator[CalledRows]:
    """The calls in calls.bed.gz; `marks`: in the order of the columns of scores.tsv.gz."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield CalledRows(path, lines, marks)
