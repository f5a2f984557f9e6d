"""Trained networks as the ONNX files of a bundle.

| file         | input                                        | output                         |
|--------------|----------------------------------------------|--------------------------------|
| scorer.onnx  | `embedding` float32 [batch, dimension]       | `logits` [batch, marks]        |
| encoder.onnx | `codes` uint8 [batch, length], 0-4 for ACGTN | `embedding` [batch, dimension] |

The graphs are written out node by node rather than traced: the same weights give the same bytes,
and what needs no computing at scoring time is folded away beforehand (the standardisation into the
first layer, each batch norm into the linear layer beside it, the marks' part of the first layer
into one constant). DeepHistone's other batch norms stay, since what they scale is also used as it
is. Each graph is compared with its network before it is given out.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx
import torch
from onnx import NodeProto, TensorProto, helper, numpy_helper
from torch import nn

from histpred.core.errors import ModelError
from histpred.core.runtime import load_onnxruntime
from histpred.training.deephistone import DenseLayer, GlobalPooling, OneHot
from histpred.training.perceptron import MarkNetwork
from histpred.training.spectra import (
    CODONS,
    FEWEST,
    KINDS,
    OPEN,
    STOPS,
    TEN,
    UNITS,
    Beside,
    BinCounts,
    CodonCounts,
    K,
    Middle,
    StretchMeans,
)

OPSET = 17
IR_VERSION = 8  # both long supported: any onnxruntime since 1.14 reads the file
PARITY = 1e-4
CHECKED_WINDOWS = 32  # of an encoder's; a long window takes up to a second
ROWS_AT_ONCE = 4

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
    training = network.training
    network.eval()
    with torch.inference_mode():
        logits = network(torch.from_numpy(check_rows)).numpy()
    network.train(training)
    _check_parity("scorer.onnx", content, "embedding", check_rows, "logits", logits)
    return content


def linear_to_onnx(
    weight: np.ndarray, bias: np.ndarray, marks: Sequence[str], check_rows: np.ndarray
) -> bytes:
    """The bytes of a scorer.onnx of one linear layer, checked against numpy.

    Parameters
    ----------
    weight
        [marks, dimension].
    bias
        [marks].
    marks
        Names of the marks in order; they go into the file's metadata.
    check_rows
        Real embeddings, float32 [n, dimension]; the two must agree on their logits to 1e-4.
    """
    nodes = [helper.make_node("Gemm", ["embedding", "weight", "bias"], ["logits"], transB=1)]
    model = _scorer(nodes, {"weight": weight, "bias": bias}, weight.shape[1], marks)
    content = model.SerializeToString(deterministic=True)
    logits = check_rows.astype(float) @ weight.T.astype(float) + bias
    _check_parity("scorer.onnx", content, "embedding", check_rows, "logits", logits)
    return content


def encoder_to_onnx(encoder: nn.Sequential, check_codes: np.ndarray) -> bytes:
    """The bytes of encoder.onnx, checked against the encoder itself.

    Parameters
    ----------
    encoder
        What comes before the last layer of a `DeepHistone` or a `SpectraNetwork`.
    check_codes
        Real windows as codes, uint8 [n, length]; the two must agree on the embeddings of the first
        32 to 1e-4 of the largest number in them. DeepHistone's graph takes their length and no
        other, that of spectra any.
    """
    check_codes = check_codes[:CHECKED_WINDOWS]
    original = copy.deepcopy(encoder).cpu().eval()
    nodes: list[NodeProto] = []
    constants: dict[str, np.ndarray] = {}
    _add(original, "", "codes", nodes, constants)
    nodes[-1].output[:] = ["embedding"]
    with torch.inference_mode():
        blocks = [original(torch.from_numpy(rows)) for rows in _blocks(check_codes)]
    embeddings = torch.cat(blocks).numpy()
    length = "length" if isinstance(original[0], BinCounts | Beside) else check_codes.shape[1]
    model = _model(
        nodes,
        constants,
        helper.make_tensor_value_info("codes", TensorProto.UINT8, ["batch", length]),
        helper.make_tensor_value_info(
            "embedding", TensorProto.FLOAT, ["batch", embeddings.shape[1]]
        ),
        "histpred encoder",
    )
    content = model.SerializeToString(deterministic=True)
    scale = max(float(embeddings.max()), 1.0)
    _check_parity("encoder.onnx", content, "codes", check_codes, "embedding", embeddings, scale)
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
    first = _array(network.linears[0].weight)
    of_embedding = (first[:, : network.dimension] / _array(network.scale)).T
    bias = _array(network.linears[0].bias) - _array(network.mean) @ of_embedding
    mark_part = _array(network.mark_vectors) @ first[:, network.dimension :].T

    layers = []
    for norm, linear in zip(network.norms, [*network.linears[1:], network.output], strict=True):
        gain, shift = _gain_and_shift(norm)
        weight = _array(linear.weight)
        layers.append(((weight * gain).T, _array(linear.bias) + weight @ shift))

    return (of_embedding, bias), mark_part, layers


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().double().numpy()


def _gain_and_shift(norm: nn.BatchNorm1d) -> Layer:
    """A batch norm's eval-time arithmetic, float64: times the first, plus the second."""
    gain = _array(norm.weight) / np.sqrt(_array(norm.running_var) + norm.eps)
    return gain, _array(norm.bias) - _array(norm.running_mean) * gain


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


def _add(
    module: nn.Module,
    name: str,
    value: str,
    nodes: list[NodeProto],
    constants: dict[str, np.ndarray],
) -> str:
    """Append the nodes of a module of an encoder, and its constants, under the module's `name`;
    the value called `value` goes in, the name of what comes out is returned.
    """

    def node(kind: str, inputs: Sequence[str], part: str = "out", **attributes: object) -> str:
        out = f"{name}.{part}"
        nodes.append(helper.make_node(kind, inputs, [out], **attributes))
        return out

    def kept(*parts: str) -> list[str]:
        constants.update({f"{name}.{part}": _array(getattr(module, part)) for part in parts})
        return [f"{name}.{part}" for part in parts]

    def constant(part: str, number: object, kind: type = np.int64) -> str:
        constants[f"{name}.{part}"] = np.array(number, kind)
        return f"{name}.{part}"

    match module:
        case nn.Sequential():
            parts = list(module.named_children())
            while parts:
                (key, part), *parts = parts
                if isinstance(part, nn.Linear) and isinstance(parts[0][1], nn.BatchNorm1d):
                    part = _folded(part, parts.pop(0)[1])
                value = _add(part, f"{name}.{key}".lstrip("."), value, nodes, constants)
            return value
        case OneHot():
            whole = node("Cast", [value], "whole", to=TensorProto.INT32)
            rows = node("Gather", [*kept("table"), whole], "rows")
            return node("Transpose", [rows], perm=[0, 2, 1])
        case nn.Conv1d():
            padding = [int(module.padding[0])] * 2
            return node("Conv", [value, *kept("weight", "bias")], pads=padding)
        case nn.BatchNorm1d():
            statistics = kept("weight", "bias", "running_mean", "running_var")
            return node("BatchNormalization", [value, *statistics], epsilon=module.eps)
        case DenseLayer():
            normed = _add(module.norm, f"{name}.norm", value, nodes, constants)
            active = node("Relu", [normed], "active")
            added = _add(module.convolution, f"{name}.convolution", active, nodes, constants)
            return node("Concat", [value, added], axis=1)
        case nn.ReLU():
            return node("Relu", [value])
        case nn.MaxPool1d():
            size = [int(module.kernel_size)]
            return node("MaxPool", [value], kernel_shape=size, strides=size)
        case GlobalPooling():
            pooled = [
                node("GlobalMaxPool", [value], "maximum"),
                node("GlobalAveragePool", [value], "mean"),
            ]
            return node("Flatten", [node("Concat", pooled, "both", axis=1)])
        case nn.Flatten():
            return node("Flatten", [value])
        case nn.Linear():
            return node("Gemm", [value, *kept("weight", "bias")], transB=1)
        case nn.Dropout():
            return value
        case BinCounts():
            digits = _digits(module.reach, value, node, constant)
            shape = constant("rows_shape", [-1, module.bin_length])
            rows = node("Reshape", [digits, shape], "rows")
            number = _numbers(rows, module.bin_length, K, node, constant)
            counts = _histogram(number, KINDS, node, constant)
            shape = constant("bins_shape", [-1, 2 * module.reach // module.bin_length, KINDS])
            return node("Reshape", [counts, shape])
        case CodonCounts():
            return _codons(module, value, node, constant, *kept("stops"))
        case StretchMeans():
            weight, bias = _of_shares(module)
            constants.update({f"{name}.weight": weight, f"{name}.bias": bias})
            last = constant("last", [2])
            four_mers = constant("four_mers", [KINDS])
            zero, half, full = (constant(f"unit{i}", [i]) for i in (0, UNITS // 2, UNITS))
            counts = node("Slice", [value, zero, four_mers, last], "counts")
            known = node("ReduceSum", [counts, last], "known", keepdims=1)
            total = node("Max", [known, constant("fewest", 1, np.float32)], "total")
            shares = node("Div", [counts, total], "shares")
            if len(weight) > KINDS:
                end = constant("end", [len(weight)])
                codons = node("Slice", [value, four_mers, end, last], "codons")
                shares = node("Concat", [shares, codons], "shares_and_codons", axis=2)
            product = node("MatMul", [shares, f"{name}.weight"], "product")
            units = node("Add", [product, f"{name}.bias"], "units")
            bent = node("Relu", [node("Slice", [units, zero, half, last], "bent")], "relu")
            straight = node("Slice", [units, half, full, last], "straight")
            both = node("Concat", [bent, straight], "both", axis=2)
            most = constant("most", module.bin_length - K + 1, np.float32)
            share = node("Div", [known, most], "share")
            (members,) = kept("members")
            sums = node("MatMul", [members, node("Mul", [both, share], "weighted")], "sums")
            weights = node("MatMul", [members, share], "weights")
            weights = node("Max", [weights, constant("least", FEWEST, np.float32)], "divisor")
            means = node("Div", [sums, weights], "means")
            width = UNITS * len(module.stretches)
            return node("Reshape", [means, constant("width", [-1, width])])
        case Middle():
            ends = [
                constant(part, [at])
                for part, at in (("first", module.skipped), ("end", -module.skipped), ("axis", 1))
            ]
            return node("Slice", [value, *ends])
        case Beside():
            outputs = [
                _add(part, f"{name}.{i}", value, nodes, constants)
                for i, part in enumerate(module.networks)
            ]
            return node("Concat", outputs, axis=-1)
    raise TypeError(f"no part of an encoder: {module}")


Node = Callable[..., str]
"""(operator, inputs, part of the output's name, attributes) to the output's name"""
Constant = Callable[..., str]
"""(part of its name, value, type) to the constant's name"""


def _digits(reach: int, codes: str, node: Node, constant: Constant) -> str:
    """`histpred.training.spectra.digits_of`."""
    one, padding = constant("one", [1]), constant("padding", [0, reach, 0, reach])
    padded = node("Pad", [codes, padding, constant("N", 4, np.uint8)], "padded")
    length = node("Gather", [node("Shape", [codes], "shape"), one], "length")
    start = node("Div", [length, constant("two", [2])], "start")
    end = node("Add", [start, constant("span", [2 * reach])], "end")
    whole = node("Slice", [padded, start, end, one], "whole")
    values = constant("values", [0, 1, 2, 3, KINDS], np.int32)
    return node("Gather", [values, node("Cast", [whole], "cast", to=TensorProto.INT32)], "digits")


def _numbers(digits: str, length: int, k: int, node: Node, constant: Constant) -> str:
    """`histpred.training.spectra.numbers_of`, of rows of `length` digits."""
    axis, four = constant("axis", [1]), constant("four", 4, np.int32)
    number = ""
    for i in range(k):
        ends = constant(f"from{i}", [i]), constant(f"to{i}", [length - k + 1 + i])
        digit = node("Slice", [digits, *ends, axis], f"digit{i}")
        if i:
            digit = node("Add", [node("Mul", [number, four], f"shifted{i}"), digit], f"number{i}")
        number = digit
    return node("Min", [number, constant("kinds", 4**k, np.int32)], "number")


def _histogram(numbers: str, kinds: int, node: Node, constant: Constant, of: str = "") -> str:
    """`histpred.training.spectra.histogram`."""
    size = node("Shape", [numbers], f"size{of}")
    height = node("Gather", [size, constant("first", [0])], f"height{of}")
    table = node("Concat", [height, constant("columns", [kinds + 1])], f"table{of}", axis=0)
    empty = node("Expand", [constant("zero", [[0]], np.float32), table], f"empty{of}")
    ones = node("Expand", [constant("unit", [[1]], np.float32), size], f"ones{of}")
    counts = node("ScatterElements", [empty, numbers, ones], f"all{of}", axis=1, reduction="add")
    known = constant("first", [0]), constant("known", [kinds]), constant("axis", [1])
    return node("Slice", [counts, *known], f"counts{of}")


def _codons(module: CodonCounts, codes: str, node: Node, constant: Constant, stops: str) -> str:
    """`histpred.training.spectra.CodonCounts`."""
    length, strands = 2 * module.reach, len(STOPS)
    thirds = -(-length // 3)

    def filled(value: str, before: int, behind: int, with_: str, part: str, rank: int = 2) -> str:
        ends = [0] * (rank - 1)
        padding = constant(f"{part}_padding", [*ends, before, *ends, behind])
        return node("Pad", [value, padding, with_], part)

    def shaped(value: str, shape: list[int], part: str) -> str:
        return node("Reshape", [value, constant(f"{part}_shape", shape)], part)

    def highest(value: str, part: str) -> str:
        pooling = {"kernel_shape": [TEN], "strides": [1]}
        of_ten = node("MaxPool", [value], f"{part}_of_ten", **pooling)
        return node("MaxPool", [of_ten], part, dilations=[TEN], **pooling)

    digits = _digits(module.reach, codes, node, constant)
    digits = filled(digits, 0, 2, constant("unknown", KINDS, np.int32), "longer")
    codons = _numbers(digits, length + 2, 3, node, constant)
    none = constant("none", CODONS, np.int32)
    frames = shaped(filled(codons, 0, 3 * thirds - length, none, "frames"), [-1, thirds, 3], "by3")
    found = node("Gather", [stops, frames], "found")
    found = node("Transpose", [found], "by_frame", perm=[0, 3, 2, 1])
    closed = highest(shaped(found, [-1, 3 * strands, thirds], "stops_here"), "closed")
    opened = node("Sub", [constant("one_float", 1, np.float32), closed], "opened")
    nothing = constant("nothing", 0, np.float32)
    is_open = highest(filled(opened, OPEN - 1, OPEN - 1, nothing, "around", 3), "open")
    is_open = shaped(is_open, [-1, strands, 3, thirds], "open_by_frame")
    is_open = node("Transpose", [is_open], "open_by_base", perm=[0, 1, 3, 2])
    is_open = shaped(is_open, [-1, strands, 3 * thirds], "open_by_strand")
    is_open = node("Greater", [is_open, nothing], "is_open")
    counts = []
    for strand in range(strands):
        row = node("Gather", [is_open, constant(f"strand{strand}", strand)], f"on{strand}", axis=1)
        ends = constant("base0", [0]), constant("base_end", [length]), constant("axis", [1])
        row = node("Slice", [row, *ends], f"here{strand}")
        inside = node("Where", [row, codons, none], f"inside{strand}")
        rows = shaped(inside, [-1, module.bin_length], f"rows{strand}")
        counts.append(_histogram(rows, CODONS, node, constant, f"_{strand}"))
    both = node("Concat", counts, "of_both", axis=1)
    bins = length // module.bin_length
    return shaped(both, [-1, bins, strands * CODONS], "out")


def _of_shares(means: StretchMeans) -> Layer:
    """The linear layer of a `StretchMeans` with the folding of its 4-mers, the lengths of its bins
    and the standardisation: weight [256 or 384, UNITS] and bias.
    """
    weight = (_array(means.linear.weight) / _array(means.scale)).T
    bias = _array(means.linear.bias) - _array(means.mean) @ weight
    fold = _array(means.fold)
    of_codons = weight[fold.shape[1] :] * (3 / means.bin_length)
    return np.vstack([fold @ weight[: fold.shape[1]], of_codons]), bias


def _folded(linear: nn.Linear, norm: nn.BatchNorm1d) -> nn.Linear:
    """A linear layer that does what `linear` and then `norm` do, float64."""
    gain, shift = map(torch.from_numpy, _gain_and_shift(norm))
    folded = copy.deepcopy(linear).double()
    with torch.no_grad():
        folded.weight.mul_(gain[:, None])
        folded.bias.mul_(gain).add_(shift)
    return folded


def _scorer(
    nodes: Sequence[NodeProto],
    constants: Mapping[str, np.ndarray],
    dimension: int,
    marks: Sequence[str],
) -> onnx.ModelProto:
    model = _model(
        nodes,
        constants,
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", dimension]),
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(marks)]),
        "histpred scorer",
    )
    helper.set_model_props(model, {"histpred.marks": json.dumps(list(marks))})
    return model


def _model(
    nodes: Sequence[NodeProto],
    constants: Mapping[str, np.ndarray],
    taken: onnx.ValueInfoProto,
    given: onnx.ValueInfoProto,
    name: str,
) -> onnx.ModelProto:
    """A checked graph; constants go in as they are, float64 as float32."""
    initializers = [
        numpy_helper.from_array(
            value.astype(np.float32) if value.dtype.kind == "f" else value, constant
        )
        for constant, value in constants.items()
    ]
    model = helper.make_model(
        helper.make_graph(nodes, name, [taken], [given], initializers),
        producer_name="histpred",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _check_parity(
    file: str,
    content: bytes,
    taken: str,
    rows: np.ndarray,
    given: str,
    original: np.ndarray,
    scale: float = 1.0,
) -> None:
    """That a graph gives what its network does, to 1e-4 of `scale`."""
    onnxruntime = load_onnxruntime()

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    exported = np.concatenate([session.run([given], {taken: block})[0] for block in _blocks(rows)])
    difference = float(np.abs(exported - original).max())
    if not difference <= PARITY * scale:
        raise ModelError(
            f"{file} differs from the trained network by {difference:.2g} in its {given}, "
            f"more than {PARITY * scale:.2g}",
            "this is a bug in the export: please report it",
        )


def _blocks(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[i : i + ROWS_AT_ONCE] for i in range(0, len(rows), ROWS_AT_ONCE)]
