"""What each allele of a VCF changes in the windows that read it.

The alleles go into a spool on disk; windows pass by in genome order and take theirs from it. So
memory depends neither on the number of variants nor on that of windows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

from histpred.bundle.encoding import EncoderChoice, bundle_encoder
from histpred.bundle.mark_spec import MarkSpec
from histpred.bundle.outputs import interval_output, marks_of
from histpred.core.execution import Execution
from histpred.core.finished import held, is_ours
from histpred.core.hts import quiet_htslib
from histpred.core.log import tell
from histpred.core.output import output_folder, refuse_inputs, store_is_kept, temporary_faults
from histpred.encoders.chunks import check_window
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
from histpred.scoring.alternatives import Alternatives, scales_of
from histpred.scoring.domain import input_warnings
from histpred.scoring.effects import Effects
from histpred.scoring.opened import open_bundle, scorer_of
from histpred.scoring.provenance import input_records
from histpred.scoring.tables import FORMATS
from histpred.scoring.variants_record import (
    OUTPUTS,
    RECORD,
    VariantsRecord,
    VariantsRun,
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
        identify = partial(identity_of, vcf, request, choice, execution, given)
        what = "other variants"
        if known := held(out / RECORD, VariantsRecord, what, identify, execution.overwrite):
            return known.result.of_before()

        work = stack.enter_context(output_folder(out, OUTPUTS, is_ours))
        windows = stack.enter_context(open_windows(request, choice.window, work, FORMATS))
        refuse_other(file, windows, choice)
        warnings = input_warnings(windows, choice)
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
        more += wrong_references(counts.skipped)
        tell([], more)
        opened = outputs.opened()[0].bundle
        warnings += more + opened.device_warnings(execution)
        found = counts, resolution, warnings
        result = _result(spool, windows, outputs, found)
        paths = options.recorded_as or (vcf, request.annotation, request.fasta)
        inputs = paths[0], *input_records(paths[1:], windows)
        made = work, started, identify(windows), result
        write_variants_record(*made, scales_of(marks), inputs, opened.tools)
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
    found: list[Alternatives | None] = []
    for choice in choices:
        if choice is None:
            found.append(None)
            continue
        scorer = stack.enter_context(scorer_of(choice, execution.device))
        same = [one.bundle for one in found if one and one.bundle.choice.spec == choice.spec]
        if same:
            bundle = same[0]._replace(choice=choice, scorer=scorer)
        else:
            bundle = open_bundle(choice, scorer, execution, out)
        found.append(Alternatives(bundle, reference))
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
    bundle = outputs.opened()[0].bundle.choice.required_bundle
    refuse_unresolved(resolution, bundle.manifest.name, options.anyway)
    effects = [
        None if one is None else Effects(one, reference, *given, spool.add_fates)
        for one in (outputs.windows, outputs.tiles)
    ]
    both = effects[0], effects[1]
    return resolution, score_windows(windows, spool, both, outputs, execution.progress)


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
        device=", ".join(sorted({one.bundle.device for one in outputs.opened()})),
        embedded=sum(one.embedded for one in outputs.opened()),
        reused=sum(one.reused for one in outputs.opened()),
    )
