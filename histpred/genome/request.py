"""A request: an annotation, a genome, and the selection of rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from histpred.core.output import input_digest
from histpred.genome.annotation import level_for
from histpred.genome.biotypes import normalise

if TYPE_CHECKING:
    from pydantic import JsonValue


class Request(NamedTuple):
    """An annotation, the genome it belongs to, and the rows to use.

    annotation: path of a BED, GTF or GFF3; '-' for standard input. fasta: path of the genome,
    plain, bgzip or gzip. level: 'gene', 'transcript' or None (transcripts for spliced windows, else
    genes). biotypes: names or groups; empty for all. unstranded: read the strand '.' as '+'. cache:
    folder that keeps indexes and copies of the genome for later runs; None: remove them at the end.
    """

    annotation: str
    fasta: str
    level: str | None = None
    biotypes: tuple[str, ...] = ()
    unstranded: bool = False
    cache: Path | None = None

    @property
    def files(self) -> tuple[str, str]:
        """The paths of the two inputs."""
        return self.annotation, self.fasta


def request_identity(
    request: Request, kind: str, digests: tuple[str, str] | None = None, labels: Path | None = None
) -> dict[str, JsonValue]:
    """The part of run.json that, with the WindowSpec, determines the windows of a request.

    kind: the window kind. digests: the sha256 of the annotation and of the FASTA; None: compute
    them now. labels: the file of labels that belongs to the request, if there is one.
    """
    annotation, fasta = digests or map(input_digest, request.files)
    biotypes: list[JsonValue] = [*sorted({normalise(biotype) for biotype in request.biotypes})]
    return {
        "annotation sha256": annotation,
        "FASTA sha256": fasta,
        **({"labels sha256": input_digest(labels)} if labels else {}),
        "by": level_for(kind, request.level),
        "biotypes": biotypes,
        "unstranded": request.unstranded,
    }
