"""A table of windows: what `histpred windows -o X.tsv` and `histpred scatter` write, and every
command that takes an annotation reads.

The columns are those of a prediction without marks, then `blocks`: the genomic pieces that are read
of a window as `start-end`, ascending, separated by commas; '.' where that is the window itself. A
single piece may reach beyond the window, and beyond the contig (`-150-850`). Rows are windows as
they are: none is cut from them again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise

from histpred.core.columns import HEADER, LAYOUT, NAMES
from histpred.core.errors import InputError
from histpred.genome.bed import STRANDS, ZERO_LENGTH
from histpred.genome.regions import Blocks, Feature, is_too_far
from histpred.genome.windows import Row

_PIECE = re.compile(r"(-?[0-9]{1,10})-([0-9]{1,10})", re.ASCII)
FIELDS = (*NAMES, "blocks")
TABLE_HEADER = "\t".join((*HEADER, "blocks"))


def table_row(row: Row) -> str:
    """A row as a line of the table."""
    blocks = row.window.blocks
    stretches = ",".join(f"{left}-{right}" for left, right in blocks) if blocks else "."
    return f"{LAYOUT % row.values}\t{stretches}\n"


def read_windows(name: str, lines: Iterable[tuple[int, str]]) -> Iterator[Feature]:
    """Features that are windows, of the numbered lines behind the header; `name` is the file's.

    Raises InputError (file:line) for a row that is none.
    """
    for number, line in lines:
        if not line.strip():
            continue
        fields = line.split("\t")
        if len(fields) != len(FIELDS):
            raise InputError(
                name,
                f"{len(fields)} columns where the header has {len(FIELDS)}",
                "this begins as a table of windows that histpred wrote: write it again",
                number,
            )
        row = dict(zip(FIELDS, fields, strict=True))
        chrom, strand = row["chrom"], row["strand"]
        start, end = (_whole(name, number, row[edge]) for edge in ("start", "end"))
        if start > end or not chrom or strand not in STRANDS:
            raise InputError(
                name,
                f"no window: contig {chrom!r}, start {start}, end {end}, strand {strand!r}",
                "write the table again with histpred windows",
                number,
            )
        blocks = None if row["blocks"] == "." else _blocks(name, number, row["blocks"], start, end)
        problem = "" if start < end else ZERO_LENGTH
        names = row["name"], row["gene_id"], row["biotype"]
        yield Feature(number, chrom, start, end, strand, *names, blocks, problem)


def _blocks(name: str, number: int, text: str, start: int, end: int) -> Blocks:
    if piece := _PIECE.fullmatch(text):
        left, right = int(piece[1]), int(piece[2])
        if left < right and not is_too_far(piece[2]):
            return ((left, right),)
    pairs = [piece.split("-") for piece in text.split(",")]
    whole = all(len(pair) == 2 for pair in pairs)
    blocks = [tuple(_whole(name, number, part) for part in pair) for pair in pairs] if whole else []
    edges = list(chain.from_iterable(blocks))
    if not whole or edges[0] != start or edges[-1] != end or any(a > b for a, b in pairwise(edges)):
        raise InputError(
            name,
            f"blocks of {start}-{end} are {text[:60]!r}",
            "they reach from start to end, ascending, as in 100-200,300-400",
            number,
        )
    return tuple((left, right) for left, right in blocks)


def _whole(name: str, number: int, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or is_too_far(text):
        raise InputError(
            name,
            f"not a position: {text[:40]!r}",
            "positions are whole numbers from 0 on",
            number,
        )
    return int(text)
