"""The first columns of every table of windows; the columns of marks follow.

To add a column, add it here and its value in `histpred.genome.windows.row_of`. All writers and
readers of scores, windows, embeddings, tracks and reports use this list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import NamedTuple

Value = str | int | float


class Column(NamedTuple):
    """A column: its name, the type of its values, and the %-format in which they are written."""

    name: str
    type: type[str] | type[int] | type[float]
    layout: str


COLUMNS = (
    Column("chrom", str, "%s"),
    Column("start", int, "%d"),
    Column("end", int, "%d"),
    Column("name", str, "%s"),
    Column("strand", str, "%s"),
    Column("gene_id", str, "%s"),
    Column("biotype", str, "%s"),
    Column("n_fraction", float, "%.6g"),
    Column("known_fraction", float, "%.6g"),
)
"""`start` and `end` are 0-based half-open, in bp. n_fraction: share of N in the window.
known_fraction: share of the bases to be read for it that lie on the contig and are not N."""

NAMES = tuple(column.name for column in COLUMNS)
HEADER = (f"#{NAMES[0]}", *NAMES[1:])  # tabix and bedtools ignore lines that begin with '#'
LAYOUT = "\t".join(column.layout for column in COLUMNS)
NUMBERS = {column.name: column.type for column in COLUMNS if column.type is not str}
PROBABILITY = "%.6g"  # the format of a mark's column
NA = "NA"  # the text of all its rows, if the mark is not predicted


def values_of(fields: Sequence[str]) -> tuple[Value, ...]:
    """Convert the first fields of a line to the types of their columns.

    Raises ValueError if a field does not have the type of its column.
    """
    return tuple(column.type(field) for column, field in zip(COLUMNS, fields, strict=False))


def picker(*names: str) -> Callable[[Sequence[str]], tuple[str, ...]]:
    """A function that picks two or more columns, by name, from the fields of a line.

    >>> picker("name", "chrom")(["chr1", "5", "9", "LINC01", "+"])
    ('LINC01', 'chr1')
    """
    return itemgetter(*map(NAMES.index, names))


PLACE = ("chrom", "start", "end", "name", "strand")  # tell one window from another
place_of = picker(*PLACE)
