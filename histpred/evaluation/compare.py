"""A bundle, and others beside it, on rows with known labels: figures, tables, pictures."""

from __future__ import annotations

import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from histpred.bundle.encoding import bundle_encoder
from histpred.bundle.folder import MARK_VECTORS, SPLIT, Bundle
from histpred.bundle.outputs import window_for
from histpred.core.errors import InputError, UsageError, first_few
from histpred.core.execution import Execution
from histpred.encoders import is_expensive
from histpred.encoders.chunks import check_window
from histpred.evaluation.analysis import co_targeting, correlate, cosine_similarity_of
from histpred.evaluation.baselines import INPUTS, fit_baselines, joined, sequence_features
from histpred.evaluation.metrics import by_group, intervals, lead, measure
from histpred.evaluation.result import BASELINE, MODEL, Result, Scored
from histpred.genome.request import Request
from histpred.labels.examples import Examples, choose_marks, labelled
from histpred.labels.matrix import read_labels, without_version
from histpred.labels.splits import (
    LEAKY,
    TEST,
    TRAIN,
    UNUSED,
    VALIDATION,
    leaks,
    locus_numbers,
    read_split,
    warn_of_leaks,
)
from histpred.scoring.inputs import embed_windows, map_windows
from histpred.scoring.scorer import Scorer

logger = logging.getLogger(__name__)

ALL = "all"
SAMPLES = 200  # of the bootstrap
SAME_ROW = ["chrom", "name", "strand", "gene_id"]
COPY = "copy #"  # of rows that are the same otherwise; no mark is called so


class EvaluationOptions(NamedTuple):
    """What is evaluated of a bundle.

    beside: bundles that are shown in the same tables, on the same rows and marks. rows: the set of
    the bundle's own split to evaluate ('test' or 'validation'), or 'all'; if no row belongs to the
    split, all rows are evaluated. marks: those to evaluate; if empty, all that bundles and labels
    share. seed: seed of the bootstrap.
    """

    beside: tuple[Bundle, ...] = ()
    rows: str = TEST
    marks: tuple[str, ...] = ()
    seed: int = 0


def score(
    bundle: Bundle, request: Request, weights: Path | None, work: Path, execution: Execution
) -> pandas.DataFrame:
    """All windows of a bundle's own kind, with a column of probabilities for each of its marks."""
    choice = bundle_encoder(bundle, weights=weights)
    check_window(choice.chunks, choice.window.kind)
    expensive = is_expensive(choice.spec.kind)
    encoder = choice.open(execution.device)
    logger.info("%s: embedding %s windows", bundle.manifest.name, choice.window)
    if not expensive:
        execution = execution._replace(store=None)
    windows, vectors = embed_windows(request, choice, encoder, work, execution)
    with Scorer(bundle, "cpu" if expensive else execution.device) as scorer:
        probabilities = scorer.probabilities(vectors)
    table = pandas.DataFrame(probabilities, columns=list(bundle.manifest.mark_names))
    table.insert(0, COPY, windows.groupby(SAME_ROW).cumcount())
    return pandas.concat([windows, table], axis=1)


def compare(
    bundle: Bundle,
    beside: Sequence[Bundle],
    scored: list[pandas.DataFrame],
    inputs: Request,
    labels_path: Path,
    rows: str,
    marks: tuple[str, ...],
    seed: int,
    work: Path,
) -> Result:
    labels = read_labels(labels_path)
    bundles = (bundle, *beside)
    shared = [
        mark
        for mark in bundle.manifest.mark_names
        if mark in labels.marks and all(mark in each.manifest.mark_names for each in bundles)
    ]
    if not marks and not shared:
        raise InputError(
            labels_path,
            f"has none of the marks that the bundles share: {first_few(labels.marks)} here",
            f"{bundle.manifest.name} has {first_few(bundle.manifest.mark_names)}",
        )
    labels = choose_marks(labels, marks or tuple(shared), labels_path)
    for each in bundles:
        if absent := [mark for mark in labels.marks if mark not in each.manifest.mark_names]:
            raise UsageError(
                f"{each.manifest.name} does not score {first_few(absent)}",
                f"it scores {', '.join(each.manifest.mark_names)}",
            )
    columns = list(labels.marks)

    windows = scored[0].drop(columns=list(bundle.manifest.mark_names))
    found = labelled(windows, labels, labels_path)
    sets = _sets(bundle, found.units)
    warnings: list[str] = []
    chosen = _chosen(sets, rows, bundle, warnings)
    keys = pandas.MultiIndex.from_frame(found.windows[[*SAME_ROW, COPY]])
    places = []
    for each in scored:
        index = pandas.MultiIndex.from_frame(each[[*SAME_ROW, COPY]])
        places.append(index.get_indexer(keys))
    everywhere = np.all([place >= 0 for place in places], axis=0)
    if not everywhere.any():
        raise UsageError(
            "the windows of the bundles have no row in common",
            "name one level for all of them, --by gene or --by transcript",
        )
    if lost := int((chosen & ~everywhere).sum()):
        warnings.append(f"{lost} rows are left out, since not every bundle can score them")
    chosen &= everywhere
    if not chosen.any():
        raise UsageError(
            f"no row of the set {rows!r} can be evaluated", "choose other rows with --rows"
        )
    known_sets = np.where(sets == "", UNUSED, sets)
    leaky = warn_of_leaks(leaks(found.windows, known_sets), known_sets)
    if not leaky and (sets != "").any():  # what leaked when it was trained may not be here
        leaky = next(
            (text for text in bundle.manifest.training.splits.values() if LEAKY in text), None
        )
    warnings += [leaky] if leaky else []
    for each in beside:
        seen = int((chosen & np.isin(_sets(each, found.units), (TRAIN, VALIDATION))).sum())
        if seen:
            warnings.append(
                f"{seen:,} of the {chosen.sum():,} rows trained or validated {each.manifest.name}: "
                f"its figures flatter; train it with --split and the {SPLIT} of "
                f"{bundle.manifest.name}"
            )
    training = found.labels[sets == TRAIN]
    trained = bundle.manifest.training.counts.get(TRAIN, 0)
    if not len(training):
        warnings.append("no training row is among these rows: there are no baselines to compare")
    elif len(training) < trained:
        warnings.append(
            f"only {len(training):,} of the {trained:,} training rows are among these rows: "
            "baselines fitted on them are weaker than they could be"
        )
    for warning in warnings:
        logger.warning(warning)

    truth = found.labels[chosen]
    if np.isnan(truth).all():
        raise UsageError(
            f"the {len(truth):,} rows to evaluate have no labels", "choose other rows with --rows"
        )
    these = found.windows[chosen].reset_index(drop=True).drop(columns=COPY)
    loci = locus_numbers(these)
    models: dict[str, Scored] = {}
    for each, table, place in zip(bundles, scored, places, strict=True):
        manifest = each.manifest
        thresholds = {mark.name: mark.threshold for mark in manifest.marks}
        models[manifest.name] = _scored(
            MODEL,
            f"{window_for(each)} windows, {manifest.encoder.published or manifest.encoder.kind}",
            table[columns].to_numpy()[place[chosen]],
            np.array([thresholds[mark] for mark in columns]),
            truth,
            labels.marks,
            loci,
            seed,
            next(iter(models.values()), None),
        )
    if len(training):
        _, parts, _ = map_windows(inputs, window_for(bundle), work, sequence_features, quiet=True)
        features = joined(parts).of(found.rows)
        examples = Examples(found.windows, found.units, features.kmers, found.labels, known_sets)
        fitted = fit_baselines(examples, features)
        beside_it = fitted.score(these, features.of(chosen))
        for name, (probabilities, thresholds) in beside_it.items():
            models[name] = _scored(
                BASELINE,
                INPUTS[name],
                probabilities,
                thresholds,
                truth,
                labels.marks,
                loci,
                seed,
                models[bundle.manifest.name],
            )

    probabilities = {name: model.probabilities for name, model in models.items()}
    groups = pandas.concat(
        [
            by_group(truth, probabilities, these["biotype"], "biotype"),
            by_group(truth, probabilities, these["chrom"], "chromosome"),
        ],
        ignore_index=True,
    )
    vectors = _mark_vectors(bundle, columns)
    similarity = None if vectors is None else cosine_similarity_of(vectors, labels.marks)
    together = co_targeting(training, labels.marks) if len(training) else None
    both = similarity is not None and together is not None and len(columns) > 2
    return Result(
        title=f"{bundle.manifest.name} {bundle.manifest.version}",
        about=_about(bundle, inputs, labels_path, rows, sets, chosen, loci),
        warnings=warnings,
        marks=labels.marks,
        windows=these,
        labels=truth,
        models=models,
        groups=groups,
        similarity=similarity,
        co_targeting=together,
        correlation=correlate(similarity, together) if both else None,
    )


def _scored(
    kind: str,
    inputs: str,
    probabilities: np.ndarray,
    thresholds: np.ndarray,
    truth: np.ndarray,
    marks: tuple[str, ...],
    loci: np.ndarray,
    seed: int,
    bundle: Scored | None,
) -> Scored:
    figures = measure(truth, probabilities, thresholds, marks)
    low, high = intervals(truth, probabilities, thresholds, marks, loci, SAMPLES, seed)
    ahead = None
    if bundle is not None:
        ahead = lead(bundle.probabilities, probabilities, truth, loci, SAMPLES, seed)
    return Scored(kind, inputs, probabilities, thresholds, figures, low, high, ahead)


def _sets(bundle: Bundle, units: np.ndarray) -> np.ndarray:
    """The set of each row in the bundle's split, '' for one that is not in it."""
    if SPLIT not in bundle.manifest.files:
        return np.full(len(units), "")
    known = read_split(bundle.directory / SPLIT)
    bare = {without_version(unit): name for unit, name in known.items()}
    return np.array([known.get(unit, bare.get(without_version(unit), "")) for unit in units])


def _chosen(sets: np.ndarray, rows: str, bundle: Bundle, warnings: list[str]) -> np.ndarray:
    if rows == ALL or (sets == "").all():
        if (sets == TRAIN).any():
            warnings.append("training rows are among those evaluated: the figures flatter")
        elif (sets == "").all():
            warnings.append(
                f"the split of {bundle.manifest.name} names none of these rows: all are evaluated. "
                "Nothing here tells whether they, or rows that overlap them, were trained on"
            )
        return np.ones(len(sets), bool)
    if rows == VALIDATION:
        warnings.append("validation rows chose the epoch and the thresholds: the figures flatter")
    chosen: np.ndarray = sets == rows
    if not chosen.any():
        raise UsageError(
            f"no row here is in the set {rows!r} of the split of {bundle.manifest.name}",
            f"choose other rows with --rows; there are {', '.join(sorted(set(sets) - {''}))}",
        )
    return chosen


def _mark_vectors(bundle: Bundle, marks: list[str]) -> np.ndarray | None:
    if MARK_VECTORS not in bundle.manifest.files:
        return None
    with open(bundle.directory / MARK_VECTORS, encoding="utf-8", newline="") as lines:
        vectors = {
            mark: list(map(float, numbers)) for mark, *numbers in csv.reader(lines, "excel-tab")
        }
    return np.array([vectors[mark] for mark in marks])


def _about(
    bundle: Bundle,
    inputs: Request,
    labels_path: Path,
    rows: str,
    sets: np.ndarray,
    chosen: np.ndarray,
    loci: np.ndarray,
) -> dict[str, str]:
    manifest = bundle.manifest
    facts = {
        "bundle": f"{manifest.name} {manifest.version}, sha256 {bundle.digest[:12]}",
        "windows": str(window_for(bundle)),
        "encoder": f"{manifest.encoder.published or manifest.encoder.kind}, "
        f"{manifest.encoder.dimension} numbers",
        "annotation": Path(inputs.annotation).name,
        "genome": Path(inputs.fasta).name,
        "labels": labels_path.name,
        "rows": f"{int(chosen.sum()):,} ({'all' if (sets == '').all() else rows}), "
        f"at {len(set(loci.tolist())):,} loci that do not overlap",
    }
    return facts | {name: text for name, text in manifest.training.splits.items()}
