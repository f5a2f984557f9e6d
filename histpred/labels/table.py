"""Tab-separated tables with a header, as the readers of labels, splits and sheets need them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from histpred.core.errors import InputError, first_few
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
                raise ragged(path, len(fields), width, number)
            yield number, fields


def ragged(path: str | Path, found: int, width: int, number: int) -> InputError:
    """The error for a row with `found` columns below a header with `width`."""
    message = f"{found} columns where the header has {width}"
    return InputError(path, message, "is a tab missing, or is the file cut short?", number)


def read_records(
    path: str | Path, needed: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and values of each row, by the names of the columns in lower case.

    Raises InputError (file:line) for a needed column that is missing and for a needed or optional
    one that is there twice.
    """
    rows = read_rows(path)
    number, header = next(rows, (0, []))
    hint = f"separate columns with tabs; the header must name {' and '.join(needed)}"
    if not number:
        raise InputError(path, "is empty", hint)
    columns = [name.lower() for name in header]
    missing = [f"no column {name!r}" for name in needed if name not in columns]
    twice = [f"two columns {name!r}" for name in needed + optional if columns.count(name) > 1]
    if faults := missing + twice:
        raise InputError(path, f"{' and '.join(faults)}: {first_few(header)}", hint, number)
    for number, fields in rows:
        yield number, dict(zip(columns, fields, strict=True))
