"""What an ONNX file may hold before onnxruntime sees it: all of a network, and nothing else.

Anybody can write a bundle. So a graph is read by a list of what is allowed: the fields in `_FIELDS`
and the operators in `OPERATORS`. Weights outside the file, graphs inside a node, functions,
operators of other domains, random numbers, loops, and operators that make large arrays of small
numbers are not in the lists. Fields are read with protobuf, as onnxruntime reads them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from histpred.core.errors import BundleError

if TYPE_CHECKING:
    from google.protobuf.message import Message

GRAPH = "encoder.onnx"  # the encoder inside a bundle
BINS, HEADS = "bins.onnx", "heads.onnx"  # an encoder whose windows share what they have in common
ENCODER_GRAPHS = {"onnx": (GRAPH,), "spectra": (BINS, HEADS)}
"""The graphs of an encoder inside a bundle, by its kind."""
HINT = "use a bundle of histpred, or a graph of allowed operators (docs/bundles.md)"

# Whatever histpred writes, and further operators of networks without loops or random numbers
_OPERATORS = (
    "Abs Add And AveragePool BatchNormalization Cast Ceil Clip Concat Constant Conv Cos "
    "CumSum Div Einsum Elu Equal Erf Exp Expand Flatten Floor Gather Gelu Gemm "
    "GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GroupNormalization GRU "
    "HardSigmoid HardSwish Identity InstanceNormalization LayerNormalization LeakyRelu Less "
    "LessOrEqual Log LogSoftmax LSTM MatMul Max MaxPool Min Mish Mod Mul Neg Not Or Pad Pow "
    "PRelu Reciprocal ReduceL2 ReduceMax ReduceMean ReduceMin ReduceSum ReduceSumSquare Relu "
    "Reshape RMSNormalization Round ScatterElements Selu Shape Sigmoid Sign Sin Slice Softmax "
    "Softplus Softsign Split Sqrt Squeeze Sub Sum Swish Tanh Transpose Unsqueeze Where"
)
OPERATORS = frozenset(_OPERATORS.split())
DOMAINS = ("", "ai.onnx")
# Bytes of a number, by the type's number in ONNX: fp32, uint8, int8, int32, int64, bool, fp16, fp64
BYTES = {1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8}

# The fields of each message that are read, by number: name, and type ('*' for a list)
_FIELDS = {
    "Model": {
        **{1: "ir_version int64", 2: "producer_name bytes", 3: "producer_version bytes"},
        **{4: "domain bytes", 5: "model_version int64", 6: "doc_string bytes"},
        **{7: "graph Graph", 8: "opset_import OperatorSet*", 14: "metadata_props Entry*"},
    },
    "OperatorSet": {1: "domain bytes", 2: "version int64"},
    "Entry": {1: "key bytes", 2: "value bytes"},
    "Graph": {
        **{1: "node Node*", 2: "name bytes", 5: "initializer Tensor*", 10: "doc_string bytes"},
        **{11: "input Value*", 12: "output Value*", 13: "value_info Value*"},
        16: "metadata_props Entry*",
    },
    "Node": {
        **{1: "input bytes*", 2: "output bytes*", 3: "name bytes", 4: "op_type bytes"},
        **{5: "attribute Attribute*", 6: "doc_string bytes", 7: "domain bytes"},
        9: "metadata_props Entry*",
    },
    "Attribute": {
        **{1: "name bytes", 2: "f float", 3: "i int64", 4: "s bytes", 5: "t Tensor"},
        **{7: "floats float*", 8: "ints int64*", 9: "strings bytes*", 13: "doc_string bytes"},
        20: "type int32",
    },
    "Tensor": {
        **{1: "dims int64*", 2: "data_type int32", 4: "float_data float*", 5: "int32_data int32*"},
        **{7: "int64_data int64*", 8: "name bytes", 9: "raw_data bytes", 10: "double_data double*"},
        12: "doc_string bytes",
    },
    "Value": {1: "name bytes", 2: "type Type", 3: "doc_string bytes", 4: "metadata_props Entry*"},
    "Type": {1: "tensor_type TensorType", 6: "denotation bytes"},
    "TensorType": {1: "elem_type int32", 2: "shape Shape"},
    "Shape": {1: "dim Dimension*"},
    "Dimension": {1: "dim_value int64", 2: "dim_param bytes", 3: "denotation bytes"},
}
# What a field that is not read would be, for messages
_OTHERS = {
    ("Model", 20): "training information",
    ("Model", 25): "functions",
    ("Graph", 15): "sparse weights",
    ("Attribute", 6): "a graph inside a node",
    ("Attribute", 11): "graphs inside a node",
    ("Tensor", 6): "text",
    ("Tensor", 13): "weights outside the file",
    ("Tensor", 14): "weights outside the file",
}


def check_graph(content: bytes, path: Path) -> Message:
    """The ONNX graph in `content`; BundleError unless all parts are allowed; `path` is its name."""
    from google.protobuf.message import DecodeError

    model = _message("Model")()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise BundleError(f"{path}: no ONNX graph, or damaged", "get the bundle again") from error
    problem = next(_problems(model), None)
    if problem:
        raise BundleError(f"{path}: {problem}", HINT)
    return model


def _problems(model: Message) -> Iterator[str]:
    from google.protobuf.unknown_fields import UnknownFieldSet

    for part in _parts(model):
        of = part.DESCRIPTOR.name
        for field in UnknownFieldSet(part):
            number = field.field_number
            what = _OTHERS.get((of, number), f"field {number} of a {of.lower()}")
            yield f"holds {what}, which histpred does not read"
        if of == "OperatorSet" and _text(part.domain) not in DOMAINS:
            yield f"needs operators of {_text(part.domain)!r}, which are not allowed in a bundle"
        if of == "Node":
            kind = _text(part.op_type)
            if kind not in OPERATORS or _text(part.domain) not in DOMAINS:
                yield f"holds the operator {kind!r}, which is not allowed in a bundle"
        if of == "Tensor":
            yield from _of_tensor(part)
    if not model.graph.node or not model.graph.output:
        yield "no ONNX graph, or empty"


def _of_tensor(tensor: Message) -> Iterator[str]:
    """A tensor must hold as many numbers as its shape says, of a type that is known."""
    name = _text(tensor.name)
    size = BYTES.get(tensor.data_type)
    if size is None or min(tensor.dims, default=0) < 0:
        yield f"the weights {name!r} have the type {tensor.data_type} and the shape {tensor.dims}"
        return
    wanted = math.prod(tensor.dims)
    lists = (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data)
    found = len(tensor.raw_data) / size + sum(map(len, lists))
    if found != wanted:
        yield f"the weights {name!r} have {found:,.0f} numbers, their shape says {wanted:,}"


def _parts(message: Message) -> Iterator[Message]:
    """A message and all messages inside it."""
    from google.protobuf.message import Message

    yield message
    for field, value in message.ListFields():
        if field.message_type:
            for part in [value] if isinstance(value, Message) else value:
                yield from _parts(part)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


@cache
def _message(name: str) -> type[Message]:
    """The class of a message, whose fields are those in `_FIELDS`."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="graph.proto", package="histpred")
    for message, fields in _FIELDS.items():
        described = file.message_type.add(name=message)
        for number, field in fields.items():
            field_name, kind = field.rstrip("*").split()
            added = described.field.add(name=field_name, number=number)
            added.label = added.LABEL_REPEATED if field[-1] == "*" else added.LABEL_OPTIONAL
            if kind in _FIELDS:
                added.type, added.type_name = added.TYPE_MESSAGE, f".histpred.{kind}"
            else:
                added.type = getattr(added, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    found = pool.FindMessageTypeByName(f"histpred.{name}")
    made: type[Message] = message_factory.GetMessageClass(found)
    return made
