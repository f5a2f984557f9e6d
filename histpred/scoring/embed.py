"""Embed the windows of a request into a store, a table or memory, or map a function over them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from histpred.bundle.encoding import EncoderChoice
from histpred.core.columns import COLUMNS, NAMES
from histpred.core.errors import UsageError
from histpred.core.execution import Execution
from histpred.core.hts import quiet_htslib
from histpred.core.log import tell
from histpred.core.output import (
    output_files,
    refuse_inputs,
    scratch_folder,
    store_is_kept,
    temporary_faults,
)
from histpred.encoders import Encoder
from histpred.encoders.chunks import check_window
from histpred.encoders.embedder import EmbeddedWindows, Embedder
from histpred.encoders.store import Store, encoder_identity, read_parquet
from histpred.genome.plan import open_windows, refuse_nothing, scorable
from histpred.genome.request import Request
from histpred.genome.windows import WindowSpec
from histpred.scoring.domain import Surroundings
from histpred.scoring.scorer import not_finite

if TYPE_CHECKING:
    import pandas
    import pyarrow as arrow

logger = logging.getLogger(__name__)

SUFFIX, VECTOR = ".parquet", "vector"
VECTORS_AT_ONCE = 1024

Computed = TypeVar("Computed")


class Genome(NamedTuple):
    """What annotation and FASTA say of the organism; None if they say nothing."""

    taxon_id: int | None
    build: str | None
    organism: str | None
    lengths: tuple[int, ...]


class EmbeddedRun(NamedTuple):
    """How an embedding run went.

    rows, windows: of the annotation, and with a vector; embedded, reused: chunks computed, and
    chunks that the store had; skipped: rows by reason; past_end: rows clipped as they end past
    their contig; device, precision: those of the encoder.
    """

    rows: int
    windows: int
    embedded: int
    reused: int
    skipped: dict[str, int]
    past_end: int
    device: str
    precision: str


def embed(
    request: Request,
    choice: EncoderChoice,
    encoder: Encoder,
    out: Path | None,
    execution: Execution,
) -> EmbeddedRun:
    """Embed the windows of a request into the store of the execution, into `out`, or both.

    `choice` has opened `encoder`. `out` is a `.parquet` file for the windows in genome order
    (columns of a prediction's table, then `vector`); its ledger goes to `<out>.ledger.tsv`. None:
    the store alone is filled. Raises HistpredError for inputs that cannot be used. What was
    embedded before stays in the store.
    """
    if out is not None and out.suffix != SUFFIX:
        raise UsageError(f"{out}: embeddings are written as Parquet", f"name it OUT{SUFFIX}")
    check_window(choice.chunks, choice.window.kind)
    outputs = [out, out.with_name(f"{out.name}.ledger.tsv")] if out else []
    refuse_inputs(outputs, request.files)
    store = execution.store
    with quiet_htslib(), temporary_faults(), store_is_kept(store), ExitStack() as stack:
        kept = Store(store, encoder_identity(choice.spec, encoder)) if store else None
        embedder = Embedder(encoder, choice.chunks, kept)
        if outputs:
            work = stack.enter_context(output_files(outputs, execution.overwrite))
        elif store:  # one of the two is given
            work = stack.enter_context(scratch_folder(store))
        opened = stack.enter_context(open_windows(request, choice.window, work))
        annotation, reference, ledger, planned, transcripts = opened
        tell(planned.notices, planned.warnings)

        write = stack.enter_context(_table(work / out.name, encoder.dimension)) if out else None
        done = 0
        around = Surroundings(annotation.format)
        batches = scorable(ledger, reference, choice.window, transcripts)
        for windows in stack.enter_context(closing(embedder.embed(batches, reference))):
            _check_finite(windows)
            if write:
                write(windows)
            around.add(windows.rows)
            done += len(windows.rows)
            execution.progress(done, ledger.queued - ledger.passed)
        refuse_nothing(annotation, ledger, done, "embedded")
        tell([], around.warnings())
        if outputs:
            ledger.write(work / outputs[1].name)
        return EmbeddedRun(
            ledger.rows,
            done,
            embedder.embedded,
            embedder.reused,
            ledger.skipped,
            planned.past_end,
            encoder.device,
            encoder.precision,
        )


@contextmanager
def _table(path: Path, dimension: int) -> Iterator[Callable[[EmbeddedWindows], None]]:
    """A function that appends windows to a Parquet file; the file is complete on exit."""
    import pyarrow as arrow
    from pyarrow import parquet

    vector = arrow.field(VECTOR, arrow.list_(arrow.float32(), dimension))
    schema = arrow.schema([*window_fields(), vector])
    with parquet.ParquetWriter(path, schema, write_page_checksum=True) as writer:

        def write(windows: EmbeddedWindows) -> None:
            columns = zip(*(row.values for row in windows.rows), strict=True)
            values = arrow.array(windows.vectors.reshape(-1))
            vectors = arrow.FixedSizeListArray.from_arrays(values, dimension)
            writer.write_table(arrow.table([*map(list, columns), vectors], schema=schema))

        yield write


def window_fields() -> list[arrow.Field]:
    """The columns of a table of windows, as Parquet fields."""
    import pyarrow as arrow

    types = {str: arrow.string(), int: arrow.int64(), float: arrow.float64()}
    return [arrow.field(column.name, types[column.type]) for column in COLUMNS]


def read_table(path: Path) -> tuple[pandas.DataFrame, np.ndarray]:
    """The windows of a table that `embed` wrote, and their vectors, float32 [n, dimension]."""
    table = read_parquet(path)
    column = table[VECTOR].combine_chunks()
    vectors = column.flatten().to_numpy().reshape(-1, column.type.list_size)
    return table.drop_columns([VECTOR]).to_pandas(), vectors


def _check_finite(windows: EmbeddedWindows) -> None:
    bad = np.flatnonzero(~np.isfinite(windows.vectors).all(axis=1))
    if bad.size:
        hint = "the weights are broken or the precision too low: try histpred encoders verify"
        raise not_finite(windows.rows[bad[0]].window, hint)


def embed_windows(
    request: Request,
    choice: EncoderChoice,
    encoder: Encoder,
    work: Path,
    execution: Execution,
    add: Callable[[np.ndarray], None],
) -> pandas.DataFrame:
    """The windows in genome order; `add` gets their vectors, float32 [n, dimension], in batches.

    The columns of the windows are those of `histpred.core.columns`. Raises HistpredError for inputs
    that cannot be used, and ModelError for vectors with NaN.
    """
    from pyarrow import parquet

    table = work / "windows.parquet"
    run = embed(request, choice, encoder, table, execution._replace(overwrite=True))
    if execution.store:
        logger.info(
            f"{run.embedded:,} chunks embedded on {run.device}, {run.reused:,} found in the store"
        )
    with parquet.ParquetFile(table) as file:
        for batch in file.iter_batches(VECTORS_AT_ONCE, columns=[VECTOR], use_threads=False):
            add(batch[VECTOR].flatten().to_numpy().reshape(-1, encoder.dimension))
    return read_parquet(table, list(NAMES)).to_pandas()


def window_sequences(request: Request, window: WindowSpec, work: Path) -> Generator[list[bytes]]:
    """Yield the sequences of windows in batches, 5' to 3' and cleaned; nothing is logged."""
    with quiet_htslib(), open_windows(request, window, work) as opened:
        for batch in scorable(opened.ledger, opened.reference, window, opened.transcripts):
            yield [row.sequence for row in batch]


def map_windows(
    request: Request,
    window: WindowSpec,
    work: Path,
    function: Callable[[Sequence[bytes]], Computed],
    quiet: bool = False,
) -> tuple[pandas.DataFrame, list[Computed], Genome]:
    """Windows as `embed_windows` returns them, and the results of `function` on their sequences.

    `function` gets batches of sequences, 5' to 3' and cleaned. `quiet`: notices and warnings on the
    inputs are left out, since they were logged before.
    """
    import pandas

    rows, results = [], []
    with quiet_htslib(), open_windows(request, window, work) as opened:
        annotation, reference, ledger, planned, transcripts = opened
        if not quiet:
            tell(planned.notices, planned.warnings)
        for batch in scorable(ledger, reference, window, transcripts):
            results.append(function([row.sequence for row in batch]))
            rows += [row.values for row in batch]
        refuse_nothing(annotation, ledger, len(rows), "used")
        lengths = tuple(reference.lengths.values())
        build = annotation.genome_build
        genome = Genome(annotation.taxon_id, build, reference.organism, lengths)
    return pandas.DataFrame(rows, columns=NAMES), results, genome
