"""A request: an annotation, a genome, and which rows of the annotation are wanted."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from histpred.core.output import input_digest
from histpred.genome.annotation import level_for
from histpred.genome.biotypes import normalise


class Request(NamedTuple):
    """The rows of an annotation that windows are made of, and the genome that they lie on.

    annotation: path of a BED, GTF or GFF3, '-' for standard input. fasta: path of the genome,
    plain, bgzip or gzip. level: 'gene', 'transcript' or None (transcripts for spliced windows,
    genes otherwise). biotypes: names or groups, all if empty. unstranded: read the strand '.' as
    '+'. cache: folder for indexes and copies of the genome that outlives the run; None: they are
    removed with the run.
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
    request: Request, kind: str, digests: tuple[str, str] | None = None
) -> dict[str, JsonValue]:
    """What fixes the windows of a request, besides their specification, as records hold it.

    Parameters
    ----------
    kind
        The kind of windows, see `histpred.genome.regions.KINDS`.
    digests
        sha256 of the annotation and of the FASTA; None: they are read now.
    """
    annotation, fasta = digests or map(input_digest, request.files)
    return {
        "annotation sha256": annotation,
        "FASTA sha256": fasta,
        "by": level_for(kind, request.level),
        "biotypes": sorted({normalise(biotype) for biotype in request.biotypes}),
        "unstranded": request.unstranded,
    }
