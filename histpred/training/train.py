"""Annotation, genome and labels to a bundle: embed, split, fit, calibrate, export, describe.

Validation rows choose the epoch, the thresholds and the calibration; test rows choose nothing, and
only the figures on the card are computed of them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import torch
from pydantic import JsonValue
from torch import nn

from histpred.bundle.encoding import EncoderChoice
from histpred.bundle.folder import (
    CARD,
    HISTORY,
    MANIFEST,
    MARK_VECTORS,
    SCORER,
    SPLIT,
    Bundle,
    load_bundle,
    parse_manifest,
)
from histpred.bundle.manifest import Calibration, ChunkSpec, EncoderSpec
from histpred.bundle.probability import probabilities_of
from histpred.bundle.publish import write_bundle
from histpred.core.errors import BundleError, InputError, ModelError, OutputError
from histpred.core.execution import Execution
from histpred.core.finished import refuse_other
from histpred.core.output import (
    RESUME,
    file_digest,
    output_folder,
    refuse_inputs,
    refuse_streams,
    sweep,
    temporary_faults,
)
from histpred.encoders import is_expensive
from histpred.encoders.chunks import GRID, WINDOW, ChunkPolicy, check_window
from histpred.encoders.devices import choose_device
from histpred.encoders.embedder import embed_sequences
from histpred.encoders.onnx import GRAPH, codes_of
from histpred.evaluation.baselines import Features, joined, sequence_features
from histpred.evaluation.calibration import Calibrated, calibrate
from histpred.genome.request import Request
from histpred.genome.windows import WindowSpec
from histpred.labels.examples import Examples, choose_marks, labelled, learnable
from histpred.labels.loci import locus_numbers
from histpred.labels.matrix import read_labels
from histpred.labels.splits import (
    TEST,
    TRAIN,
    UNUSED,
    VALIDATION,
    leaks,
    warn_of_leaks,
    write_split,
)
from histpred.labels.splitting import split
from histpred.scoring.inputs import Genome, embed_windows, map_windows
from histpred.training import spectra
from histpred.training.deephistone import split_head
from histpred.training.describe import describe
from histpred.training.export import encoder_to_onnx, linear_to_onnx, to_onnx
from histpred.training.fitting import Epoch, Rows, fit, logits_of
from histpred.training.losses import (
    NNPU,
    UNDERSAMPLED,
    WEIGHTED,
    mark_priors,
    nnpu,
    pair_weights,
    weighted_bce,
)
from histpred.training.perceptron import MarkNetwork, averaged
from histpred.training.recipe import (
    MLP,
    OF_BASES,
    SPECTRA,
    About,
    Recipe,
    Source,
    check,
    files_of,
    identify,
    promoter,
)

logger = logging.getLogger(__name__)

OUTPUTS = (SCORER, CARD, GRAPH, SPLIT, HISTORY, MARK_VECTORS, MANIFEST)
CHECKED = 512  # validation rows that the exported graph is compared on
SCALED_ROWS = 500  # whose bases tell the scale of spectra
CHECKED_BASES = 32  # of them where the network reads bases
KNOWN_LENGTH = 2_000  # bases of the sequence whose answer goes with the bundle


def train(
    request: Request,
    labels_path: Path,
    out: Path,
    recipe: Recipe,
    about: About,
    choice: EncoderChoice | None,
    execution: Execution = Execution(),
    progress: Callable[[Epoch], None] = lambda epoch: None,
) -> Bundle:
    """Train a bundle into the folder `out`.

    Parameters
    ----------
    labels_path
        A gene x mark table, or the folder that `histpred labels` wrote.
    choice
        The encoder, for the model 'mlp'; None for models that read bases.
    execution
        The device is that of the encoder and of the training. Progress is told in windows that are
        embedded.
    progress
        Called after each epoch.

    Raises
    ------
    HistpredError
        For inputs, labels and settings that cannot be used; nothing is published then.
    """
    files = (*request.files, labels_path)
    refuse_streams(files)
    check(recipe, about)
    refuse_inputs(
        [out / name for name in OUTPUTS],
        (*files, *files_of(recipe).values()),
    )
    source = choice and Source(choice, choice.open(execution.device, execution.precision))
    window = choice.window if choice else promoter(recipe.model)
    labels = choose_marks(read_labels(labels_path), recipe.marks, labels_path)
    chosen_device = choose_device(execution.device)
    with temporary_faults(), ExitStack() as stack:
        identity = identify(request, labels_path, recipe, about, source, window)
        if not execution.overwrite and (known := _finished(out, identity)):
            sweep(out)
            return known
        names = (*(source.ships if source else ()), *OUTPUTS)
        work = stack.enter_context(output_folder(out, names, _is_ours))
        resume = out / RESUME
        expensive = choice is not None and is_expensive(choice.spec.kind)
        kept = execution.store or (resume / "store" if expensive else None)
        windows, values, features, genome = _gather(
            request, window, source, work, execution._replace(store=kept), recipe.model
        )
        rows, windows, units, targets = labelled(windows, labels, labels_path)
        sets, how = _split(windows, units, recipe, choice.chunks if choice else None)
        if recipe.loss == NNPU:  # what is not positive is unlabelled there, and not observed here
            targets = np.nan_to_num(targets)
        enough = learnable(labels.marks, targets[sets == TRAIN], labels_path)
        marks = tuple(np.array(labels.marks)[enough])
        examples = Examples(windows, units, values[rows], targets[:, enough], sets)

        network, histories = _fit(
            examples, marks, recipe, chosen_device, resume, identity, progress
        )
        logits = {
            name: _logits(_behind(network), examples.of(name).inputs, chosen_device)
            for name in (VALIDATION, TEST)
        }
        network.cpu()
        validation = examples.of(VALIDATION)
        loci = locus_numbers(validation.windows)
        calibrated = calibrate(logits[VALIDATION], validation.labels, loci, recipe.settings.seed)
        calibrations = [mark.calibration for mark in calibrated]
        _tell_uncalled(marks, calibrated)

        sample = validation.inputs[:CHECKED] if source else _random_codes(window, CHECKED_BASES)
        encoder, scorer, others = _export(network, source, marks, sample)
        write_split(work / SPLIT, windows, units, sets)
        others[SPLIT] = (work / SPLIT).read_bytes()
        others[HISTORY] = _history_table(histories)
        manifest, notes = describe(
            examples,
            features.of(rows),
            {name: probabilities_of(values, calibrations) for name, values in logits.items()},
            marks,
            calibrated,
            recipe=recipe,
            about=about,
            encoder=encoder,
            window=window,
            genome=genome,
            how=how,
            histories=histories,
            identity=identity,
            known=_known_answer(network, source, window, marks, calibrations, recipe.settings.seed),
        )
        write_bundle(work, manifest, scorer, notes, others)
    return load_bundle(out.resolve())


def _gather(
    request: Request,
    window: WindowSpec,
    source: Source | None,
    work: Path,
    execution: Execution,
    model: str,
) -> tuple[pandas.DataFrame, np.ndarray, Features, Genome]:
    """All windows, what the network takes of each, and what the baselines take."""
    if source:
        check_window(source.choice.chunks, window.kind)
        windows, values = embed_windows(request, source.choice, source.encoder, work, execution)
        _refuse_none(windows, request)
        _check_varied(values)
        _, features, genome = map_windows(request, window, work, sequence_features, quiet=True)
    else:
        length = window.upstream + window.downstream
        read = _reader(model)
        windows, both, genome = map_windows(
            request,
            window,
            work,
            lambda batch: (read(codes_of(batch, length)), sequence_features(batch)),
        )
        _refuse_none(windows, request)
        values = np.concatenate([codes for codes, _ in both])
        features = [batch for _, batch in both]
    return windows, values, joined(features), genome


def _refuse_none(windows: pandas.DataFrame, request: Request) -> None:
    if windows.empty:
        raise InputError(request.annotation, "holds no row", "there is nothing to train on")


def _check_varied(embeddings: np.ndarray) -> None:
    constant = (embeddings == embeddings[:1]).all(axis=0)
    if constant.all() and len(embeddings) > 1:
        raise ModelError(
            f"all {len(embeddings)} windows have one and the same embedding",
            "the encoder's weights are broken, or every window is the same sequence",
        )
    if constant.any():
        logger.info("%d of %d numbers of the embedding are constant", constant.sum(), constant.size)


def _reader(model: str) -> Callable[[np.ndarray], np.ndarray]:
    """From codes, uint8 [n, length], to what the network of a model is trained on."""
    if model != SPECTRA:
        return lambda codes: codes
    network = spectra.spectra(1)
    return lambda codes: network.counts_of(torch.from_numpy(codes.copy())).numpy()


def _behind(network: nn.Module) -> nn.Module:
    """The part of a network that takes what `_reader` gives."""
    return network.after_counts() if isinstance(network, spectra.SpectraNetwork) else network


def _random_codes(window: WindowSpec, rows: int) -> np.ndarray:
    """Windows of random bases, uint8 [rows, length]."""
    length = window.upstream + window.downstream
    return np.random.default_rng(0).integers(0, 4, (rows, length), dtype=np.uint8)


def _split(
    windows: pandas.DataFrame, units: np.ndarray, recipe: Recipe, chunks: ChunkPolicy | None
) -> tuple[np.ndarray, str]:
    if chunks and chunks.policy == GRID:  # the vector of a bin is of all its bases
        bins = chunks.length
        windows = windows.assign(
            start=windows["start"] // bins * bins, end=-(-windows["end"] // bins) * bins
        )
    sets, how = split(
        windows,
        units,
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
    leaky = warn_of_leaks(leaks(windows, sets), sets)
    if leaky:
        logger.warning(leaky)
        how = f"{how}. {leaky}"
    return sets, how


def _fit(
    examples: Examples,
    marks: tuple[str, ...],
    recipe: Recipe,
    device: torch.device,
    resume: Path,
    identity: dict[str, JsonValue],
    progress: Callable[[Epoch], None],
) -> tuple[nn.Module, list[list[Epoch]]]:
    """The trained network, on `device`, and the history of each of its members."""
    train, validation = examples.of(TRAIN), examples.of(VALIDATION)
    seed = recipe.settings.seed
    weights = pair_weights(train.labels, marks, recipe.loss, seed)
    # What undersampling is in expectation, on all validation rows rather than some drawn ones.
    even = WEIGHTED if recipe.loss == UNDERSAMPLED else recipe.loss
    validation_weights = pair_weights(validation.labels, marks, even, seed, train.labels)
    loss_of = weighted_bce
    if recipe.loss == NNPU:
        priors = torch.from_numpy(mark_priors(train.labels, marks, recipe.prior)).float().to(device)

        def loss_of(logits: torch.Tensor, targets: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
            return nnpu(logits, targets == 1, priors)

    rows, validation_rows = (
        _rows(train, weights, device),
        _rows(validation, validation_weights, device),
    )
    networks, histories = [], []
    for member in range(recipe.members):
        settings = recipe.settings._replace(seed=seed + member)
        network = _new_network(train.inputs, len(marks), recipe, settings.seed)
        logger.info(
            "%s parameters are trained on %s%s",
            f"{sum(p.numel() for p in network.parameters() if p.requires_grad):,}",
            device,
            f", member {member + 1} of {recipe.members}" if recipe.members > 1 else "",
        )
        history = fit(
            _behind(network).to(device),
            rows,
            validation_rows,
            loss_of,
            settings,
            resume / f"checkpoint{member}.pt",
            _checkpoint_identity(identity, device),
            progress,
        )
        networks.append(network)
        histories.append(history)
    if recipe.members > 1:
        average = averaged if recipe.model == MLP else spectra.averaged
        return average([network.cpu() for network in networks]).to(device), histories
    return networks[0], histories


def _new_network(inputs: np.ndarray, marks: int, recipe: Recipe, seed: int) -> Any:
    """A network before its training, that knows the scale of its inputs."""
    torch.manual_seed(seed)
    if recipe.model == MLP:
        network = MarkNetwork(
            inputs.shape[1], marks, recipe.hidden, recipe.mark_dimension, recipe.dropout
        )
    else:
        network = OF_BASES[recipe.model][0](marks)
    if recipe.model == MLP:
        network.standardise_like(torch.from_numpy(inputs))
    if recipe.model == SPECTRA:
        every = max(len(inputs) // SCALED_ROWS, 1)
        network.standardise_like(torch.from_numpy(inputs[::every]))
    return network


def _checkpoint_identity(identity: dict[str, JsonValue], device: torch.device) -> str:
    """What fixes the weights: not what the bundle is called, but how sums are added up."""
    fixed = {name: value for name, value in identity.items() if name != "about"}
    return json.dumps([fixed, str(device), torch.get_num_threads()], sort_keys=True)


def _rows(examples: Examples, weights: np.ndarray, device: torch.device) -> Rows:
    arrays = (examples.inputs, np.nan_to_num(examples.labels), weights)
    return Rows(*(torch.from_numpy(array).to(device) for array in arrays))


def _logits(network: nn.Module, inputs: np.ndarray, device: torch.device) -> np.ndarray:
    """Logits [n, marks] of inputs [n, ...]."""
    logits: np.ndarray = logits_of(network, torch.from_numpy(inputs).to(device)).cpu().numpy()
    return logits


def _tell_uncalled(marks: tuple[str, ...], calibrated: list[Calibrated]) -> None:
    never = [m for m, c in zip(marks, calibrated, strict=True) if c.threshold >= 1]
    if never:
        logger.warning(
            "%d marks are never called, since the validation rows show no skill for them: %s",
            len(never),
            ", ".join(never),
        )


def _export(
    network: nn.Module, source: Source | None, marks: tuple[str, ...], check: np.ndarray
) -> tuple[EncoderSpec, bytes, dict[str, bytes]]:
    """The bundle's encoder, its scorer.onnx, and its further files."""
    if source is None:
        trunk, head = split_head(network)
        embedded = logits_of(trunk, torch.from_numpy(check)).numpy()
        graph = encoder_to_onnx(trunk, check)
        weight, bias = head.weight.detach().numpy(), head.bias.detach().numpy()
        scorer = linear_to_onnx(weight, bias, marks, embedded)
        # A window is one chunk; a graph of spectra takes any.
        whole = ChunkSpec(policy=WINDOW, length=check.shape[1])
        chunks = None if isinstance(network, spectra.SpectraNetwork) else whole
        encoder = EncoderSpec(kind="onnx", dimension=embedded.shape[1], chunks=chunks)
        return encoder, scorer, {GRAPH: graph}

    policy, spec = source.choice.chunks, source.choice.spec
    chunks = policy and ChunkSpec(policy=policy.policy, length=policy.length)
    files = {} if source.ships else {p.name: file_digest(p) for p in source.encoder.files}
    encoder = EncoderSpec(
        kind=spec.kind,
        settings=dict(spec.settings),
        dimension=source.encoder.dimension,
        chunks=chunks,
        published=spec.published,
        files=files,
    )
    others = dict(source.ships)
    assert isinstance(network, MarkNetwork)
    vectors = network.mark_vectors if network.mark_vectors.requires_grad else network.mark_part()
    lines = [
        "\t".join([mark, *(f"{value:.8g}" for value in vector)])
        for mark, vector in zip(marks, vectors.detach().tolist(), strict=True)
    ]
    others[MARK_VECTORS] = ("\n".join(lines) + "\n").encode()
    return encoder, to_onnx(network, marks, check), others


def _known_answer(
    network: nn.Module,
    source: Source | None,
    window: WindowSpec,
    marks: tuple[str, ...],
    calibrations: list[Calibration],
    seed: int,
) -> tuple[str, dict[str, float]]:
    """A random sequence and its probabilities, for `histpred bundle verify`."""
    length = KNOWN_LENGTH if source else window.upstream + window.downstream
    sequence = np.random.default_rng(seed).choice(np.frombuffer(b"ACGT", np.uint8), length)
    sequences = [sequence.tobytes()]
    if source:
        values = embed_sequences(source.exact(), source.choice.chunks, sequences)
    else:
        values = codes_of(sequences, length)
    (row,) = probabilities_of(_logits(network, values, torch.device("cpu")), calibrations)
    return sequences[0].decode(), dict(zip(marks, map(float, row), strict=True))


def _history_table(histories: list[list[Epoch]]) -> bytes:
    lines = ["\t".join(("member", *Epoch._fields))]
    lines += [
        "\t".join([f"{member}", *(f"{value:.8g}" for value in epoch[:4]), f"{epoch.best:d}"])
        for member, history in enumerate(histories, 1)
        for epoch in history
    ]
    return ("\n".join(lines) + "\n").encode()


def _finished(out: Path, identity: dict[str, JsonValue]) -> Bundle | None:
    """The bundle that `out` holds, if it is the one asked for.

    Raises OutputError, naming what differs, where it holds another one.
    """
    if not (out / MANIFEST).exists():
        return None
    try:
        bundle = load_bundle(out.resolve())
    except BundleError as error:
        raise OutputError(
            f"{out} holds a bundle that is damaged: {error.message}",
            "choose another folder for -o, or add --overwrite to replace it",
        ) from error
    refuse_other(out, "another bundle", bundle.manifest.training.recipe, identity, {})
    logger.info("%s holds this bundle already: nothing to do", out)
    return bundle


def _is_ours(path: Path) -> bool:
    try:
        parse_manifest(path.read_bytes(), path)
    except (OSError, BundleError):
        return False
    return True
