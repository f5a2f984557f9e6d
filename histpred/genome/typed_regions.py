"""Regions that a user types, as samtools and browsers write them: chr22:20,100,000-20,104,000.

Positions count from 1 and both ends belong to the region. A strand may follow (`:+`, `:-`). Commas
between digits and blanks are ignored; regions are separated by blanks, commas or semicolons. The
name of a contig alone stands for all of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import UsageError
from histpred.genome.regions import FARTHEST, Feature, is_too_far

FORM = "write CONTIG:START-END, such as chr22:20,100,000-20,104,000, with :+ or :- for a strand"
_NUMBER = r"\d{1,3}(?:,\d{3})+|\d+"
_WORD = re.compile(r"[^\s,;]+")
_CHROMOSOME = re.compile(r"(chr)?(\d{1,2}|[XYM]|MT)|chr[IVXLR]+|N[CTW]_\d{6,}\.\d+", re.ASCII)
_SEPARATORS = re.compile(r"[\s,;]*")
_REGION = re.compile(
    rf"(?P<contig>[^\s,;]+?)\s*:\s*(?P<start>{_NUMBER})\s*(?:-|\u2013|\.\.)\s*(?P<end>{_NUMBER})"
    r"(?:\s*:\s*(?P<strand>[-+.]))?(?=[\s,;]|$)",
    re.ASCII,
)
_LIKE_A_REGION = re.compile(r"[^\s:/]\s*:\s*[-\d]")


class Region(NamedTuple):
    """A typed region, 1-based and with both ends.

    end: 0 for all of the contig, from start 1. strand: '.' if none was given.
    """

    contig: str
    start: int
    end: int
    strand: str = "."

    @property
    def name(self) -> str:
        """The region without its strand."""
        return self.contig if self.whole else f"{self.contig}:{self.start}-{self.end}"

    @property
    def whole(self) -> bool:
        """True for a contig from its start to its end."""
        return not self.end

    def __str__(self) -> str:
        return self.name if self.strand == "." else f"{self.name}:{self.strand}"

    def feature(self, line: int, length: int) -> Feature:
        """The region as a feature, 0-based half-open.

        line: its number. length: of its contig, bp.
        """
        end = self.end or length
        return Feature(line, self.contig, self.start - 1, end, self.strand, self.name)


def like_regions(text: str) -> bool:
    """True if a text is meant as a region, though it may be malformed.

    >>> like_regions("chr22:20,100,000"), like_regions("genes.gtf"), like_regions("s3://a/1.bed")
    (True, False, False)
    """
    return "://" not in text and bool(_LIKE_A_REGION.search(text))


def names_contig(word: str, fasta: str) -> bool:
    """True if a word is the name of a contig in the index beside a FASTA, or of a chromosome.

    >>> names_contig("chr22", "genome.fa"), names_contig("genes.gft", "genome.fa")
    (True, False)
    """
    try:
        index = Path(f"{fasta}.fai").read_text(encoding="utf-8")
    except (OSError, ValueError):
        index = ""
    listed = any(line.partition("\t")[0] == word for line in index.splitlines())
    return listed or bool(_CHROMOSOME.fullmatch(word))


def parse_regions(
    text: str, is_contig: Callable[[str], bool] = lambda word: False
) -> tuple[Region, ...]:
    """All regions of a text; raises UsageError if it is anything else.

    is_contig: says which words are contigs.

    >>> [str(region) for region in parse_regions("chr22:20,100,000 - 20,104,000:+ 2:5-9")]
    ['chr22:20100000-20104000:+', '2:5-9']
    """
    found = []
    place = _leading(text, 0)
    while place < len(text):
        match = _REGION.match(text, place)
        word = _WORD.match(text, place)
        if not match and word and is_contig(word[0]):
            found.append(Region(word[0], 1, 0))
            place = _leading(text, word.end())
            continue
        if not match:
            raise UsageError(f"not a region: {text[place : place + 60]!r}", _hint(text[place:]))
        found.append(_checked(match))
        place = _leading(text, match.end())
    if not found:
        raise UsageError("no region was given", FORM)
    return tuple(found)


def canonical(regions: Iterable[Region]) -> str:
    """The regions as one text, which `parse_regions` reads."""
    return " ".join(map(str, regions))


def _checked(match: re.Match[str]) -> Region:
    texts = match["start"].replace(",", ""), match["end"].replace(",", "")
    for text in texts:
        if is_too_far(text):
            what = f"{match[0]}: {text[:20]} is past the end of any contig"
            raise UsageError(what, f"the largest position is {FARTHEST:,}")
    start, end = map(int, texts)
    if not start:
        raise UsageError(f"{match[0]}: positions of a region count from 1", "begin it at 1")
    if start > end:
        raise UsageError(f"{match[0]}: start {start:,} is after end {end:,}", "swap the two")
    return Region(match["contig"], start, end, match["strand"] or ".")


def _hint(rest: str) -> str:
    """What to do about the rest of a text that does not begin with a region."""
    if re.match(rf"\S+?\s*:\s*(?:{_NUMBER})(?:\s|$)", rest, re.ASCII):
        return f"it has one position: {FORM}"
    if re.match(r"\S+:[\d,]+-[\d,]+\([-+.]\)", rest, re.ASCII):
        return f"a region has its strand behind a colon: {FORM}"
    return FORM


def _leading(text: str, place: int) -> int:
    """The place behind the separators at `place`."""
    match = _SEPARATORS.match(text, place)
    return match.end() if match else place
