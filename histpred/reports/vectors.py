"""The vectors of `histpred embed` for the windows of a prediction, read beside its scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path

import numpy as np

from histpred.core.columns import PLACE, place_of
from histpred.core.errors import InputError, first_line
from histpred.scoring.embed import VECTOR
from histpred.scoring.tables import AT_ONCE

EMBED_AGAIN = "run histpred embed on the same ANNOTATION and FASTA, with the options of predict"


class VectorTable:
    """A table of `histpred embed`, whose vectors are taken in the order of its rows.

    `windows`: how many the scores have. Raises InputError for other tables.
    """

    def __init__(self, path: Path, windows: int) -> None:
        import pyarrow as arrow
        from pyarrow import parquet

        self._path, self._windows = path, windows
        with self._reading():
            # Without pre_buffer=False, pyarrow keeps in memory what it has read.
            self.file = parquet.ParquetFile(path, pre_buffer=False, page_checksum_verification=True)
        schema, columns = self.file.schema_arrow, [*PLACE, VECTOR]
        once = all(schema.names.count(name) == 1 for name in columns)
        vector = schema.field(VECTOR).type if once else arrow.null()
        if not arrow.types.is_fixed_size_list(vector) or vector.value_type != arrow.float32():
            self.file.close()
            raise InputError(path, "is not a table of windows and vectors", EMBED_AGAIN)
        self.dimension: int = vector.list_size
        self._batches = self.file.iter_batches(AT_ONCE, columns=columns, use_threads=False)
        self._rest = schema.empty_table().select(columns)
        self._done = 0

    def take(self, windows: Sequence[Sequence[str]]) -> np.ndarray:
        """The vectors of the next windows (rows of the scores), float32 [windows, dimension].

        With no windows, there must be no row left. Raises InputError for rows of other windows.
        """
        import pyarrow as arrow

        wanted = len(windows) or 1
        with self._reading():
            while len(self._rest) < wanted and (batch := next(self._batches, None)):
                self._rest = arrow.concat_tables([self._rest, arrow.Table.from_batches([batch])])
        here, self._rest = self._rest.slice(0, wanted), self._rest.slice(wanted)
        places = map(place_of, windows)
        due = [(chrom, int(start), int(end), *names) for chrom, start, end, *names in places]
        found = list(zip(*(here[name].to_pylist() for name in PLACE), strict=True))
        if found != due:
            pairs = enumerate(zip_longest(found, due), start=self._done + 1)
            row, (one, other) = next((row, pair) for row, pair in pairs if pair[0] != pair[1])
            raise InputError(
                self._path,
                f"row {row:,} of {self.file.metadata.num_rows:,} is {_shown(one)}; in the scores, "
                f"row {row:,} of {self._windows:,} is {_shown(other)}",
                EMBED_AGAIN,
            )
        self._done += len(windows)
        vectors: np.ndarray = here[VECTOR].combine_chunks().flatten().to_numpy()
        return vectors.reshape(-1, self.dimension)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        import pyarrow as arrow

        try:
            yield
        except (OSError, arrow.ArrowException) as error:
            problem = f"cannot be read: {first_line(error)}"
            raise InputError(self._path, problem, EMBED_AGAIN) from error


def _shown(window: Sequence[object] | None) -> str:
    return "{3} at {0}:{1}-{2}({4})".format(*window) if window else "missing"
