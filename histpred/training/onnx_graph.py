"""ONNX graphs, written node by node and compared with the network that they stand for.

Nodes are not traced, so the same weights give the same bytes. The graphs of spectra networks are in
`onnx_spectra`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import singledispatch
from typing import NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import DTypeLike
from onnx import NodeProto, TensorProto, helper, numpy_helper
from torch import nn

from histpred.core.errors import ModelError
from histpred.core.runtime import load_onnxruntime
from histpred.training.deephistone import DenseLayer, GlobalPooling, OneHot

OPSET = 17
IR_VERSION = 8  # any onnxruntime since 1.14 reads this version and opset
PARITY = 1e-4
ROWS_AT_ONCE = 4


class Scope(NamedTuple):
    """A layer's part of a graph: names of its nodes and constants begin with `name`."""

    nodes: list[NodeProto]
    constants: dict[str, np.ndarray]
    name: str = ""

    def inside(self, part: str) -> Scope:
        """The scope of a layer within this one."""
        return self._replace(name=f"{self.name}.{part}".lstrip("."))

    def node(
        self,
        kind: str,
        inputs: Sequence[str],
        part: str = "out",
        **attributes: str | float | list[int],
    ) -> str:
        """Append an operator; returns the name of its output, whose last part is `part`."""
        output = f"{self.name}.{part}"
        node = helper.make_node(kind, inputs, [output])
        node.attribute.extend(helper.make_attribute(*pair) for pair in sorted(attributes.items()))
        self.nodes.append(node)
        return output

    def constant(self, part: str, value: object, kind: DTypeLike = np.int64) -> str:
        """Keep a constant; returns its name."""
        self.constants[f"{self.name}.{part}"] = np.array(value, kind)
        return f"{self.name}.{part}"

    def weights(self, layer: nn.Module, *parts: str) -> list[str]:
        """Keep parameters or buffers of a layer as constants; returns their names."""
        return [self.constant(part, array(getattr(layer, part)), float) for part in parts]


def array(tensor: torch.Tensor) -> np.ndarray:
    """A tensor's values, float64."""
    values: np.ndarray = tensor.detach().cpu().double().numpy()
    return values


def make_model(
    scope: Scope, taken: tuple[str, int, list[int]], given: tuple[str, int], name: str
) -> onnx.ModelProto:
    """A checked graph; constants keep their type, except that float64 becomes float32.

    `taken` is the name and type of the input and the shape of its rows, `given` name and width of
    the float32 output.
    """
    initializers = [
        numpy_helper.from_array(value.astype("f4") if value.dtype.kind == "f" else value, constant)
        for constant, value in scope.constants.items()
    ]
    ends = (taken, (given[0], TensorProto.FLOAT, [given[1]]))
    inputs, outputs = (
        [helper.make_tensor_value_info(end, kind, ["batch", *shape])] for end, kind, shape in ends
    )
    model = helper.make_model(
        helper.make_graph(scope.nodes, name, inputs, outputs, initializers),
        producer_name="histpred",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def checked_bytes(
    file: str, model: onnx.ModelProto, rows: np.ndarray, expected: np.ndarray, scale: float = 1.0
) -> bytes:
    """The graph's bytes.

    Raises ModelError if its output for `rows` differs from `expected` by more than 1e-4 of `scale`.
    """
    content: bytes = model.SerializeToString(deterministic=True)
    session = load_onnxruntime().InferenceSession(content, providers=["CPUExecutionProvider"])
    taken, given = model.graph.input[0].name, model.graph.output[0].name
    blocks = [rows[i : i + ROWS_AT_ONCE] for i in range(0, len(rows), ROWS_AT_ONCE)]
    found = np.concatenate([session.run([given], {taken: block})[0] for block in blocks])
    refuse_difference(file, found, expected, scale)
    return content


def refuse_difference(
    file: str, found: np.ndarray, expected: np.ndarray, scale: float = 1.0
) -> None:
    """Raise ModelError if `found` differs from `expected` by more than 1e-4 of `scale`."""
    difference = float(np.abs(found - expected).max())
    if not difference <= PARITY * scale:
        raise ModelError(
            f"{file} differs from the trained network by {difference:.2g}, "
            f"more than {PARITY * scale:.2g}",
            "this is a bug in the export: please report it",
        )


@singledispatch
def add_layer(layer: nn.Module, value: str, scope: Scope) -> str:
    """Append the nodes of a layer in eval mode to the graph of its scope.

    `value` is the name of its input; returned is the name of its output. Raises TypeError for a
    layer that no encoder has.
    """
    match layer:
        case nn.Dropout():
            return value
        case nn.ReLU():
            return scope.node("Relu", [value])
        case nn.Flatten():
            return scope.node("Flatten", [value])
        case nn.Linear():
            inputs = [value, *scope.weights(layer, "weight", "bias")]
            return scope.node("Gemm", inputs, transB=1)
    raise TypeError(f"no layer of an encoder: {layer}")


@add_layer.register
def _sequential(layer: nn.Sequential, value: str, scope: Scope) -> str:
    parts = list(layer.named_children())
    while parts:
        (key, part), *parts = parts
        behind = parts[0][1] if parts else None
        if isinstance(part, nn.Linear) and isinstance(behind, nn.BatchNorm1d):
            part = folded(part, behind)
            parts.pop(0)
        value = add_layer(part, value, scope.inside(key))
    return value


@add_layer.register
def _one_hot(layer: OneHot, value: str, scope: Scope) -> str:
    whole = scope.node("Cast", [value], "whole", to=TensorProto.INT32)
    rows = scope.node("Gather", [*scope.weights(layer, "table"), whole], "rows")
    return scope.node("Transpose", [rows], perm=[0, 2, 1])


@add_layer.register
def _convolution(layer: nn.Conv1d, value: str, scope: Scope) -> str:
    padding = [int(layer.padding[0])] * 2
    return scope.node("Conv", [value, *scope.weights(layer, "weight", "bias")], pads=padding)


@add_layer.register
def _batch_norm(layer: nn.BatchNorm1d, value: str, scope: Scope) -> str:
    statistics = scope.weights(layer, "weight", "bias", "running_mean", "running_var")
    return scope.node("BatchNormalization", [value, *statistics], epsilon=layer.eps)


@add_layer.register
def _dense(layer: DenseLayer, value: str, scope: Scope) -> str:
    normed = add_layer(layer.norm, value, scope.inside("norm"))
    active = scope.node("Relu", [normed], "active")
    added = add_layer(layer.convolution, active, scope.inside("convolution"))
    return scope.node("Concat", [value, added], axis=1)


@add_layer.register
def _max_pool(layer: nn.MaxPool1d, value: str, scope: Scope) -> str:
    assert isinstance(layer.kernel_size, int)
    size = [layer.kernel_size]
    return scope.node("MaxPool", [value], kernel_shape=size, strides=size)


@add_layer.register
def _global_pooling(layer: GlobalPooling, value: str, scope: Scope) -> str:
    highest = scope.node("GlobalMaxPool", [value], "maximum")
    mean = scope.node("GlobalAveragePool", [value], "mean")
    return scope.node("Flatten", [scope.node("Concat", [highest, mean], "both", axis=1)])


def gain_and_shift(norm: nn.BatchNorm1d) -> tuple[np.ndarray, np.ndarray]:
    """A batch norm's arithmetic in eval mode, float64: times the first, plus the second."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    gain = array(norm.weight) / np.sqrt(array(norm.running_var) + norm.eps)
    return gain, array(norm.bias) - array(norm.running_mean) * gain


def folded(linear: nn.Linear, norm: nn.BatchNorm1d) -> nn.Linear:
    """One linear layer, float64, for `linear` followed by `norm`."""
    gain, shift = map(torch.from_numpy, gain_and_shift(norm))
    both = copy.deepcopy(linear).double()
    with torch.no_grad():
        both.weight.mul_(gain[:, None])
        both.bias.mul_(gain).add_(shift)
    return both
