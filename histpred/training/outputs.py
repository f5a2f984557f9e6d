"""The files of a bundle that are made from trained networks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn

from histpred.bundle.folder import MARK_VECTORS
from histpred.bundle.manifest import Calibration, ChunkSpec, EncoderSpec, KnownAnswer
from histpred.bundle.probability import probabilities_of
from histpred.core.output import file_digest
from histpred.encoders.chunks import WINDOW
from histpred.encoders.embedder import embed_sequences
from histpred.encoders.onnx import GRAPH, codes_of
from histpred.genome.windows import WindowSpec
from histpred.training.export import encoder_to_onnx, linear_to_onnx, to_onnx
from histpred.training.fitting import Epoch, logits_of
from histpred.training.members import Network
from histpred.training.perceptron import MarkNetwork
from histpred.training.recipe import Source
from histpred.training.spectra import SpectraNetwork

CHECKED = 512  # validation rows for which the exported graph is compared with the network
CHECKED_BASES = 32  # the same, if the network reads bases
KNOWN_LENGTH = 2_000  # bases of the sequence in the bundle's known answer

Exported = tuple[EncoderSpec, bytes, dict[str, bytes]]
"""A network as a bundle holds it: its encoder, its scorer, and its other files, by name"""


def export(
    network: Network,
    source: Source | None,
    window: WindowSpec,
    marks: tuple[str, ...],
    embeddings: np.ndarray,
) -> Exported:
    """Export a network on the CPU, after comparing the graphs with it.

    A perceptron is compared on `embeddings`, float32 [n, dimension], a tower on random bases.
    """
    if isinstance(network, MarkNetwork) and source:
        return _export_perceptron(network, source, marks, embeddings[:CHECKED])
    assert not isinstance(network, MarkNetwork)
    shape = (CHECKED_BASES, window.upstream + window.downstream)
    codes = np.random.default_rng(0).integers(0, 4, shape, dtype=np.uint8)
    embeddings = logits_of(network.encoder, torch.from_numpy(codes)).numpy()
    graph = encoder_to_onnx(network.encoder, codes)
    weight, bias = (part.detach().numpy() for part in network.output.parameters())
    scorer = linear_to_onnx(weight, bias, marks, embeddings)
    # A window is one chunk; a graph of spectra takes windows of any length.
    whole = ChunkSpec.model_validate({"policy": WINDOW, "length": codes.shape[1]})
    chunks = None if isinstance(network, SpectraNetwork) else whole
    encoder = EncoderSpec(kind="onnx", dimension=embeddings.shape[1], chunks=chunks)
    return encoder, scorer, {GRAPH: graph}


def _export_perceptron(
    network: MarkNetwork, source: Source, marks: tuple[str, ...], embeddings: np.ndarray
) -> Exported:
    chunks, spec = source.choice.chunks, source.choice.spec
    files = {} if source.ships else {p.name: file_digest(p) for p in source.encoder.files}
    encoder = EncoderSpec(
        kind=spec.kind,
        settings=dict(spec.settings),
        dimension=source.encoder.dimension,
        chunks=ChunkSpec.model_validate(chunks._asdict()) if chunks else None,
        published=spec.published,
        files=files,
    )
    vectors = network.mark_vectors if network.mark_vectors.requires_grad else network.mark_part()
    table = _table(
        [mark, *(f"{value:.8g}" for value in vector)]
        for mark, vector in zip(marks, vectors.detach().tolist(), strict=True)
    )
    scorer = to_onnx(network, marks, embeddings)
    shipped = {path.name: path.read_bytes() for path in source.ships}
    return encoder, scorer, shipped | {MARK_VECTORS: table}


def known_answer(
    network: Network,
    source: Source | None,
    window: WindowSpec,
    marks: tuple[str, ...],
    calibrations: Sequence[Calibration],
    seed: int,
) -> KnownAnswer:
    """A random sequence and its probabilities, for `histpred bundle verify`."""
    length = KNOWN_LENGTH if source else window.upstream + window.downstream
    bases = np.random.default_rng(seed).choice(np.frombuffer(b"ACGT", np.uint8), length)
    sequences = [bases.tobytes()]
    if source:
        values = embed_sequences(source.exact(), source.choice.chunks, sequences)
    else:
        values = codes_of(sequences, length)
    (row,) = probabilities_of(logits_on(network, values, torch.device("cpu")), calibrations)
    probabilities = dict(zip(marks, map(float, row), strict=True))
    return KnownAnswer(sequence=sequences[0].decode(), probabilities=probabilities)


def logits_on(network: nn.Module, inputs: np.ndarray, device: torch.device) -> np.ndarray:
    """Logits, float32 [n, marks], of inputs [n, ...], computed on a device."""
    logits: np.ndarray = logits_of(network, torch.from_numpy(inputs).to(device)).cpu().numpy()
    return logits


def history_table(histories: Sequence[Sequence[Epoch]]) -> bytes:
    """training.tsv: one row for each member and epoch."""
    rows = (
        [f"{member}", *(f"{value:.8g}" for value in epoch[:4]), f"{epoch.best:d}"]
        for member, history in enumerate(histories, 1)
        for epoch in history
    )
    return _table([["member", *Epoch._fields], *rows])


def _table(rows: Iterable[Sequence[str]]) -> bytes:
    return "".join("\t".join(row) + "\n" for row in rows).encode()
