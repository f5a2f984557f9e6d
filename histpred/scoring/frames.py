"""DataFrames in place of files: annotations and labels as inputs, tables as results."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from histpred.core.columns import COLUMNS, HEADER, NAMES
from histpred.core.errors import HistpredError

if TYPE_CHECKING:
    import pandas


@contextmanager
def annotation_file(annotation: str | os.PathLike[str] | pandas.DataFrame) -> Iterator[str]:
    """The path of an annotation; a DataFrame's columns are written as those of a BED, in order."""
    if isinstance(annotation, str | os.PathLike):
        yield os.fspath(annotation)
        return
    with output_path(None, "annotation.bed") as path:
        annotation.to_csv(path, sep="\t", header=False, index=False, quoting=csv.QUOTE_NONE)
        try:
            yield str(path)
        except HistpredError as error:
            error.message = error.message.replace(str(path), "<DataFrame>")
            raise


@contextmanager
def labels_table(labels: str | os.PathLike[str] | pandas.DataFrame) -> Iterator[Path]:
    """The path of a table of labels; a DataFrame is written as one."""
    if isinstance(labels, str | os.PathLike):
        yield Path(labels)
        return
    with output_path(None, "labels.tsv") as path:
        labels.to_csv(path, sep="\t", index=False)
        yield path


@contextmanager
def output_path(out: str | os.PathLike[str] | None, name: str) -> Iterator[Path]:
    """The path of an output; None: one called `name` that does not outlive the context."""
    if out is not None:
        yield Path(out)
        return
    with tempfile.TemporaryDirectory() as scratch:
        yield Path(scratch) / name


def read_frame(path: Path) -> pandas.DataFrame:
    """A table of windows or scores; `start` and `end` are 0-based half-open."""
    import pandas

    types = {column.name: column.type for column in COLUMNS} | {"blocks": str, "outside": int}
    table = pandas.read_csv(
        path, sep="\t", dtype=str, keep_default_na=False, quoting=csv.QUOTE_NONE
    )
    table = table.rename(columns={HEADER[0]: NAMES[0]})
    return table.astype({name: types.get(name, float) for name in table.columns})
