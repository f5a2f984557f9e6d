"""scatter.json of a VCF: its shards, and what was judged for all of it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from histpred.bundle.encoding import EncoderChoice
from histpred.core.finished import read_record
from histpred.core.output import input_digest
from histpred.core.strict_json import parse
from histpred.core.version import __version__
from histpred.genome.plan import OpenWindows
from histpred.genome.request import Request
from histpred.scoring.promise import Part, Result
from histpred.scoring.provenance import AnnotationRecord, FastaRecord
from histpred.scoring.record import WindowsIdentity, windows_identity
from histpred.scoring.scatter import SCATTER


class ScatteredVariants(Result):
    """How a scattering of a VCF went.

    records, alleles: of the VCF; windows: that read alleles; the others: see `VariantsRun`.
    """

    records: int
    alleles: int
    windows: int
    shards: int
    rows: int
    skipped_rows: dict[str, int]
    past_end: int
    fresh: bool = True


class VariantsShard(Part):
    """A part of the VCF, and the table of the windows that read its alleles."""

    file: str
    table: str
    records: int
    alleles: int
    windows: int
    sha256: str
    table_sha256: str


class ScatterVariantsIdentity(WindowsIdentity):
    """What fixes the shards."""

    vcf_sha256: str = Field(alias="VCF sha256")
    shard_alleles: int = Field(alias="shard alleles")


class ScatterVariantsRecord(Part):
    """All of scatter.json; the pipeline reads `expensive`, `identity` and `shards`.

    marks: of the annotation's windows. warnings_of_windows: those that hold if such a mark is
    scored.
    """

    schema_version: str = "1.0"
    identity: ScatterVariantsIdentity
    expensive: bool
    result: ScatteredVariants
    marks: tuple[str, ...]
    warnings: list[str]
    warnings_of_windows: list[str]
    vcf: str
    annotation: AnnotationRecord
    fasta: FastaRecord
    shards: list[VariantsShard]
    outputs: dict[str, str]


def identity_of(
    vcf: str,
    request: Request,
    choice: EncoderChoice,
    shard_alleles: int,
    windows: OpenWindows | None = None,
) -> ScatterVariantsIdentity:
    """What fixes the shards; `windows` as in `windows_identity`."""
    fields = windows_identity(request, choice, windows)
    own = {"VCF sha256": input_digest(vcf), "shard alleles": shard_alleles}
    return ScatterVariantsIdentity.model_validate(fields | own)


def is_of_vcf(folder: Path) -> bool:
    """True if a folder's scatter.json is of a VCF; False if it is not, or cannot be read."""
    try:
        fields = parse((folder / SCATTER).read_bytes())
        return isinstance(fields, dict) and "vcf" in fields
    except (OSError, ValueError):
        return False


def read_scattered_variants(folder: Path) -> ScatterVariantsRecord:
    """The scatter.json of a folder; InputError if it is not of a VCF, or of another version."""
    remedy = f"make it with histpred scatter --vcf of this version, {__version__}"
    return read_record(folder / SCATTER, ScatterVariantsRecord, "scatter", remedy)
