"""A trained `MarkNetwork` as scorer.onnx: `embedding` [batch, dimension], `logits` [batch, marks].

The graph is written out node by node rather than traced: it is small, the same weights give the
same bytes, and what needs no computing at scoring time is folded away beforehand (the
standardisation into the first layer, each batch norm into the linear layer above it, the marks'
part of the first layer into one constant).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from histpred.core.errors import ModelError
from histpred.core.runtime import load_onnxruntime
from histpred.models.network import MarkNetwork

OPSET = 17
IR_VERSION = 8  # both long supported: any onnxruntime since 1.14 reads the file
PARITY = 1e-4

Layer = tuple[np.ndarray, np.ndarray]


def to_onnx(network: MarkNetwork, marks: Sequence[str], check_rows: np.ndarray) -> bytes:
    """The bytes of scorer.onnx, checked against the network itself.

    Parameters
    ----------
    network
        The trained network.
    marks
        Names of its marks in order; they go into the file's metadata.
    check_rows
        Real embeddings, float32 [n, dimension]; the two must agree on their logits to 1e-4.
    """
    shared, mark_part, layers = fold(network)
    content = _graph(shared, mark_part, layers, marks).SerializeToString(deterministic=True)
    _check_parity(network, content, check_rows)
    return content


def fold(network: MarkNetwork) -> tuple[Layer, np.ndarray, list[Layer]]:
    """The network's eval-time arithmetic as plain affine maps, computed in float64.

    Returns
    -------
    shared
        Weight [dimension, hidden[0]] and bias of the embedding's part of the first layer.
    mark_part
        What each mark adds to it, [marks, hidden[0]].
    layers
        Weight [in, out] and bias of each layer above; a ReLU goes before each.
    """

    def array(tensor: torch.Tensor) -> np.ndarray:
        return tensor.detach().cpu().double().numpy()

    first = array(network.linears[0].weight)
    of_embedding = (first[:, : network.dimension] / array(network.scale)).T
    bias = array(network.linears[0].bias) - array(network.mean) @ of_embedding
    mark_part = array(network.mark_vectors) @ first[:, network.dimension :].T

    layers = []
    for norm, linear in zip(network.norms, [*network.linears[1:], network.output], strict=True):
        gain = array(norm.weight) / np.sqrt(array(norm.running_var) + norm.eps)
        shift = array(norm.bias) - array(norm.running_mean) * gain
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

    integers = {
        "mark_axis": [1],
        "rows_shape": [-1, mark_part.shape[1]],
        "logits_shape": [-1, len(marks)],
    }
    graph = helper.make_graph(
        nodes,
        "histpred scorer",
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", len(shared[0])])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(marks)])],
        [
            numpy_helper.from_array(value.astype(np.float32), name)
            for name, value in constants.items()
        ]
        + [
            numpy_helper.from_array(np.array(value, np.int64), name)
            for name, value in integers.items()
        ],
    )
    model = helper.make_model(
        graph,
        producer_name="histpred",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(model, {"histpred.marks": json.dumps(list(marks))})
    onnx.checker.check_model(model, full_check=True)
    return model


def _check_parity(network: MarkNetwork, content: bytes, rows: np.ndarray) -> None:
    onnxruntime = load_onnxruntime()

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (exported,) = session.run(["logits"], {"embedding": rows})
    training = network.training
    network.eval()
    with torch.inference_mode():
        original = network(torch.from_numpy(rows)).numpy()
    network.train(training)

    difference = float(np.abs(exported - original).max())
    if not difference <= PARITY:
        raise ModelError(
            f"scorer.onnx differs from the trained network by {difference:.2g} in a logit, "
            f"more than {PARITY:g}",
            "this is a bug in the export: please report it",
        )
