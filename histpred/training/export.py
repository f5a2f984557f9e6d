"""Trained networks as the ONNX files of a bundle, and its other files that follow from them.

| file         | input                                        | output                         |
|--------------|----------------------------------------------|--------------------------------|
| scorer.onnx  | `embedding` float32 [batch, dimension]       | `logits` [batch, marks]        |
| encoder.onnx | `codes` uint8 [batch, length], 0-4 for ACGTN | `embedding` [batch, dimension] |

A spectra network has bins.onnx and heads.onnx instead: see `histpred.encoders.spectra`.

What need not be computed at scoring time is folded away beforehand: the standardisation into the
first layer, each batch norm into the linear layer beside it, the marks' part of the first layer
into one constant. DeepHistone's other batch norms stay, because their inputs are also used
elsewhere. Each graph is compared with its network before it is returned.
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import nn

from histpred.bundle.folder import MARK_VECTORS
from histpred.bundle.manifest import Calibration, ChunkSpec, EncoderSpec, KnownAnswer
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
    array,
    checked_bytes,
    gain_and_shift,
    make_model,
    refuse_difference,
)
from histpred.training.onnx_spectra import bins_graph, heads_graph, spectra_of
from histpred.training.perceptron import MarkNetwork
from histpred.training.recipe import Source
from histpred.training.spectra import SpectraNetwork

CHECKED = 512  # validation rows for which the exported graph is compared with the network
CHECKED_WINDOWS = 32  # the same, of bases; a long window takes up to a second
KNOWN_LENGTH = 2_000  # bases of the sequence in the bundle's known answer

Layer = tuple[np.ndarray, np.ndarray]
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


def to_onnx(network: MarkNetwork, marks: Sequence[str], check_rows: np.ndarray) -> bytes:
    """The bytes of scorer.onnx for a perceptron; its metadata name the marks, in order.

    Raises ModelError if the graph's logits of `check_rows`, real embeddings, float32 [n,
    dimension], differ from the network's by more than 1e-4.
    """
    training = network.training
    network.eval()
    with torch.inference_mode():
        logits = network(torch.from_numpy(check_rows)).numpy()
    network.train(training)
    return checked_bytes("scorer.onnx", _graph(network, marks), check_rows, logits)


def linear_to_onnx(
    weight: np.ndarray, bias: np.ndarray, marks: Sequence[str], check_rows: np.ndarray
) -> bytes:
    """The bytes of scorer.onnx for one linear layer, compared with numpy; see `to_onnx`.

    `weight` is [marks, dimension], `bias` is [marks].
    """
    nodes = [helper.make_node("Gemm", ["embedding", "weight", "bias"], ["logits"], transB=1)]
    model = _scorer(Scope(nodes, {"weight": weight, "bias": bias}), weight.shape[1], marks)
    logits = check_rows.astype(float) @ weight.T.astype(float) + bias
    return checked_bytes("scorer.onnx", model, check_rows, logits)


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


def fold(network: MarkNetwork) -> tuple[Layer, np.ndarray, list[Layer]]:
    """The network's arithmetic in eval mode as affine maps, computed in float64.

    They are weight [dimension, hidden[0]] and bias of the embedding's part of the first layer; what
    each mark adds to it, [marks, hidden[0]]; and weight [in, out] and bias of each further layer,
    which a ReLU precedes.
    """
    first = array(network.layers[0].weight)
    of_embedding = (first[:, : network.dimension] / array(network.scale)).T
    bias = array(network.layers[0].bias) - array(network.mean) @ of_embedding
    mark_part = array(network.mark_vectors) @ first[:, network.dimension :].T

    layers = []
    further = [*network.layers[1:], network.output]
    for norm, linear in zip(network.batch_norms, further, strict=True):
        gain, shift = gain_and_shift(norm)
        weight = array(linear.weight)
        layers.append(((weight * gain).T, array(linear.bias) + weight @ shift))

    return (of_embedding, bias), mark_part, layers


def _graph(network: MarkNetwork, marks: Sequence[str]) -> onnx.ModelProto:
    shared, mark_part, layers = fold(network)
    constants = {"shared.weight": shared[0], "shared.bias": shared[1], "mark_part": mark_part[None]}
    nodes = [
        helper.make_node("Gemm", ["embedding", "shared.weight", "shared.bias"], ["shared"]),
        helper.make_node("Unsqueeze", ["shared", "mark_axis"], ["shared_by_mark"]),
        helper.make_node("Add", ["shared_by_mark", "mark_part"], ["first_by_mark"]),
        helper.make_node("Reshape", ["first_by_mark", "rows_shape"], ["rows0"]),
    ]
    for i, (weight, bias) in enumerate(layers):
        constants |= {f"layer{i}.weight": weight, f"layer{i}.bias": bias}
        inputs = [f"active{i}", f"layer{i}.weight", f"layer{i}.bias"]
        nodes.append(helper.make_node("Relu", [f"rows{i}"], [f"active{i}"]))
        nodes.append(helper.make_node("Gemm", inputs, [f"rows{i + 1}"]))
    nodes.append(helper.make_node("Reshape", [f"rows{len(layers)}", "logits_shape"], ["logits"]))
    constants["mark_axis"] = np.array([1])
    constants["rows_shape"] = np.array([-1, mark_part.shape[1]])
    constants["logits_shape"] = np.array([-1, len(marks)])
    return _scorer(Scope(nodes, constants), len(shared[0]), marks)


def _scorer(scope: Scope, dimension: int, marks: Sequence[str]) -> onnx.ModelProto:
    taken = "embedding", TensorProto.FLOAT, [dimension]
    model = make_model(scope, taken, ("logits", len(marks)), "histpred scorer")
    helper.set_model_props(model, {"histpred.marks": json.dumps(list(marks))})
    return model
