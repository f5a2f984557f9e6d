"""The transcript that stands for a gene, where each gene is one spliced sequence.

It is the first that there is of: the one tagged Ensembl_canonical; MANE_Select; RefSeq_Select
(NCBI's choice where there is no MANE); APPRIS principal 1 to 5; else the longest, spliced. Of
several such transcripts the longest is taken, and of those as long the first by ID.
"""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from histpred.genome.regions import Feature

_TAGS = re.compile(r"(?:^|;)\s*tag[\s=]+\"?([^\";]+)")
_APPRIS = "appris_principal"  # GENCODE's early releases have no number
CHOICES = (
    *("Ensembl_canonical", "MANE_Select", "RefSeq_Select"),
    *(f"{_APPRIS}_{number}" for number in range(1, 6)),
)
LONGEST = len(CHOICES)  # the rank of a transcript without any of these tags

SCHEMA = "create table preferred (line int primary key, rank int) without rowid;"


class Candidate(NamedTuple):
    """A transcript of a gene; the least is chosen. length: in bp, of its exons, negative."""

    unusable: bool
    rank: int
    length: int
    name: str
    line: int
    start: int
    end: int
    biotype: str


class Locus(NamedTuple):
    """The transcript that stands for a gene: line and name; the gene's biotype; the note."""

    line: int
    name: str
    biotype: str
    note: str


def rank_of(attributes: str) -> int:
    """The place in CHOICES of a transcript's best tag, from the attributes of a GTF or GFF3 line.

    >>> rank_of('gene_id "G"; tag "basic"; tag "MANE_Select";'), rank_of("ID=t;tag=RefSeq Select")
    (1, 2)
    >>> rank_of("ID=t;tag=basic,appris_principal_3"), rank_of("ID=t;Note=Ensembl_canonical")
    (5, 8)
    """
    if "tag" not in attributes:
        return LONGEST
    tags = {
        tag.strip().replace(" ", "_")
        for tags in _TAGS.findall(attributes)
        for tag in tags.split(",")
    }
    if _APPRIS in tags:
        tags.add(f"{_APPRIS}_1")
    return next((rank for rank, tag in enumerate(CHOICES) if tag in tags), LONGEST)


def store_rank(database: sqlite3.Connection, line: int, attributes: str) -> None:
    """Store the rank of a transcript's line, if it has a tag of CHOICES."""
    if (rank := rank_of(attributes)) < LONGEST:
        database.execute("insert or ignore into preferred values (?, ?)", (line, rank))


def choose(
    database: sqlite3.Connection, read: Callable[[], Iterable[Feature]]
) -> Iterator[Feature]:
    """Yield each gene as one feature: the place and the exons of the transcript that stands for it.

    `read` returns all transcripts, with exons, each time that it is called; memory grows with their
    number, not with their exons. A gene whose transcripts all have a problem has that of one of
    them. Transcripts without a line of their gene are of one gene if they overlap; those with a
    problem are rows by themselves. `transcript` is the ID of the transcript, and the note says why
    it was chosen.
    """
    ranks = dict(database.execute("select line, rank from preferred"))
    loci: dict[tuple[object, ...], list[Candidate]] = defaultdict(list)
    for feature in read():
        rank = ranks.get(feature.line, LONGEST)
        length = -sum(end - start for start, end in feature.exons or ())
        usable = (bool(feature.problem), rank, length, feature.name)
        loci[_key(feature)].append(
            Candidate(*usable, feature.line, feature.start, feature.end, feature.biotype)
        )
    chosen = {
        key: [_best_of(group) for group in ([members] if key[0] else _overlapping(members))]
        for key, members in loci.items()
    }
    for feature in read():
        for locus in chosen[_key(feature)]:
            if (locus.line, locus.name) == (feature.line, feature.name):
                yield _as_gene(feature, locus)


def _key(feature: Feature) -> tuple[object, ...]:
    """What the transcripts of a gene have in common; the first value is false without its line."""
    if feature.gene_line or feature.problem:
        return feature.gene_line or -feature.line, feature.gene_id
    return 0, feature.gene_id, feature.chrom, feature.strand


def _overlapping(members: list[Candidate]) -> Iterator[list[Candidate]]:
    """Divide transcripts into groups that overlap, directly or through others."""
    members = sorted(members, key=lambda candidate: candidate.start)
    group, reach = [members[0]], members[0].end
    for candidate in members[1:]:
        if candidate.start >= reach:
            yield group
            group, reach = [], candidate.end
        group.append(candidate)
        reach = max(reach, candidate.end)
    yield group


def _best_of(group: list[Candidate]) -> Locus:
    best = min(group)
    below = {candidate.biotype for candidate in group}
    biotype = "protein_coding" if "protein_coding" in below else "."
    if len(below) == 1:
        biotype = best.biotype
    usable = sum(not candidate.unusable for candidate in group)
    why = f"the longest of {usable}" if usable > 1 else "the only one"
    if best.rank < LONGEST:
        why = CHOICES[best.rank]
    return Locus(best.line, best.name, biotype, f"transcript {best.name} ({why})")


def _as_gene(transcript: Feature, locus: Locus) -> Feature:
    """The transcript with the names of its gene."""
    known = (transcript.gene_name, transcript.gene_id, transcript.name)
    biotype = transcript.gene_biotype if transcript.gene_biotype != "." else locus.biotype
    gene = transcript._replace(
        name=next(name for name in known if name != "."),
        biotype=biotype,
        gene_biotype=biotype,
        transcript=transcript.name,
    )
    return gene if transcript.problem else gene.with_note(locus.note)
