"""Tables of windows, which `histpred windows` and `scatter` write and every command can read.

The columns are those of a prediction without marks, then `blocks`: the genomic intervals that are
read, as `start-end`, ascending, separated by commas; '.' if that is the window itself. A single
block may extend past the window, and past the contig (`-150-850`). `outside` is the number of bases
that were to be read too, but lie outside the contig and were cut off. If the sequences are those of
`--transcripts`, a last column `transcript` has the ID of each in there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from histpred.core.columns import HEADER, LAYOUT, NAMES
from histpred.core.errors import InputError
from histpred.genome.bed import STRANDS
from histpred.genome.lines import parse_position
from histpred.genome.reasons import ZERO_LENGTH
from histpred.genome.regions import LONGEST_REACH, Blocks, Feature, is_too_far
from histpred.genome.spool import pack_blocks
from histpred.genome.windows import Row

_BLOCK = re.compile(r"(-?[0-9]{1,10})-([0-9]{1,10})", re.ASCII)
TRANSCRIPT = "transcript"
FIELDS = (*NAMES, "blocks", "outside")
HINT = "write the table again with histpred windows"
TABLE_HEADER = "\t".join((HEADER[0], *FIELDS[1:]))
OF_TRANSCRIPTS = f"{TABLE_HEADER}\t{TRANSCRIPT}"
EARLIER_HEADERS = ("\t".join((*HEADER[:8], "blocks")),)  # of the first release


def table_row(row: Row, transcript: str = "") -> str:
    """A row as a line of the table; `transcript`: the ID of its sequence in `--transcripts`."""
    blocks = row.window.blocks
    packed = pack_blocks(blocks) if blocks else "."
    last = f"\t{transcript}" if transcript else ""
    return f"{LAYOUT % row.values}\t{packed}\t{row.window.outside}{last}\n"


def is_table(name: str, number: int, line: str) -> bool:
    """True if a line is the header of such a table; InputError if it is that of another release."""
    if line in EARLIER_HEADERS:
        raise InputError(name, "a table of windows of an earlier release", HINT, number)
    return line in (TABLE_HEADER, OF_TRANSCRIPTS)


def read_windows(
    name: str, lines: Iterable[tuple[int, str]], header: str = TABLE_HEADER
) -> Iterator[Feature]:
    """Yield the windows of the numbered lines after the `header`, as features.

    `name` is the file's name, for errors. Raises InputError with the line number for a bad row.
    """
    columns = (*FIELDS, TRANSCRIPT) if header == OF_TRANSCRIPTS else FIELDS
    for number, line in lines:
        if not line.strip():
            continue
        fields = line.split("\t")
        if len(fields) != len(columns):
            found = f"{len(fields)} columns where the header has {len(columns)}"
            hint = "its header is that of a table of windows: write it again with histpred windows"
            raise InputError(name, found, hint, number)
        row = dict(zip(columns, fields, strict=True))
        chrom, strand = row["chrom"], row["strand"]
        start = parse_position(name, number, "start", row["start"], HINT)
        end = parse_position(name, number, "end", row["end"], HINT)
        if start > end or not chrom or strand not in STRANDS:
            shown = f"contig {chrom!r}, start {start}, end {end}, strand {strand!r}"
            raise InputError(name, f"not a window: {shown}", HINT, number)
        blocks = None if row["blocks"] == "." else _blocks(name, number, row["blocks"], start, end)
        problem = "" if start < end else ZERO_LENGTH
        outside = parse_position(name, number, "outside", row["outside"], HINT)
        names = row["name"], row["gene_id"], row["biotype"]
        if not all(names):
            found = f"an empty name, gene_id or biotype: {', '.join(map(repr, names))}"
            raise InputError(name, found, f"write '.' for what is unknown, or {HINT}", number)
        feature = Feature(number, chrom, start, end, strand, *names, blocks, problem)
        yield feature._replace(outside=outside, transcript=row.get(TRANSCRIPT) or ".")


def _blocks(name: str, number: int, text: str, start: int, end: int) -> Blocks:
    if block := _BLOCK.fullmatch(text):
        left, right = int(block[1]), int(block[2])
        if left < right and not is_too_far(block[2]):
            if max(start - left, right - end) > LONGEST_REACH:
                found = f"the window {start}-{end} is to be read with the bases {left}-{right}"
                most = f"a window is read with at most {LONGEST_REACH:,} bp to each side"
                raise InputError(name, found, f"{most}: {HINT}", number)
            return ((left, right),)
    edges: list[int] = []
    if all(block.count("-") == 1 for block in text.split(",")):
        positions = re.split("[-,]", text)
        edges = [parse_position(name, number, "position", edge, HINT) for edge in positions]
    if not edges or (edges[0], edges[-1]) != (start, end) or edges != sorted(edges):
        hint = "they must ascend from start to end, as in 100-200,300-400"
        raise InputError(name, f"blocks of {start}-{end} are {text[:60]!r}", hint, number)
    return tuple(zip(edges[::2], edges[1::2], strict=True))
