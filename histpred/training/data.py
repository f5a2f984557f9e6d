"""Windows of an annotation as the inputs of a network, and the sets that they are split into."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas
import torch

from histpred.core.errors import InputError, ModelError, UsageError, first_few
from histpred.core.execution import Execution
from histpred.core.spelling import did_you_mean
from histpred.encoders.chunks import GRID, ChunkPolicy, check_window
from histpred.encoders.onnx import codes_of
from histpred.evaluation.baselines import sequence_features
from histpred.evaluation.spooled import SpooledRows
from histpred.genome.genomes import GenomeInput, naming, placed, within
from histpred.genome.reference import Reference
from histpred.genome.regions import PROMOTER
from histpred.genome.request import Request
from histpred.genome.windows import MAX_N_FRACTION, WindowSpec
from histpred.labels.examples import Examples, learnable
from histpred.labels.genomes import labelled_genomes
from histpred.labels.matrix import Labels
from histpred.labels.splits import TEST, TRAIN, UNUSED, VALIDATION, warn_of_leaks
from histpred.labels.splitting import split
from histpred.scoring.embed import Genome, embed_windows, map_windows
from histpred.training import spectra
from histpred.training.recipe import Source
from histpred.training.settings import DEEPHISTONE, DEEPHISTONE_ADAPTED, NNPU, SPECTRA, Recipe

logger = logging.getLogger(__name__)

WINDOWS = {
    SPECTRA: WindowSpec(PROMOTER, 10_000, 10_000, MAX_N_FRACTION, whole=True),
    DEEPHISTONE: WindowSpec(PROMOTER, 500, 500, MAX_N_FRACTION),
    DEEPHISTONE_ADAPTED: WindowSpec(PROMOTER, 11_000, 1_000, MAX_N_FRACTION),
}
"""Windows of the models that read bases (DeepHistone's: paper, appendix D)."""

ROWS_AT_ONCE = 256  # read of a file


class Dataset(NamedTuple):
    """Labelled windows in their sets, with the marks that can be learned.

    features: the baselines' input for each. how: a sentence on how the windows were split. genomes:
    what is known of each genome's organism, by the genome's name.
    """

    examples: Examples
    features: np.ndarray
    marks: tuple[str, ...]
    how: str
    genomes: dict[str, Genome]


class GenomeWindows(NamedTuple):
    """All windows of a genome, what the baselines take of each, and its organism."""

    windows: pandas.DataFrame
    features: np.ndarray
    genome: Genome


def gather(
    genomes: Sequence[GenomeInput],
    window: WindowSpec,
    source: Source | None,
    work: Path,
    execution: Execution,
    recipe: Recipe,
    labels: Sequence[Labels],
) -> Dataset:
    """Read all windows, embed them if there is a source of embeddings, and split those with labels.

    `labels` are those of each genome. What the network takes of all windows is a file in the
    private folder `work`, which is mapped. Raises InputError if no window of a genome has a label
    or no mark can be learned.
    """
    _refuse_unknown_chromosomes(genomes, recipe, work)
    read, values = [], SpooledRows(work / ".windows")
    for genome in genomes:
        with naming(genome):
            read.append(_read(genome, window, source, work, execution, recipe.model, values))
    all_windows, features, facts = zip(*read, strict=True)
    rows, windows, units, targets = labelled_genomes(genomes, all_windows, labels)
    sets, how = _split(windows, units, recipe, source.choice.chunks if source else None)
    if recipe.loss == NNPU:  # pairs without a label are unlabelled for the loss, negative elsewhere
        targets = np.nan_to_num(targets)
    paths = first_few(genome.labels_path for genome in genomes)
    enough = learnable(labels[0].marks, targets[sets == TRAIN], paths)
    inputs = _of_rows(values, rows, work / ".labelled")
    examples = Examples(windows, units, inputs, targets[:, enough], sets)
    marks = tuple(np.array(labels[0].marks)[enough])
    names = (genome.name for genome in genomes)
    return Dataset(
        examples, np.concatenate(features)[rows], marks, how, dict(zip(names, facts, strict=True))
    )


def _of_rows(values: SpooledRows, rows: np.ndarray, path: Path) -> np.ndarray:
    """Some rows, in ascending order, mapped; they are written to `path` if there are others."""
    if len(rows) == len(values):
        return values.mapped()
    chosen = SpooledRows(path)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        chosen.append(values[rows[start : start + ROWS_AT_ONCE]])
    values.path.unlink()
    return chosen.mapped()


def _read(
    genome: GenomeInput,
    window: WindowSpec,
    source: Source | None,
    work: Path,
    execution: Execution,
    model: str,
    values: SpooledRows,
) -> GenomeWindows:
    """Read the windows of one genome, and append what the network takes of each to `values`."""
    request = genome.request
    if source:
        check_window(source.choice.chunks, window.kind)
        before = len(values)
        windows = embed_windows(
            request, source.choice, source.encoder, work, execution, values.append
        )
        _refuse_none(windows, request)
        _check_varied(values.mapped()[before:])
        _, features, facts = map_windows(
            request, window, work, lambda batch: sequence_features(batch, window), quiet=True
        )
    else:
        read = reader(model)
        length = window.upstream + window.downstream

        def add(batch: Sequence[bytes]) -> np.ndarray:
            values.append(read(codes_of(batch, length)))
            return sequence_features(batch, window)

        windows, features, facts = map_windows(request, window, work, add)
        _refuse_none(windows, request)
    _refuse_other_taxon(genome, facts)
    return GenomeWindows(placed(windows, genome.name), np.concatenate(features), facts)


def _refuse_other_taxon(genome: GenomeInput, facts: Genome) -> None:
    """Raise InputError if the sheet names another organism than the annotation or the FASTA."""
    hint = "correct the sheet, or give the files of that species"
    if None not in (genome.taxon_id, facts.taxon_id) and genome.taxon_id != facts.taxon_id:
        message = f"is of taxon {facts.taxon_id}, but the sheet says {genome.taxon_id}"
        raise InputError(genome.request.annotation, message, hint)
    if genome.species and facts.organism and genome.species != facts.organism:
        message = f"is of {facts.organism}, but the sheet says {genome.species}"
        raise InputError(genome.request.fasta, message, hint)


def _refuse_unknown_chromosomes(genomes: Sequence[GenomeInput], recipe: Recipe, work: Path) -> None:
    """Raise UsageError for a chromosome of the split that no FASTA has, before any embedding."""
    if named := (*recipe.test_chromosomes, *recipe.validation_chromosomes):
        known = []
        for name, request, *_ in genomes:
            with Reference(request.fasta, request.cache or work) as reference:
                known += [within(name, contig) for contig in reference.lengths]
        if unknown := [name for name in named if name not in known]:
            files = first_few(genome.request.fasta for genome in genomes)
            hint = did_you_mean(unknown, known, f"there are {first_few(known)}")
            raise UsageError(f"{files} has no contig {first_few(unknown)}", hint)


def reader(model: str) -> Callable[[np.ndarray], np.ndarray]:
    """From codes, uint8 [n, length], to what the network of a model is trained on."""
    if model != SPECTRA:
        return lambda codes: codes
    network = spectra.spectra(1)
    return lambda codes: network.counts_of(torch.from_numpy(codes.copy())).numpy()


def _refuse_none(windows: pandas.DataFrame, request: Request) -> None:
    if windows.empty:
        raise InputError(request.annotation, "holds no row", "there is nothing to train on")


def _check_varied(embeddings: np.ndarray) -> None:
    constant = np.ones(embeddings.shape[1], bool)
    for start in range(0, len(embeddings), ROWS_AT_ONCE):
        constant &= (embeddings[start : start + ROWS_AT_ONCE] == embeddings[0]).all(axis=0)
    if constant.all() and len(embeddings) > 1:
        raise ModelError(
            f"all {len(embeddings)} windows have the same embedding",
            "the encoder's weights are broken, or every window has the same sequence",
        )
    if constant.any():
        logger.info("%d of %d numbers of the embedding are constant", constant.sum(), constant.size)


def _split(
    windows: pandas.DataFrame, units: np.ndarray, recipe: Recipe, chunks: ChunkPolicy | None
) -> tuple[np.ndarray, str]:
    if chunks and chunks.policy == GRID:  # the vector of a bin depends on all its bases
        bins, starts, ends = chunks.length, windows["start"], windows["end"]
        windows = windows.assign(start=starts // bins * bins, end=-(-ends // bins) * bins)
    sets, how = split(
        windows,
        units.tolist(),
        recipe.split,
        recipe.settings.seed,
        block=recipe.block,
        test_chromosomes=recipe.test_chromosomes,
        validation_chromosomes=recipe.validation_chromosomes,
    )
    counts = [f"{(sets == name).sum():,} {name}" for name in (TRAIN, VALIDATION, TEST, UNUSED)]
    logger.info("%s: %s", how, ", ".join(counts))
    if leaky := warn_of_leaks(windows, sets):
        logger.warning(leaky)
        how = f"{how}. {leaky}"
    return sets, how
