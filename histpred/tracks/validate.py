"""Check binary tracks with a second library before they are published.

pyBigWig (https://github.com/deeptools/pyBigWig) reads what `bbi` wrote. The rules are those of
https://genome.ucsc.edu/goldenPath/help/bigBed.html and bigWig.html.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from histpred.core.errors import OutputError
from histpred.core.hts import no_room

STRETCH = 1 << 20  # bp read at a time
CONTIGS = 1000  # read back; libBigWig compares a name with those of all contigs before it
REST = re.compile(
    r"[!-~]{1,255}\t(?:\d{1,3}|1000)\t[-+.]\t\d+\t\d+\t\d{1,3},\d{1,3},\d{1,3}(?:\t[^\t]*)*"
)
"""A row after its interval: name, score, strand, thick start and end, colour, our own fields."""


def check_bigbed(
    path: Path, lengths: Mapping[str, int], contigs: Collection[str], rows: int
) -> None:
    """Raise OutputError unless a bigBed holds `rows` valid rows, all on `contigs`.

    Of more than `CONTIGS` contigs it reads so many, from the first to the last, and does not count.
    Raises TemporaryError for a file that was cut short: unreadable, or with fewer rows.
    """
    found = 0
    for contig, start, end, rest in _entries(path, lengths, contigs):
        found += 1
        if not REST.fullmatch(rest):
            raise _broken(path, f"{contig}:{start}-{end} reads {rest[:80]!r}")
    if len(contigs) <= CONTIGS and found != rows:
        raise no_room(path)


def check_bigwig(
    path: Path,
    lengths: Mapping[str, int],
    contigs: Collection[str],
    bp: int,
    limits: tuple[float, float] = (0, 1),
) -> None:
    """Raise OutputError unless a bigWig has a value in `limits` at `bp` bases, all on `contigs`.

    Of many contigs it reads as `check_bigbed` does.
    Raises TemporaryError for a file that was cut short: unreadable, or with fewer values.
    """
    found = 0
    for contig, start, end, value in _entries(path, lengths, contigs):
        found += end - start
        if not limits[0] <= value <= limits[1]:
            raise _broken(path, f"{contig}:{start}-{end} has the value {value}")
    if len(contigs) <= CONTIGS and found != bp:
        raise no_room(path)


def _entries(
    path: Path, lengths: Mapping[str, int], contigs: Collection[str]
) -> Iterator[tuple[str, int, int, Any]]:
    """Rows in order, read a stretch at a time; a row in two stretches comes once."""
    import pyBigWig

    try:
        reader = pyBigWig.open(str(path))
    except RuntimeError as error:
        raise no_room(path) from error
    with reader:
        if set(reader.chroms() or ()) != set(contigs):
            raise no_room(path)
        read = reader.entries if reader.isBigBed() else reader.intervals
        each = max(1, (len(contigs) - 1) // (CONTIGS - 1))
        for contig in list(contigs)[::each]:
            length, before = lengths[contig], 0
            if reader.chroms(contig) != length:
                raise no_room(path)
            for first in range(0, length, STRETCH):
                last = min(first + STRETCH, length)
                for start, end, value in read(contig, first, last) or ():
                    if start < first:
                        continue
                    if not before <= start < end <= length:
                        what = f"{contig}:{start}-{end} is unsorted or outside its contig"
                        raise _broken(path, what)
                    before = start
                    yield contig, start, end, value


def _broken(path: Path, what: str) -> OutputError:
    return OutputError(
        f"{path.name}, just written, breaks the rules of its format: {what}",
        "this is a bug in histpred: please report it, with the prediction's run.json",
    )
