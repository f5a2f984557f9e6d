"""What each allele of a VCF changes in the windows that read it.

The alleles go into a spool on disk; windows pass by in genome order and take theirs from it. So
memory depends neither on the number of variants nor on that of windows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from histpred.bundle.encoding import EncoderChoice, bundle_encoder
from histpred.bundle.mark_spec import MarkSpec
from histpred.bundle.outputs import interval_output, marks_of
from histpred.core.execution import Execution
from histpred.core.finished import is_ours
from histpred.core.hts import quiet_htslib
from histpred.core.log import tell
from histpred.core.output import (
    RESUME,
    output_folder,
    refuse_inputs,
    store_is_kept,
    sweep,
    temporary_faults,
)
from histpred.encoders import is_expensive
from histpred.encoders.chunks import check_window
from histpred.encoders.store import Store, encoder_identity
from histpred.genome.ledger import LEDGER
from histpred.genome.naming import refuse_names
from histpred.genome.plan import OpenWindows, open_windows
from histpred.genome.reference import Reference
from histpred.genome.regions import INTERVAL
from histpred.genome.request import Request
from histpred.genome.vcf import open_variants
from histpred.genome.vcf_note import ShardNote
from histpred.genome.vcf_reading import read_variants
from histpred.genome.vcf_spool import AlleleSpool
from histpred.scoring.alternatives import Alternatives, scale_of
from histpred.scoring.domain import domain_warnings
from histpred.scoring.effects import Effects, Output
from histpred.scoring.predict import NO_GPU
from histpred.scoring.provenance import input_records, tools_of
from histpred.scoring.scorer import Scorer
from histpred.scoring.tables import FORMATS
from histpred.scoring.variants_record import (
    OUTPUTS,
    RECORD,
    VariantsRun,
    held,
    identity_of,
    write_variants_record,
)
from histpred.scoring.variants_resolution import (
    WINDOWS,
    Resolution,
    refuse_unresolved,
    resolution_of,
)
from histpred.scoring.variants_shard import measured_rows, refuse_other
from histpred.scoring.variants_tables import (
    Counts,
    header_with_tag,
    scale_line,
    write_tables,
    wrong_references,
)
from histpred.scoring.variants_windows import (
    Outputs,
    first_rows,
    pass_windows,
    score_windows,
)

BACKGROUND = 50  # random substitutions of a window


class VariantOptions(NamedTuple):
    """background: number of random substitutions of a window that effects are ranked among.

    anyway: use a bundle that resolves nothing, too. recorded_as: paths of VCF, annotation and FASTA
    for the record; None: the given ones.
    """

    background: int = BACKGROUND
    anyway: bool = False
    recorded_as: tuple[str, str, str] | None = None


def variants(
    vcf: str,
    request: Request,
    choice: EncoderChoice,
    out: Path,
    options: VariantOptions | None = None,
    execution: Execution = Execution(),
) -> VariantsRun:
    """Score each allele of a VCF in the windows of an annotation, into files in the folder `out`.

    If the bundle of `choice` scores intervals, each allele is also scored in the tile of the
    bundle's resolution that it lies in. Raises HistpredError for unusable inputs, bundles, devices
    and folders, and publishes nothing then.
    """
    options = options or VariantOptions()
    started = time.time()
    refuse_inputs([out / name for name in OUTPUTS], [vcf, *request.files])
    with quiet_htslib(), temporary_faults(), store_is_kept(execution.store), ExitStack() as stack:
        check_window(choice.chunks, choice.window.kind)
        choices = choices_of(choice)
        marks = columns_of(choices)
        given = tuple(mark.name for mark in marks), options.background
        file = stack.enter_context(open_variants(vcf))
        header_with_tag(file)
        if not execution.overwrite and is_ours(out / RECORD):
            known = held(out, identity_of(vcf, request, choice, execution, given))
            sweep(out)
            return known

        work = stack.enter_context(output_folder(out, OUTPUTS, is_ours))
        windows = stack.enter_context(open_windows(request, choice.window, work, FORMATS))
        refuse_other(file, windows, choice)
        warnings = list(windows.plan.warnings)
        warnings += domain_warnings(choice.required_bundle, choice.window, windows)
        tell(windows.plan.notices, warnings)
        spool = stack.enter_context(AlleleSpool(work))
        contigs = read_variants(file, windows.reference, spool)
        refuse_names(windows.reference.name, [*filter(None, contigs.values())], FORMATS)
        outputs = _open(choices, windows.reference, out, execution, stack)
        resolution, more = _score(outputs, windows, spool, given, options, execution, file.shard)
        if not outputs.windows:
            pass_windows(windows, choice.window)
        tables = spool, file, work, given[0], scale_line(marks)
        counts = write_tables(*tables)
        windows.ledger.write(work / LEDGER)
        more += wrong_references(counts.skipped) + _warnings(execution, outputs)
        tell([], more)
        found = counts, resolution, warnings + more
        result = _result(spool, windows, outputs, found)
        encoder = outputs.opened()[0].encoder
        files = encoder_identity(choice.spec, encoder)["files"]
        identity = identity_of(vcf, request, choice, execution, given, windows)
        scales = {mark.name: scale_of(mark) for mark in marks if not mark.unpredicted}
        paths = options.recorded_as or (vcf, request.annotation, request.fasta)
        inputs = paths[0], *input_records(paths[1:], windows)
        tools = tools_of(encoder, choice, files)
        write_variants_record(work, started, identity, result, scales, inputs, tools)
    return result


def choices_of(choice: EncoderChoice) -> tuple[EncoderChoice | None, EncoderChoice | None]:
    """The choice for the annotation's windows and that for tiles, each with its own marks.

    None for one that has no mark that is asked for, and for tiles if the bundle scores no
    intervals. Raises UsageError for a mark that neither has.
    """
    bundle, names = choice.required_bundle, choice.marks
    both: list[EncoderChoice | None] = [choice, None]
    if bundle.manifest.interval:
        both[1] = bundle_encoder(bundle, INTERVAL, None, choice.weights)
    unknown = set(names)
    for number, one in enumerate(both):
        if one and names:
            marks = (interval_output(bundle, one.window) or bundle.manifest).marks
            own = tuple(mark.name for mark in marks if mark.name in names)
            unknown.difference_update(own)
            both[number] = one._replace(marks=own) if own else None
    if unknown:
        marks_of(bundle, choice.window, sorted(unknown))  # raises
    return both[0], both[1]


def columns_of(choices: Sequence[EncoderChoice | None]) -> list[MarkSpec]:
    """The marks of all choices, each once: those of the annotation's windows first."""
    found: dict[str, MarkSpec] = {}
    for choice in choices:
        for mark in choice.scored if choice else ():
            found.setdefault(mark.name, mark)
    return list(found.values())


def _open(
    choices: tuple[EncoderChoice | None, EncoderChoice | None],
    reference: Reference,
    out: Path,
    execution: Execution,
    stack: ExitStack,
) -> Outputs:
    """Open encoders and scorers; outputs with the same encoder share it."""
    found: list[Output | None] = []
    for choice in choices:
        if choice is None:
            found.append(None)
            continue
        expensive = is_expensive(choice.spec.kind)
        same = [one.encoder for one in found if one and one.choice.spec == choice.spec]
        encoder = same[0] if same else choice.open(execution.device, execution.precision)
        folder = execution.store or (out / RESUME if expensive else None)
        store = Store(folder, encoder_identity(choice.spec, encoder)) if folder else None
        bundle, names = choice.required_bundle, [mark.name for mark in choice.scored]
        device = "cpu" if expensive else execution.device
        interval = interval_output(bundle, choice.window)
        scorer = stack.enter_context(Scorer(bundle, device, None, interval, names))
        alternatives = Alternatives(choice, encoder, scorer, reference, store)
        found.append(Output(choice, encoder, scorer, alternatives))
    interval = choices[1].required_bundle.manifest.interval if choices[1] else None
    return Outputs(found[0], found[1], interval.resolution if interval else 0)


def _score(
    outputs: Outputs,
    windows: OpenWindows,
    spool: AlleleSpool,
    given: tuple[tuple[str, ...], int],
    options: VariantOptions,
    execution: Execution,
    shard: ShardNote | None,
) -> tuple[Resolution | None, list[str]]:
    """Measure what the bundle resolves, and score all alleles; sentences to warn of."""
    reference = windows.reference
    if shard:
        rows, output = measured_rows(shard, reference, outputs)
    else:
        rows, output = first_rows(windows, spool, outputs, WINDOWS)
    resolution = resolution_of(rows, output, reference) if output else None
    bundle = outputs.opened()[0].choice.required_bundle
    refuse_unresolved(resolution, bundle.manifest.name, options.anyway)
    each = [
        one and Effects(one, reference, *given, spool.add_fates)
        for one in (outputs.windows, outputs.tiles)
    ]
    return resolution, score_windows(
        windows, spool, (each[0], each[1]), outputs, execution.progress
    )


def _result(
    spool: AlleleSpool,
    windows: OpenWindows,
    outputs: Outputs,
    found: tuple[Counts, Resolution | None, list[str]],
) -> VariantsRun:
    """The result; `found`: numbers of alleles, the resolution, warnings."""
    counts, resolution, warnings = found
    return VariantsRun(
        alleles=spool.count,
        **counts._asdict(),
        effects=spool.effects,
        rows=windows.ledger.rows,
        skipped_rows=windows.ledger.skipped,
        past_end=windows.plan.past_end,
        resolution=resolution,
        warnings=warnings,
        device=_device(outputs),
        embedded=sum(one.alternatives.embedded for one in outputs.opened()),
        reused=sum(one.alternatives.reused for one in outputs.opened()),
    )


def _warnings(execution: Execution, outputs: Outputs) -> list[str]:
    """Sentences about the device."""
    output = outputs.opened()[0]
    expensive = is_expensive(output.choice.spec.kind)
    slow = expensive and execution.device == "auto" and output.encoder.device == "cpu"
    return [NO_GPU] if slow else []


def _device(outputs: Outputs) -> str:
    """Where encoders ran, or scorers if those are always on the CPU."""
    return ", ".join(
        sorted(
            {
                one.encoder.device if is_expensive(one.choice.spec.kind) else one.scorer.device
                for one in outputs.opened()
            }
        )
    )
