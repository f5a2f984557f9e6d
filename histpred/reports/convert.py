"""A finished prediction as one file for work in Python: AnnData or Parquet.

AnnData (https://anndata.readthedocs.io) is built in memory; Parquet is written a few thousand
windows at a time, in memory that does not grow with their number.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import JsonValue

from histpred.core.columns import NAMES, NUMBERS, PLACE
from histpred.core.errors import InputError, UsageError
from histpred.core.marks import hex_colour, mark
from histpred.core.output import output_files, refuse_inputs, temporary_faults
from histpred.reports.vectors import VectorTable
from histpred.scoring.embed import VECTOR, window_fields
from histpred.scoring.record import read_finished
from histpred.scoring.tables import AGAIN, SCORES, Rows, read_scores

if TYPE_CHECKING:
    import pandas
    from anndata import AnnData

H5AD, PARQUET = ".h5ad", ".parquet"
IDENTITY = "histpred"  # key of the prediction's identity in both formats
CATEGORIES = ("chrom", "strand", "biotype")
Progress = Callable[[int, int], None]


class Conversion(NamedTuple):
    """Size of a converted prediction; dimension: of the vectors, None without."""

    windows: int
    marks: int
    dimension: int | None


class PredictionTable(NamedTuple):
    """A prediction that is being read.

    identity: that of run.json. windows: their number. dimension: as in `Conversion`. rows: blocks
    of rows, each with its vectors, float32 [rows, dimension], or None.
    """

    identity: dict[str, JsonValue]
    marks: tuple[str, ...]
    windows: int
    dimension: int | None
    rows: Iterator[tuple[Rows, np.ndarray | None]]


def suffix_of(out: Path) -> str:
    """H5AD or PARQUET; UsageError for other file names."""
    if out.suffix not in (H5AD, PARQUET):
        raise UsageError(
            f"{out}: the name decides the format, and this one means neither AnnData nor Parquet",
            f"name it FILE{H5AD} or FILE{PARQUET}",
        )
    return out.suffix


def convert(
    scores: Path,
    out: Path,
    embeddings: Path | None = None,
    *,
    overwrite: bool = False,
    progress: Progress = lambda done, total: None,
) -> Conversion:
    """Write a prediction as one table of windows and marks.

    Parameters
    ----------
    scores
        The folder of a finished `histpred predict`.
    out
        A `.h5ad` file: see `to_anndata`. Or a `.parquet` file: the columns of windows, a float64
        column for each mark, and `vector`, float32; `histpred` in the file's metadata is the
        identity of run.json, as JSON.
    embeddings
        The table of `histpred embed` for the same windows, to add their vectors.
    overwrite
        Replace an existing file.
    progress
        Called with the number of windows read, and of all.

    Raises
    ------
    InputError
        If the folder is not a finished prediction, or the embeddings are of other windows; the
        message names the first that differs.
    OutputError
        If `out` exists (without `overwrite`), or is an input.
    UsageError
        If the name of `out` has another ending.
    """
    write = {H5AD: _write_h5ad, PARQUET: _write_parquet}[suffix_of(out)]
    refuse_inputs([out], [embeddings] if embeddings else [])
    with (
        temporary_faults(),
        output_files([out], overwrite) as work,
        _open(scores, embeddings, progress) as table,
    ):
        write(table, work / out.name)
        return Conversion(table.windows, len(table.marks), table.dimension)


def to_anndata(scores: Path, embeddings: Path | None = None) -> AnnData:
    """A prediction as AnnData.

    Parameters
    ----------
    scores, embeddings
        As for `convert`.

    Returns
    -------
    anndata.AnnData
        X: probabilities, float32 [windows, marks]. obs: the columns of windows (coordinates 0-based
        half-open), indexed by `unique_names`. var: mark_class and colour ('#rrggbb') of each mark.
        obsm['embedding']: float32 [windows, dimension], if given. uns['histpred']: the identity of
        run.json, as text.

    Raises
    ------
    InputError
        As `convert`.
    """
    with _open(scores, embeddings) as table:
        return _anndata(table)


def unique_names(windows: pandas.DataFrame) -> list[str]:
    """A unique name for each window.

    Names that repeat get the window's place, and names that repeat at one place a number.

    >>> import pandas
    >>> places = [("chr1", 5, 9, name, "+") for name in ("a", "b", "b")]
    >>> unique_names(pandas.DataFrame(places, columns=PLACE))
    ['a', 'b::chr1:5-9(+)', 'b::chr1:5-9(+)-2']
    """
    counts = Counter(windows["name"])
    taken = {name for name, count in counts.items() if count == 1}
    repeats: Counter[str] = Counter()
    names = []
    for chrom, start, end, name, strand in windows[list(PLACE)].itertuples(index=False):
        if counts[name] > 1:
            placed = name = f"{name}::{chrom}:{start}-{end}({strand})"
            while name in taken:
                repeats[placed] += 1
                name = f"{placed}-{repeats[placed] + 1}"
            taken.add(name)
        names.append(name)
    return names


def _anndata(table: PredictionTable) -> AnnData:
    import pandas
    from anndata import AnnData

    probabilities = np.empty((table.windows, len(table.marks)), np.float32)
    vectors = np.empty((table.windows, table.dimension or 0), np.float32)
    windows = [pandas.DataFrame(columns=NAMES, dtype=object).astype(NUMBERS)]
    done = 0
    for rows, some in table.rows:
        here = slice(done, done := done + len(rows.windows))
        probabilities[here] = rows.probabilities
        if some is not None:
            vectors[here] = some
        windows.append(pandas.DataFrame(rows.windows, columns=NAMES, dtype=object).astype(NUMBERS))
    obs = pandas.concat(windows, ignore_index=True)
    for column in CATEGORIES:
        obs[column] = _categories(obs[column])
    obs.index = _texts(unique_names(obs))

    marks = [mark(name) for name in table.marks]
    index = _texts(table.marks)
    var = pandas.DataFrame(
        {
            "mark_class": _categories([mark.mark_class for mark in marks]),
            "colour": pandas.Series(_texts(map(hex_colour, table.marks)), index),
        },
        index,
    )
    return AnnData(
        probabilities,
        obs,
        var,
        uns={IDENTITY: {key: _text(value) for key, value in table.identity.items()}},
        obsm={"embedding": vectors} if table.dimension is not None else {},
    )


def _write_h5ad(table: PredictionTable, path: Path) -> None:
    import h5py
    from anndata.io import write_elem

    data = _anndata(table)
    # In memory first: HDF5 crashes if a file cannot be written.
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        write_elem(file, "/", data, dataset_kwargs={"compression": "gzip"})
        file.flush()
        path.write_bytes(file.id.get_file_image())


def _write_parquet(table: PredictionTable, path: Path) -> None:
    import pyarrow as arrow
    from pyarrow import parquet

    fields = [*window_fields(), *(arrow.field(name, arrow.float64()) for name in table.marks)]
    if table.dimension is not None:
        fields.append(arrow.field(VECTOR, arrow.list_(arrow.float32(), table.dimension)))
    schema = arrow.schema(fields, metadata={IDENTITY: json.dumps(table.identity)})
    with parquet.ParquetWriter(path, schema) as writer:
        for rows, vectors in table.rows:
            texts = zip(NAMES, zip(*rows.windows, strict=True), strict=True)
            columns = [np.array(column, NUMBERS.get(name, object)) for name, column in texts]
            columns += list(rows.probabilities.T)
            if vectors is not None:
                values = arrow.array(vectors.reshape(-1))
                columns.append(arrow.FixedSizeListArray.from_arrays(values, table.dimension))
            writer.write_table(arrow.table(columns, schema=schema))


@contextmanager
def _open(
    scores: Path, embeddings: Path | None, progress: Progress = lambda done, total: None
) -> Iterator[PredictionTable]:
    record = read_finished(scores, AGAIN)
    total = record.result.scored
    path = scores / SCORES
    with ExitStack() as stack:
        marks, blocks = stack.enter_context(read_scores(path))
        vectors = stack.enter_context(VectorTable(embeddings, total)) if embeddings else None

        def rows() -> Iterator[tuple[Rows, np.ndarray | None]]:
            done = 0
            for block in blocks:
                done += len(block.windows)
                if done > total:
                    break
                yield block, vectors.take(block.windows) if vectors else None
                progress(done, total)
            if done != total:
                raise InputError(path, f"does not have the {total:,} rows of run.json", AGAIN)
            if vectors:
                vectors.take([])  # raises if more are left

        dimension = vectors.dimension if vectors else None
        yield PredictionTable(record.identity.shown(), marks, total, dimension, rows())


def _texts(texts: Iterable[str]) -> pandas.Index:
    """An index of Python strings: not every anndata can write those of pandas 3."""
    import pandas

    return pandas.Index(list(texts), dtype=object)


def _categories(texts: Iterable[str]) -> pandas.Categorical:
    import pandas

    texts = list(texts)
    return pandas.Categorical(texts, _texts(sorted(set(texts))))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
