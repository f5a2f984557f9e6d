"""run.json: the inputs of a prediction, its result, and the digests of its files."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, JsonValue

from histpred.bundle.encoding import EncoderChoice
from histpred.core.errors import InputError
from histpred.core.execution import Execution
from histpred.core.finished import read_record, refuse_altered, refuse_other, write_record, written
from histpred.core.journal import file_digest
from histpred.core.runtime import load_onnxruntime
from histpred.core.version import __version__
from histpred.encoders import Encoder
from histpred.genome.ledger import LEDGER
from histpred.genome.plan import OpenWindows
from histpred.genome.request import FILE, Request, request_identity
from histpred.genome.windows import WindowSpec
from histpred.scoring.launch import Launch
from histpred.scoring.promise import MarkRecord, Part
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


class Prediction(Part):
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


class AnnotationRecord(Part):
    """The annotation of a run, besides its digest."""

    path: str
    format: str
    genome_build: str | None


class FastaRecord(Part):
    """The genome of a run, besides its digest; `renamed`: the FASTA's name by the annotation's."""

    path: str
    contigs: int
    bases: int
    renamed: dict[str, str]


class EncoderRecord(Part):
    """The encoder of a run; `files`: sha256 by name."""

    device: str
    precision: str
    chunks: str | None
    files: dict[str, str]


class OutputFile(Part):
    """A file of the output folder."""

    bytes: int
    sha256: str


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
    def digests(self) -> dict[str, str]:
        """sha256 of the output files, by name."""
        return {name: file.sha256 for name, file in self.outputs.items()}

    @property
    def unpredicted(self) -> dict[str, str]:
        """The marks whose probabilities are NA, and why."""
        return {mark.name: mark.unpredicted for mark in self.marks if mark.unpredicted}


class Tools(NamedTuple):
    """What a prediction was made with: see `RunRecord`."""

    encoder: EncoderRecord
    versions: dict[str, str]
    launch: Launch | None = None


def windows_identity(
    request: Request, choice: EncoderChoice, windows: OpenWindows | None = None
) -> dict[str, object]:
    """The fields of `WindowsIdentity`; without open `windows`, both inputs are read for them."""
    digests = windows and (windows.annotation.digest, windows.reference.digest)
    known = request_identity(request, choice.window.kind, digests)
    bundle = choice.bundle
    name = bundle and f"{bundle.manifest.name} {bundle.manifest.version} {bundle.digest}"
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
    refuse_altered(folder, record.digests, remedy)
    return record


def held(folder: Path, now: Identity) -> Prediction:
    """The result in a folder whose run.json is ours; OutputError if it is not the requested one."""
    record = written(folder / RUN, RunRecord)
    before = record.identity.shown()
    refuse_other(folder, "another prediction", before, now.shown(), record.digests)
    return record.result.model_copy(update={"fresh": False})


def input_records(
    paths: Sequence[str], windows: OpenWindows
) -> tuple[AnnotationRecord, FastaRecord]:
    """What records say of the annotation and of the genome, by the paths that they are to show."""
    given, lengths = windows.annotation, windows.reference.lengths.values()
    annotation = AnnotationRecord(
        path=paths[0], format=given.format, genome_build=given.genome_build
    )
    renamed = windows.reference.names.renamed
    return annotation, FastaRecord(
        path=paths[1], contigs=len(lengths), bases=sum(lengths), renamed=renamed
    )


def tools_of(encoder: Encoder, choice: EncoderChoice, files: dict[str, str]) -> Tools:
    """What records say of an open encoder, whose `files` are sha256 by name, and of packages."""
    used = EncoderRecord(
        device=encoder.device,
        precision=encoder.precision,
        chunks=str(choice.chunks) if choice.chunks else None,
        files=files,
    )
    return Tools(used, versions())


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
    paths = [work / name for name in OUTPUTS if (work / name).exists()]
    record = RunRecord(
        identity=identity,
        result=result,
        marks=marks,
        annotation=inputs[0],
        fasta=inputs[1],
        encoder=tools.encoder,
        versions=tools.versions,
        started=datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        seconds=round(time.time() - started, 3),
        parts=parts,
        launch=tools.launch,
        outputs={
            path.name: OutputFile(bytes=path.stat().st_size, sha256=file_digest(path))
            for path in paths
        },
    )
    without = {name for name in ("parts", "launch") if getattr(record, name) is None}
    write_record(work / RUN, record, without)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages whose release may change a score's last digits."""
    packages = ["numpy", "pysam"]
    packages += [name for name in ("tokenizers", "torch", "transformers") if name in sys.modules]
    return {
        "python": platform.python_version(),
        # Its package may be onnxruntime-gpu.
        "onnxruntime": load_onnxruntime().__version__,
        **{name: version(name) for name in packages},
    }
