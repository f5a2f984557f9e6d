"""The columns of a row: what every table of windows begins with, before the marks.

A new column is added here and, with its value, in `histpred.genome.windows.row_of`. Every writer
and reader of scores, windows, embeddings, tracks and reports goes by this table; the columns of
marks begin where it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Value = str | int | float


class Column(NamedTuple):
    """A column: its name, the type of its values, and the %-layout in which they are printed."""

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
)
"""`start` and `end` are 0-based half-open, in bp."""

NAMES = tuple(column.name for column in COLUMNS)
HEADER = (f"#{NAMES[0]}", *NAMES[1:])  # tabix and bedtools pass over lines that begin with '#'
LAYOUT = "\t".join(column.layout for column in COLUMNS)
NUMBERS = {column.name: column.type for column in COLUMNS if column.type is not str}
PROBABILITY = "%.6g"  # the layout of a mark's column


def values_of(fields: Sequence[str]) -> tuple[Value, ...]:
    """The first fields of a line as values of their columns' types.

    Raises ValueError if one is not of its column's type.
    """
    return tuple(column.type(field) for column, field in zip(COLUMNS, fields, strict=False))
