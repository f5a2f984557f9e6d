"""Join the predictions of shards: byte for byte what one `predict` would have written."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from histpred.core.errors import InputError, UsageError
from histpred.core.finished import held, is_ours, refuse_altered
from histpred.core.hts import quiet_htslib
from histpred.core.output import output_folder, refuse_inputs, temporary_faults
from histpred.genome.ledger import LEDGER
from histpred.genome.regions import INTERVAL
from histpred.genome.windows import WindowSpec
from histpred.scoring.derived import remove_shown
from histpred.scoring.launch import Launch
from histpred.scoring.opened import NO_GPU
from histpred.scoring.provenance import Tools
from histpred.scoring.record import (
    OUTPUTS,
    RUN,
    Identity,
    Prediction,
    RunRecord,
    ShardRecord,
    WindowsIdentity,
    read_finished,
    write_run,
)
from histpred.scoring.scatter import ScatterRecord, read_scattered
from histpred.scoring.shard_parts import Kind, in_order
from histpred.scoring.tables import CALLS, SCORES, join

PREDICTIONS = Kind(
    "predict",
    "prediction",
    "annotation",
    "the --window or --tile that scatter was given, and with the --marks, --call-precision and "
    "--precision of the other parts",
)
PARTS_AGAIN = "give the folders of histpred predict, one a shard; or make this part again"


def gather(
    scattered: Path,
    parts: Sequence[Path],
    out: Path,
    *,
    overwrite: bool = False,
    launch: Launch | None = None,
) -> Prediction:
    """Join the `parts`, in any order, into the files of a prediction in the folder `out`.

    `scattered` is the folder that `scatter` wrote; `parts` are those that `predict` wrote, one for
    each shard. `launch`: of the pipeline, for run.json.

    Raises UsageError if a shard has no part, or more than one, or if no bundle was named to
    scatter; InputError if a part is no prediction of all of a shard, was made with another genome,
    bundle, precision or version, or was altered since; OutputError if `out` holds something else,
    or is a part.
    """
    started = time.time()
    record = read_scattered(scattered)
    if not record.identity.bundle:
        raise UsageError(
            f"{scattered} was scattered for an encoder, not for a bundle",
            "scatter with the --bundle of the predictions: windows and warnings are a bundle's",
        )
    refuse_inputs([out / RUN], [part / RUN for part in parts])
    refuse_altered(scattered, {LEDGER: record.outputs[LEDGER]}, "scatter again")
    found = {folder: read_finished(folder, PARTS_AGAIN) for folder in parts}
    ordered = _in_order(scattered, record, found)
    first, *_ = runs = [found[folder] for folder in ordered]
    own = {"histpred", "bundle", "precision", "marks", "call_precision"}
    shared = first.identity.model_dump(include=own)
    identity = Identity.model_validate(record.identity.model_dump() | shared)
    if known := held(out / RUN, RunRecord, "another prediction", lambda: identity, overwrite):
        return known.result.of_before()

    result = _joined(record, [run.result for run in runs])
    shards = tuple(
        ShardRecord(
            windows=shard.windows, bases=shard.bases, device=run.result.device, seconds=run.seconds
        )
        for shard, run in zip(record.shards, runs, strict=True)
    )
    with quiet_htslib(), temporary_faults(), output_folder(out, OUTPUTS, is_ours) as work:
        for name in (SCORES, CALLS):
            join([folder / name for folder in ordered], work / name)
        shutil.copyfile(scattered / LEDGER, work / LEDGER)
        inputs = record.annotation, record.fasta
        tools = Tools(first.encoder, first.versions, launch)
        write_run(work, started, identity, result, first.marks, inputs, tools, shards)
        remove_shown(out)
    return result


def _joined(record: ScatterRecord, results: Sequence[Prediction]) -> Prediction:
    """The result of the whole, from those of its parts in order."""
    no_gpu = any(NO_GPU in result.warnings for result in results)
    return Prediction(
        rows=record.result.rows,
        scored=sum(result.scored for result in results),
        calls=sum(result.calls for result in results),
        skipped=record.result.skipped,
        past_end=record.result.past_end,
        first_words=results[0].first_words,
        warnings=record.warnings + ([NO_GPU] if no_gpu else []),
        device=", ".join(sorted({result.device for result in results})),
        embedded=sum(result.embedded for result in results),
        reused=sum(result.reused for result in results),
    )


def _in_order(scattered: Path, record: ScatterRecord, parts: dict[Path, RunRecord]) -> list[Path]:
    """The folders in the order of their shards, after checking that they belong together."""
    shards = [(shard.file, shard.sha256) for shard in record.shards]
    made = {
        folder: (run.identity.annotation_sha256, _made_with(run.identity, run))
        for folder, run in parts.items()
    }
    expected = _made_with(record.identity, next(iter(parts.values())))
    ordered = in_order(scattered, shards, made, expected, PREDICTIONS)
    for folder, shard in zip(ordered, record.shards, strict=True):
        scored, windows = parts[folder].result.scored, shard.windows
        if scored != windows:
            problem = f"scored {scored:,} of the {windows:,} windows of {shard.file}"
            raise InputError(folder, problem, "make this part again, without --biotype and --genes")
    return ordered


def _scored(window: WindowSpec) -> str:
    """What is scored, in words."""
    if window.tile:
        return f"tiles of {window.tile} bp"
    return "intervals" if window.kind == INTERVAL else "genes"


def _made_with(identity: WindowsIdentity, run: RunRecord) -> dict[str, str | None]:
    """What must be the same for all parts; `identity`: that of the run, or of scatter."""
    return {
        "FASTA sha256": identity.fasta_sha256,
        "transcripts sha256": ", ".join(identity.transcripts_sha256) or None,
        "histpred": identity.histpred,
        "bundle": identity.bundle,
        "precision": run.identity.precision,
        "--marks": ", ".join(run.identity.marks),
        "--call-precision": str(run.identity.call_precision or "the bundle's"),
        # Which of a bundle's outputs the probabilities come from.
        "--window or --tile": _scored(identity.window),
        # 'auto' is one on a GPU and another on a CPU.
        "the encoder's precision": run.encoder.precision,
    }
