"""The loci that the exons of one ID make, if there is no line of a transcript."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from histpred.genome.reasons import AMBIGUOUS, TRANS_SPLICED
from histpred.genome.regions import Blocks

FAR = 10_000  # bp; exons that are farther apart get a note, if their transcript has no line
UNSTRANDED = (".", "?")


class Run(NamedTuple):
    """Exons of one ID on one strand of a contig; `numbers` are their exon_numbers, 0 if unknown."""

    line: int
    chrom: str
    strand: str
    source: str
    blocks: Blocks
    numbers: tuple[int, ...] = ()


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
