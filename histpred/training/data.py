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

ROWS_AT_ONCE = 256  # moved in memory


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
    """All windows of a genome, what a network and the baselines take of each, and its organism."""

    windows: pandas.DataFrame
    values: np.ndarray
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

    `labels` are those of each genome. Raises InputError if no window of a genome has a label or no
    mark can be learned.
    """
    _refuse_unknown_chromosomes(genomes, recipe, work)
    read = []
    for genome in genomes:
        with naming(genome):
            read.append(_read(genome, window, source, work, execution, recipe.model))
    all_windows, all_values, features, facts = zip(*read, strict=True)
    rows, windows, units, targets = labelled_genomes(genomes, all_windows, labels)
    sets, how = _split(windows, units, recipe, source.choice.chunks if source else None)
    if recipe.loss == NNPU:  # pairs without a label are unlabelled for the loss, negative elsewhere
        targets = np.nan_to_num(targets)
    paths = first_few(genome.labels_path for genome in genomes)
    enough = learnable(labels[0].marks, targets[sets == TRAIN], paths)
    values = _joined(all_values)
    values = values[rows] if source else _keep(values, rows)
    examples = Examples(windows, units, values, targets[:, enough], sets)
    marks = tuple(np.array(labels[0].marks)[enough])
    names = (genome.name for genome in genomes)
    return Dataset(
        examples, _joined(features)[rows], marks, how, dict(zip(names, facts, strict=True))
    )


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """The rows of all parts; no copy of a single one."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _read(
    genome: GenomeInput,
    window: WindowSpec,
    source: Source | None,
    work: Path,
    execution: Execution,
    model: str,
) -> GenomeWindows:
    """Read the windows of one genome; `work` is a private folder for temporary files."""
    request = genome.request
    if source:
        check_window(source.choice.chunks, window.kind)
        windows, values = embed_windows(request, source.choice, source.encoder, work, execution)
        _refuse_none(windows, request)
        _check_varied(values)
        _, features, facts = map_windows(
            request, window, work, lambda batch: sequence_features(batch, window), quiet=True
        )
    else:
        windows, values, features, facts = _read_bases(request, window, work, model)
    _refuse_other_taxon(genome, facts)
    return GenomeWindows(placed(windows, genome.name), values, np.concatenate(features), facts)


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


def _read_bases(
    request: Request, window: WindowSpec, work: Path, model: str
) -> tuple[pandas.DataFrame, np.ndarray, list[np.ndarray], Genome]:
    """All windows, what the network of a model reads of each, and the baselines' input."""
    length = window.upstream + window.downstream
    read = reader(model)
    shape: tuple[int, ...] = ()
    joined = bytearray()  # grows where it is: a list of arrays would be copied in the end

    def add(batch: Sequence[bytes]) -> np.ndarray:
        nonlocal shape
        values = read(codes_of(batch, length))
        shape = values.shape[1:]
        joined.extend(values.data)
        return sequence_features(batch, window)

    windows, features, facts = map_windows(request, window, work, add)
    _refuse_none(windows, request)
    return windows, np.frombuffer(joined, np.uint8).reshape(-1, *shape), features, facts


def _keep(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Move some rows, in ascending order, to the start of `values`, and return that part."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        chosen = rows[start : start + ROWS_AT_ONCE]
        values[start : start + len(chosen)] = values[chosen]
    return values[: len(rows)]


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
    constant = (embeddings == embeddings[:1]).all(axis=0)
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
