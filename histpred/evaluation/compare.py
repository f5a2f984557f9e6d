"""A bundle, and others beside it, on rows with known labels."""

from __future__ import annotations

import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from histpred.bundle.encoding import bundle_encoder
from histpred.bundle.folder import MARK_VECTORS, Bundle
from histpred.bundle.outputs import window_for
from histpred.core.execution import Execution
from histpred.encoders import is_expensive
from histpred.encoders.chunks import check_window
from histpred.evaluation.analysis import co_targeting, correlate, cosine_similarity_of
from histpred.evaluation.baselines import INPUTS, fit_baselines, sequence_features
from histpred.evaluation.bootstrap import intervals, lead
from histpred.evaluation.metrics import by_group, measure
from histpred.evaluation.result import BASELINE, MODEL, ModelResult, Result
from histpred.evaluation.rows import COPY, SAME_ROW, EvaluationOptions, LabelledRows, label_rows
from histpred.genome.request import Request
from histpred.labels.examples import Examples
from histpred.labels.loci import locus_numbers
from histpred.labels.splits import TRAIN
from histpred.scoring.embed import embed_windows, map_windows
from histpred.scoring.scorer import Scorer

logger = logging.getLogger(__name__)


def score(
    bundle: Bundle, request: Request, weights: Path | None, work: Path, execution: Execution
) -> pandas.DataFrame:
    """All windows of a bundle's own kind, with a column of probabilities for each of its marks."""
    choice = bundle_encoder(bundle, weights=weights)
    check_window(choice.chunks, choice.window.kind)
    expensive = is_expensive(choice.spec.kind)
    encoder = choice.open(execution.device)
    logger.info(f"{bundle.manifest.name}: embedding {choice.window} windows")
    if not expensive:
        execution = execution._replace(store=None)
    windows, vectors = embed_windows(request, choice, encoder, work, execution)
    with Scorer(bundle, "cpu" if expensive else execution.device) as scorer:
        probabilities = scorer.probabilities(vectors)
    table = pandas.DataFrame(probabilities, columns=list(bundle.manifest.mark_names))
    table.insert(0, COPY, windows.groupby(SAME_ROW).cumcount())
    return pandas.concat([windows, table], axis=1)


class EvaluatedRows(NamedTuple):
    """The evaluated rows, on which every model is assessed.

    windows: one row per window; truth: float32 [n, marks], NaN where unlabelled; loci: int [n], the
    locus of each window; seed: of the bootstrap.
    """

    windows: pandas.DataFrame
    truth: np.ndarray
    marks: tuple[str, ...]
    loci: np.ndarray
    seed: int

    def assess(
        self,
        kind: str,
        inputs: str,
        probabilities: np.ndarray,
        thresholds: np.ndarray,
        bundle: ModelResult | None,
    ) -> ModelResult:
        """Measure one model, and the lead of `bundle` over it."""
        figures = measure(self.truth, probabilities, thresholds, self.marks)
        low, high = intervals(
            self.truth, probabilities, thresholds, self.marks, self.loci, seed=self.seed
        )
        ahead = None
        if bundle is not None:
            other = bundle.probabilities
            ahead = lead(other, probabilities, self.truth, self.loci, seed=self.seed)
        return ModelResult(kind, inputs, probabilities, thresholds, figures, low, high, ahead)


def compare(
    bundle: Bundle,
    scored: Sequence[pandas.DataFrame],
    request: Request,
    labels_path: Path,
    options: EvaluationOptions,
    work: Path,
) -> Result:
    """Evaluate a bundle, with other bundles and the baselines beside it.

    `scored`: what `score` gives for the bundle and those beside it; `work`: a private folder for
    temporary files. Raises what `histpred.evaluation.rows.label_rows` raises.
    """
    bundles = (bundle, *options.beside)
    chosen = label_rows(bundles, scored, labels_path, options)
    labelled = chosen.labelled
    windows = labelled.windows[chosen.evaluated].reset_index(drop=True).drop(columns=COPY)
    truth = labelled.labels[chosen.evaluated]
    evaluated = EvaluatedRows(windows, truth, chosen.marks, locus_numbers(windows), options.seed)
    models = _bundle_results(bundles, scored, chosen, evaluated)
    training = labelled.labels[chosen.sets == TRAIN]
    if len(training):
        beside = models[bundle.manifest.name]
        models |= _baseline_results(bundle, request, chosen, evaluated, beside, work)

    probabilities = {name: model.probabilities for name, model in models.items()}
    groups = [
        by_group(truth, probabilities, windows[column], by)
        for column, by in (("biotype", "biotype"), ("chrom", "chromosome"))
    ]
    similarity = _similarity(bundle, chosen.marks)
    together = co_targeting(training, chosen.marks) if len(training) else None
    both = similarity is not None and together is not None and len(chosen.marks) > 2
    return Result(
        title=f"{bundle.manifest.name} {bundle.manifest.version}",
        about={
            **_about(bundle, request, labels_path),
            "rows": f"{len(windows):,} ({'all' if chosen.unknown else options.rows}), "
            f"at {len(np.unique(evaluated.loci)):,} loci that do not overlap",
            **bundle.manifest.training.splits,
        },
        warnings=chosen.warnings,
        marks=chosen.marks,
        windows=windows,
        labels=truth,
        models=models,
        groups=pandas.concat(groups, ignore_index=True),
        similarity=similarity,
        co_targeting=together,
        correlation=correlate(similarity, together) if both else None,
    )


def _bundle_results(
    bundles: Sequence[Bundle],
    scored: Sequence[pandas.DataFrame],
    rows: LabelledRows,
    evaluated: EvaluatedRows,
) -> dict[str, ModelResult]:
    models: dict[str, ModelResult] = {}
    for each, table, place in zip(bundles, scored, rows.places, strict=True):
        manifest = each.manifest
        thresholds = {mark.name: mark.threshold for mark in manifest.marks}
        models[manifest.name] = evaluated.assess(
            MODEL,
            f"{window_for(each)} windows, {manifest.encoder.published or manifest.encoder.kind}",
            table[list(rows.marks)].to_numpy()[place[rows.evaluated]],
            np.array([thresholds[mark] for mark in rows.marks]),
            next(iter(models.values()), None),
        )
    return models


def _baseline_results(
    bundle: Bundle,
    request: Request,
    rows: LabelledRows,
    evaluated: EvaluatedRows,
    model: ModelResult,
    work: Path,
) -> dict[str, ModelResult]:
    """The baselines, fitted on the training rows of the bundle's split; `model`: the bundle's."""
    _, parts, _ = map_windows(request, window_for(bundle), work, sequence_features, quiet=True)
    _, windows, units, labels = rows.labelled
    features = np.concatenate(parts)[rows.labelled.rows]
    score = fit_baselines(Examples(windows, units, features, labels, rows.known_sets))
    scores = score(evaluated.windows, features[rows.evaluated])
    return {
        name: evaluated.assess(BASELINE, INPUTS[name], probabilities, thresholds, model)
        for name, (probabilities, thresholds) in scores.items()
    }


def _similarity(bundle: Bundle, marks: Sequence[str]) -> pandas.DataFrame | None:
    """Cosine similarity of the bundle's mark vectors, None if it has none."""
    if MARK_VECTORS not in bundle.manifest.files:
        return None
    with open(bundle.directory / MARK_VECTORS, encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines, "excel-tab")
        vectors = {mark: [float(number) for number in numbers] for mark, *numbers in rows}
    return cosine_similarity_of(np.array([vectors[mark] for mark in marks]), marks)


def _about(bundle: Bundle, request: Request, labels_path: Path) -> dict[str, str]:
    manifest = bundle.manifest
    return {
        "bundle": f"{manifest.name} {manifest.version}, sha256 {bundle.digest[:12]}",
        "windows": str(window_for(bundle)),
        "encoder": f"{manifest.encoder.published or manifest.encoder.kind}, "
        f"{manifest.encoder.dimension} numbers",
        "annotation": Path(request.annotation).name,
        "genome": Path(request.fasta).name,
        "labels": labels_path.name,
    }
