"""A finished prediction as one file for those who go on in Python: AnnData or Parquet.

AnnData (https://anndata.readthedocs.io) is held in memory as a whole; Parquet is written from a few
thousand windows at once, whatever their number.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from histpred.core.columns import NAMES, NUMBERS
from histpred.core.errors import InputError, UsageError, first_line
from histpred.core.marks import hex_colour, mark
from histpred.core.output import output_files, refuse_inputs, temporary_faults
from histpred.scoring.embed import VECTOR, window_fields
from histpred.scoring.record import read_finished
from histpred.scoring.tables import AGAIN, AT_ONCE, SCORES, Rows, read_scores

if TYPE_CHECKING:
    import pandas
    from anndata import AnnData

H5AD, PARQUET = ".h5ad", ".parquet"
IDENTITY = "histpred"  # the key under which both formats keep the prediction's identity
CATEGORIES = ("chrom", "strand", "biotype")
SAME = ("chrom", "start", "end", "name", "strand")  # what a window of embeddings is known by
EMBED_AGAIN = "run histpred embed on the same ANNOTATION and FASTA, with the options of predict"
Progress = Callable[[int, int], None]


class Converted(NamedTuple):
    """What was written. dimension: of the vectors, None where there are none."""

    windows: int
    marks: int
    dimension: int | None


class Table(NamedTuple):
    """A prediction that is being read.

    identity: what run.json says that it was made from. windows: their number. dimension: as in
    `Converted`. rows: some at once, with their vectors, float32 [rows, dimension], if there are.
    """

    identity: dict[str, Any]
    marks: tuple[str, ...]
    windows: int
    dimension: int | None
    rows: Iterator[tuple[Rows, np.ndarray | None]]


def suffix_of(out: Path) -> str:
    """H5AD or PARQUET; UsageError for a file of another name."""
    if out.suffix not in (H5AD, PARQUET):
        raise UsageError(
            f"{out}: what to write is told from the name, and this is neither AnnData nor Parquet",
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
) -> Converted:
    """Write a prediction as one table of windows and marks.

    Parameters
    ----------
    scores
        The folder of a finished `histpred predict`.
    out
        A `.h5ad` file: what `to_anndata` gives. Or a `.parquet` file: the columns of windows, a
        float64 column for each mark, and `vector`, float32; `histpred` in the file's metadata is
        the identity of run.json, as JSON.
    embeddings
        The table that `histpred embed` wrote of the same windows, for their vectors.
    overwrite
        Replace an existing file.
    progress
        Called with the number of windows read, and of all.

    Raises
    ------
    InputError
        Where the folder is no finished prediction, or the embeddings are of other windows: with the
        first that differs.
    OutputError
        Where `out` exists (without `overwrite`), or is an input.
    UsageError
        For an `out` of another name.
    """
    write = {H5AD: _write_h5ad, PARQUET: _write_parquet}[suffix_of(out)]
    refuse_inputs([out], [embeddings] if embeddings else [])
    with (
        temporary_faults(),
        output_files([out], overwrite) as work,
        _open(scores, embeddings, progress) as table,
    ):
        write(table, work / out.name)
        return Converted(table.windows, len(table.marks), table.dimension)


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
        half-open), called by their names, see `unique_names`. var: mark_class and colour
        ('#rrggbb') of each mark. obsm['embedding']: float32 [windows, dimension], if given.
        uns['histpred']: the identity of run.json, as text.

    Raises
    ------
    InputError
        As `convert`.
    """
    with _open(scores, embeddings) as table:
        return _anndata(table)


def unique_names(windows: pandas.DataFrame) -> list[str]:
    """A name for each window that no other has: its own where that is the only one, else with its
    place, and where that repeats too, with its number.

    >>> import pandas
    >>> places = [("chr1", 5, 9, name, "+") for name in ("a", "b", "b")]
    >>> unique_names(pandas.DataFrame(places, columns=SAME))
    ['a', 'b::chr1:5-9(+)', 'b::chr1:5-9(+)-2']
    """
    counts = Counter(windows["name"])
    taken = {name for name, count in counts.items() if count == 1}
    repeats: Counter[str] = Counter()
    names = []
    for chrom, start, end, name, strand in windows[list(SAME)].itertuples(index=False):
        if counts[name] > 1:
            placed = name = f"{name}::{chrom}:{start}-{end}({strand})"
            while name in taken:
                repeats[placed] += 1
                name = f"{placed}-{repeats[placed] + 1}"
            taken.add(name)
        names.append(name)
    return names


def _anndata(table: Table) -> AnnData:
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


def _write_h5ad(table: Table, path: Path) -> None:
    import h5py
    from anndata.io import write_elem

    data = _anndata(table)
    # In memory first: where a file cannot be written, HDF5 crashes.
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        write_elem(file, "/", data, dataset_kwargs={"compression": "gzip"})
        file.flush()
        path.write_bytes(file.id.get_file_image())


def _write_parquet(table: Table, path: Path) -> None:
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
) -> Iterator[Table]:
    record = read_finished(scores, AGAIN).model_dump(by_alias=True, mode="json")
    total = record["result"]["scored"]
    path = scores / SCORES
    with ExitStack() as stack:
        marks, blocks = stack.enter_context(read_scores(path))
        dimension, vectors_of = None, None
        if embeddings:
            dimension, vectors_of = stack.enter_context(_vectors(embeddings, total))

        def rows() -> Iterator[tuple[Rows, np.ndarray | None]]:
            done = 0
            for block in blocks:
                done += len(block.windows)
                if done > total:
                    break
                yield block, vectors_of(block.windows) if vectors_of else None
                progress(done, total)
            if done != total:
                raise InputError(path, f"does not have {total:,} rows, as run.json says", AGAIN)
            if vectors_of:
                vectors_of([])

        yield Table(record["identity"], marks, total, dimension, rows())


@contextmanager
def _vectors(
    path: Path, total: int
) -> Iterator[tuple[int, Callable[[list[list[str]]], np.ndarray]]]:
    """The dimension of a table that `histpred embed` wrote, and a function from the next windows of
    `total` to their vectors, float32 [windows, dimension].

    Both raise InputError: where it is no such table, and where its windows are others.
    """
    import pyarrow as arrow
    from pyarrow import parquet

    @contextmanager
    def reading() -> Iterator[None]:
        try:
            yield
        except (OSError, arrow.ArrowException) as error:
            raise InputError(path, f"cannot be read: {first_line(error)}", EMBED_AGAIN) from error

    with ExitStack() as stack:
        with reading():
            # pyarrow would else keep in memory what it has read.
            file = stack.enter_context(parquet.ParquetFile(path, pre_buffer=False))
        schema, columns = file.schema_arrow, [*SAME, VECTOR]
        vector = schema.field(VECTOR).type if {*columns} <= {*schema.names} else arrow.null()
        if not arrow.types.is_fixed_size_list(vector) or vector.value_type != arrow.float32():
            raise InputError(path, "is not a table of windows and vectors", EMBED_AGAIN)
        batches = file.iter_batches(AT_ONCE, columns=columns, use_threads=False)
        rest = schema.empty_table().select(columns)
        done = 0

        def take(windows: list[list[str]]) -> np.ndarray:
            nonlocal rest, done
            wanted = len(windows) or 1  # after the last window there must be none
            with reading():
                while len(rest) < wanted and (batch := next(batches, None)):
                    rest = arrow.concat_tables([rest, arrow.Table.from_batches([batch])])
            here, rest = rest.slice(0, wanted), rest.slice(wanted)
            due = [(row[0], int(row[1]), int(row[2]), row[3], row[4]) for row in windows]
            found = list(zip(*(here[name].to_pylist() for name in SAME), strict=True))
            if found != due:
                pairs = enumerate(zip_longest(found, due), start=done + 1)
                row, (one, other) = next((row, pair) for row, pair in pairs if pair[0] != pair[1])
                raise InputError(
                    path,
                    f"row {row:,} of its {file.metadata.num_rows:,} is {_place(one)}; of the "
                    f"{total:,} of the scores it is {_place(other)}",
                    EMBED_AGAIN,
                )
            done += len(windows)
            return here[VECTOR].combine_chunks().flatten().to_numpy().reshape(-1, vector.list_size)

        yield vector.list_size, take


def _place(window: tuple[str, int, int, str, str] | None) -> str:
    if window is None:
        return "missing"
    chrom, start, end, name, strand = window
    return f"{name} at {chrom}:{start}-{end}({strand})"


def _texts(texts: Iterable[str]) -> pandas.Index:
    """Of Python's own strings: not every anndata can write those of pandas 3."""
    import pandas

    return pandas.Index(list(texts), dtype=object)


def _categories(texts: Iterable[str]) -> pandas.Categorical:
    import pandas

    texts = list(texts)
    return pandas.Categorical(texts, _texts(sorted(set(texts))))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
