"""A request: an annotation, a genome, and the selection of rows."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from histpred.core.output import input_digest
from histpred.genome.annotation import level_for
from histpred.genome.biotypes import normalise
from histpred.genome.kept import known_digest, remembered_digest
from histpred.genome.mistaken import refuse_missing

if TYPE_CHECKING:
    from pydantic import JsonValue


# What the annotation of a request is
FILE, REGIONS, SEQUENCES = "file", "regions", "sequences"


class Request(NamedTuple):
    """An annotation, the genome it belongs to, and the rows to use.

    annotation: path of a BED, GTF or GFF3; '-' for standard input. fasta: path of the genome,
    plain, bgzip or gzip. level: 'gene', 'transcript' or None (transcripts for spliced windows, else
    genes). biotypes: names or groups; empty for all. unstranded: read the strand '.' as '+'. cache:
    folder that keeps indexes and copies of the genome for later runs; None: remove them at the end.
    genes: names or IDs of the genes to use; empty for all. source: FILE; REGIONS: the annotation is
    the text of typed regions; SEQUENCES: the annotation is the FASTA, each record is a row.
    transcripts: paths of FASTA files with the sequences of transcripts, for spliced windows; empty:
    exons are joined.
    """

    annotation: str
    fasta: str
    level: str | None = None
    biotypes: tuple[str, ...] = ()
    unstranded: bool = False
    cache: Path | None = None
    genes: tuple[str, ...] = ()
    source: str = FILE
    transcripts: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of all inputs: the annotation, the genome, then the transcripts."""
        return self.annotation, self.fasta, *self.transcripts


def text_digest(text: str) -> str:
    """The sha256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def request_identity(
    request: Request, kind: str, digests: tuple[str, str] | None = None, labels: Path | None = None
) -> dict[str, JsonValue]:
    """The part of run.json that, with the WindowSpec, determines the windows of a request.

    kind: the window kind. digests: the sha256 of the annotation and of the FASTA; None: compute
    them now. labels: the file of labels that belongs to the request, if there is one.
    """
    annotation, fasta = digests or _digests(request)
    biotypes: list[JsonValue] = [*sorted({normalise(biotype) for biotype in request.biotypes})]
    genes: list[JsonValue] = [*sorted(set(request.genes))]
    for path in request.transcripts:
        refuse_missing(path, is_fasta=True)
    transcripts: list[JsonValue] = [_large_digest(request, path) for path in request.transcripts]
    return {
        "annotation sha256": annotation,
        "FASTA sha256": fasta,
        **({"labels sha256": input_digest(labels)} if labels else {}),
        "by": level_for(kind, request.level),
        "biotypes": biotypes,
        **({"genes": genes} if genes else {}),
        **({"transcripts sha256": transcripts} if transcripts else {}),
        **({"source": request.source} if request.source != FILE else {}),
        "unstranded": request.unstranded,
    }


def _digests(request: Request) -> tuple[str, str]:
    refuse_missing(request.fasta, is_fasta=True)
    fasta = _large_digest(request, request.fasta)
    if request.source == REGIONS:
        return text_digest(request.annotation), fasta
    refuse_missing(request.annotation, is_fasta=False)
    return input_digest(request.annotation), fasta


def _large_digest(request: Request, path: str) -> str:
    """The sha256 of a FASTA, which this process and a cache that is there remember."""
    if os.path.isfile(path):
        with suppress(OSError):
            if request.cache and request.cache.is_dir():
                return remembered_digest(Path(path), request.cache)
            return known_digest(Path(path))
    return input_digest(path)
