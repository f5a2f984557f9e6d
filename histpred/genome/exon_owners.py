"""Which exons belong to which of the transcripts with one ID.

An ID names a feature only together with its place: files that were joined, and sequences that align
twice, repeat it. An exon belongs to the transcript with its ID that covers it on its strand, and
that has the same source if several cover it. If an exon fits more than one, none of them is used.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, compress, pairwise
from typing import NamedTuple

from histpred.core.errors import first_few
from histpred.genome.loci import UNSTRANDED, Run
from histpred.genome.reasons import AMBIGUOUS, EXONS_OUTSIDE, TRANS_SPLICED


class Place(NamedTuple):
    """Where a transcript (or a gene with exons right below it) lies, and who annotated it."""

    line: int
    chrom: str
    start: int
    end: int
    strand: str
    source: str


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
    alike: dict[tuple[object, ...], list[int]] = {}
    for i, place in enumerate(places):
        alike.setdefault(place[1:], []).append(i)
    groups = [_Group(places[members[0]], members) for members in alike.values()]
    _share_among(places, groups, runs)
    found = {i: group.portion for group in groups for i in group.members}
    return [replace(found[i]) for i in range(len(places))]


def _share_among(places: Sequence[Place], groups: list[_Group], runs: Sequence[Run]) -> None:
    """Give the exons to the groups of transcripts."""
    by_contig: dict[str, list[_Group]] = {}
    for group in groups:
        by_contig.setdefault(group.place.chrom, []).append(group)
    shelves = {chrom: _Shelf(members) for chrom, members in by_contig.items()}
    for run in runs:
        shelf = shelves.get(run.chrom)
        if shelf is None or not shelf.has(run.strand):
            for group in groups:
                note = f"line {run.line}: {run.chrom}, strand {run.strand}"
                group.portion.refuse(TRANS_SPLICED, note)
            return
        for block in run.blocks:
            near = [group for group in shelf.over(*block) if agree(group.place.strand, run.strand)]
            _give(places, near or shelf.agreeing(run.strand), run, block)
    at_place: dict[tuple[object, ...], list[int]] = {}
    for group in groups:
        at_place.setdefault(group.place[1:5], []).extend(group.members)
    for group in groups:
        portion = group.portion
        if portion.copies > 1 and not _is_repeated(portion):
            lines = _lines(places, at_place[group.place[1:5]])
            portion.refuse(AMBIGUOUS, f"lines {lines} have the same ID and place")
        portion.blocks = sorted(set(portion.blocks))


def _lines(places: Sequence[Place], members: list[int]) -> str:
    return first_few(places[i].line for i in sorted(members))


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


@dataclass
class _Group:
    """Transcripts with one place and source, which get the same exons; `members` are numbers."""

    place: Place
    members: list[int]
    portion: Portion = field(init=False)

    def __post_init__(self) -> None:
        self.portion = Portion(self.place.strand)

    def covers(self, block: tuple[int, int]) -> bool:
        return self.place.start <= block[0] and block[1] <= self.place.end


class _Shelf:
    """The transcripts on one contig, by start."""

    def __init__(self, groups: list[_Group]) -> None:
        self._groups = sorted(groups, key=lambda group: group.place.start)
        self._starts = [group.place.start for group in self._groups]
        self._farthest = list(accumulate((group.place.end for group in self._groups), max))
        self._strands = {group.place.strand for group in self._groups}

    def has(self, strand: str) -> bool:
        return any(agree(strand, own) for own in self._strands)

    def over(self, start: int, end: int) -> Iterator[_Group]:
        """Yield the transcripts that overlap [start, end)."""
        at = bisect_left(self._starts, end) - 1
        while at >= 0 and self._farthest[at] > start:
            if self._groups[at].place.end > start:
                yield self._groups[at]
            at -= 1

    def agreeing(self, strand: str) -> list[_Group]:
        return [group for group in self._groups if agree(group.place.strand, strand)]


def _give(places: Sequence[Place], near: list[_Group], run: Run, block: tuple[int, int]) -> None:
    """Add an exon to the transcripts among `near` that it belongs to, or note why it has none."""
    exon = f"{block[0]}-{block[1]}"
    covering = [group for group in near if group.covers(block)]
    same = [group for group in near if group.place.source == run.source]
    chosen = [group for group in same if group.covers(block)]
    if not chosen:
        either = (group.covers(block) or group.place.source == run.source for group in near)
        chosen = [*compress(near, either)] or near
    first = chosen[0].place
    alike = all(one.place[1:5] == first[1:5] for one in chosen)
    for group in chosen:
        portion = group.portion
        if not covering:
            place = f"{group.place.start}-{group.place.end}"
            portion.refuse(EXONS_OUTSIDE, f"exon {exon} is not within {place}")
        elif alike:
            portion.blocks.append(block)
            portion.copies = sum(len(one.members) for one in chosen)
        elif not portion.problem:
            lines = _lines(places, [i for one in chosen for i in one.members])
            portion.refuse(AMBIGUOUS, f"exon {exon} fits lines {lines}, which share an ID")
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
