"""The main job: annotation, genome and bundle to a folder of scores.

    annotation + genome -> windows -> embeddings -> probabilities -> tables

Windows pass through in genome order and in batches; nothing grows with their number but files.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from histpred.bundle.encoding import bundle_chunks, open_encoder
from histpred.bundle.folder import Bundle
from histpred.bundle.outputs import interval_output, marks_of, was_trained_on, window_for
from histpred.bundle.species import UNSPECIFIED, looks_like_species
from histpred.core.errors import ModelError, first_few
from histpred.core.hts import quiet_htslib
from histpred.core.log import tell
from histpred.core.output import (
    RESUME,
    output_folder,
    refuse_inputs,
    sweep,
    temporary_faults,
)
from histpred.encoders import EXPENSIVE
from histpred.encoders.chunks import check_window
from histpred.encoders.embedder import EmbeddedWindows, Embedder
from histpred.encoders.store import Store, encoder_identity
from histpred.genome.annotation import Annotation
from histpred.genome.ledger import LEDGER, TOO_MANY_N, Ledger
from histpred.genome.plan import open_windows, refuse_nothing, scorable
from histpred.genome.reference import Reference
from histpred.scoring.derived import remove_shown
from histpred.scoring.record import (
    RUN,
    Options,
    Prediction,
    finished,
    identity,
    inputs_of,
    is_ours,
    outputs_of,
    times,
    versions,
)
from histpred.scoring.scorer import NotFiniteError, Scorer
from histpred.scoring.tables import CALLS, SCORES, Tables

OUTPUTS = (
    *(f"{table}{suffix}" for table in (SCORES, CALLS) for suffix in ("", ".tbi", ".csi")),
    LEDGER,
    RUN,
)

MANY_TIMES = 5  # the resolution: longer intervals are warned of
NO_GPU = "no GPU could be used: the encoder ran on the CPU"

Progress = Callable[[int, int], None]


def predict(
    annotation_path: str,
    fasta_path: str,
    out: Path,
    bundle: Bundle,
    options: Options,
    *,
    device: str = "auto",
    weights: Path | None = None,
    store: Path | None = None,
    cache: Path | None = None,
    overwrite: bool = False,
    progress: Progress = lambda done, total: None,
) -> Prediction:
    """Score an annotation's windows into the files of `OUTPUTS` in the folder `out`.

    Parameters
    ----------
    annotation_path
        BED, GTF or GFF3; '-' for standard input.
    fasta_path
        The genome, plain, bgzip or gzip.
    device
        Where the encoder runs and, if that one is always on the CPU, the scorer.
    weights
        Where the encoder's weights lie, if not in the bundle or where `histpred encoders get` puts
        them.
    store
        A folder of embeddings that outlives the run; None: those of an expensive encoder are kept
        in `out` until the run has succeeded.
    cache
        A folder for indexes and copies of the genome that outlives the run; None: they go with the
        run.
    overwrite
        Replace another prediction's files in `out`.
    progress
        Called with the number of windows scored or skipped, and their total.

    Raises
    ------
    HistpredError
        For inputs, bundles, devices and folders that cannot be used; nothing is published then.
    """
    started = time.time()
    refuse_inputs([out / name for name in OUTPUTS], (annotation_path, fasta_path))
    with quiet_htslib(), temporary_faults(), ExitStack() as stack:
        chunks = bundle_chunks(bundle)
        check_window(chunks, options.window.kind)
        expensive = bundle.manifest.encoder.kind in EXPENSIVE
        # torch has the device then; what the scorer does takes no time beside that
        interval = interval_output(bundle, options.window)
        scorer = stack.enter_context(
            Scorer(bundle, "cpu" if expensive else device, interval=interval)
        )
        known = finished(out, annotation_path, fasta_path, bundle, options, overwrite)
        if known is not None:
            sweep(out)
            return known

        encoder = open_encoder(bundle, device, options.precision, weights)
        work = stack.enter_context(output_folder(out, OUTPUTS, is_ours))
        annotation, reference, ledger, planned = stack.enter_context(
            open_windows(
                annotation_path,
                fasta_path,
                work,
                options.window,
                level=options.level,
                biotypes=options.biotypes,
                unstranded=options.unstranded,
                cache=cache,
            )
        )
        warnings = planned.warnings + domain_warnings(
            bundle, options, annotation, reference, ledger
        )
        tell(planned.notices, warnings)
        if expensive and device == "auto" and encoder.device == "cpu":  # said when it was chosen
            warnings.append(NO_GPU)

        encoder_is = encoder_identity(bundle.manifest.encoder, encoder)
        folder = store or (out / RESUME if expensive else None)
        kept = Store(folder, encoder_is) if folder else None
        embedder = Embedder(encoder, chunks, kept)
        thresholds = [mark.threshold for mark in marks_of(bundle, options.window)]
        done = 0
        with Tables(work, scorer.marks, thresholds) as tables:
            batches = scorable(ledger, reference, options.window)
            for windows in stack.enter_context(closing(embedder.embed(batches, reference))):
                probabilities = _score(windows, scorer)
                tables.write(windows.windows, windows.n_fractions, probabilities)
                done += len(windows.windows)
                progress(done + ledger.skipped.get(TOO_MANY_N, 0), ledger.queued)
            progress(ledger.queued, ledger.queued)
        refuse_nothing(annotation, ledger, done, "scored")
        ledger.write(work / LEDGER)

        result = Prediction(
            rows=ledger.rows,
            scored=done,
            calls=tables.calls,
            skipped=ledger.skipped,
            past_end=planned.past_end,
            warnings=warnings,
            device=encoder.device if expensive else scorer.device,
            fresh=True,
            embedded=embedder.embedded,
            reused=embedder.reused,
        )
        record = identity(annotation.digest, reference.digest, bundle, options) | {
            "result": result._asdict(),
            **inputs_of(annotation_path, fasta_path, annotation, reference),
            "encoder": {
                "device": encoder.device,
                "precision": encoder.precision,
                "chunks": str(chunks) if chunks else None,
                "files": encoder_is["files"],
            },
            "versions": versions(),
            **times(started),
            "outputs": outputs_of(work, OUTPUTS),
        }
        (work / RUN).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        remove_shown(out)  # now rather than later: no hub or report may tell of another prediction

    return result


def _score(batch: EmbeddedWindows, scorer: Scorer) -> Any:
    try:
        return scorer.probabilities(batch.vectors)
    except NotFiniteError as error:
        window = batch.windows[error.row]
        raise ModelError(
            f"{window.name} ({window.chrom}:{window.start}-{window.end}) gave NaN or infinity",
            error.hint,
        ) from error


def domain_warnings(
    bundle: Bundle,
    options: Options,
    annotation: Annotation,
    reference: Reference,
    ledger: Ledger,
) -> list[str]:
    """What is known of inputs that lie outside what the bundle was trained on."""
    species = bundle.manifest.species
    warnings = []
    if None not in (annotation.taxon_id, species.taxon_id) and (
        annotation.taxon_id != species.taxon_id
    ):
        warnings.append(
            f"{annotation.name} is of taxon {annotation.taxon_id}, the bundle "
            f"{bundle.manifest.name} was trained on {species.name} (taxon {species.taxon_id}): "
            "its scores are an extrapolation"
        )
    elif species.name != UNSPECIFIED and reference.organism not in (None, species.name):
        warnings.append(
            f"{reference.name} is of {reference.organism}, the bundle {bundle.manifest.name} was "
            f"trained on {species.name}: its scores are an extrapolation"
        )
    elif looks_like_species(reference.lengths.values(), species) is False:
        warnings.append(
            f"no contig of {reference.name} is as long as a chromosome of {species.name}, on which "
            f"the bundle {bundle.manifest.name} was trained: for another species its scores are an "
            "extrapolation"
        )
    interval = interval_output(bundle, options.window)
    if not was_trained_on(bundle, options.window):
        warnings.append(
            f"the bundle {bundle.manifest.name} was trained on {window_for(bundle)} windows, not "
            f"on {options.window}: its probabilities are not calibrated for these"
        )
    elif interval:
        count, names = ledger.longer_than(MANY_TIMES * interval.resolution)
        if count:
            warnings.append(
                f"{count:,} intervals are longer than {MANY_TIMES * interval.resolution} bp: "
                f"{first_few(names, count)}. A probability is of the {interval.resolution} bp at "
                f"the middle; cut them with --tile {interval.resolution}"
            )
    return warnings
