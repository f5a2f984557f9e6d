"""Tab-separated tables with a header, as the readers of labels, splits and sheets need them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from histpred.core.errors import InputError
from histpred.genome.lines import open_lines


def read_rows(path: str | Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of the header, then of each row; blank lines are skipped.

    Fields have no blanks around them, names in the header no leading '#'. Raises InputError
    (file:line) for a row whose number of columns is not that of the header.
    """
    width = 0
    with open_lines(path) as lines:
        for number, line in lines:
            if not line.strip():
                continue
            fields = [field.strip() for field in line.split("\t")]
            if not width:
                width = len(fields)
                fields = [name.removeprefix("#").strip() for name in fields]
            if len(fields) != width:
                raise InputError(
                    path,
                    f"{len(fields)} columns where the header has {width}",
                    "is a tab missing, or is the file cut short?",
                    number,
                )
            yield number, fields
