"""Scorers as the graph scorer.onnx of a bundle.

What need not be computed at scoring time is folded away beforehand: the standardisation into the
first layer, each batch norm into the linear layer beside it, the marks' part of the first layer
into one constant. Each graph is compared with its network before it is returned.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from histpred.training.onnx_graph import Scope, array, checked_bytes, gain_and_shift, make_model
from histpred.training.perceptron import MarkNetwork
from histpred.training.pooled import Pooled

Layer = tuple[np.ndarray, np.ndarray]
Folded = tuple[Layer, np.ndarray, list[Layer]]
"""What `fold` returns"""


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


def pooled_to_onnx(pooled: Pooled, marks: Sequence[str], check_rows: np.ndarray) -> bytes:
    """The bytes of scorer.onnx for places around a gene's start; see `to_onnx`.

    `check_rows` are embeddings of all places, float32 [n, places x dimension].
    """
    network, places = pooled.network, pooled.places
    within = len(network.mark_vectors)
    folded = fold(network)
    dimension = len(folded[0][0])
    nodes = [helper.make_node("Reshape", ["embedding", "places_shape"], ["place"])]
    scope = Scope(nodes, {"places_shape": np.array([-1, dimension])})
    _add_perceptron(scope, "place", folded, "of_places", [-1, places, within])
    scope.nodes.extend(
        [
            helper.make_node("ReduceMax", ["of_places"], ["highest"], axes=[1], keepdims=0),
            helper.make_node("ReduceMean", ["of_places"], ["mean"], axes=[1], keepdims=0),
            helper.make_node("Concat", ["highest", "mean"], ["pooled"], axis=1),
            helper.make_node("Gemm", ["pooled", "weight", "bias"], ["logits"]),
        ]
    )
    scope.constants.update({"weight": pooled.weight, "bias": pooled.bias})
    model = _scorer(scope, places * dimension, marks)
    return checked_bytes("scorer.onnx", model, check_rows, pooled.logits(check_rows))


def fold(network: MarkNetwork) -> Folded:
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
    scope = Scope([], {})
    folded = fold(network)
    _add_perceptron(scope, "embedding", folded, "logits", [-1, len(marks)])
    return _scorer(scope, len(folded[0][0]), marks)


def _add_perceptron(
    scope: Scope, taken: str, folded: Folded, given: str, shape: Sequence[int]
) -> None:
    """Add a folded perceptron that takes vectors [rows, dimension]; its logits have a shape."""
    shared, mark_part, layers = folded
    constants = {"shared.weight": shared[0], "shared.bias": shared[1], "mark_part": mark_part[None]}
    nodes = [
        helper.make_node("Gemm", [taken, "shared.weight", "shared.bias"], ["shared"]),
        helper.make_node("Unsqueeze", ["shared", "mark_axis"], ["shared_by_mark"]),
        helper.make_node("Add", ["shared_by_mark", "mark_part"], ["first_by_mark"]),
        helper.make_node("Reshape", ["first_by_mark", "rows_shape"], ["rows0"]),
    ]
    for i, (weight, bias) in enumerate(layers):
        constants |= {f"layer{i}.weight": weight, f"layer{i}.bias": bias}
        inputs = [f"active{i}", f"layer{i}.weight", f"layer{i}.bias"]
        nodes.append(helper.make_node("Relu", [f"rows{i}"], [f"active{i}"]))
        nodes.append(helper.make_node("Gemm", inputs, [f"rows{i + 1}"]))
    nodes.append(helper.make_node("Reshape", [f"rows{len(layers)}", "logits_shape"], [given]))
    constants["mark_axis"] = np.array([1])
    constants["rows_shape"] = np.array([-1, mark_part.shape[1]])
    constants["logits_shape"] = np.array(shape)
    scope.nodes.extend(nodes)
    scope.constants.update(constants)


def _scorer(scope: Scope, dimension: int, marks: Sequence[str]) -> onnx.ModelProto:
    taken = "embedding", TensorProto.FLOAT, [dimension]
    model = make_model(scope, taken, ("logits", len(marks)), "histpred scorer")
    helper.set_model_props(model, {"histpred.marks": json.dumps(list(marks))})
    return model
