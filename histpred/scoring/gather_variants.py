"""Join the effects of parts of a VCF: byte for byte what one `variants` would have written."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from histpred.core.errors import InputError
from histpred.core.finished import digests_of, held, is_ours, read_record, refuse_altered
from histpred.core.hts import quiet_htslib
from histpred.core.output import output_folder, refuse_inputs, temporary_faults
from histpred.genome.ledger import LEDGER
from histpred.scoring.launch import Launch
from histpred.scoring.opened import NO_GPU
from histpred.scoring.provenance import Tools
from histpred.scoring.scatter_variants_record import (
    ScatterVariantsIdentity,
    ScatterVariantsRecord,
    read_scattered_variants,
)
from histpred.scoring.shard_parts import Kind, in_order
from histpred.scoring.variants_record import (
    OUTPUTS,
    RECORD,
    PartRecord,
    VariantsIdentity,
    VariantsRecord,
    VariantsRun,
    write_variants_record,
)
from histpred.scoring.variants_tables import join_tables, wrong_references

EFFECTS_OF_PARTS = Kind(
    "variants",
    "run of variants",
    "VCF",
    "the --bundle and --window that scatter was given, and with the --marks, --background and "
    "--precision of the other parts",
)
PARTS_AGAIN = "give the folders of histpred variants, one a shard; or make this part again"


def gather_variants(
    scattered: Path,
    parts: Sequence[Path],
    out: Path,
    *,
    overwrite: bool = False,
    launch: Launch | None = None,
) -> VariantsRun:
    """Join the `parts`, in any order, into the files of one run of `variants` in `out`.

    `scattered` is the folder that `scatter_variants` wrote; `parts` are those that `variants`
    wrote, one for each shard. `launch`: of the pipeline, for variants.json. What is raised: see
    `histpred.scoring.gather.gather`.
    """
    started = time.time()
    record = read_scattered_variants(scattered)
    refuse_inputs([out / RECORD], [part / RECORD for part in parts])
    refuse_altered(scattered, {LEDGER: record.outputs[LEDGER]}, "scatter again")
    found = {folder: _read_part(folder) for folder in parts}
    ordered = _in_order(scattered, record, found)
    first, *_ = runs = [found[folder] for folder in ordered]
    shared = first.identity.model_dump(include={"histpred", "precision", "marks", "background"})
    identity = VariantsIdentity.model_validate(record.identity.model_dump() | shared)
    what = "other variants"
    if known := held(out / RECORD, VariantsRecord, what, lambda: identity, overwrite):
        return known.result.of_before()

    result = _joined(record, runs)
    about = tuple(
        PartRecord(
            alleles=run.result.alleles,
            effects=run.result.effects,
            device=run.result.device,
            seconds=run.seconds,
        )
        for run in runs
    )
    with quiet_htslib(), temporary_faults(), output_folder(out, OUTPUTS, is_ours) as work:
        join_tables(ordered, work)
        shutil.copyfile(scattered / LEDGER, work / LEDGER)
        inputs = record.vcf, record.annotation, record.fasta
        tools = Tools(first.encoder, first.versions, launch)
        write_variants_record(work, started, identity, result, first.scales, inputs, tools, about)
    return result


def _read_part(folder: Path) -> VariantsRecord:
    """The record of a folder that `histpred variants` wrote; InputError for any other."""
    record = read_record(folder / RECORD, VariantsRecord, "variants", PARTS_AGAIN)
    refuse_altered(folder, digests_of(record), PARTS_AGAIN)
    return record


def _joined(record: ScatterVariantsRecord, runs: Sequence[VariantsRecord]) -> VariantsRun:
    """The result of the whole, from those of its parts in order."""
    results = [run.result for run in runs]
    skipped: Counter[str] = Counter()
    for result in results:
        skipped.update(result.skipped)
    reasons = dict(sorted(skipped.items()))
    warnings = list(record.warnings)
    if set(record.marks) & set(runs[0].identity.marks):
        warnings += record.warnings_of_windows
    warnings += wrong_references(reasons)
    warnings += [NO_GPU] if any(NO_GPU in result.warnings for result in results) else []
    return VariantsRun(
        alleles=sum(result.alleles for result in results),
        scored=sum(result.scored for result in results),
        skipped=reasons,
        effects=sum(result.effects for result in results),
        compared=sum(result.compared for result in results),
        above_half=sum(result.above_half for result in results),
        above_all=sum(result.above_all for result in results),
        rows=record.result.rows,
        skipped_rows=record.result.skipped_rows,
        past_end=record.result.past_end,
        resolution=results[0].resolution,
        warnings=warnings,
        device=", ".join(sorted({result.device for result in results})),
        embedded=sum(result.embedded for result in results),
        reused=sum(result.reused for result in results),
    )


def _in_order(
    scattered: Path, record: ScatterVariantsRecord, parts: dict[Path, VariantsRecord]
) -> list[Path]:
    """The folders in the order of their shards, after checking that they belong together."""
    shards = [(shard.file, shard.sha256) for shard in record.shards]
    first = next(iter(parts.values()))
    made = {
        folder: (run.identity.vcf_sha256, _made_with(run.identity, run))
        for folder, run in parts.items()
    }
    expected = _made_with(record.identity, first)
    ordered = in_order(scattered, shards, made, expected, EFFECTS_OF_PARTS)
    for folder, shard in zip(ordered, record.shards, strict=True):
        run = parts[folder]
        if run.identity.annotation_sha256 != shard.table_sha256:
            problem = f"was not made with {shard.table}, the windows of {shard.file}"
            raise InputError(folder, problem, "make this part again with that table")
        read = run.result.rows - sum(run.result.skipped_rows.values())
        if read != shard.windows:
            problem = f"read {read:,} of the {shard.windows:,} windows of {shard.table}"
            raise InputError(folder, problem, "make this part again, without --biotype and --genes")
    return ordered


def _made_with(
    identity: VariantsIdentity | ScatterVariantsIdentity, run: VariantsRecord
) -> dict[str, str | None]:
    """What must be the same for all parts; `identity`: that of the run, or of scatter."""
    return {
        "FASTA sha256": identity.fasta_sha256,
        "histpred": identity.histpred,
        "bundle": identity.bundle,
        "--window": str(identity.window),
        "precision": run.identity.precision,
        "--marks": ", ".join(run.identity.marks),
        "--background": str(run.identity.background),
        # 'auto' is one on a GPU and another on a CPU.
        "the encoder's precision": run.encoder.precision,
    }
