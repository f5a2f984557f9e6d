"""ONNX graphs, written node by node and compared with the network that they stand for.

Nodes are not traced, so the same weights give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import DTypeLike
from onnx import NodeProto, helper, numpy_helper
from torch import nn

from histpred.core.errors import ModelError
from histpred.core.runtime import load_onnxruntime

OPSET = 17
IR_VERSION = 8  # any onnxruntime since 1.14 reads this version and opset
PARITY = 1e-4
ROWS_AT_ONCE = 4


class Tensors(NamedTuple):
    """The input or output of a graph; its first dimension is the batch."""

    name: str
    kind: int
    shape: tuple[str | int, ...]

    def info(self) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(self.name, self.kind, ["batch", *self.shape])


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
    nodes: Sequence[NodeProto],
    constants: Mapping[str, np.ndarray],
    taken: Tensors,
    given: Tensors,
    name: str,
) -> onnx.ModelProto:
    """A checked graph; constants keep their type, except that float64 becomes float32."""
    initializers = [
        numpy_helper.from_array(
            value.astype(np.float32) if value.dtype.kind == "f" else value, constant
        )
        for constant, value in constants.items()
    ]
    model = helper.make_model(
        helper.make_graph(nodes, name, [taken.info()], [given.info()], initializers),
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
    found = in_blocks(lambda block: session.run([given], {taken: block})[0], rows)
    difference = float(np.abs(found - expected).max())
    if not difference <= PARITY * scale:
        raise ModelError(
            f"{file} differs from the trained network by {difference:.2g} in its {given}, "
            f"more than {PARITY * scale:.2g}",
            "this is a bug in the export: please report it",
        )
    return content


def in_blocks(run: Callable[[np.ndarray], np.ndarray], rows: np.ndarray) -> np.ndarray:
    """What `run` makes of the rows, a few at a time."""
    blocks = [run(rows[i : i + ROWS_AT_ONCE]) for i in range(0, len(rows), ROWS_AT_ONCE)]
    return np.concatenate(blocks)
