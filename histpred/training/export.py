"""Trained networks as the ONNX files of a bundle.

| file         | input                                        | output                         |
|--------------|----------------------------------------------|--------------------------------|
| scorer.onnx  | `embedding` float32 [batch, dimension]       | `logits` [batch, marks]        |
| encoder.onnx | `codes` uint8 [batch, length], 0-4 for ACGTN | `embedding` [batch, dimension] |

What need not be computed at scoring time is folded away beforehand: the standardisation into the
first layer, each batch norm into the linear layer beside it, the marks' part of the first layer
into one constant. DeepHistone's other batch norms stay, because their inputs are also used
elsewhere. Each graph is compared with its network before it is returned.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import nn

from histpred.training.counting import BinCounts
from histpred.training.onnx_graph import (
    Scope,
    array,
    checked_bytes,
    gain_and_shift,
    in_blocks,
    make_model,
)
from histpred.training.onnx_spectra import add_layer
from histpred.training.perceptron import MarkNetwork
from histpred.training.spectra import Beside

CHECKED_WINDOWS = 32  # of an encoder's; a long window takes up to a second

Layer = tuple[np.ndarray, np.ndarray]


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
    """The bytes of encoder.onnx: the layers before the last one of a tower of bases.

    Raises ModelError if its embeddings of the first 32 of `check_codes`, real windows as codes,
    uint8 [n, length], differ from the encoder's by more than 1e-4 of the largest number in them.
    DeepHistone's graph takes windows of this length only, that of spectra any.
    """
    check_codes = check_codes[:CHECKED_WINDOWS]
    original = copy.deepcopy(encoder).cpu().eval()
    scope = Scope([], {})
    add_layer(original, "codes", scope)
    scope.nodes[-1].output[:] = ["embedding"]
    with torch.inference_mode():
        embeddings = in_blocks(lambda rows: original(torch.from_numpy(rows)).numpy(), check_codes)
    length = "length" if isinstance(original[0], BinCounts | Beside) else check_codes.shape[1]
    taken, given = ("codes", TensorProto.UINT8, length), ("embedding", embeddings.shape[1])
    model = make_model(scope, taken, given, "histpred encoder")
    scale = max(float(embeddings.max()), 1.0)
    return checked_bytes("encoder.onnx", model, check_codes, embeddings, scale)


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
    constants = {
        "shared.weight": shared[0],
        "shared.bias": shared[1],
        "mark_part": mark_part[None],
    }
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
    taken = ("embedding", TensorProto.FLOAT, dimension)
    model = make_model(scope, taken, ("logits", len(marks)), "histpred scorer")
    helper.set_model_props(model, {"histpred.marks": json.dumps(list(marks))})
    return model
