"""BED3 to BED9, BED12 and BEDn+m (narrowPeak is BED6+4): each row is a feature.

The BED specification v1 (https://samtools.github.io/hts-specs/BEDv1.pdf) is enforced, except where
files in use differ: scores (they are not read), the order of rows, unique rows, names without
spaces. Files also put other things in columns 6 and 10 to 12 (ENCODE's cCREs, IDR, bedMethyl,
bedtools intersect -wb), so these are read only for windows that need a strand or blocks. A row of
length zero is kept as a feature with a problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from histpred.core.errors import InputError
from histpred.genome.lines import parse_position
from histpred.genome.reasons import ZERO_LENGTH
from histpred.genome.regions import FARTHEST, Blocks, Feature, is_too_far
from histpred.genome.typed_regions import like_regions

HEADERS = ("#", "track", "browser")
MAY_BE_HEADER = frozenset(("", "#", "t", "b", " ", "\t"))
LONGEST = 2 * len(str(FARTHEST))  # digits of start and end
STRANDS = ("+", "-", ".")
NAME = re.compile(r"[\"']?[A-Za-z][\w.@-]*[\"']?", re.ASCII)  # of a gene


def is_header(line: str) -> bool:
    """True for comment, track, browser and blank lines."""
    if line.startswith(HEADERS):
        return line[0] == "#" or line.split(None, 1)[0] in HEADERS
    return not line.strip()


def read_bed(
    name: str, lines: Iterable[tuple[int, str]], stranded: bool = False, blocked: bool = False
) -> Iterator[Feature]:
    """Yield the features of numbered BED lines; `name` is the file's name, for errors.

    stranded: column 6 must be a strand; otherwise anything else there is read as '.', with a note.
    blocked: columns 10 to 12 are blocks; otherwise they are not read. Raises InputError with the
    line number for a malformed row.
    """
    columns = 0
    for number, line in lines:
        if line[:1] in MAY_BE_HEADER and is_header(line):
            continue
        fields = line.split("\t")
        if not columns:
            columns = _column_count(name, number, line, fields)
        elif len(fields) != columns:
            found = f"{len(fields)} columns where the rows before have {columns}"
            hint = "every row needs the same columns: is a tab missing, or is the file truncated?"
            raise InputError(name, found, hint, number)

        chrom, first, last = fields[:3]
        both = first + last
        whole = both.isascii() and both.isdigit() and first and last and len(both) <= LONGEST
        if not whole:
            _refuse_coordinates(name, number, first, last)
        start, end = int(first), int(last)
        if start > FARTHEST or end > FARTHEST:
            _refuse_coordinates(name, number, first, last)
        if start > end:
            hint = "swap the two, or correct the row"
            raise InputError(name, f"start {start} is after end {end}", hint, number)
        if not chrom or chrom.isspace():
            found = f"the contig name is {chrom!r}"
            raise InputError(name, found, "give the name of a contig", number)
        strand, note = fields[5] if columns >= 6 else ".", ""
        if strand not in STRANDS:
            found = f"strand (column 6) is {strand[:40]!r}"
            if stranded:
                hint = "it must be '+', '-' or '.'; only --window interval needs no strand"
                if columns >= 10 and fields[4].isdigit() and strand.isdigit():
                    hint = "is this a BEDPE? write the two ends of a pair as rows of a BED"
                raise InputError(name, found, hint, number)
            strand, note = ".", f"{found}: read as '.'"

        label = fields[3] if columns >= 4 else ""
        if label in ("", "."):
            label = f"{chrom}:{start}-{end}"
        read_blocks = blocked and columns >= 12
        exons = _blocks(name, number, fields, start, end) if read_blocks else None
        problem = ZERO_LENGTH if start == end else ""
        yield Feature(number, chrom, start, end, strand, label, ".", ".", exons, problem, note)


def _column_count(name: str, number: int, line: str, fields: list[str]) -> int:
    if len(fields) >= 3:
        return len(fields)
    if len(line.split()) >= 3:
        found = "not tab-delimited: the columns are separated by spaces"
        hint = "convert them to tabs, for example: tr -s ' ' '\\t' < FILE"
        raise InputError(name, found, hint, number)
    word = line.strip()
    if NAME.fullmatch(word):
        found = f"a list of names, not an annotation: {word[:40]!r}"
        command = f"histpred predict genes.gtf.gz genome.fa --genes {name} -o out"
        hint = f"give the annotation, and the list to --genes of predict: {command}"
        raise InputError(name, found, hint, number)
    if like_regions(word):
        found = f"a list of regions, not an annotation: {word[:40]!r}"
        hint = f"type them, as in histpred predict $(cat {name}) genome.fa -o out; or write a BED"
        raise InputError(name, found, hint, number)
    hint = "a BED has at least three columns, GTF and GFF3 have nine, separated by tabs"
    raise InputError(name, f"{len(fields)} column(s), found {line[:40]!r}", hint, number)


def _refuse_coordinates(name: str, number: int, first: str, last: str) -> None:
    """Raise InputError for a start or end that is negative, not a whole number, or too large."""
    for what, text in (("start", first), ("end", last)):
        if text.startswith("-") and text[1:].isdigit():
            raise InputError(name, f"{what} is {text}", "BED coordinates start at 0", number)
        hint = "correct the row; if it is a header line, begin it with '#'"
        parse_position(name, number, what, text, hint)


def _blocks(name: str, number: int, fields: list[str], start: int, end: int) -> Blocks:
    """The genomic blocks of a BED12 row."""
    count, *lists = fields[9:12]
    sizes, starts = (text.rstrip(",").split(",") for text in lists)
    texts = (count, *sizes, *starts)
    if not all(text.isascii() and text.isdigit() and not is_too_far(text) for text in texts):
        shown = f"{count[:20]!r}, {lists[0][:40]!r}, {lists[1][:40]!r}"
        found = f"blockCount, blockSizes or blockStarts are not whole numbers: {shown}"
        hint = (
            "spliced windows read columns 10 to 12 as a number and two comma-separated lists: "
            "cut other columns off, or use another --window"
        )
        raise InputError(name, found, hint, number)
    if not len(sizes) == len(starts) == int(count):
        found = f"blockCount is {count}, but there are {len(sizes)} sizes and {len(starts)} starts"
        raise InputError(name, found, "correct the row", number)

    blocks = tuple(
        (start + int(offset), start + int(offset) + int(size))
        for offset, size in zip(starts, sizes, strict=True)
    )
    if blocks[0][0] != start or blocks[-1][1] != end:
        hint = "the first block must start at 0, and the last one must end at the row's end"
        raise InputError(name, "the blocks do not span the row from start to end", hint, number)
    if any(left == right for left, right in blocks) and start != end:
        raise InputError(name, "a block has length zero", "remove the block", number)
    if any(left[1] > right[0] for left, right in pairwise(blocks)):
        found = "the blocks overlap or are not in order"
        raise InputError(name, found, "sort or merge them", number)
    return blocks
