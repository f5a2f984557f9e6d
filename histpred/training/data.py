"""Windows of an annotation as the inputs of a network, and the sets that they are split into."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas
import torch

from histpred.core.errors import InputError, ModelError
from histpred.core.execution import Execution
from histpred.encoders.chunks import GRID, ChunkPolicy, check_window
from histpred.encoders.onnx import codes_of
from histpred.evaluation.baselines import sequence_features
from histpred.genome.request import Request
from histpred.genome.windows import WindowSpec
from histpred.labels.examples import Examples, labelled, learnable
from histpred.labels.matrix import Labels
from histpred.labels.splits import TEST, TRAIN, UNUSED, VALIDATION, warn_of_leaks
from histpred.labels.splitting import split
from histpred.scoring.inputs import Genome, embed_windows, map_windows
from histpred.training import spectra
from histpred.training.recipe import Source
from histpred.training.settings import NNPU, SPECTRA, Recipe

logger = logging.getLogger(__name__)


class Gathered(NamedTuple):
    """All windows, in genome order.

    values: the network's input for each, [n, ...]. features: the baselines' input.
    """

    windows: pandas.DataFrame
    values: np.ndarray
    features: np.ndarray
    genome: Genome


class Dataset(NamedTuple):
    """Labelled windows in their sets, with the baselines' features of each.

    marks: the marks that can be learned, in the order of the labels' columns. how: a sentence that
    says how the windows were split.
    """

    examples: Examples
    features: np.ndarray
    marks: tuple[str, ...]
    how: str


def gather(
    request: Request,
    window: WindowSpec,
    source: Source | None,
    work: Path,
    execution: Execution,
    model: str,
) -> Gathered:
    """Read all windows, and embed them if there is a source of embeddings."""
    if source:
        check_window(source.choice.chunks, window.kind)
        windows, values = embed_windows(request, source.choice, source.encoder, work, execution)
        _refuse_none(windows, request)
        _check_varied(values)
        _, features, genome = map_windows(request, window, work, sequence_features, quiet=True)
    else:
        length = window.upstream + window.downstream
        read = reader(model)
        windows, both, genome = map_windows(
            request,
            window,
            work,
            lambda batch: (read(codes_of(batch, length)), sequence_features(batch)),
        )
        _refuse_none(windows, request)
        values = np.concatenate([codes for codes, _ in both])
        features = [batch for _, batch in both]
    return Gathered(windows, values, np.concatenate(features), genome)


def reader(model: str) -> Callable[[np.ndarray], np.ndarray]:
    """From codes, uint8 [n, length], to what the network of a model is trained on."""
    if model != SPECTRA:
        return lambda codes: codes
    network = spectra.spectra(1)

    def counts_of(codes: np.ndarray) -> np.ndarray:
        counts: np.ndarray = network.counts_of(torch.from_numpy(codes.copy())).numpy()
        return counts

    return counts_of


def _refuse_none(windows: pandas.DataFrame, request: Request) -> None:
    if windows.empty:
        raise InputError(request.annotation, "holds no row", "there is nothing to train on")


def _check_varied(embeddings: np.ndarray) -> None:
    constant = (embeddings == embeddings[:1]).all(axis=0)
    if constant.all() and len(embeddings) > 1:
        raise ModelError(
            f"all {len(embeddings)} windows have the same embedding",
            "the encoder's weights are broken, or every window has the same sequence",
        )
    if constant.any():
        logger.info("%d of %d numbers of the embedding are constant", constant.sum(), constant.size)


def label_and_split(
    gathered: Gathered,
    labels: Labels,
    labels_path: Path,
    recipe: Recipe,
    chunks: ChunkPolicy | None,
) -> Dataset:
    """The labelled windows, split as the recipe says.

    Raises InputError if no window has a label or no mark can be learned.
    """
    rows, windows, units, targets = labelled(gathered.windows, labels, labels_path)
    sets, how = _split(windows, units, recipe, chunks)
    if recipe.loss == NNPU:  # pairs without a label are unlabelled for the loss, negative elsewhere
        targets = np.nan_to_num(targets)
    enough = learnable(labels.marks, targets[sets == TRAIN], labels_path)
    return Dataset(
        Examples(windows, units, gathered.values[rows], targets[:, enough], sets),
        gathered.features[rows],
        tuple(np.array(labels.marks)[enough]),
        how,
    )


def _split(
    windows: pandas.DataFrame, units: np.ndarray, recipe: Recipe, chunks: ChunkPolicy | None
) -> tuple[np.ndarray, str]:
    if chunks and chunks.policy == GRID:  # the vector of a bin depends on all its bases
        bins = chunks.length
        windows = windows.assign(
            start=windows["start"] // bins * bins, end=-(-windows["end"] // bins) * bins
        )
    sets, how = split(
        windows,
        units.tolist(),
        recipe.split,
        recipe.settings.seed,
        block=recipe.block,
        test_chromosomes=recipe.test_chromosomes,
        validation_chromosomes=recipe.validation_chromosomes,
    )
    counts = ", ".join(
        f"{(sets == name).sum():,} {name}" for name in (TRAIN, VALIDATION, TEST, UNUSED)
    )
    logger.info("%s: %s", how, counts)
    leaky = warn_of_leaks(windows, sets)
    if leaky:
        logger.warning(leaky)
        how = f"{how}. {leaky}"
    return sets, how
