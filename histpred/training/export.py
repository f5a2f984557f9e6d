"""Trained networks as the ONNX files of a bundle, and its other files that follow from them.

| file         | input                                        | output                         |
|--------------|----------------------------------------------|--------------------------------|
| scorer.onnx  | `embedding` float32 [batch, dimension]       | `logits` [batch, marks]        |
| encoder.onnx | `codes` uint8 [batch, length], 0-4 for ACGTN | `embedding` [batch, dimension] |

A spectra network has bins.onnx and heads.onnx instead: see `histpred.encoders.spectra`.

What need not be computed at scoring time is folded away beforehand, as in
`histpred.training.onnx_scorer`. DeepHistone's other batch norms stay, because their inputs are also
used elsewhere. Each graph is compared with its network before it is returned.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from onnx import TensorProto
from torch import nn

from histpred.bundle.folder import MARK_VECTORS
from histpred.bundle.manifest import ChunkSpec, EncoderSpec, KnownAnswer
from histpred.bundle.mark_spec import Calibration
from histpred.bundle.probability import probabilities_of
from histpred.core.graph import BINS, GRAPH, HEADS
from histpred.core.journal import file_digest
from histpred.encoders import build
from histpred.encoders.chunks import WINDOW
from histpred.encoders.embedder import embed_sequences
from histpred.encoders.onnx import codes_of, sequences_of
from histpred.genome.windows import WindowSpec
from histpred.training.fitting import Epoch, logits_of
from histpred.training.members import Network
from histpred.training.onnx_graph import (
    Scope,
    add_layer,
    checked_bytes,
    make_model,
    refuse_difference,
)
from histpred.training.onnx_scorer import linear_to_onnx, to_onnx
from histpred.training.onnx_spectra import bins_graph, heads_graph, spectra_of
from histpred.training.perceptron import MarkNetwork
from histpred.training.recipe import Source
from histpred.training.spectra import SpectraNetwork

CHECKED = 512  # validation rows for which the exported graph is compared with the network
CHECKED_WINDOWS = 32  # the same, of bases; a long window takes up to a second
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
    shape = (CHECKED_WINDOWS, window.upstream + window.downstream)
    codes = np.random.default_rng(0).integers(0, 4, shape, dtype=np.uint8)
    embeddings = logits_of(network.encoder, torch.from_numpy(codes)).numpy()
    weight, bias = (part.detach().numpy() for part in network.output.parameters())
    scorer = linear_to_onnx(weight, bias, marks, embeddings)
    if isinstance(network, SpectraNetwork):
        encoder, graphs = spectra_to_onnx(network.encoder, codes)
        return encoder, scorer, graphs
    whole = ChunkSpec.model_validate({"policy": WINDOW, "length": codes.shape[1]})
    encoder = EncoderSpec(kind="onnx", dimension=embeddings.shape[1], chunks=whole)
    return encoder, scorer, {GRAPH: encoder_to_onnx(network.encoder, codes)}


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
    scorer = to_onnx(network, marks, embeddings)
    others = {path.name: path.read_bytes() for path in source.ships}
    if network.mark_vectors.requires_grad:  # one-hot vectors say nothing of the marks
        others[MARK_VECTORS] = _table(
            [mark, *(f"{value:.8g}" for value in vector)]
            for mark, vector in zip(marks, network.mark_vectors.tolist(), strict=True)
        )
    return encoder, scorer, others


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
    logits = logits_of(network, torch.from_numpy(values)).numpy()
    (row,) = probabilities_of(logits, calibrations)
    probabilities = dict(zip(marks, map(float, row), strict=True))
    return KnownAnswer(sequence=sequences[0].decode(), probabilities=probabilities)


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


def encoder_to_onnx(encoder: nn.Sequential, check_codes: np.ndarray) -> bytes:
    """The bytes of encoder.onnx: the layers before the last one of DeepHistone.

    Raises ModelError if its embeddings of the first 32 of `check_codes`, real windows as codes,
    uint8 [n, length], differ from the encoder's by more than 1e-4 of the largest number in them.
    The graph takes windows of this length only.
    """
    original, codes, embeddings = _checks(encoder, check_codes)
    scope = Scope([], {})
    add_layer(original, "codes", scope)
    scope.nodes[-1].output[:] = ["embedding"]
    taken = "codes", TensorProto.UINT8, [codes.shape[1]]
    model = make_model(scope, taken, ("embedding", embeddings.shape[1]), "histpred encoder")
    return checked_bytes(GRAPH, model, codes, embeddings, _scale(embeddings))


def spectra_to_onnx(
    encoder: nn.Sequential, check_codes: np.ndarray
) -> tuple[EncoderSpec, dict[str, bytes]]:
    """An encoder of spectra networks as a bundle holds it: its spec, and its two graphs by name.

    Raises ModelError as `encoder_to_onnx` does. The graphs take windows of any length.
    """
    original, codes, embeddings = _checks(encoder, check_codes)
    spectra = spectra_of(original)
    models = {BINS: bins_graph(spectra), HEADS: heads_graph(spectra)}
    graphs = {name: model.SerializeToString(deterministic=True) for name, model in models.items()}
    spec = EncoderSpec(kind="spectra", settings=spectra.settings(), dimension=embeddings.shape[1])
    with tempfile.TemporaryDirectory() as folder:
        for name, content in graphs.items():
            Path(folder, name).write_bytes(content)
        found = build(spec, Path(folder)).embed(sequences_of(codes)).vectors
    refuse_difference(" and ".join(graphs), found, embeddings, _scale(embeddings))
    return spec, graphs


def _checks(
    encoder: nn.Sequential, codes: np.ndarray
) -> tuple[nn.Sequential, np.ndarray, np.ndarray]:
    """A copy of an encoder in eval mode, the codes to compare it on, and their embeddings."""
    original, codes = copy.deepcopy(encoder).cpu().eval(), codes[:CHECKED_WINDOWS]
    return original, codes, logits_of(original, torch.from_numpy(codes)).numpy()


def _scale(embeddings: np.ndarray) -> float:
    return max(float(embeddings.max()), 1.0)
