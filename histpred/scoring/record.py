"""run.json: what a prediction was made from, and whether a folder already holds it."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from histpred.bundle.folder import Bundle
from histpred.core.errors import InputError, OutputError, first_few
from histpred.core.output import altered, file_digest, input_digest, refuse_another
from histpred.core.runtime import load_onnxruntime
from histpred.core.version import __version__
from histpred.genome.annotation import Annotation, level_for
from histpred.genome.biotypes import normalise
from histpred.genome.reference import Reference
from histpred.genome.windows import WindowSpec

SCHEMA_VERSION = "1.0"
RUN = "run.json"


class Options(NamedTuple):
    """What a user may choose; with the inputs and the bundle it fixes the bytes of the result.

    level: 'gene', 'transcript' or None (transcripts for spliced windows, genes else). biotypes:
    names or groups, all if empty. unstranded: read the strand '.' as '+'. precision: that of the
    encoder, 'auto' for what is usual on its device.
    """

    window: WindowSpec
    level: str | None = None
    biotypes: tuple[str, ...] = ()
    unstranded: bool = False
    precision: str = "auto"


class Prediction(NamedTuple):
    """How a run went.

    skipped: rows by reason; past_end: rows clipped because they end past their contig; warnings:
    what the user must be told; device: where the encoder ran, or the scorer if that one's encoder
    is always on the CPU; embedded, reused: pieces that went through the encoder, and those that a
    store had; fresh: False where the folder already held this very result.
    """

    rows: int
    scored: int
    calls: int
    skipped: dict[str, int]
    past_end: int
    warnings: list[str]
    device: str
    fresh: bool
    embedded: int = 0
    reused: int = 0


def identity(
    annotation_digest: str, fasta_digest: str, bundle: Bundle | None, options: Options
) -> dict[str, Any]:
    """What fixes the bytes of a result, as run.json records it; without a bundle, of windows."""
    return {
        "schema_version": SCHEMA_VERSION,
        "identity": {
            "histpred": __version__,
            "annotation sha256": annotation_digest,
            "FASTA sha256": fasta_digest,
            "bundle": bundle
            and f"{bundle.manifest.name} {bundle.manifest.version} {bundle.digest}",
            "window": list(options.window),
            "by": level_for(options.window.kind, options.level),
            "biotypes": sorted({normalise(biotype) for biotype in options.biotypes}),
            "unstranded": options.unstranded,
            "precision": options.precision,
        },
    }


def is_ours(path: Path) -> bool:
    """Whether a run.json was written by histpred."""
    try:
        return "histpred" in json.loads(path.read_text(encoding="utf-8"))["identity"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_finished(folder: Path, again: str) -> dict[str, Any]:
    """run.json of a folder of `histpred predict`, whose files are as they were written.

    `again`: what a user is to do otherwise. Raises InputError where the folder is none, was written
    by a version of another schema, or where files are missing or altered.
    """
    path = folder / RUN
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        Prediction(**record["result"])
        outputs = {name: entry["sha256"] for name, entry in record["outputs"].items()}
        record["identity"]["annotation sha256"], record["encoder"]["precision"]
        schema = record["schema_version"]
    except OSError as error:
        raise InputError(
            folder, f"no finished prediction: {RUN} cannot be read ({error.strerror})", again
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(path, "not written by histpred predict", again) from error
    if str(schema).split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise InputError(path, f"of schema version {schema}, here {SCHEMA_VERSION} is read", again)
    if damaged := altered(folder, outputs):
        raise InputError(folder, f"files missing or altered since: {first_few(damaged)}", again)
    return dict(record)


def finished(
    out: Path,
    annotation_path: str,
    fasta_path: str,
    bundle: Bundle,
    options: Options,
    overwrite: bool,
) -> Prediction | None:
    """The result that `out` already holds, if it is the one asked for.

    Raises OutputError, naming what differs, where it holds another one.
    """
    if overwrite or not (out / RUN).exists():
        return None
    digests = (input_digest(annotation_path), input_digest(fasta_path))
    return held(out, identity(*digests, bundle, options)["identity"])


def held(out: Path, now: dict[str, Any]) -> Prediction:
    """The result in `out`, if its identity is `now`; OutputError, naming what differs, if not."""
    try:
        record = json.loads((out / RUN).read_text(encoding="utf-8"))
        before, outputs = record["identity"], record["outputs"]
        result = Prediction(**record["result"])
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{out / RUN} was not written by histpred {__version__}", "choose another folder for -o"
        ) from error

    damaged = altered(out, {name: entry["sha256"] for name, entry in outputs.items()})
    if different := differences(before, now, damaged):
        refuse_another(out, "another prediction", different)
    return result._replace(fresh=False)


def differences(before: dict[str, Any], now: dict[str, Any], damaged: list[str]) -> str:
    """What tells a finished output from the one asked for, as a phrase; '' for nothing. `damaged`:
    its files that are not what they were.
    """
    found = [
        f"{name} ({before.get(name)} -> {now[name]})"
        for name in now
        if now[name] != before.get(name)
    ]
    if damaged:
        found.append(f"files missing or altered since: {first_few(damaged)}")
    return "; ".join(found)


def inputs_of(
    annotation_path: str, fasta_path: str, annotation: Annotation, reference: Reference
) -> dict[str, Any]:
    """What a record says of the inputs, besides their digests."""
    return {
        "annotation": {
            "path": annotation_path,
            "format": annotation.format,
            "genome_build": annotation.genome_build,
        },
        "fasta": {
            "path": fasta_path,
            "contigs": len(reference.lengths),
            "bases": sum(reference.lengths.values()),
            "renamed": reference.names.renamed,
        },
    }


def outputs_of(work: Path, names: Iterable[str]) -> dict[str, Any]:
    """Bytes and sha256 of those files of a finished folder that are there."""
    return {
        name: {"bytes": (work / name).stat().st_size, "sha256": file_digest(work / name)}
        for name in names
        if (work / name).exists()
    }


def times(started: float) -> dict[str, Any]:
    """When a run `started` (seconds since the epoch), and how long it took until now."""
    return {
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 3),
    }


def versions() -> dict[str, str]:
    """Of Python and of the packages whose release may change a score's last digits."""
    packages = ["numpy", "pysam"]
    packages += [name for name in ("tokenizers", "torch", "transformers") if name in sys.modules]
    return {
        "python": platform.python_version(),
        # It may have come as the package onnxruntime-gpu.
        "onnxruntime": load_onnxruntime().__version__,
        **{name: version(name) for name in packages},
    }
