"""run.json: the inputs of a prediction, its result, and the digests of its files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, JsonValue

from histpred.bundle.encoding import EncoderChoice
from histpred.core.errors import InputError
from histpred.core.execution import Execution
from histpred.core.finished import digests_of, read_record, refuse_altered, write_record
from histpred.core.version import __version__
from histpred.genome.ledger import LEDGER
from histpred.genome.plan import OpenWindows
from histpred.genome.request import FILE, Request, request_identity
from histpred.genome.windows import WindowSpec
from histpred.scoring.launch import Launch
from histpred.scoring.promise import MarkRecord, Part, Result
from histpred.scoring.provenance import (
    AnnotationRecord,
    EncoderRecord,
    FastaRecord,
    OutputFile,
    Tools,
    provenance,
)
from histpred.scoring.tables import CALLS, SCORES

RUN = "run.json"
OUTPUTS = (
    *(f"{table}{suffix}" for table in (SCORES, CALLS) for suffix in ("", ".tbi", ".csi")),
    LEDGER,
    RUN,
)

Count = Annotated[int, Field(ge=0)]


class WindowsIdentity(Part):
    """What fixes the windows of a run and their bundle.

    biotypes, genes: sorted; records before 1.2 lack genes and source. transcripts_sha256: of the
    files with sequences of transcripts, in their order.
    """

    histpred: str = __version__
    annotation_sha256: str = Field(alias="annotation sha256")
    fasta_sha256: str = Field(alias="FASTA sha256")
    bundle: str | None
    window: WindowSpec
    level: str = Field(alias="by")
    biotypes: tuple[str, ...]
    genes: tuple[str, ...] = ()
    unstranded: bool
    source: str = FILE
    transcripts_sha256: tuple[str, ...] = Field((), alias="transcripts sha256")

    def shown(self) -> dict[str, JsonValue]:
        """The fields as run.json holds them."""
        return self.model_dump(mode="json", by_alias=True)


class Identity(WindowsIdentity):
    """What fixes the bytes of a prediction.

    marks: that were scored; records of the first release lack them. table: False: there are calls
    and tracks only. call_precision: for which the thresholds were chosen; None: the bundle's.
    """

    precision: str
    marks: tuple[str, ...] = ()
    table: bool = True
    call_precision: float | None = Field(None, alias="call precision")


class Prediction(Result):
    """How a run went.

    rows: of the annotation. scored: windows. calls: windows and marks above the threshold. skipped:
    rows by reason. past_end: rows clipped because they end past their contig. first_words: what a
    reader must know first, see `histpred.bundle.calls.first_words`; records before 1.2 lack them.
    warnings: those that were logged. device: where the encoder ran, or the scorer if that encoder
    is always on the CPU. fresh: False if the folder already held this very result. embedded,
    reused: chunks that went through the encoder, and chunks that a store had.
    """

    rows: Count
    scored: Count
    calls: Count
    skipped: dict[str, Count]
    past_end: Count
    first_words: tuple[str, ...] = ()
    warnings: list[str]
    device: str
    fresh: bool = True
    embedded: int = 0
    reused: int = 0


class ShardRecord(Part):
    """One of the predictions that were gathered."""

    windows: int
    bases: int
    device: str
    seconds: float


class RunRecord(Part):
    """All of run.json. parts: of a prediction that was gathered; started: ISO 8601, UTC.

    launch: only of a prediction that a pipeline made.

    marks: in the order of the columns; records before 1.2 lack them.
    """

    schema_version: str = "1.2"
    identity: Identity
    result: Prediction
    marks: tuple[MarkRecord, ...] = ()
    annotation: AnnotationRecord
    fasta: FastaRecord
    encoder: EncoderRecord
    versions: dict[str, str]
    started: str
    seconds: float
    parts: tuple[ShardRecord, ...] | None = None
    launch: Launch | None = None
    outputs: dict[str, OutputFile]

    @property
    def unpredicted(self) -> dict[str, str]:
        """The marks whose probabilities are NA, and why."""
        return {mark.name: mark.unpredicted for mark in self.marks if mark.unpredicted}


def windows_identity(
    request: Request, choice: EncoderChoice, windows: OpenWindows | None = None
) -> dict[str, object]:
    """The fields of `WindowsIdentity`; without open `windows`, both inputs are read for them."""
    digests = windows and (windows.annotation.digest, windows.reference.digest)
    known = request_identity(request, choice.window.kind, digests)
    name = choice.bundle and choice.bundle.identity
    return {**known, "bundle": name, "window": choice.window}


def prediction_identity(
    request: Request,
    choice: EncoderChoice,
    execution: Execution,
    windows: OpenWindows | None = None,
) -> Identity:
    """What fixes the bytes of a prediction; `windows` as in `windows_identity`."""
    fields = windows_identity(request, choice, windows)
    marks = tuple(mark.name for mark in choice.scored)
    own = {"precision": execution.precision, "marks": marks, "table": execution.table}
    own |= {"call_precision": choice.call_precision}
    return Identity.model_validate(fields | own)


def read_finished(folder: Path, remedy: str, with_table: bool = True) -> RunRecord:
    """The record of a folder that `histpred predict` wrote.

    Raises InputError, with the `remedy`, for other folders, for records of another schema version,
    and if files are missing or altered; and for a prediction without a table, if that is needed.
    """
    record = read_record(folder / RUN, RunRecord, "predict", remedy)
    if with_table and not record.identity.table:
        found = f"was predicted with --no-table, so it has no {SCORES}"
        raise InputError(folder, found, "predict again without --no-table")
    refuse_altered(folder, digests_of(record), remedy)
    return record


def write_run(
    work: Path,
    started: float,
    identity: Identity,
    result: Prediction,
    marks: tuple[MarkRecord, ...],
    inputs: tuple[AnnotationRecord, FastaRecord],
    tools: Tools,
    parts: tuple[ShardRecord, ...] | None = None,
) -> None:
    """Write run.json beside the other outputs in `work`; `started`: seconds since the epoch."""
    record = RunRecord(
        identity=identity,
        result=result,
        marks=marks,
        parts=parts,
        launch=tools.launch,
        **provenance(work, OUTPUTS, started, inputs, tools),
    )
    without = {name for name in ("parts", "launch") if getattr(record, name) is None}
    write_record(work / RUN, record, without)
