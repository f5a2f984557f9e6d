"""run.json of `histpred explain`: its inputs, its options, and the digests of its files."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from histpred.bundle.encoding import EncoderChoice
from histpred.core.execution import Execution
from histpred.core.finished import digests_of, read_record, refuse_altered, write_record
from histpred.genome.ledger import LEDGER
from histpred.genome.plan import OpenWindows
from histpred.genome.request import Request
from histpred.scoring.profile import PROFILE
from histpred.scoring.promise import Part, Result
from histpred.scoring.provenance import (
    AnnotationRecord,
    EncoderRecord,
    FastaRecord,
    OutputFile,
    Tools,
    provenance,
)
from histpred.scoring.record import RUN, Count, WindowsIdentity, windows_identity

CONTRIBUTIONS, BASES, WINDOWS = "contributions.tsv.gz", "bases.tsv.gz", "windows.tsv.gz"
OUTPUTS = (
    *(f"{name}{end}" for name in (CONTRIBUTIONS, BASES, WINDOWS) for end in ("", ".tbi", ".csi")),
    PROFILE,
    LEDGER,
    RUN,
)
AGAIN = "give a folder of histpred explain as that wrote it, or run it again"


class ExplainIdentity(WindowsIdentity):
    """What fixes the bytes of an explanation.

    resolution: bp of a stretch; None: the encoder's own. bases: regions in which each base was
    replaced, as text.
    """

    precision: str
    marks: tuple[str, ...]
    resolution: int | None
    bases: str


class Explanation(Result):
    """How a run went.

    rows: of the annotation. explained: windows. stretches, substitutions: that were replaced, of
    all windows together. divided: into what. scales: by mark, 'calibrated' if contributions are in
    log-odds of the probability, 'raw' if in the score before calibration. skipped: rows by reason.
    fresh: False if the folder already held this very result. embedded, reused: chunks that went
    through the encoder, and that were there already.
    """

    rows: Count
    explained: Count
    stretches: Count
    substitutions: Count
    divided: str
    scales: dict[str, str]
    skipped: dict[str, Count]
    past_end: Count
    first_words: tuple[str, ...] = ()
    warnings: list[str]
    device: str
    fresh: bool = True
    embedded: int = 0
    reused: int = 0


class ExplainRecord(Part):
    """All of run.json."""

    schema_version: str = "1.0"
    identity: ExplainIdentity
    result: Explanation
    annotation: AnnotationRecord
    fasta: FastaRecord
    encoder: EncoderRecord
    versions: dict[str, str]
    started: str
    seconds: float
    outputs: dict[str, OutputFile] = Field(default_factory=dict)


def explain_identity(
    request: Request,
    choice: EncoderChoice,
    execution: Execution,
    options: tuple[int | None, str],
    windows: OpenWindows | None = None,
) -> ExplainIdentity:
    """What fixes the bytes; options: resolution and bases. `windows` as in `windows_identity`."""
    marks = tuple(mark.name for mark in choice.scored if not mark.unpredicted)
    fields = windows_identity(request, choice, windows) | {
        "precision": execution.precision,
        "marks": marks,
        "resolution": options[0],
        "bases": options[1],
    }
    return ExplainIdentity.model_validate(fields)


def read_explained(folder: Path) -> ExplainRecord:
    """The record of a folder that `histpred explain` wrote; InputError for other folders."""
    record = read_record(folder / RUN, ExplainRecord, "explain", AGAIN)
    refuse_altered(folder, digests_of(record), AGAIN)
    return record


def write_run(
    work: Path,
    started: float,
    identity: ExplainIdentity,
    result: Explanation,
    inputs: tuple[AnnotationRecord, FastaRecord],
    tools: Tools,
) -> None:
    """Write run.json beside the other outputs in `work`; `started`: seconds since the epoch."""
    record = ExplainRecord(
        identity=identity,
        result=result,
        **provenance(work, OUTPUTS, started, inputs, tools),
    )
    write_record(work / RUN, record)
