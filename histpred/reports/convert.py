"""A finished prediction as one file for work in Python: AnnData or Parquet.

AnnData (https://anndata.readthedocs.io) is built in memory; Parquet is written a few thousand
windows at a time, in memory that does not grow with their number.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas
from pydantic import JsonValue

from histpred.core.columns import NAMES, NUMBERS, PLACE, place_of
from histpred.core.errors import InputError, UsageError
from histpred.core.execution import Progress, no_progress
from histpred.core.marks import hex_colour, mark
from histpred.core.output import output_files, refuse_inputs, temporary_faults
from histpred.reports.vectors import VectorTable
from histpred.scoring.called import called_rows
from histpred.scoring.embed import VECTOR, window_fields
from histpred.scoring.promise import MarkRecord
from histpred.scoring.record import read_finished
from histpred.scoring.tables import AGAIN, CALLS, SCORES, Rows, read_scores

if TYPE_CHECKING:
    from anndata import AnnData

H5AD, PARQUET = ".h5ad", ".parquet"
IDENTITY = "histpred"  # key of the prediction's identity in both formats
CALLED = "called"  # layer of AnnData
PROMISES = "marks"  # key of what run.json says of marks, in Parquet
CATEGORIES = ("chrom", "strand", "biotype")


class Conversion(NamedTuple):
    """Size of a converted prediction; dimension: of the vectors, None without."""

    windows: int
    marks: int
    dimension: int | None


class PredictionTable(NamedTuple):
    """A prediction that is being read, in blocks of rows with vectors, float32 [rows, dimension].

    identity, promises: those of run.json; promises: by mark. windows, dimension: as in
    `Conversion`. Rows come with their calls too, bool [rows, marks].
    """

    identity: dict[str, JsonValue]
    promises: dict[str, MarkRecord]
    marks: tuple[str, ...]
    windows: int
    dimension: int | None
    rows: Iterator[tuple[Rows, np.ndarray, np.ndarray | None]]


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
    progress: Progress = no_progress,
) -> Conversion:
    """Write a prediction as one table of windows and marks.

    scores: the folder of a finished `histpred predict`. out: a `.h5ad` file, see `to_anndata`; or a
    `.parquet` file: the columns of windows, a float64 column for each mark, and `vector`, float32;
    `histpred` in the file's metadata is the identity of run.json, as JSON, and `marks` what it
    says of the marks. A mark that is not predicted is null, in AnnData NaN. embeddings: the table
    of `histpred embed` for the same windows, to add their vectors. progress: called with the number
    of windows read, and of all.

    Raises InputError if the folder is not a finished prediction, or the embeddings are of other
    windows (the message names the first that differs), OutputError if `out` exists, without
    `overwrite`, or is an input, and UsageError if its name has another ending.
    """
    write = {H5AD: _write_h5ad, PARQUET: _write_parquet}[suffix_of(out)]
    refuse_inputs([out], [embeddings] if embeddings else [])
    output = output_files([out], overwrite)
    with temporary_faults(), output as work, _open(scores, embeddings, progress) as table:
        write(table, work / out.name)
        return Conversion(table.windows, len(table.marks), table.dimension)


def to_anndata(scores: Path, embeddings: Path | None = None) -> AnnData:
    """A prediction as AnnData; parameters and errors as for `convert`.

    X: probabilities, float32 [windows, marks]. layers['called']: bool, as calls.bed.gz says. obs:
    the columns of windows (coordinates 0-based half-open), indexed by `unique_names`. var:
    mark_class and colour ('#rrggbb') of each mark, threshold, precision and recall of its calls
    (NaN where run.json has none), and why it is not predicted ('' if it is). obsm['embedding']:
    float32 [windows, dimension], if given. uns['histpred']: the identity of run.json, as text.
    """
    with _open(scores, embeddings, no_progress) as table:
        return _anndata(table)


def unique_names(windows: pandas.DataFrame) -> list[str]:
    """A unique name for each window.

    Names that repeat get the window's place, and names that repeat at one place a number.

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
    from anndata import AnnData

    probabilities = np.empty((table.windows, len(table.marks)), np.float32)
    vectors = np.empty((table.windows, table.dimension or 0), np.float32)
    windows = [pandas.DataFrame(columns=NAMES, dtype=object).astype(NUMBERS)]
    called = np.empty(probabilities.shape, bool)
    done = 0
    for rows, calls, some in table.rows:
        here = slice(done, done := done + len(rows.windows))
        probabilities[here], called[here] = rows.probabilities, calls
        if some is not None:
            vectors[here] = some
        windows.append(pandas.DataFrame(rows.windows, columns=NAMES, dtype=object).astype(NUMBERS))
    obs = pandas.concat(windows, ignore_index=True)
    for column in CATEGORIES:
        obs[column] = _categories(obs[column])
    obs.index = _texts(unique_names(obs))

    index = _texts(table.marks)
    var = pandas.DataFrame(
        {
            "mark_class": _categories(mark(name).mark_class for name in table.marks),
            "colour": pandas.Series(_texts(map(hex_colour, table.marks)), index),
            **_promises(table, index),
        },
        index,
    )
    identity = table.identity.items()
    texts = {key: text if isinstance(text, str) else json.dumps(text) for key, text in identity}
    obsm = {} if table.dimension is None else {"embedding": vectors}
    uns, layers = {IDENTITY: texts}, {CALLED: called}
    return AnnData(probabilities, obs, var, uns=uns, obsm=obsm, layers=layers)


def _promises(table: PredictionTable, index: pandas.Index) -> dict[str, pandas.Series]:
    """What the calls of each mark promise, as columns."""
    promises = [table.promises.get(name) for name in table.marks]
    columns = {
        name: pandas.Series([getattr(one, name, None) for one in promises], index, float)
        for name in ("threshold", "precision", "recall")
    }
    reasons = _texts(one.unpredicted if one else "" for one in promises)
    return columns | {"unpredicted": pandas.Series(reasons, index)}


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
    promises = [one.model_dump(mode="json") for one in table.promises.values()]
    metadata = {IDENTITY: json.dumps(table.identity), PROMISES: json.dumps(promises)}
    schema = arrow.schema(fields, metadata=metadata)
    with parquet.ParquetWriter(path, schema, write_page_checksum=True) as writer:
        for rows, _, vectors in table.rows:
            texts = zip(NAMES, zip(*rows.windows, strict=True), strict=True)
            columns = [np.array(column, NUMBERS.get(name, object)) for name, column in texts]
            columns += [arrow.array(each, from_pandas=True) for each in rows.probabilities.T]
            if vectors is not None:
                values = arrow.array(vectors.reshape(-1))
                columns.append(arrow.FixedSizeListArray.from_arrays(values, table.dimension))
            writer.write_table(arrow.table(columns, schema=schema))


@contextmanager
def _open(scores: Path, embeddings: Path | None, progress: Progress) -> Iterator[PredictionTable]:
    record = read_finished(scores, AGAIN)
    total = record.result.scored
    path = scores / SCORES
    with ExitStack() as stack:
        marks, blocks = stack.enter_context(read_scores(path))
        vectors = VectorTable(embeddings, total) if embeddings else None
        if vectors:
            stack.callback(vectors.file.close)

        called = stack.enter_context(called_rows(scores / CALLS, marks))

        def rows() -> Iterator[tuple[Rows, np.ndarray, np.ndarray | None]]:
            done = 0
            for block in blocks:
                done += len(block.windows)
                if done > total:
                    break
                calls = called.take([*map(place_of, block.windows)])
                yield block, calls, vectors.take(block.windows) if vectors else None
                progress(done, total)
            if done != total:
                raise InputError(path, f"does not have the {total:,} rows of run.json", AGAIN)
            called.finish()
            if vectors:
                vectors.take([])  # raises if more are left

        dimension = vectors.dimension if vectors else None
        promises = {one.name: one for one in record.marks}
        yield PredictionTable(record.identity.shown(), promises, marks, total, dimension, rows())


def _texts(texts: Iterable[str]) -> pandas.Index:
    """An index of Python strings: not every anndata can write those of pandas 3."""
    return pandas.Index(list(texts), dtype=object)


def _categories(texts: Iterable[str]) -> pandas.Categorical:
    texts = list(texts)
    return pandas.Categorical(texts, _texts(sorted(set(texts))))
