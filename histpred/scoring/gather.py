"""The predictions of shards as one: byte for byte what `predict` writes for all of it."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from histpred.core.errors import InputError, UsageError, first_few
from histpred.core.hts import quiet_htslib
from histpred.core.output import (
    altered,
    output_folder,
    refuse_inputs,
    temporary_faults,
)
from histpred.genome.ledger import LEDGER
from histpred.genome.regions import INTERVAL
from histpred.scoring.derived import remove_shown
from histpred.scoring.predict import NO_GPU, OUTPUTS
from histpred.scoring.record import (
    RUN,
    SCHEMA_VERSION,
    Prediction,
    differences,
    held,
    is_ours,
    outputs_of,
    read_finished,
    times,
)
from histpred.scoring.scatter import read_scattered
from histpred.scoring.tables import CALLS, SCORES, join

CALIBRATED_FOR = "--window or --tile"
PARTS_AGAIN = "give the folders of histpred predict, one a shard; or make this part again"
AGREEING = ("histpred", "bundle", "precision")
"""What all parts say of themselves, and the whole too."""


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
        Where a shard has no part, or more than one; where no bundle was named to scatter.
    InputError
        Where a part is no prediction of all of a shard, was made with another genome, bundle,
        precision or version, or was altered since.
    OutputError
        Where `out` holds something else, or is a part.
    """
    started = time.time()
    record = read_scattered(scattered)
    if not record["identity"]["bundle"]:
        raise UsageError(
            f"{scattered} was scattered for an encoder, not for a bundle",
            "scatter with the --bundle of the predictions: windows and warnings are a bundle's",
        )
    refuse_inputs([out / RUN], [part / RUN for part in parts])
    if damaged := altered(scattered, {LEDGER: record["outputs"][LEDGER]}):
        raise InputError(
            scattered, f"missing or altered since: {first_few(damaged)}", "scatter again"
        )
    ordered = _in_order(
        scattered, record, [Part(folder, read_finished(folder, PARTS_AGAIN)) for folder in parts]
    )
    first = ordered[0].run["identity"]
    identity = {
        **{name: value for name, value in record["identity"].items() if name in first},
        **{name: first[name] for name in AGREEING},
    }
    if not overwrite and is_ours(out / RUN):
        return held(out, identity)

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
        for name in (SCORES, CALLS):
            join([part.folder / name for part in ordered], work / name)
        shutil.copyfile(scattered / LEDGER, work / LEDGER)
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
        remove_shown(out)
    return result


def _in_order(scattered: Path, record: dict[str, Any], parts: list[Part]) -> list[Part]:
    """The parts in the order of their shards, after checking that they belong together.

    Shards with the same bytes, of rows that repeat, share their parts.
    """
    shards = {shard["sha256"]: shard for shard in record["shards"]}
    wanted = Counter(shard["sha256"] for shard in record["shards"])
    found: dict[str, dict[Path, Part]] = {}
    fixed = {name: record["identity"][name] for name in ("FASTA sha256", "histpred", "bundle")}
    fixed[CALIBRATED_FOR] = _calibrated_for(record["identity"])
    expected = _made_with(parts[0]) | fixed
    for part in parts:
        digest = part.run["identity"]["annotation sha256"]
        if digest not in shards:
            raise InputError(
                part.folder,
                f"not a prediction of a shard in {scattered}",
                "scatter, predict and gather the same annotation",
            )
        same = found.setdefault(digest, {})
        same[part.folder] = part
        if len(same) > wanted[digest]:
            raise UsageError(
                f"{' and '.join(map(str, same))} are both of {shards[digest]['file']}",
                "give each shard's prediction once",
            )
        if different := differences(_made_with(part), expected, []):
            raise InputError(
                part.folder,
                f"does not belong to the other parts; what differs: {different}",
                "make this part again, with the --window or --tile that scatter was given",
            )
        scored, windows = part.run["result"]["scored"], shards[digest]["windows"]
        if scored != windows:
            raise InputError(
                part.folder,
                f"scored {scored:,} of the {windows:,} windows of {shards[digest]['file']}",
                "make this part again, without --biotype",
            )
    missing = [shard["file"] for digest, shard in shards.items() if digest not in found]
    if missing:
        raise UsageError(
            f"no part is the prediction of {first_few(missing)}",
            f"run histpred predict on each of {scattered / 'shards'}",
        )
    return [next(iter(found[shard["sha256"]].values())) for shard in record["shards"]]


def _made_with(part: Part) -> dict[str, Any]:
    """What must be the same for all parts."""
    identity = part.run["identity"]
    made = {name: identity.get(name) for name in ("FASTA sha256", *AGREEING)}
    made[CALIBRATED_FOR] = _calibrated_for(identity)
    # 'auto' is one on a GPU and another on a CPU.
    return made | {"the encoder's precision": part.run["encoder"]["precision"]}


def _calibrated_for(identity: dict[str, Any]) -> str:
    """Of which a bundle's outputs the probabilities are."""
    return "intervals" if identity["window"][0] == INTERVAL else "genes"
