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
from histpred.scoring.launch import Launch
from histpred.scoring.promise import Part, Result
from histpred.scoring.provenance import (
    AnnotationRecord,
    EncoderRecord,
    FastaRecord,
    OutputFile,
    Tools,
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
    reason. effects: pairs of allele and window. compared: of them, those with random
    substitutions of the window; above_half, above_all: of these, those whose largest difference
    over the marks is above that of half, and of all, of the random ones. rows: of the annotation;
    skipped_rows: of them, by reason; past_end: clipped because they end past their contig.
    resolution: what the bundle can resolve; None if no window was scored. The others: see
    `histpred.scoring.record.Prediction`.
    """

    alleles: Count
    scored: Count
    skipped: dict[str, Count]
    effects: Count
    compared: Count
    above_half: Count
    above_all: Count
    rows: Count
    skipped_rows: dict[str, Count]
    past_end: Count
    resolution: Resolution | None
    warnings: list[str]
    device: str
    fresh: bool = True
    embedded: int = 0
    reused: int = 0


class PartRecord(Part):
    """One of the parts of a VCF whose effects were gathered."""

    alleles: int
    effects: int
    device: str
    seconds: float


class VariantsRecord(Part):
    """All of variants.json. scales: of the differences of each mark, 'calibrated' or 'raw'.

    parts, launch: as of `histpred.scoring.record.RunRecord`.
    """

    schema_version: str = "1.1"
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
    parts: tuple[PartRecord, ...] | None = None
    launch: Launch | None = None
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
    inputs: tuple[str, AnnotationRecord, FastaRecord],
    tools: Tools,
    parts: tuple[PartRecord, ...] | None = None,
) -> None:
    """Write the record beside the other outputs in `work`; `started`: seconds since the epoch.

    inputs: the path of the VCF that it shows, and what it says of annotation and FASTA.
    """
    record = VariantsRecord(
        identity=identity,
        result=result,
        scales=scales,
        vcf=inputs[0],
        parts=parts,
        launch=tools.launch,
        **provenance(work, OUTPUTS, started, inputs[1:], tools),
    )
    without = {name for name in ("parts", "launch") if getattr(record, name) is None}
    write_record(work / RECORD, record, without)
