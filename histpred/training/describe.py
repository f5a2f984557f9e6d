"""The manifest of a trained bundle, with its figures, and the notes on its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pydantic import JsonValue

from histpred.bundle.calls import wanted_precision
from histpred.bundle.figures import Evaluation
from histpred.bundle.manifest import (
    SCHEMA_VERSION,
    EncoderSpec,
    KnownAnswer,
    Manifest,
    Parent,
    Training,
)
from histpred.bundle.manifest import WindowSpec as ManifestWindow
from histpred.bundle.mark_spec import MarkSpec
from histpred.bundle.organisms import Species
from histpred.bundle.outputs import UNSPECIFIED
from histpred.core.errors import first_few
from histpred.encoders.devices import BF16
from histpred.evaluation.baselines import PREVALENCE, fit_baselines
from histpred.evaluation.calibration import Calibrated
from histpred.evaluation.metrics import card_figures, expected_calibration_error
from histpred.genome.genomes import GENOME, GenomeInput
from histpred.genome.regions import INTERVAL
from histpred.genome.windows import WindowSpec
from histpred.labels.genomes import OF_GENOME
from histpred.labels.splits import TEST, TRAIN, UNUSED, VALIDATION
from histpred.training.data import Dataset
from histpred.training.fitting import Epoch
from histpred.training.settings import MLP, TRAINING_PRECISION, About, Recipe

LOSSES = {
    "weighted": "binary cross-entropy in which the positives of a mark weigh negatives/positives",
    "undersampled": "binary cross-entropy on equal numbers of positives and negatives of each mark",
    "nnpu": "the non-negative positive-unlabelled risk (Kiryo et al. 2017)",
    "plain": "binary cross-entropy",
}
DIGESTS = ("annotation sha256", "genome sha256", "labels sha256")
"""What the card calls the digests OF_GENOME."""

SETS = {
    VALIDATION: "Rows that chose the epoch, the thresholds and the calibration: flattering.",
    TEST: "Rows that were held out and chose nothing.",
}


class TrainingRun(NamedTuple):
    """What a bundle is trained from.

    identity: what its manifest records of it. parent: the bundle that it goes on from, or None.
    """

    recipe: Recipe
    about: About
    window: WindowSpec
    identity: dict[str, JsonValue]
    dataset: Dataset
    genomes: Sequence[GenomeInput]
    parent: Parent | None = None


def describe(
    run: TrainingRun,
    histories: list[list[Epoch]],
    probabilities: Mapping[str, np.ndarray],
    calibrated: list[Calibrated],
    encoder: EncoderSpec,
    known: KnownAnswer,
) -> tuple[Manifest, str]:
    """Write the manifest, with `files` empty, and the notes of the card.

    `histories` has an entry for each member, `probabilities` the calibrated ones [n, marks] of the
    validation and the test rows, by set.
    """
    about, window, marks = run.about, run.window, run.dataset.marks
    identity, sets = run.identity, run.dataset.examples.sets
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        name=about.name,
        version="1",
        summary=about.summary or f"{len(marks)} histone marks from {window} windows.",
        caveats=_caveats(run),
        licence=about.licence,
        species=tuple(_species(genome, run) for genome in run.genomes),
        window=ManifestWindow(**{k: v for k, v in window._asdict().items() if k != "tile"}),
        encoder=encoder,
        marks=tuple(
            MarkSpec(name=mark, **chosen._asdict())
            for mark, chosen in zip(marks, calibrated, strict=True)
        ),
        files={},
        training=Training(
            data=_data(identity),
            splits={"split": run.dataset.how},
            seed=run.recipe.settings.seed,
            counts={name: int((sets == name).sum()) for name in (TRAIN, VALIDATION, TEST, UNUSED)},
            recipe=identity,
            parent=run.parent,
        ),
        metrics=_figures(run.dataset, probabilities),
        known_answer=known,
    )
    return manifest, _notes(run, histories)


def _species(genome: GenomeInput, run: TrainingRun) -> Species:
    """The organism of a genome, as the user states it or else as annotation and FASTA do."""
    found = run.dataset.genomes[genome.name]
    stated = genome if genome.name else run.about
    assembly = stated.assembly or found.build or "unspecified assembly"
    return Species(
        name=stated.species or found.organism or UNSPECIFIED,
        taxon_id=found.taxon_id if stated.taxon_id is None else stated.taxon_id,
        assembly=assembly,
        chromosome_lengths={assembly: found.lengths},
        genome=genome.name,
    )


def _data(identity: dict[str, Any]) -> tuple[str, ...]:
    """The digests of the inputs, in words."""
    return tuple(
        f"{name}: {what} {one[key]}" if name else f"{what} {one[key]}"
        for name, one in identity.get("genomes", {"": identity}).items()
        for key, what in zip(OF_GENOME, DIGESTS, strict=True)
    )


def _notes(run: TrainingRun, histories: list[list[Epoch]]) -> str:
    recipe = run.recipe
    epochs = ", ".join(
        f"{max(epoch.epoch for epoch in history if epoch.best)} of {len(history)}"
        for history in histories
    )
    chosen = recipe.settings
    rounded = ", products in bf16" if run.identity.get(TRAINING_PRECISION) == BF16 else ""
    return f"""\
## How it was trained

- **model**: {_model(recipe)}{_parent(run)}
- **loss**: {LOSSES[recipe.loss]}
- **optimiser**: AdamW, learning rate {chosen.learning_rate:g}, weight decay \
{chosen.weight_decay:g}, {chosen.batch} rows a batch{rounded}; the weights of epoch {epochs}, the \
one with the lowest validation loss
- **thresholds**: {_thresholds(recipe, run.window)}

## Limits

A probability is judged from sequence: it says nothing about causes. Where unobserved pairs were \
taken for negatives, it is a probability of being observed. Rows unlike the training rows (another \
species, kind of gene or window) are an extrapolation."""


def _parent(run: TrainingRun) -> str:
    """A line on the parent and on what it had seen of the test rows; empty without a parent."""
    if (parent := run.parent) is None:
        return ""
    every = len(run.dataset.marks)
    return (
        f"\n- **parent**: the weights of {parent.name} {parent.version} (bundle.json sha256 "
        f"{parent.sha256}) were the start, for {len(parent.marks)} of {every} marks; "
        f"{_seen(run, parent)}"
    )


def _seen(run: TrainingRun, parent: Parent) -> str:
    """What the parent had seen of the test and validation rows, as a clause."""
    sets = run.dataset.examples.sets
    test, validation = (f"{(sets == name).sum():,}" for name in (TEST, VALIDATION))
    if parent.test_rows_seen is None:
        return f"it is not known whether {parent.name} was trained on some of the {test} test rows"
    return (
        f"{parent.name} was trained or validated on {parent.test_rows_seen:,} of the {test} test "
        f"rows ({parent.seen_by_id:,} by their id, {parent.seen_by_place:,} by their place) and "
        f"on {parent.validation_rows_seen:,} of the {validation} validation rows"
    )


def _thresholds(recipe: Recipe, window: WindowSpec) -> str:
    wanted = wanted_precision(recipe.calls, window.kind == INTERVAL)
    if wanted is None:
        return "for each mark the one with the highest Youden's J on the validation rows"
    return (
        f"for each mark the lowest at which calls have a precision of {wanted:g} or more among the "
        "validation rows, by a cautious estimate; never, if no threshold does"
    )


def _caveats(run: TrainingRun) -> tuple[str, ...]:
    """What a user of the bundle must read first."""
    examples = run.dataset.examples
    trained = examples.windows[examples.sets == TRAIN]  # without a copy of the inputs
    places = first_few(sorted(set(trained["chrom"])))
    if GENOME in trained:
        counts = trained[GENOME].value_counts(sort=False)
        places = ", ".join(f"{name} ({count:,})" for name, count in counts.items())
    return (
        "A probability says how likely a row of the training labels' kind carries the mark: not in "
        "which cell type.",
        f"The bundle was trained on {len(trained):,} rows of {places}.",
        *_flattery(run),
    )


def _flattery(run: TrainingRun) -> list[str]:
    """A sentence, if the parent had seen rows that judge the bundle, or does not say."""
    if run.parent is None or not (
        run.parent.test_rows_seen is None
        or run.parent.test_rows_seen
        or run.parent.validation_rows_seen
    ):
        return []
    seen = _seen(run, run.parent)
    return [f"It goes on from {run.parent.name}: {seen}. Its test figures may be flattering."]


def _model(recipe: Recipe) -> str:
    several = f"the mean of {recipe.members}: " if recipe.members > 1 else ""
    if recipe.model != MLP:
        return several + recipe.model
    vectors = f"trainable mark vectors of {recipe.mark_dimension}"
    marks = vectors if recipe.mark_dimension else "one-hot marks"
    hidden = ", ".join(map(str, recipe.hidden))
    return f"{several}perceptron with hidden layers of {hidden}, {marks}"


def _figures(dataset: Dataset, probabilities: Mapping[str, np.ndarray]) -> dict[str, Evaluation]:
    examples, features, marks, *_ = dataset
    examples = examples._replace(inputs=features)
    score = fit_baselines(examples)
    figures = {}
    for name, description in SETS.items():
        these, scores = examples.of(name), probabilities[name]
        scored = score(these.windows, these.inputs)
        beside = {kind: values for kind, (values, _) in scored.items() if kind != PREVALENCE}
        columns = zip(these.labels.T, scores.T, strict=True)
        errors = [expected_calibration_error(*column) for column in columns]
        evaluation = card_figures(description, marks, these.labels, scores, beside, errors)
        if evaluation:
            figures[name] = evaluation
    return figures
