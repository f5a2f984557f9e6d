"""A bundle, and others beside it, on rows with known labels."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from histpred.bundle.folder import MARK_VECTORS, Bundle
from histpred.evaluation.analysis import co_targeting, correlate, cosine_similarity_of
from histpred.evaluation.baselines import INPUTS, fit_baselines, sequence_features
from histpred.evaluation.blocks import out_of_fold
from histpred.evaluation.bootstrap import intervals, lead
from histpred.evaluation.kinds import by_kind, kinds_of
from histpred.evaluation.metrics import by_group, measure
from histpred.evaluation.result import BASELINE, LOCI, MODEL, ModelResult, Result
from histpred.evaluation.rows import EvaluationOptions, LabelledRows, label_rows
from histpred.evaluation.scores import COPY, ScoredWindows, described
from histpred.genome.regions import INTERVAL
from histpred.genome.request import Request
from histpred.genome.transcripts import fitting
from histpred.genome.windows import WindowSpec
from histpred.labels.examples import Examples
from histpred.labels.loci import locus_numbers
from histpred.labels.splits import TRAIN
from histpred.scoring.embed import map_windows


class EvaluatedRows(NamedTuple):
    """The evaluated rows, on which every model is assessed.

    windows: one row per window; truth: float32 [n, marks], NaN where unlabelled; loci: int [n],
    what is drawn together in the bootstrap; seed: of the bootstrap.
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
    scored: Sequence[ScoredWindows],
    request: Request,
    labels_path: Path,
    options: EvaluationOptions,
    work: Path,
) -> Result:
    """Evaluate the first of the bundles, with the others and the baselines beside it.

    `work`: a private folder for temporary files. Raises what
    `histpred.evaluation.rows.label_rows` raises.
    """
    bundle, window = scored[0].bundle, scored[0].window
    chosen = label_rows(scored, labels_path, options)
    labelled, blocks = chosen.labelled, chosen.blocks
    windows = labelled.windows[chosen.evaluated].reset_index(drop=True).drop(columns=COPY)
    truth = labelled.labels[chosen.evaluated]
    # Neighbouring intervals are alike even where they do not overlap.
    in_blocks = window.kind == INTERVAL
    loci = blocks.numbers if in_blocks else locus_numbers(windows)
    block, count = f"blocks of {blocks.length:,} bp", len(np.unique(loci))
    places = f"in {count:,} {block}" if in_blocks else f"at {count:,} loci that do not overlap"
    evaluated = EvaluatedRows(windows, truth, chosen.marks, loci, options.seed)
    models = _bundle_results(scored, chosen, evaluated)
    training = labelled.labels[chosen.sets == TRAIN]
    by_block = not len(training) and len(blocks.names) > 1
    if len(training) or by_block:
        models |= _baseline_results(window, request, chosen, evaluated, models, work)

    probabilities = {name: model.probabilities for name, model in models.items()}
    groupings = {"biotype": windows["biotype"], "chromosome": windows["chrom"]}
    if by_block:
        groupings["block"] = np.array(blocks.names)[blocks.numbers]
    groups = [by_group(truth, probabilities, of, by) for by, of in groupings.items()]
    kinds = kinds_of(labelled.windows[chosen.evaluated], request, window.kind, work)
    similarity = _similarity(bundle, chosen.marks)
    together = co_targeting(training, chosen.marks) if len(training) else None
    both = similarity is not None and together is not None and len(chosen.marks) > 2
    return Result(
        title=f"{bundle.manifest.name} {bundle.manifest.version}",
        about={
            **_about(scored[0], request, labels_path),
            "rows": f"{len(windows):,} ({'all' if chosen.unknown else options.rows}), {places}",
            **({"baselines": f"by {block}, see Methods"} if by_block else {}),
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
        drawn=block if in_blocks else LOCI,
        block=blocks.length if by_block else 0,
        kinds=kinds if isinstance(kinds, str) else by_kind(kinds, truth, models, chosen.marks),
    )


def _bundle_results(
    scored: Sequence[ScoredWindows], rows: LabelledRows, evaluated: EvaluatedRows
) -> dict[str, ModelResult]:
    models: dict[str, ModelResult] = {}
    for each, place in zip(scored, rows.places, strict=True):
        manifest = each.bundle.manifest
        thresholds = {mark.name: mark.threshold for mark in each.marks}
        models[manifest.name] = evaluated.assess(
            MODEL,
            f"{described(each.window)}, {manifest.encoder.published or manifest.encoder.kind}",
            each.table[list(rows.marks)].to_numpy()[place[rows.evaluated]],
            np.array([thresholds[mark] for mark in rows.marks]),
            next(iter(models.values()), None),
        )
    return models


def _baseline_results(
    window: WindowSpec,
    request: Request,
    rows: LabelledRows,
    evaluated: EvaluatedRows,
    models: dict[str, ModelResult],
    work: Path,
) -> dict[str, ModelResult]:
    """The baselines, fitted on the training rows of the bundle's split or, without any, by block.

    `models`: those of the bundles, the evaluated one first.
    """
    request = fitting(request, window.kind)
    _, parts, _ = map_windows(
        request, window, work, lambda batch: sequence_features(batch, window), quiet=True
    )
    _, windows, units, labels = rows.labelled
    features = np.concatenate(parts)[rows.labelled.rows]
    if (rows.sets == TRAIN).any():
        score = fit_baselines(Examples(windows, units, features, labels, rows.known_sets))
        scores = score(evaluated.windows, features[rows.evaluated])
    else:
        features = features[rows.evaluated]
        scores = out_of_fold(evaluated.windows, features, evaluated.truth, rows.blocks)
    bundle = next(iter(models.values()))
    return {
        name: evaluated.assess(BASELINE, INPUTS[name], probabilities, thresholds, bundle)
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


def _about(scored: ScoredWindows, request: Request, labels_path: Path) -> dict[str, str]:
    manifest = scored.bundle.manifest
    return {
        "bundle": f"{manifest.name} {manifest.version}, sha256 {scored.bundle.digest[:12]}",
        "windows": described(scored.window),
        "encoder": f"{manifest.encoder.published or manifest.encoder.kind}, "
        f"{manifest.encoder.dimension} numbers",
        "annotation": Path(request.annotation).name,
        "genome": Path(request.fasta).name,
        "labels": labels_path.name,
    }
