"""The main job: annotation, genome and bundle to a folder of scores.

Windows pass through in genome order and in batches; nothing grows with their number but files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from histpred.bundle.calls import first_words
from histpred.bundle.encoding import EncoderChoice
from histpred.core.execution import Execution
from histpred.core.finished import held, is_ours
from histpred.core.hts import quiet_htslib
from histpred.core.log import tell
from histpred.core.output import output_folder, refuse_inputs, store_is_kept, temporary_faults
from histpred.encoders.chunks import check_window
from histpred.encoders.embedder import EmbeddedWindows, Embedder
from histpred.genome.ledger import LEDGER
from histpred.genome.plan import BATCH_WINDOWS, OpenWindows, open_windows, refuse_nothing, scorable
from histpred.genome.request import Request
from histpred.genome.tiles import tile_blocks
from histpred.genome.windows import Row, WindowSpec
from histpred.scoring.derived import remove_shown
from histpred.scoring.domain import Surroundings, input_warnings
from histpred.scoring.opened import open_bundle, scorer_of
from histpred.scoring.promise import mark_records
from histpred.scoring.provenance import input_records
from histpred.scoring.record import (
    OUTPUTS,
    RUN,
    Prediction,
    RunRecord,
    prediction_identity,
    write_run,
)
from histpred.scoring.scorer import NotFiniteError, Scorer
from histpred.scoring.tables import FORMATS, Tables

Sink = Callable[[Sequence[Row], np.ndarray, np.ndarray], None]
"""Takes rows in genome order, their probabilities, float64 [rows, marks], and their logits before
calibration, float32 [rows, marks]."""


class Done(NamedTuple):
    """How many windows were scored, how many calls there are, and warnings."""

    scored: int
    calls: int
    warnings: list[str]


def predict(
    request: Request,
    choice: EncoderChoice,
    out: Path,
    execution: Execution = Execution(),
    also: Sink | None = None,
) -> Prediction:
    """Score an annotation's windows into the files of `OUTPUTS` in the folder `out`.

    The device of `execution` is the encoder's or, if that encoder is always on the CPU, the
    scorer's. Progress counts windows that are not skipped. also: gets what the tables get, and the
    logits. Raises HistpredError for unusable inputs, bundles, devices and folders, and publishes
    nothing then.
    """
    started = time.time()
    refuse_inputs([out / name for name in OUTPUTS], request.files)
    with quiet_htslib(), temporary_faults(), store_is_kept(execution.store), ExitStack() as stack:
        check_window(choice.chunks, choice.window.kind)
        scorer = stack.enter_context(scorer_of(choice, execution.device))
        identify = partial(prediction_identity, request, choice, execution)
        what = "another prediction"
        if known := held(out / RUN, RunRecord, what, identify, execution.overwrite):
            return known.result.of_before()

        work = stack.enter_context(output_folder(out, OUTPUTS, is_ours))
        bundle = open_bundle(choice, scorer, execution, out)
        windows = stack.enter_context(open_windows(request, choice.window, work, FORMATS))
        warnings = input_warnings(windows, choice) + bundle.device_warnings(execution)
        embedder = Embedder(bundle.encoder, choice.chunks, bundle.store)
        tell(embedder.notices(choice.window), [])
        done = _score_all(windows, choice, embedder, scorer, work, execution, also)
        windows.ledger.write(work / LEDGER)
        result = Prediction(
            rows=windows.ledger.rows,
            scored=done.scored,
            calls=done.calls,
            skipped=windows.ledger.skipped,
            past_end=windows.plan.past_end,
            first_words=tuple(first_words(choice.required_bundle.manifest, choice.scored)),
            warnings=warnings + done.warnings,
            device=bundle.device,
            embedded=embedder.embedded,
            reused=embedder.reused,
        )
        inputs = input_records(request.files, windows)
        marks = mark_records(choice.scored)
        write_run(work, started, identify(windows), result, marks, inputs, bundle.tools)
        remove_shown(out)  # before publishing: no hub or report may show an earlier prediction
    return result


def _score_all(
    windows: OpenWindows,
    choice: EncoderChoice,
    embedder: Embedder,
    scorer: Scorer,
    work: Path,
    execution: Execution,
    also: Sink | None,
) -> Done:
    """Write the tables."""
    ledger = windows.ledger
    thresholds = [mark.called_from for mark in choice.scored]
    done, around = 0, Surroundings(windows.annotation.format)
    with (
        Tables(work, scorer.marks, thresholds, execution.table) as tables,
        closing(_embedded(windows, choice.window, embedder)) as embedded,
    ):
        for batch in embedded:
            logits = _logits(batch, scorer)
            probabilities = scorer.calibrated(logits)
            tables.write(batch.rows, probabilities)
            if also:
                also(batch.rows, probabilities, logits)
            around.add(batch.rows)
            done += len(batch.rows)
            execution.progress(done, ledger.queued - ledger.passed)
    refuse_nothing(windows.annotation, ledger, done, "scored")
    lacking = around.warnings()
    tell([], lacking)
    return Done(done, tables.calls, lacking)


def _embedded(
    windows: OpenWindows, spec: WindowSpec, embedder: Embedder
) -> Generator[EmbeddedWindows]:
    """The windows in genome order with their vectors; tiles share their bins if they can."""
    ledger, reference = windows.ledger, windows.reference
    encoder = embedder.sharing(spec)
    if encoder is None:
        batches = scorable(ledger, reference, spec, windows.transcripts)
        yield from embedder.embed(batches, reference)
        return
    rows: list[Row] = []
    vectors: list[np.ndarray] = []
    tiles = embedder.embed_tiles(encoder, tile_blocks(ledger, reference, spec))
    with closing(tiles) as embedded:
        for blocks, found in embedded:
            rows += (row for block in blocks for row in block.rows(read=False))
            vectors.append(found)
            if len(rows) >= BATCH_WINDOWS:
                yield EmbeddedWindows(rows, np.concatenate(vectors))
                rows, vectors = [], []
    if rows:
        yield EmbeddedWindows(rows, np.concatenate(vectors))


def _logits(batch: EmbeddedWindows, scorer: Scorer) -> np.ndarray:
    """Logits of a batch; ModelError, naming the window, if one is not finite."""
    try:
        return scorer.logits(batch.vectors)
    except NotFiniteError as error:
        raise error.in_window(batch.rows[error.row].window) from error
