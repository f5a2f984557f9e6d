"""How an output was made: its inputs, encoder and packages, and the digests of its files.

These are fields of run.json, and of the records of other outputs of windows and scores.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from histpred.bundle.encoding import EncoderChoice
from histpred.core.journal import file_digest
from histpred.core.runtime import load_onnxruntime
from histpred.encoders import Encoder
from histpred.genome.plan import OpenWindows
from histpred.scoring.launch import Launch
from histpred.scoring.promise import Part


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


class Tools(NamedTuple):
    """What an output was made with: see `histpred.scoring.record.RunRecord`."""

    encoder: EncoderRecord
    versions: dict[str, str]
    launch: Launch | None = None


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


def provenance(
    work: Path,
    names: Sequence[str],
    started: float,
    inputs: tuple[AnnotationRecord, FastaRecord],
    tools: Tools,
) -> dict[str, Any]:
    """The fields that all records have.

    names: the files that an output may have in `work`; those that are there are listed. started:
    seconds since the epoch.
    """
    paths = [work / name for name in names if (work / name).exists()]
    return {
        "annotation": inputs[0],
        "fasta": inputs[1],
        "encoder": tools.encoder,
        "versions": tools.versions,
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 3),
        "outputs": {
            path.name: OutputFile(bytes=path.stat().st_size, sha256=file_digest(path))
            for path in paths
        },
    }
