"""variants.json: the inputs of a run of `histpred variants`, its result, and the files' digests."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from histpred.bundle.encoding import EncoderChoice
from histpred.core.execution import Execution
from histpred.core.finished import write_record
from histpred.core.output import input_digest
from histpred.genome.ledger import LEDGER
from histpred.genome.plan import OpenWindows
from histpred.genome.request import Request
from histpred.scoring.promise import Part, Result
from histpred.scoring.provenance import (
    AnnotationRecord,
    EncoderRecord,
    FastaRecord,
    OutputFile,
    Tools,
    input_records,
    provenance,
)
from histpred.scoring.record import Count, WindowsIdentity, windows_identity
from histpred.scoring.variants_resolution import Resolution
from histpred.scoring.variants_tables import ANNOTATED, EFFECTS, VARIANTS

RECORD = "variants.json"
OUTPUTS = (
    *(f"{table}{suffix}" for table in (EFFECTS, ANNOTATED) for suffix in ("", ".tbi", ".csi")),
    VARIANTS,
    LEDGER,
    RECORD,
)


class VariantsIdentity(WindowsIdentity):
    """What fixes the bytes. background: number of random substitutions of a window."""

    vcf_sha256: str = Field(alias="VCF sha256")
    precision: str
    marks: tuple[str, ...]
    background: int


class VariantsRun(Result):
    """How a run went.

    alleles: ALT alleles of the VCF. scored: of them, in a window or more. skipped: the others, by
    reason. effects: pairs of allele and window. rows: of the annotation; skipped_rows: of them, by
    reason; past_end: clipped because they end past their contig. resolution: what the bundle can
    resolve; None if no window was scored. The others: see `histpred.scoring.record.Prediction`.
    """

    alleles: Count
    scored: Count
    skipped: dict[str, Count]
    effects: Count
    rows: Count
    skipped_rows: dict[str, Count]
    past_end: Count
    resolution: Resolution | None
    warnings: list[str]
    device: str
    fresh: bool = True
    embedded: int = 0
    reused: int = 0


class VariantsRecord(Part):
    """All of variants.json. scales: of the differences of each mark, 'calibrated' or 'raw'."""

    schema_version: str = "1.0"
    identity: VariantsIdentity
    result: VariantsRun
    scales: dict[str, str]
    vcf: str
    annotation: AnnotationRecord
    fasta: FastaRecord
    encoder: EncoderRecord
    versions: dict[str, str]
    started: str
    seconds: float
    outputs: dict[str, OutputFile]


def identity_of(
    vcf: str,
    request: Request,
    choice: EncoderChoice,
    execution: Execution,
    given: tuple[tuple[str, ...], int],
    windows: OpenWindows | None = None,
) -> VariantsIdentity:
    """What fixes the bytes of a run; `given`: the names of the marks, and the background."""
    fields = windows_identity(request, choice, windows)
    marks, background = given
    own = {"VCF sha256": input_digest(vcf), "marks": marks, "background": background}
    own["precision"] = execution.precision
    return VariantsIdentity.model_validate(fields | own)


def write_variants_record(
    work: Path,
    started: float,
    identity: VariantsIdentity,
    result: VariantsRun,
    scales: dict[str, str],
    inputs: tuple[tuple[str, str, str], OpenWindows],
    tools: Tools,
) -> None:
    """Write the record beside the other outputs in `work`; `started`: seconds since the epoch.

    inputs: the paths of VCF, annotation and FASTA that it shows, and the windows.
    """
    (vcf, *files), windows = inputs
    record = VariantsRecord(
        identity=identity,
        result=result,
        scales=scales,
        vcf=vcf,
        **provenance(work, OUTPUTS, started, input_records(files, windows), tools),
    )
    write_record(work / RECORD, record)
