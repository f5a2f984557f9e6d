"""Annotation and genome to shards: tables of windows that can be scored side by side.

What needs the whole annotation happens here, once. The windows to score are cut, in genome order,
into shards of about the same work. Each shard is an annotation for `predict` and `embed`. Tiles
that lie side by side are one row, a run, which `predict` with the same tiles cuts again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
from pydantic import Field

from histpred.bundle.encoding import EncoderChoice
from histpred.core.finished import held, is_ours, read_record, write_record
from histpred.core.hts import quiet_htslib
from histpred.core.journal import file_digest
from histpred.core.log import tell
from histpred.core.output import output_folder, refuse_inputs, temporary_faults
from histpred.core.version import __version__
from histpred.encoders import sharing
from histpred.encoders.chunks import check_window
from histpred.encoders.embedder import alone_in, shares_bins
from histpred.genome.ledger import LEDGER
from histpred.genome.plan import OpenWindows, open_windows, refuse_nothing, scorable
from histpred.genome.regions import SPLICED
from histpred.genome.request import Request
from histpred.genome.runs import RunReader, loaded, runs_in
from histpred.genome.table import table_row
from histpred.genome.tiles import Block, tile_blocks
from histpred.genome.transcripts import table_writer
from histpred.scoring.costs import Costs, cuts
from histpred.scoring.domain import Surroundings, input_warnings
from histpred.scoring.promise import Part, Result
from histpred.scoring.provenance import AnnotationRecord, FastaRecord, input_records
from histpred.scoring.record import WindowsIdentity, windows_identity
from histpred.scoring.tables import FORMATS

SCATTER, SHARDS = "scatter.json", "shards"
SHARD_FILES = (".tsv", ".vcf.gz")


class Scattered(Result):
    """How a scattering went.

    windows: each tile counts. bases: of all windows, in bp; of tiles, those that the encoder must
    see. The others: see `Prediction`.
    """

    rows: int
    windows: int
    bases: int
    shards: int
    skipped: dict[str, int]
    past_end: int
    fresh: bool = True


class Shard(Part):
    """A file of windows. windows, bases: as of `Scattered`; work: bases that the encoder must see.

    A run of tiles is one row of the file, but each of its tiles is a window.
    """

    file: str
    windows: int
    bases: int
    work: int
    sha256: str


class ScatterIdentity(WindowsIdentity):
    """What fixes the shards."""

    shard_bases: int = Field(alias="shard bases")
    chunks: str


class ScatterRecord(Part):
    """All of scatter.json; the pipeline reads `expensive`, `result` and `shards`."""

    schema_version: str = "1.0"
    identity: ScatterIdentity
    expensive: bool
    result: Scattered
    warnings: list[str]
    annotation: AnnotationRecord
    fasta: FastaRecord
    shards: list[Shard]
    outputs: dict[str, str]


def scatter(
    request: Request,
    choice: EncoderChoice,
    out: Path,
    shard_bases: int,
    overwrite: bool = False,
    recorded_as: tuple[str, str] | None = None,
) -> Scattered:
    """Write shards of the windows of an annotation to `out/shards`, their ledger and scatter.json.

    `choice` is what the windows will be embedded with; on a grid, bases that the window before also
    has cost nothing, and a tile that shares its bins costs its own bases. `shard_bases` is the most
    bases that the windows of a shard have together, give or take one window. `recorded_as`: paths
    for the record; None: the request's. Raises HistpredError for what `predict` would refuse;
    nothing is published then.
    """
    check_window(choice.chunks, choice.window.kind)
    refuse_inputs([out / SCATTER, out / LEDGER, *shards_in(out)], request.files)
    identify = partial(_identity, request, choice, shard_bases)
    if known := held(out / SCATTER, ScatterRecord, "other shards", identify, overwrite):
        return known.result.of_before()

    names = [LEDGER, SCATTER]
    with quiet_htslib(), temporary_faults(), ExitStack() as stack:
        work = stack.enter_context(output_folder(out, names, is_ours))
        (work / SHARDS).mkdir()
        windows = stack.enter_context(open_windows(request, choice.window, work, FORMATS))
        warnings = input_warnings(windows, choice)

        costs = Costs(choice.chunks)
        spool = work / "windows.tsv"
        spooled = _spool_tiles if choice.window.tile else _spool
        lacking = spooled(spool, windows, choice, costs)
        refuse_nothing(windows.annotation, windows.ledger, costs.windows, "scored")
        tell([], lacking)
        with open(spool, encoding="utf-8", newline="\n") as lines:
            take = _taker(lines, windows, choice)
            header, _ = table_writer(windows.transcripts)
            shards = list(_write_shards(header, take, work, costs, shard_bases))
        spool.unlink()
        windows.ledger.write(work / LEDGER)

        annotation, fasta = input_records(recorded_as or request.files, windows)
        record = ScatterRecord(
            identity=identify(windows),
            expensive=choice.is_expensive,
            result=_result(windows, costs, shards),
            warnings=warnings + lacking,
            annotation=annotation,
            fasta=fasta,
            shards=shards,
            outputs={one.file: one.sha256 for one in shards} | {LEDGER: file_digest(work / LEDGER)},
        )
        write_record(work / SCATTER, record)
        # Remove what an earlier scattering into other shards left, even if it was killed.
        left = (f"{SHARDS}/{path.name}" for path in shards_in(out))
        names[:] = [*dict.fromkeys([*left, *record.outputs]), SCATTER]
    return record.result


def _result(windows: OpenWindows, costs: Costs, shards: Sequence[Shard]) -> Scattered:
    return Scattered(
        rows=windows.ledger.rows,
        windows=costs.windows,
        bases=sum(shard.bases for shard in shards),
        shards=len(shards),
        skipped=windows.ledger.skipped,
        past_end=windows.plan.past_end,
    )


def _spool(spool: Path, windows: OpenWindows, choice: EncoderChoice, costs: Costs) -> list[str]:
    """Write the windows that will be scored to one table, add up what they cost; warnings."""
    around = Surroundings(windows.annotation.format)
    _, line_of = table_writer(windows.transcripts)
    batches = scorable(windows.ledger, windows.reference, choice.window, windows.transcripts)
    with open(spool, "w", encoding="utf-8", newline="\n") as target:
        for batch in batches:
            around.add(batch)
            for row in batch:
                if row.window.blocks:  # a row of a table
                    check_window(choice.chunks, SPLICED)
                target.write(line_of(row))
                costs.add(row.window)
    return around.warnings()


def _spool_tiles(
    spool: Path, windows: OpenWindows, choice: EncoderChoice, costs: Costs
) -> list[str]:
    """Write the runs of tiles that will be scored, in pieces, add up what they cost; warnings."""
    around, spec = Surroundings(windows.annotation.format), choice.window
    if spec.whole:
        check_window(choice.chunks, SPLICED)
    work = _work_of_tiles(choice)
    with open(spool, "w", encoding="utf-8", newline="\n") as target:
        for block in tile_blocks(windows.ledger, windows.reference, spec):
            around.add_tiles(block)
            costs.add_tiles(work(block))
            target.writelines(run.dumped() for run in runs_in(block))
    return around.warnings()


def _work_of_tiles(choice: EncoderChoice) -> Callable[[Block], np.ndarray]:
    """A function that returns the bases that the encoder must see for each tile of a block."""
    shared = sharing(choice.spec)
    if shared is None or not shares_bins(shared, choice.chunks, choice.window):
        return lambda block: block.read
    symmetric = shared.symmetric
    return lambda block: np.where(alone_in(block, symmetric), block.read, block.lengths)


def _taker(
    lines: Iterator[str], windows: OpenWindows, choice: EncoderChoice
) -> Callable[[int], Iterable[str]]:
    """A function that takes so many windows from a spool, as rows of a table."""
    spec = choice.window
    if not spec.tile:
        return lambda count: islice(lines, count)
    runs = RunReader(map(loaded, lines), windows.reference, spec)
    return lambda count: (table_row(run.row()) for run in runs.take(count))


def read_scattered(folder: Path) -> ScatterRecord:
    """The scatter.json of a folder; InputError if it is not ours or of another version."""
    remedy = f"make it with histpred scatter of this version, {__version__}"
    return read_record(folder / SCATTER, ScatterRecord, "scatter", remedy)


def _identity(
    request: Request, choice: EncoderChoice, shard_bases: int, windows: OpenWindows | None = None
) -> ScatterIdentity:
    fields = windows_identity(request, choice, windows)
    return ScatterIdentity.model_validate(
        fields | {"shard bases": shard_bases, "chunks": str(choice.chunks)}
    )


def shards_in(out: Path) -> list[Path]:
    """The files below `out` that are named as shards of an annotation or of a VCF are."""
    found = [path for ending in SHARD_FILES for path in (out / SHARDS).glob(f"*{ending}")]
    return [path for path in found if path.name.partition(".")[0].isdecimal()]


def _write_shards(
    header: str, take: Callable[[int], Iterable[str]], work: Path, costs: Costs, shard_bases: int
) -> Iterator[Shard]:
    """Write the windows that `take` returns, cut at `cuts`; yields a record of each shard."""
    ends = cuts(costs.work, shard_bases, costs.counts)
    digits = max(4, len(str(len(ends))))
    spent = costs.spent(ends)
    for number, (start, end) in enumerate(pairwise([0, *ends]), 1):
        name = f"{SHARDS}/{number:0{digits}}.tsv"
        with open(work / name, "w", encoding="utf-8", newline="\n") as target:
            target.write(f"{header}\n")
            target.writelines(take(end - start))
        bases, seen = next(spent)
        yield Shard(
            file=name,
            windows=end - start,
            bases=bases,
            work=seen,
            sha256=file_digest(work / name),
        )
