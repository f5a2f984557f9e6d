"""Which stretches of its window a prediction comes from: each is replaced by N, in turn.

N is what every encoder here reads as "not known". A contribution is by how much the log-odds of a
mark fall without the stretch, so it is positive where the stretch speaks for the mark.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from itertools import chain
from pathlib import Path

from histpred.bundle.calls import first_words
from histpred.bundle.encoding import EncoderChoice
from histpred.bundle.probability import probabilities_of
from histpred.core.errors import UsageError
from histpred.core.execution import Execution
from histpred.core.finished import held, is_ours
from histpred.core.hts import quiet_htslib
from histpred.core.log import tell
from histpred.core.output import output_folder, refuse_inputs, store_is_kept, temporary_faults
from histpred.encoders.chunks import check_window
from histpred.genome.changes import Change, anchor_of
from histpred.genome.ledger import LEDGER
from histpred.genome.naming import TABIX, TSV
from histpred.genome.plan import OpenWindows, open_windows, refuse_nothing, scorable
from histpred.genome.reference import Reference
from histpred.genome.request import Request
from histpred.genome.windows import Row
from histpred.scoring.alternatives import Alternatives, log_odds, scales_of
from histpred.scoring.derived import remove_shown
from histpred.scoring.domain import Surroundings, input_warnings
from histpred.scoring.explain_record import (
    OUTPUTS,
    ExplainRecord,
    Explanation,
    explain_identity,
    write_run,
)
from histpred.scoring.explain_tables import Explained, ExplainTables
from histpred.scoring.opened import open_bundle, scorer_of
from histpred.scoring.profile import PROFILE, Profile
from histpred.scoring.provenance import input_records
from histpred.scoring.record import RUN
from histpred.scoring.stretches import Resolution, known_stretches, resolution_of
from histpred.scoring.substitutions import (
    Positions,
    Substitution,
    positions_of,
    substitutions_of,
)

AT_ONCE = 512  # alternatives, as many as keep an encoder busy


def explain(
    request: Request,
    choice: EncoderChoice,
    out: Path,
    execution: Execution = Execution(),
    resolution: int | None = None,
    bases: str = "",
) -> Explanation:
    """Write the contributions of an annotation's windows into the folder `out`.

    resolution: length of a stretch in bp; None: what the encoder resolves. bases: typed regions in
    which every base is replaced by each of the three others. Raises HistpredError for unusable
    inputs, bundles, devices and folders, and publishes nothing then.
    """
    started = time.time()
    check_choice(choice, resolution)
    refuse_inputs([out / name for name in OUTPUTS], request.files)
    with quiet_htslib(), temporary_faults(), store_is_kept(execution.store), ExitStack() as stack:
        scorer = stack.enter_context(scorer_of(choice, execution.device))
        identify = partial(explain_identity, request, choice, execution, (resolution, bases))
        what = "another explanation"
        if known := held(out / RUN, ExplainRecord, what, identify, execution.overwrite):
            return known.result.of_before()

        work = stack.enter_context(output_folder(out, OUTPUTS, is_ours))
        bundle = open_bundle(choice, scorer, execution, out)
        windows = stack.enter_context(open_windows(request, choice.window, work, (TSV, TABIX)))
        alternatives = Alternatives(bundle, windows.reference)
        warnings = input_warnings(windows, choice) + bundle.device_warnings(execution)
        given = resolution_of(choice, resolution), positions_of(bases, windows.reference)
        counts, lacking = _write_all(windows, choice, alternatives, *given, work, execution)
        result = Explanation(
            rows=windows.ledger.rows,
            explained=counts["windows"],
            stretches=counts["stretches"],
            substitutions=counts["substitutions"],
            divided=str(given[0]),
            scales=scales_of(choice.scored),
            skipped=windows.ledger.skipped,
            past_end=windows.plan.past_end,
            first_words=tuple(first_words(choice.required_bundle.manifest, choice.scored)),
            warnings=warnings + lacking,
            device=bundle.device,
            embedded=alternatives.embedded,
            reused=alternatives.reused,
        )
        inputs = input_records(request.files, windows)
        write_run(work, started, identify(windows), result, inputs, bundle.tools)
        remove_shown(out)
    return result


def check_choice(choice: EncoderChoice, resolution: int | None) -> None:
    """Raise UsageError for windows that cannot be explained, or stretches that are too short."""
    if choice.window.tile:
        raise UsageError("tiles are not explained", "give regions or an annotation without --tile")
    if resolution is not None and resolution < 1:
        raise UsageError(f"stretches of {resolution} bp", "give --resolution 1 or more")
    check_window(choice.chunks, choice.window.kind)


def explained_windows(
    batches: Iterator[list[Row]],
    choice: EncoderChoice,
    alternatives: Alternatives,
    reference: Reference,
    divided: Resolution,
    positions: Positions | None = None,
) -> Iterator[Explained]:
    """Explain windows in their order, some at a time.

    positions: where each base is replaced by the three others.
    """
    together: list[tuple[Row, list[tuple[int, int]], list[Substitution]]] = []
    waiting = 0
    for row in chain.from_iterable(batches):
        window = row.window
        stretches = known_stretches(window, reference, divided)
        substitutions = substitutions_of(window, positions or {}, reference)
        together.append((row, stretches, substitutions))
        waiting += len(stretches) + len(substitutions)
        if waiting >= AT_ONCE:
            yield from _explained(together, choice, alternatives, reference)
            together, waiting = [], 0
    if together:
        yield from _explained(together, choice, alternatives, reference)


def _explained(
    together: list[tuple[Row, list[tuple[int, int]], list[Substitution]]],
    choice: EncoderChoice,
    alternatives: Alternatives,
    reference: Reference,
) -> Iterator[Explained]:
    given = [
        (
            row,
            [
                *([Change(start, end, b"N" * (end - start))] for start, end in stretches),
                *([one.change] for one in substitutions),
            ],
        )
        for row, stretches, substitutions in together
    ]
    kept = [number for number, mark in enumerate(choice.scored) if not mark.unpredicted]
    marks = [choice.scored[number] for number in kept]
    calibrations = [mark.calibration for mark in marks]
    every = alternatives.logits(given)
    for (row, stretches, substitutions), logits in zip(together, every, strict=True):
        odds = log_odds(logits[:, kept], marks)
        yield Explained(
            row,
            anchor_of(row.window, choice.window, reference.lengths[row.window.chrom]),
            probabilities_of(logits[:1, kept], calibrations)[0],
            stretches,
            odds[0] - odds[1 : len(stretches) + 1],
            substitutions,
            odds[len(stretches) + 1 :] - odds[0],
        )


def _write_all(
    windows: OpenWindows,
    choice: EncoderChoice,
    alternatives: Alternatives,
    divided: Resolution,
    positions: Positions,
    work: Path,
    execution: Execution,
) -> tuple[Counter[str], list[str]]:
    """Write the tables and the profile; returns how much was replaced, and a warning if need be."""
    ledger, reference, spec = windows.ledger, windows.reference, choice.window
    marks = [mark for mark in choice.scored if not mark.unpredicted]
    profile = Profile([mark.name for mark in marks], spec, divided)
    counts: Counter[str] = Counter()
    around = Surroundings(windows.annotation.format)
    batches = scorable(ledger, reference, spec)
    found = explained_windows(batches, choice, alternatives, reference, divided, positions)
    with ExplainTables(work, marks, spec, bool(positions)) as tables:
        for one in found:
            tables.write(one)
            window = one.row.window
            profile.add(window, reference.lengths[window.chrom], one.stretches, one.contributions)
            around.add([one.row])
            counts["windows"] += 1
            counts["stretches"] += len(one.stretches)
            counts["substitutions"] += len(one.substitutions)
            execution.progress(counts["windows"], ledger.queued - ledger.passed)
    ledger.write(work / LEDGER)
    refuse_nothing(windows.annotation, ledger, counts["windows"], "explained")
    if positions and not counts["substitutions"]:
        what = "no window reads a base of --bases that is known (not N)"
        raise UsageError(what, "give a region in or near a window")
    profile.write(work / PROFILE)
    lacking = around.warnings()
    tell([], lacking)
    return counts, lacking
