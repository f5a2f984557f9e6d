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
from typing import Any, NamedTuple

import numpy as np
import torch
from pydantic import JsonValue
from torch import nn

from histpred import __version__
from histpred.core.errors import BundleError, ModelError, OutputError
from histpred.core.output import (
    RESUME,
    file_digest,
    input_digest,
    output_folder,
    refuse_inputs,
    sweep,
    temporary_faults,
)
from histpred.core.regions import PROMOTER
from histpred.encoders import EXPENSIVE, Encoder
from histpred.encoders import EncoderSpec as AnySpec
from histpred.encoders.chunks import WINDOW, Chunks, check_window
from histpred.encoders.devices import choose_device
from histpred.encoders.embedder import embed_sequences
from histpred.encoders.onnx import GRAPH, codes_of
from histpred.evaluation.baselines import Features, sequence_features
from histpred.genome.windows import MAX_N_FRACTION, WindowSpec
from histpred.labels.matrix import labels_file, read_labels
from histpred.labels.splits import (
    TEST,
    TRAIN,
    UNUSED,
    VALIDATION,
    leaks,
    locus_numbers,
    split,
    warn_of_leaks,
    write_split,
)
from histpred.models.bundle import CARD, MANIFEST, SCORER, Bundle, load_bundle
from histpred.models.calibration import Calibrated, calibrate
from histpred.models.deephistone import adapted, split_head, vanilla
from histpred.models.describe import describe
from histpred.models.examples import Examples, choose_marks, labelled, learnable
from histpred.models.export import encoder_to_onnx, linear_to_onnx, to_onnx
from histpred.models.fitting import Epoch, Rows, Settings, fit, logits_of
from histpred.models.losses import (
    NNPU,
    UNDERSAMPLED,
    WEIGHTED,
    mark_priors,
    nnpu,
    pair_weights,
    weighted_bce,
)
from histpred.models.manifest import ChunkSpec, EncoderSpec
from histpred.models.network import PAPER_HIDDEN, MarkNetwork
from histpred.models.probability import probabilities_of
from histpred.models.publish import write_bundle
from histpred.scoring.inputs import Genome, Inputs, embed_windows, map_windows
from histpred.scoring.opening import KMERS, choose_encoder

logger = logging.getLogger(__name__)

MLP, DEEPHISTONE, DEEPHISTONE_ADAPTED = MODELS = ("mlp", "deephistone", "deephistone-adapted")
CONVOLUTIONAL = {DEEPHISTONE: (vanilla, 500, 500), DEEPHISTONE_ADAPTED: (adapted, 11_000, 1_000)}
"""constructor, bp upstream and downstream of the TSS (paper, appendix D)"""

SPLIT, HISTORY, MARK_VECTORS = "split.tsv", "training.tsv", "mark_vectors.tsv"
OUTPUTS = (SCORER, CARD, GRAPH, SPLIT, HISTORY, MARK_VECTORS, MANIFEST)
CHECKED = 512  # validation rows that the exported graph is compared on
CHECKED_BASES = 32  # of them where the network reads bases
KNOWN_LENGTH = 2_000  # bases of the sequence whose answer goes with the bundle


class Source(NamedTuple):
    """Where a perceptron's embeddings come from: an encoder, what it was built from, windows.

    ships: the encoder's own files, by name, where they travel with the bundle.
    """

    encoder: Encoder
    spec: AnySpec
    chunks: Chunks | None
    window: WindowSpec
    ships: dict[str, bytes]


class Recipe(NamedTuple):
    """What is trained, and how; all of it is kept in the bundle.

    mark_dimension: of trainable mark vectors, None for one-hot ones. loss, prior: see
    `histpred.models.losses`. split and what follows: see `histpred.labels.splits`. marks: those to
    train on, all if empty.
    """

    model: str = MLP
    hidden: tuple[int, ...] = PAPER_HIDDEN
    dropout: float = 0.2
    mark_dimension: int | None = None
    loss: str = "weighted"
    prior: str | None = None
    split: str = "random"
    block: int = 1_000_000
    test_chromosomes: tuple[str, ...] = ()
    validation_chromosomes: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    settings: Settings = Settings()


class About(NamedTuple):
    """What the user says of the bundle; None: what annotation and FASTA say."""

    name: str
    summary: str = ""
    licence: str = "not stated"
    species: str | None = None
    taxon_id: int | None = None
    assembly: str | None = None


def train(
    inputs: Inputs,
    labels_path: Path,
    out: Path,
    recipe: Recipe,
    about: About,
    source: Source | None,
    *,
    device: str = "auto",
    store: Path | None = None,
    overwrite: bool = False,
    progress: Callable[[Epoch], None] = lambda epoch: None,
) -> Bundle:
    """Train a bundle into the folder `out`.

    Parameters
    ----------
    labels_path
        A gene x mark table, or the folder that `histpred labels` wrote.
    source
        The encoder, for the model 'mlp'; None for DeepHistone, which reads bases.
    device
        Where the network is trained: 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'.
    store
        A folder of embeddings that outlives the run; None: those of an expensive encoder are kept
        in `out` until the run has succeeded, as the state of the training is.
    progress
        Called after each epoch.

    Raises
    ------
    HistpredError
        For inputs, labels and settings that cannot be used; nothing is published then.
    """
    inputs.refuse_stdin()
    refuse_inputs([out / name for name in OUTPUTS], (inputs.annotation, inputs.fasta, labels_path))
    window = source.window if source else _promoter(recipe.model)
    labels = choose_marks(read_labels(labels_path), recipe.marks, labels_path)
    chosen_device = choose_device(device)
    with temporary_faults(), ExitStack() as stack:
        identity = _identity(inputs, labels_path, recipe, about, source, window)
        if not overwrite and (known := _finished(out, identity)):
            sweep(out)
            return known
        work = stack.enter_context(output_folder(out, OUTPUTS, _is_ours))
        resume = out / RESUME
        expensive = source is not None and source.spec.kind in EXPENSIVE
        kept = store or (resume / "store" if expensive else None)
        windows, values, features, genome = _gather(inputs, window, source, work, kept)
        rows, windows, units, targets = labelled(windows, labels, labels_path)
        sets, how = _split(windows, units, recipe)
        unlabelled = recipe.loss == NNPU
        enough = learnable(
            labels.marks,
            targets[sets == TRAIN],
            labels_path,
            (lambda cells: cells != 1) if unlabelled else (lambda cells: cells == 0),
        )
        marks = tuple(np.array(labels.marks)[enough])
        examples = Examples(windows, units, values[rows], targets[:, enough], sets)

        network, history = _fit(
            examples, marks, recipe, chosen_device, resume / "checkpoint.pt", identity, progress
        )
        validation = examples.of(VALIDATION)
        logits = logits_of(network, torch.from_numpy(validation.inputs)).numpy()
        loci = locus_numbers(validation.windows)
        calibrated = calibrate(logits, validation.labels, loci, recipe.settings.seed)
        _tell_uncalled(marks, calibrated)

        encoder, scorer, others = _export(network, source, marks, validation.inputs[:CHECKED])
        write_split(work / SPLIT, windows, units, sets)
        others[SPLIT] = (work / SPLIT).read_bytes()
        others[HISTORY] = _history_table(history)
        manifest, notes = describe(
            examples,
            Features(*(part[rows] for part in features)),
            lambda these: _probabilities(network, these, calibrated),
            marks,
            calibrated,
            recipe=recipe,
            about=about,
            encoder=encoder,
            window=window,
            genome=genome,
            how=how,
            history=history,
            identity=identity,
            known=_known_answer(network, source, window, marks, calibrated, recipe.settings.seed),
        )
        write_bundle(work, manifest, scorer, notes, others)
    return load_bundle(out)


def open_source(
    bundle: str | None,
    name: str | None,
    chunks: str | None,
    window: str | None,
    device: str,
    precision: str,
    weights: Path | None,
) -> Source:
    """The encoder of a bundle, or the one of that `name`, k-mers if neither is given; see
    `histpred.scoring.opening.choose_encoder`.
    """
    if bundle is None and name is None:
        name = KMERS.kind
    encoder, spec, cut, reach = choose_encoder(
        bundle, name, chunks, window, device, precision, weights
    )
    ships = bundle is not None and not spec.files
    files = {path.name: path.read_bytes() for path in encoder.files} if ships else {}
    return Source(encoder, spec, cut, reach, files)


def _promoter(model: str) -> WindowSpec:
    _, upstream, downstream = CONVOLUTIONAL[model]
    return WindowSpec(PROMOTER, upstream, downstream, MAX_N_FRACTION)


def _gather(
    inputs: Inputs, window: WindowSpec, source: Source | None, work: Path, store: Path | None
) -> tuple[Any, np.ndarray, Features, Genome]:
    """All windows, what the network takes of each, and what the baselines take."""
    if source:
        check_window(source.chunks, window.kind)
        windows, values = embed_windows(
            inputs, source.encoder, source.spec, source.chunks, window, work, store
        )
        _check_varied(values)
        _, features, genome = map_windows(inputs, window, work, sequence_features, quiet=True)
    else:
        length = window.upstream + window.downstream
        windows, both, genome = map_windows(
            inputs,
            window,
            work,
            lambda batch: (codes_of(batch, length), sequence_features(batch)),
        )
        values = np.concatenate([codes for codes, _ in both])
        features = [batch for _, batch in both]
    joined = Features(*(np.concatenate(parts) for parts in zip(*features, strict=True)))
    return windows, values, joined, genome


def _check_varied(embeddings: np.ndarray) -> None:
    constant = (embeddings == embeddings[:1]).all(axis=0)
    if constant.all() and len(embeddings) > 1:
        raise ModelError(
            f"all {len(embeddings)} windows have one and the same embedding",
            "the encoder's weights are broken, or every window is the same sequence",
        )
    if constant.any():
        logger.info("%d of %d numbers of the embedding are constant", constant.sum(), constant.size)


def _split(windows: Any, units: np.ndarray, recipe: Recipe) -> tuple[np.ndarray, str]:
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
    checkpoint: Path,
    identity: dict[str, JsonValue],
    progress: Callable[[Epoch], None],
) -> tuple[nn.Module, list[Epoch]]:
    """The trained network, on the CPU, and its history."""
    train, validation = examples.of(TRAIN), examples.of(VALIDATION)
    torch.manual_seed(recipe.settings.seed)
    network: nn.Module
    if recipe.model == MLP:
        network = MarkNetwork(
            train.inputs.shape[1], len(marks), recipe.hidden, recipe.mark_dimension, recipe.dropout
        )
        network.standardise_like(torch.from_numpy(train.inputs))
    else:
        network = CONVOLUTIONAL[recipe.model][0](len(marks))
    logger.info(
        "%s parameters are trained on %s",
        f"{sum(p.numel() for p in network.parameters() if p.requires_grad):,}",
        device,
    )

    seed = recipe.settings.seed
    weights = pair_weights(train.labels, marks, recipe.loss, seed)
    # What undersampling is in expectation, on all validation rows rather than some drawn ones.
    even = WEIGHTED if recipe.loss == UNDERSAMPLED else recipe.loss
    validation_weights = pair_weights(validation.labels, marks, even, seed, train.labels)
    loss_of = weighted_bce
    if recipe.loss == NNPU:
        priors = torch.from_numpy(mark_priors(train.labels, marks, recipe.prior)).to(device)

        def loss_of(logits: torch.Tensor, targets: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
            return nnpu(logits, targets == 1, priors)

    history = fit(
        network.to(device),
        _rows(train, weights, device),
        _rows(validation, validation_weights, device),
        loss_of,
        recipe.settings,
        checkpoint,
        json.dumps([identity, str(device)], sort_keys=True),
        progress,
    )
    return network.cpu(), history


def _rows(examples: Examples, weights: np.ndarray, device: torch.device) -> Rows:
    arrays = (examples.inputs, np.nan_to_num(examples.labels), weights)
    return Rows(*(torch.from_numpy(array).to(device) for array in arrays))


def _probabilities(
    network: nn.Module, inputs: np.ndarray, calibrated: list[Calibrated]
) -> np.ndarray:
    logits = logits_of(network, torch.from_numpy(inputs)).numpy()
    return probabilities_of(logits, [mark.calibration for mark in calibrated])


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
        check = check[:CHECKED_BASES]
        trunk, head = split_head(network)
        embedded = logits_of(trunk, torch.from_numpy(check)).numpy()
        graph = encoder_to_onnx(trunk, check)
        weight, bias = head.weight.detach().numpy(), head.bias.detach().numpy()
        scorer = linear_to_onnx(weight, bias, marks, embedded)
        whole = ChunkSpec(policy=WINDOW, length=check.shape[1])  # a window is one chunk
        encoder = EncoderSpec(kind="onnx", dimension=embedded.shape[1], chunks=whole)
        return encoder, scorer, {GRAPH: graph}

    chunks = source.chunks and ChunkSpec(policy=source.chunks.policy, length=source.chunks.length)
    files = {} if source.ships else {p.name: file_digest(p) for p in source.encoder.files}
    encoder = EncoderSpec(
        kind=source.spec.kind,
        settings=dict(source.spec.settings),
        dimension=source.encoder.dimension,
        chunks=chunks,
        published=getattr(source.spec, "published", None),
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
    calibrated: list[Calibrated],
    seed: int,
) -> tuple[str, dict[str, float]]:
    """A random sequence and its probabilities, for `histpred bundle verify`."""
    length = KNOWN_LENGTH if source else window.upstream + window.downstream
    sequence = np.random.default_rng(seed).choice(np.frombuffer(b"ACGT", np.uint8), length)
    sequences = [sequence.tobytes()]
    if source:
        values = embed_sequences(source.encoder, source.chunks, sequences)
    else:
        values = codes_of(sequences, length)
    (row,) = _probabilities(network, values, calibrated)
    return sequences[0].decode(), dict(zip(marks, map(float, row), strict=True))


def _history_table(history: list[Epoch]) -> bytes:
    lines = ["\t".join(Epoch._fields)]
    lines += [
        "\t".join(f"{value:.8g}" for value in epoch[:4]) + f"\t{epoch.best:d}" for epoch in history
    ]
    return ("\n".join(lines) + "\n").encode()


def _identity(
    inputs: Inputs,
    labels_path: Path,
    recipe: Recipe,
    about: About,
    source: Source | None,
    window: WindowSpec,
) -> dict[str, JsonValue]:
    """What fixes the bundle, as its manifest records it."""
    split_file = Path(recipe.split)
    identity: dict[str, Any] = {
        "histpred": __version__,
        "annotation sha256": input_digest(inputs.annotation),
        "FASTA sha256": input_digest(inputs.fasta),
        "labels sha256": input_digest(labels_file(labels_path)),
        "split sha256": file_digest(split_file) if split_file.is_file() else None,
        "by": inputs.level,
        "biotypes": sorted(inputs.biotypes),
        "unstranded": inputs.unstranded,
        "window": str(window),
        "about": about._asdict(),
        "recipe": recipe._asdict() | {"settings": recipe.settings._asdict()},
    }
    if source:
        identity["encoder"] = {
            "kind": source.spec.kind,
            "settings": dict(source.spec.settings),
            "chunks": str(source.chunks) if source.chunks else None,
            "files": {path.name: file_digest(path) for path in source.encoder.files},
            "precision": source.encoder.precision,
        }
    return json.loads(json.dumps(identity))


def _finished(out: Path, identity: dict[str, JsonValue]) -> Bundle | None:
    """The bundle that `out` holds, if it is the one asked for.

    Raises OutputError, naming what differs, where it holds another one.
    """
    if not (out / MANIFEST).exists():
        return None
    bundle = load_bundle(out)
    before = bundle.manifest.training.recipe
    differences = [name for name in identity if identity[name] != before.get(name)]
    if differences:
        raise OutputError(
            f"{out} holds another bundle; what differs: {', '.join(differences)}",
            "choose another folder for -o, or add --overwrite to replace it",
        )
    logger.info("%s holds this bundle already: nothing to do", out)
    return bundle


def _is_ours(path: Path) -> bool:
    try:
        load_bundle(path.parent)
    except BundleError:
        return False
    return True
