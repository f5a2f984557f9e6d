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
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import torch
from onnx import NodeProto, TensorProto, helper
from torch import nn

from histpred.training.counting import BinCounts
from histpred.training.onnx_graph import (
    Scope,
    Tensors,
    array,
    checked_bytes,
    in_blocks,
    make_model,
)
from histpred.training.onnx_layers import gain_and_shift
from histpred.training.onnx_spectra import add_layer
from histpred.training.perceptron import MarkNetwork
from histpred.training.spectra import Beside

CHECKED_WINDOWS = 32  # of an encoder's; a long window takes up to a second

Layer = tuple[np.ndarray, np.ndarray]


def to_onnx(network: MarkNetwork, marks: Sequence[str], check_rows: np.ndarray) -> bytes:
    """The bytes of scorer.onnx for a perceptron.

    Parameters
    ----------
    network
        The trained network.
    marks
        Names of its marks, in order; they are written into the file's metadata.
    check_rows
        Real embeddings, float32 [n, dimension], for which the graph's logits are compared with the
        network's.

    Raises
    ------
    ModelError
        If they differ by more than 1e-4.
    """
    shared, mark_part, layers = fold(network)
    training = network.training
    network.eval()
    with torch.inference_mode():
        logits = network(torch.from_numpy(check_rows)).numpy()
    network.train(training)
    return checked_bytes(
        "scorer.onnx", _graph(shared, mark_part, layers, marks), check_rows, logits
    )


def linear_to_onnx(
    weight: np.ndarray, bias: np.ndarray, marks: Sequence[str], check_rows: np.ndarray
) -> bytes:
    """The bytes of scorer.onnx for one linear layer; see `to_onnx`.

    `weight` is [marks, dimension], `bias` is [marks]. The graph is compared with numpy.
    """
    nodes = [helper.make_node("Gemm", ["embedding", "weight", "bias"], ["logits"], transB=1)]
    model = _scorer(nodes, {"weight": weight, "bias": bias}, weight.shape[1], marks)
    logits = check_rows.astype(float) @ weight.T.astype(float) + bias
    return checked_bytes("scorer.onnx", model, check_rows, logits)


def encoder_to_onnx(encoder: nn.Sequential, check_codes: np.ndarray) -> bytes:
    """The bytes of encoder.onnx.

    Parameters
    ----------
    encoder
        The layers before the last one of a `DeepHistone` or a `SpectraNetwork`.
    check_codes
        Real windows as codes, uint8 [n, length]; the graph's embeddings of the first 32 are
        compared with the encoder's. DeepHistone's graph takes windows of this length only, that of
        spectra any.

    Raises
    ------
    ModelError
        If they differ by more than 1e-4 of the largest number in them.
    """
    check_codes = check_codes[:CHECKED_WINDOWS]
    original = copy.deepcopy(encoder).cpu().eval()
    scope = Scope([], {})
    add_layer(original, "codes", scope)
    scope.nodes[-1].output[:] = ["embedding"]
    with torch.inference_mode():
        embeddings = in_blocks(lambda rows: original(torch.from_numpy(rows)).numpy(), check_codes)
    length = "length" if isinstance(original[0], BinCounts | Beside) else check_codes.shape[1]
    model = make_model(
        scope.nodes,
        scope.constants,
        Tensors("codes", TensorProto.UINT8, (length,)),
        Tensors("embedding", TensorProto.FLOAT, (embeddings.shape[1],)),
        "histpred encoder",
    )
    scale = max(float(embeddings.max()), 1.0)
    return checked_bytes("encoder.onnx", model, check_codes, embeddings, scale)


def fold(network: MarkNetwork) -> tuple[Layer, np.ndarray, list[Layer]]:
    """The network's arithmetic in eval mode as affine maps, computed in float64.

    Returns
    -------
    shared
        Weight [dimension, hidden[0]] and bias of the embedding's part of the first layer.
    mark_part
        What each mark adds to it, [marks, hidden[0]].
    layers
        Weight [in, out] and bias of each further layer; each is preceded by a ReLU.
    """
    first = array(network.layers[0].weight)
    of_embedding = (first[:, : network.dimension] / array(network.scale)).T
    bias = array(network.layers[0].bias) - array(network.mean) @ of_embedding
    mark_part = array(network.mark_vectors) @ first[:, network.dimension :].T

    layers = []
    for norm, linear in zip(
        network.batch_norms, [*network.layers[1:], network.output], strict=True
    ):
        gain, shift = gain_and_shift(norm)
        weight = array(linear.weight)
        layers.append(((weight * gain).T, array(linear.bias) + weight @ shift))

    return (of_embedding, bias), mark_part, layers


def _graph(
    shared: Layer, mark_part: np.ndarray, layers: Sequence[Layer], marks: Sequence[str]
) -> onnx.ModelProto:
    constants: dict[str, np.ndarray] = {
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
        nodes += [
            helper.make_node("Relu", [f"rows{i}"], [f"active{i}"]),
            helper.make_node(
                "Gemm", [f"active{i}", f"layer{i}.weight", f"layer{i}.bias"], [f"rows{i + 1}"]
            ),
        ]
    nodes.append(helper.make_node("Reshape", [f"rows{len(layers)}", "logits_shape"], ["logits"]))

    constants |= {
        "mark_axis": np.array([1]),
        "rows_shape": np.array([-1, mark_part.shape[1]]),
        "logits_shape": np.array([-1, len(marks)]),
    }
    return _scorer(nodes, constants, len(shared[0]), marks)


def _scorer(
    nodes: Sequence[NodeProto],
    constants: Mapping[str, np.ndarray],
    dimension: int,
    marks: Sequence[str],
) -> onnx.ModelProto:
    model = make_model(
        nodes,
        constants,
        Tensors("embedding", TensorProto.FLOAT, (dimension,)),
        Tensors("logits", TensorProto.FLOAT, (len(marks),)),
        "histpred scorer",
    )
    helper.set_model_props(model, {"histpred.marks": json.dumps(list(marks))})
    return model
