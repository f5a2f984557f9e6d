"""Graphs that a bundle may hold, and those that onnxruntime must never see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from histpred.bundle.folder import SHIPPED
from histpred.core.errors import BundleError
from histpred.core.graph import OPERATORS, check_graph

onnx = pytest.importorskip("onnx", reason="needs the package onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

PATH = Path("odd.onnx")
WEIGHTS = np.zeros((3, 2), np.float32)


def model(*nodes: onnx.NodeProto, domain: str = "") -> onnx.ModelProto:
    """A model of one product of matrices, and further nodes."""
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    network = helper.make_graph(
        [product, *nodes],
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(WEIGHTS, "w")],
    )
    return helper.make_model(network, opset_imports=[helper.make_opsetid(domain, 17)])


def changed(change: Callable[[onnx.ModelProto], object]) -> onnx.ModelProto:
    odd = model()
    change(odd)
    return odd


def weights(odd: onnx.ModelProto) -> onnx.TensorProto:
    return odd.graph.initializer[0]


def outside(odd: onnx.ModelProto) -> None:
    weights(odd).ClearField("raw_data")
    weights(odd).external_data.add(key="location", value="weights.bin")
    weights(odd).data_location = TensorProto.EXTERNAL


def loop() -> onnx.NodeProto:
    values = [
        helper.make_tensor_value_info(name, kind, [])
        for name, kind in (("i", TensorProto.INT64), ("c", TensorProto.BOOL))
    ]
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"])],
        "body",
        values,
        [helper.make_tensor_value_info("d", TensorProto.BOOL, [])],
    )
    return helper.make_node("Loop", ["n", "t"], [], body=body)


def subgraph_in_an_allowed_operator() -> onnx.NodeProto:
    node = helper.make_node("Relu", ["y"], ["z"])
    node.attribute.add(name="body", type=onnx.AttributeProto.GRAPH).g.CopyFrom(model().graph)
    return node


def function(odd: onnx.ModelProto) -> None:
    relu = helper.make_node("Relu", ["a"], ["b"])
    odd.functions.append(helper.make_function("own", "f", ["a"], ["b"], [relu], odd.opset_import))


ODD = {
    "weights outside the file": (changed(outside), "holds weights outside the file"),
    "only marked as outside": (
        changed(lambda odd: setattr(weights(odd), "data_location", TensorProto.EXTERNAL)),
        "holds weights outside the file",
    ),
    "a loop": (model(loop()), "holds the operator 'Loop'"),
    "a graph in a node": (model(subgraph_in_an_allowed_operator()), "holds a graph inside a node"),
    "a function": (changed(function), "holds functions"),
    "sparse weights": (
        changed(lambda odd: odd.graph.sparse_initializer.add().dims.append(1 << 40)),
        "holds sparse weights",
    ),
    "training": (changed(lambda odd: odd.training_info.add()), "holds training information"),
    "another domain": (model(domain="com.microsoft"), "needs operators of 'com.microsoft'"),
    "an operator of another domain": (
        model(helper.make_node("Relu", ["y"], ["z"], domain="own")),
        "holds the operator 'Relu'",
    ),
    "more numbers than there are": (
        changed(lambda odd: weights(odd).dims.__setitem__(0, 1 << 40)),
        "the weights 'w' have 6 numbers, their shape says 2,199,023,255,552",
    ),
    "fewer numbers than there are": (
        changed(lambda odd: weights(odd).dims.__setitem__(0, 1)),
        "the weights 'w' have 6 numbers, their shape says 2",
    ),
    "a negative size": (changed(lambda odd: weights(odd).dims.__setitem__(0, -3)), "the shape"),
    "text as weights": (
        changed(lambda odd: setattr(weights(odd), "data_type", TensorProto.STRING)),
        "have the type 8",
    ),
    **{
        name: (model(helper.make_node(name, ["y"], ["z"])), f"holds the operator '{name}'")
        for name in (
            *("Loop", "If", "Scan", "SequenceMap", "ConstantOfShape", "Tile", "Range", "Resize"),
            *(
                "OneHot",
                "RandomNormal",
                "Bernoulli",
                "Multinomial",
                "Dropout",
                "OptionalGetElement",
            ),
        )
    },
}


@pytest.mark.parametrize(("odd", "words"), ODD.values(), ids=ODD)
def test_what_is_not_allowed_is_named(odd, words):
    with pytest.raises(BundleError) as caught:
        check_graph(odd.SerializeToString(), PATH)
    assert words in caught.value.message
    assert caught.value.message.startswith("odd.onnx: ")


@pytest.mark.parametrize(
    "content", [b"", b"no graph", b"\x00ORTM", model().SerializeToString()[:-5]]
)
def test_no_graph_at_all(content):
    with pytest.raises(BundleError, match="no ONNX graph"):
        check_graph(content, PATH)


def test_a_field_that_nobody_knows():
    with pytest.raises(BundleError, match="holds field 999 of a model"):
        check_graph(model().SerializeToString() + b"\xba\x3e\x01a", PATH)


def test_graphs_nested_without_end():
    content = b""
    for _ in range(3000):
        size = len(content)
        length = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14])
        content = b"\x32" + length + content
    with pytest.raises(BundleError):
        check_graph(model().SerializeToString() + b"\x3a" + content, PATH)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*/*.onnx")), ids=lambda path: path.name)
def test_shipped_graphs_are_allowed(path):
    check_graph(path.read_bytes(), path)


def test_operators_exist_and_hold_no_graph():
    kinds = onnx.defs.OpSchema.AttrType
    for name in OPERATORS:
        attributes = onnx.defs.get_schema(name).attributes.values()
        assert not {kinds.GRAPH, kinds.GRAPHS} & {attribute.type for attribute in attributes}
