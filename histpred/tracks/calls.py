"""The calls of a prediction as one track, whose items are named after their marks."""

from __future__ import annotations

import gzip
import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, NamedTuple

from histpred.core.errors import InputError
from histpred.core.marks import by_class
from histpred.scoring.tables import AGAIN, bed_colour
from histpred.tracks import bbi
from histpred.tracks.binary import BED9, COLOUR, SCORE, Lengths, write_track
from histpred.tracks.columns import SortedIntervals
from histpred.tracks.validate import check_bigbed

FIELDS = f"""table histpredCall
"A histone mark whose probability reaches the bundle's threshold"
(
{BED9.format(name="histone mark", score=SCORE, colour=COLOUR)}string gene; "gene or interval"
)
"""
IN_MEMORY = 1 << 18  # bytes of a mark's calls; more goes to a file


class Call(NamedTuple):
    """A mark that is called in a window, or in tiles side by side.

    start, end: 0-based half-open. window: its name. score: probability x 1000, of tiles the
    highest.
    """

    contig: str
    start: int
    end: int
    window: str
    strand: str
    mark: str
    score: int


def write_calls(calls: Path, lengths: Lengths, path: Path, tiles: bool = False) -> Counter[str]:
    """Write the calls of all marks (calls.bed.gz) as bigBed 9+1, if any; their number by mark.

    Calls of one window are sorted by class of mark. tiles: make one item of the calls of a mark in
    tiles that lie side by side in the same row. Raises InputError, with the line, for calls that
    are not sorted or not on their contigs.
    """
    checked = SortedIntervals(lengths)
    counts: Counter[str] = Counter()
    for line, call in enumerate(_read(calls), 1):
        if fault := checked.take(call.contig, call.start, call.end):
            raise InputError(calls, fault, AGAIN, line=line)
        counts[call.mark] += 1
    if not counts:
        return counts
    marks = by_class(sorted(counts))
    colours = {mark: bed_colour(mark) for mark in marks}
    written = 0

    def rows(found: Iterable[Call]) -> Iterator[tuple[str, int, int, str]]:
        nonlocal written
        for contig, start, end, window, strand, mark, score in found:
            written += 1
            drawn = f"{mark}\t{score}\t{strand}\t{start}\t{end}\t{colours[mark]}"
            yield contig, start, end, f"{drawn}\t{window}"

    contigs = [*checked.contigs]
    with ExitStack() as stack:
        if tiles:
            found = _merged(_read(calls), marks, contigs, path.parent, stack)
        else:
            found = _by_class(_read(calls), marks)
        write_track(path, lengths, contigs, bbi.batches_of(rows(found), contigs), FIELDS)
    check_bigbed(path, lengths, contigs, written)
    return counts


def _read(calls: Path) -> Iterator[Call]:
    with gzip.open(calls, "rt", encoding="utf-8") as lines:
        for line in lines:
            contig, start, end, name, score, strand, _ = line.split("\t", 6)
            window, _, mark = name.rpartition("|")
            yield Call(contig, int(start), int(end), window, strand, mark, int(score))


def _by_class(calls: Iterable[Call], marks: list[str]) -> Iterator[Call]:
    """The calls, those of a window in the order of `marks`."""
    ranks = {mark: rank for rank, mark in enumerate(marks)}
    for _, group in groupby(calls, lambda call: call[:5]):
        yield from sorted(group, key=lambda call: ranks[call.mark])


def _merged(
    calls: Iterable[Call], marks: list[str], contigs: list[str], folder: Path, stack: ExitStack
) -> Iterator[Call]:
    """The calls of tiles, neighbours of one mark and row as one, sorted by contig and start.

    They are sorted by mark in temporary files first, because a run of tiles may be as long as a
    contig.
    """
    numbers = {contig: number for number, contig in enumerate(contigs)}
    files = {mark: stack.enter_context(_spool(folder)) for mark in marks}
    last: dict[str, Call] = {}

    def finish(call: Call) -> None:
        files[call.mark].write("\t".join(map(str, (numbers[call.contig], *call[1:]))) + "\n")

    for call in calls:
        before = last.get(call.mark)
        if before and (before.contig, before.end, *before[3:5]) == (*call[:2], *call[3:5]):
            call = before._replace(end=call.end, score=max(before.score, call.score))
        elif before:
            finish(before)
        last[call.mark] = call
    for call in last.values():
        finish(call)
    parts = (_spooled(file, contigs) for file in files.values())
    for _, call in heapq.merge(*parts, key=lambda part: part[0]):
        yield call


def _spool(folder: Path) -> SpooledTemporaryFile[str]:
    return SpooledTemporaryFile(IN_MEMORY, "w+", encoding="utf-8", newline="\n", dir=str(folder))


def _spooled(file: IO[str], contigs: list[str]) -> Iterator[tuple[tuple[int, int], Call]]:
    """The calls in a file, after what they are sorted by."""
    file.seek(0)
    for line in file:
        number, start, end, window, strand, mark, score = line.rstrip("\n").split("\t")
        contig, place = contigs[int(number)], (int(number), int(start))
        yield place, Call(contig, int(start), int(end), window, strand, mark, int(score))
