"""Which exons belong to which of the transcripts with one ID, and the loci that exons alone make.

An ID names a feature only together with its place: files that were joined, and sequences that align
twice, repeat it. An exon belongs to the transcript with its ID that covers it on its strand, and
that has the same source if several cover it. If an exon fits more than one, none of them is used.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import NamedTuple

from histpred.core.errors import first_few
from histpred.genome.reasons import AMBIGUOUS, EXONS_OUTSIDE, TRANS_SPLICED
from histpred.genome.regions import Blocks

FAR = 10_000  # bp; exons that are farther apart get a note, if their transcript has no line
UNSTRANDED = (".", "?")


class Place(NamedTuple):
    """Where a transcript (or a gene with exons right below it) lies, and who annotated it."""

    line: int
    chrom: str
    start: int
    end: int
    strand: str
    source: str


class Run(NamedTuple):
    """Exons of one ID on one strand of a contig; `numbers` are their exon_numbers, 0 if unknown."""

    line: int
    chrom: str
    strand: str
    source: str
    blocks: Blocks
    numbers: tuple[int, ...] = ()


@dataclass
class Portion:
    """The exons of one transcript. `strand` is that of its exons if its own is not stated."""

    strand: str
    blocks: list[tuple[int, int]] = field(default_factory=list)
    problem: str = ""
    note: str = ""
    copies: int = 1

    def refuse(self, problem: str, note: str) -> None:
        """Keep the first problem that is found."""
        if not self.problem:
            self.problem, self.note = problem, note


class Locus(NamedTuple):
    """A transcript that is known from its exons only."""

    line: int
    chrom: str
    start: int
    end: int
    strand: str
    blocks: tuple[tuple[int, int], ...]
    problem: str = ""
    note: str = ""


def agree(one: str, other: str) -> bool:
    """True unless the strands contradict each other; '.' and '?' agree with both."""
    return one == other or one in UNSTRANDED or other in UNSTRANDED


def share(places: Sequence[Place], runs: Sequence[Run]) -> list[Portion]:
    """Return the exons of each of the transcripts at `places`, which have one ID.

    >>> two = [Place(1, "1", 0, 90, "+", "A"), Place(4, "1", 200, 290, "+", "A")]
    >>> [found.blocks for found in share(two, [Run(2, "1", "+", "A", ((0, 9), (200, 290)), ())])]
    [[(0, 9)], [(200, 290)]]
    """
    if len(places) == 1 and _all_within(places[0], runs):
        return [Portion(places[0].strand, [block for run in runs for block in run.blocks])]
    portions = [Portion(place.strand) for place in places]
    by_contig: dict[str, list[int]] = {}
    for i, place in enumerate(places):
        by_contig.setdefault(place.chrom, []).append(i)
    shelves = {chrom: _Shelf(places, members) for chrom, members in by_contig.items()}
    for run in runs:
        shelf = shelves.get(run.chrom)
        if shelf is None or not shelf.has(run.strand):
            for portion in portions:
                portion.refuse(TRANS_SPLICED, f"line {run.line}: {run.chrom}, strand {run.strand}")
            return portions
        for start, end in run.blocks:
            near = sorted(i for i in shelf.over(start, end) if agree(places[i].strand, run.strand))
            _give(places, portions, near or shelf.agreeing(run.strand), run, (start, end))
    for place, portion in zip(places, portions, strict=True):
        if portion.copies > 1 and not _is_repeated(portion):
            lines = first_few(other.line for other in places if other[1:5] == place[1:5])
            portion.refuse(AMBIGUOUS, f"lines {lines} have the same ID and place")
        portion.blocks = sorted(set(portion.blocks))
    return portions


def _all_within(place: Place, runs: Sequence[Run]) -> bool:
    """True if no exon contradicts the only transcript with its ID."""
    _, chrom, first, last, strand, _ = place
    for run in runs:
        if run.chrom != chrom or run.strand != strand:
            return False
        for start, end in run.blocks:
            if start < first or end > last:
                return False
    return True


class _Shelf:
    """The transcripts on one contig, by start."""

    def __init__(self, places: Sequence[Place], members: list[int]) -> None:
        self._places = places
        self._order = sorted(members, key=lambda i: places[i].start)
        self._starts = [places[i].start for i in self._order]
        self._farthest = list(accumulate((places[i].end for i in self._order), max))
        self._strands = {places[i].strand for i in self._order}

    def has(self, strand: str) -> bool:
        return any(agree(strand, own) for own in self._strands)

    def over(self, start: int, end: int) -> Iterator[int]:
        """Yield the transcripts that overlap [start, end)."""
        at = bisect_left(self._starts, end) - 1
        while at >= 0 and self._farthest[at] > start:
            if self._places[self._order[at]].end > start:
                yield self._order[at]
            at -= 1

    def agreeing(self, strand: str) -> list[int]:
        return [i for i in self._order if agree(self._places[i].strand, strand)]


def _give(
    places: Sequence[Place],
    portions: list[Portion],
    near: list[int],
    run: Run,
    block: tuple[int, int],
) -> None:
    """Add an exon to the transcript among `near` that it belongs to, or note why it has none."""
    start, end = block
    covering = [i for i in near if places[i].start <= start and end <= places[i].end]
    same = [i for i in near if places[i].source == run.source]
    chosen = [i for i in covering if places[i].source == run.source]
    if not chosen:
        chosen = sorted({*covering, *same}) or near
    first = places[chosen[0]]
    alike = all(places[i][1:5] == first[1:5] for i in chosen)
    for i in chosen:
        portion = portions[i]
        if not covering:
            place = f"{places[i].start}-{places[i].end}"
            portion.refuse(EXONS_OUTSIDE, f"exon {start}-{end} is not within {place}")
        elif not alike:
            lines = first_few((places[i].line for i in chosen), len(chosen))
            portion.refuse(AMBIGUOUS, f"exon {start}-{end} fits lines {lines}, which share an ID")
        else:
            portion.blocks.append(block)
            portion.copies = len(chosen)
        if run.strand not in UNSTRANDED and run.strand != portion.strand:
            if portion.strand not in UNSTRANDED:
                portion.refuse(TRANS_SPLICED, "its own strand is not stated")
            portion.strand = run.strand


def _is_repeated(portion: Portion) -> bool:
    """True if the lines of a transcript that is there several times, and its exons, are repeated.

    Exons that are there once and do not overlap belong to each of the lines, too.
    """
    counts = Counter(portion.blocks)
    if set(counts.values()) == {portion.copies}:
        return True
    blocks = sorted(counts)
    apart = all(one[1] <= other[0] for one, other in pairwise(blocks))
    return apart and set(counts.values()) == {1}


class _Exon(NamedTuple):
    start: int
    end: int
    number: int
    line: int


def loci(runs: Sequence[Run]) -> list[Locus]:
    """Return the transcripts that the exons of one ID make, if there is no line of a transcript.

    Contigs, strands, and an exon_number that starts again tell loci apart. If the exon_number goes
    on from one strand or contig to the other, or if the strands lie within each other, it is one
    transcript, and trans-spliced.
    """
    groups = _by_strand(runs)
    exons = [exon for group in groups.values() for exon in group]
    numbers = Counter(exon.number for exon in set(exons))
    goes_on = 0 not in numbers and max(numbers.values()) == 1
    if len(groups) > 1 and (goes_on or _interleaved(groups)):
        (chrom, strand), group = min(groups.items(), key=lambda item: item[1][0].line)
        return [_locus(chrom, strand, group, TRANS_SPLICED, "on another strand or contig too")]

    found = []
    for (chrom, strand), group in groups.items():
        copies = _copies(group)
        if copies is None:
            note = "its exon_number repeats, but not as that of one locus after the other"
            found.append(_locus(chrom, strand, group, AMBIGUOUS, note))
        else:
            found += [_locus(chrom, strand, copy, "", _gap(copy)) for copy in copies]
    if len(found) > 1:
        one_of = f"one of {len(found)} loci with its ID"
        found = [
            locus._replace(note=f"{one_of}; {locus.note}" if locus.note else one_of)
            for locus in found
        ]
    return found


def _by_strand(runs: Sequence[Run]) -> dict[tuple[str, str], list[_Exon]]:
    """The exons by contig and strand; those without strand join the only strand of their contig."""
    strands: dict[str, set[str]] = {}
    for run in runs:
        strands.setdefault(run.chrom, set()).add(run.strand)
    groups: dict[tuple[str, str], list[_Exon]] = {}
    for run in runs:
        stated = strands[run.chrom].difference(UNSTRANDED)
        strand = run.strand
        if strand in UNSTRANDED:
            strand = min(stated) if len(stated) == 1 else min(strands[run.chrom] & set(UNSTRANDED))
        numbers = run.numbers or (0,) * len(run.blocks)
        groups.setdefault((run.chrom, strand), []).extend(
            _Exon(start, end, number, run.line)
            for (start, end), number in zip(run.blocks, numbers, strict=True)
        )
    return groups


def _interleaved(groups: dict[tuple[str, str], list[_Exon]]) -> bool:
    """True if the strands of a contig overlap."""
    spans = sorted((chrom, *_span(group)) for (chrom, _), group in groups.items())
    return any(one[0] == other[0] and other[1] < one[2] for one, other in pairwise(spans))


def _copies(exons: list[_Exon]) -> list[list[_Exon]] | None:
    """The exons, divided where the exon_number starts again; None if that is unclear."""
    distinct = sorted({(exon.start, exon.end): exon for exon in reversed(exons)}.values())
    numbers = [exon.number for exon in distinct]
    if 0 in numbers or len(set(numbers)) == len(numbers):
        return [exons]
    copies: list[list[_Exon]] = [[]]
    seen: set[int] = set()
    for exon in distinct:
        if exon.number in seen:
            copies.append([])
            seen.clear()
        seen.add(exon.number)
        copies[-1].append(exon)
    first = min(numbers)
    complete = all(any(exon.number == first for exon in copy) for copy in copies)
    apart = all(_span(one)[1] <= _span(other)[0] for one, other in pairwise(copies))
    return copies if complete and apart else None


def _gap(exons: list[_Exon]) -> str:
    """A note on exons that are far apart and have no exon_number; they may be two loci."""
    if any(exon.number for exon in exons):
        return ""
    reach, widest = exons[0].end, 0
    for exon in sorted(exons):
        widest = max(widest, exon.start - reach)
        reach = max(reach, exon.end)
    return f"exons {widest} bp apart: an intron, or two loci" if widest >= FAR else ""


def _span(exons: list[_Exon]) -> tuple[int, int]:
    return min(exon.start for exon in exons), max(exon.end for exon in exons)


def _locus(chrom: str, strand: str, exons: list[_Exon], problem: str, note: str) -> Locus:
    blocks = tuple((exon.start, exon.end) for exon in exons)
    line = min(exon.line for exon in exons)
    return Locus(line, chrom, *_span(exons), strand, blocks, problem, note)
