"""The predictions of shards as one: byte for byte what `predict` writes for all of it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from histpred.core.errors import InputError, UsageError, first_few
from histpred.core.hts import quiet_htslib
from histpred.core.output import altered, output_folder, refuse_another, temporary_faults
from histpred.scoring.predict import NO_GPU, OUTPUTS
from histpred.scoring.record import (
    RUN,
    SCHEMA_VERSION,
    Prediction,
    differences,
    is_ours,
    outputs_of,
    times,
)
from histpred.scoring.scatter import LEDGER, read_scattered
from histpred.tracks.tables import join

AGREEING = ("histpred", "bundle", "precision")
"""What must be the same for all parts."""


class Part(NamedTuple):
    """The folder of a shard's prediction, and its run.json."""

    folder: Path
    run: dict[str, Any]


def gather(
    scattered: Path, parts: Sequence[Path], out: Path, *, overwrite: bool = False
) -> Prediction:
    """Join the `parts`, in any order, into the files of a prediction in the folder `out`.

    Parameters
    ----------
    scattered
        The folder that `histpred.scoring.scatter.scatter` wrote.
    parts
        Folders that `predict` wrote, one for each shard.

    Raises
    ------
    UsageError
        Where a shard has no part, or more than one.
    InputError
        Where a part is no prediction of a shard, was made with another genome, bundle, precision or
        version, or was altered since.
    OutputError
        Where `out` holds something else.
    """
    started = time.time()
    record = read_scattered(scattered)
    ordered = _in_order(scattered, record, [_read(folder) for folder in parts])
    first = ordered[0].run["identity"]
    identity = {
        **{name: value for name, value in record["identity"].items() if name in first},
        **{name: first[name] for name in AGREEING},
    }
    known = _finished(out, identity, overwrite)
    if known is not None:
        return known

    results = [part.run["result"] for part in ordered]
    devices = sorted({result["device"] for result in results})
    no_gpu = any(NO_GPU in result["warnings"] for result in results)
    result = Prediction(
        rows=record["result"]["rows"],
        scored=sum(result["scored"] for result in results),
        calls=sum(result["calls"] for result in results),
        skipped=record["result"]["skipped"],
        past_end=record["result"]["past_end"],
        warnings=record["warnings"] + ([NO_GPU] if no_gpu else []),
        device=", ".join(devices),
        fresh=True,
        embedded=sum(result["embedded"] for result in results),
        reused=sum(result["reused"] for result in results),
    )
    with quiet_htslib(), temporary_faults(), output_folder(out, OUTPUTS, is_ours) as work:
        for name in ("scores.tsv.gz", "calls.bed.gz"):
            join([part.folder / name for part in ordered], work / name)
        (work / LEDGER).write_bytes((scattered / LEDGER).read_bytes())
        run = {
            "schema_version": SCHEMA_VERSION,
            "identity": identity,
            "result": result._asdict(),
            "annotation": record["annotation"],
            "fasta": record["fasta"],
            "encoder": ordered[0].run["encoder"],
            "versions": ordered[0].run["versions"],
            **times(started),
            "parts": [
                {
                    "windows": shard["windows"],
                    "bases": shard["bases"],
                    "device": part.run["result"]["device"],
                    "seconds": part.run["seconds"],
                }
                for shard, part in zip(record["shards"], ordered, strict=True)
            ],
            "outputs": outputs_of(work, OUTPUTS),
        }
        (work / RUN).write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")
    return result


def _read(folder: Path) -> Part:
    path = folder / RUN
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        outputs = {name: entry["sha256"] for name, entry in run["outputs"].items()}
        Prediction(**run["result"])
        run["identity"]["annotation sha256"]
    except OSError as error:
        raise InputError(
            folder,
            f"no finished prediction: {RUN} cannot be read ({error.strerror})",
            "give the folders that histpred predict wrote, one for each shard",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(path, "not written by histpred predict", "make this part again") from error
    if damaged := altered(folder, outputs):
        raise InputError(
            folder, f"files missing or altered since: {first_few(damaged)}", "make this part again"
        )
    return Part(folder, run)


def _in_order(scattered: Path, record: dict[str, Any], parts: list[Part]) -> list[Part]:
    """The parts in the order of their shards, after checking that they belong together."""
    shards = {shard["sha256"]: shard["file"] for shard in record["shards"]}
    by_shard: dict[str, Part] = {}
    for part in parts:
        identity = part.run["identity"]
        digest = identity["annotation sha256"]
        if digest not in shards:
            raise InputError(
                part.folder,
                f"not a prediction of a shard in {scattered}",
                "scatter, predict and gather the same annotation",
            )
        if digest in by_shard and by_shard[digest].folder != part.folder:
            raise UsageError(
                f"{by_shard[digest].folder} and {part.folder} are both of {shards[digest]}",
                "give each shard's prediction once",
            )
        by_shard[digest] = part
        expected = record["identity"]
        compared = {"FASTA sha256": expected["FASTA sha256"], "histpred": expected["histpred"]}
        if expected["bundle"]:
            compared["bundle"] = expected["bundle"]
        reference = parts[0].run["identity"]
        compared |= {name: reference[name] for name in AGREEING if name not in compared}
        if different := differences(identity, compared, []):
            raise InputError(
                part.folder,
                f"does not belong to the other parts; what differs: {different}",
                "make this part again",
            )
    missing = [file for digest, file in shards.items() if digest not in by_shard]
    if missing:
        raise UsageError(
            f"no part is the prediction of {first_few(missing, len(missing))}",
            f"run histpred predict on each of {scattered / 'shards'}",
        )
    return [by_shard[digest] for digest in shards]


def _finished(out: Path, identity: dict[str, Any], overwrite: bool) -> Prediction | None:
    """The result that `out` already holds, if it is this one; OutputError for another."""
    if overwrite or not (out / RUN).exists() or not is_ours(out / RUN):
        return None
    before = json.loads((out / RUN).read_text(encoding="utf-8"))
    damaged = altered(out, {name: entry["sha256"] for name, entry in before["outputs"].items()})
    if different := differences(before["identity"], identity, damaged):
        refuse_another(out, "another prediction", different)
    return Prediction(**before["result"])._replace(fresh=False)
