"""Layers of spectra networks as nodes of an ONNX graph.

The functions follow those of `counting` and `spectra` step by step, and have their names.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from histpred.training.counting import CODONS, KINDS, OPEN, STOPS, TEN, BinCounts, CodonCounts, K
from histpred.training.onnx_graph import Scope, add_layer, array
from histpred.training.spectra import FEWEST, UNITS, Beside, Middle, StretchMeans


@add_layer.register
def _bin_counts(layer: BinCounts, codes: str, scope: Scope) -> str:
    digits = _digits(layer.reach, codes, scope)
    shape = scope.constant("rows_shape", [-1, layer.bin_length])
    rows = scope.node("Reshape", [digits, shape], "rows")
    number = _numbers(rows, layer.bin_length, K, scope)
    counts = _histogram(number, KINDS, scope)
    shape = scope.constant("bins_shape", [-1, 2 * layer.reach // layer.bin_length, KINDS])
    return scope.node("Reshape", [counts, shape])


@add_layer.register
def _codon_counts(layer: CodonCounts, codes: str, scope: Scope) -> str:
    length, strands = 2 * layer.reach, len(STOPS)
    (stops,) = scope.weights(layer, "stops")
    digits = _digits(layer.reach, codes, scope)
    unknown = scope.constant("unknown", KINDS, np.int32)
    digits = _padded(digits, (0, 2), unknown, "longer", scope)
    codons = _numbers(digits, length + 2, 3, scope)
    none = scope.constant("none", CODONS, np.int32)
    is_open = _open_frames(codons, stops, none, length, scope)
    counts = []
    for strand in range(strands):
        number = scope.constant(f"strand{strand}", strand)
        row = scope.node("Gather", [is_open, number], f"on{strand}", axis=1)
        ends = scope.constant("base0", [0]), scope.constant("base_end", [length])
        row = scope.node("Slice", [row, *ends, scope.constant("axis", [1])], f"here{strand}")
        inside = scope.node("Where", [row, codons, none], f"inside{strand}")
        rows = _shaped(inside, [-1, layer.bin_length], f"rows{strand}", scope)
        counts.append(_histogram(rows, CODONS, scope, f"_{strand}"))
    both = scope.node("Concat", counts, "of_both", axis=1)
    return _shaped(both, [-1, length // layer.bin_length, strands * CODONS], "out", scope)


def _open_frames(codons: str, stops: str, none: str, length: int, scope: Scope) -> str:
    """True where a codon lies in an open reading frame, [batch, strands, bases]."""
    strands, thirds = len(STOPS), -(-length // 3)
    frames = _padded(codons, (0, 3 * thirds - length), none, "frames", scope)
    frames = _shaped(frames, [-1, thirds, 3], "by3", scope)
    found = scope.node("Gather", [stops, frames], "found")
    found = scope.node("Transpose", [found], "by_frame", perm=[0, 3, 2, 1])
    found = _shaped(found, [-1, 3 * strands, thirds], "stops_here", scope)
    closed = _highest_of_open(found, "closed", scope)
    one = scope.constant("one_float", 1, np.float32)
    opened = scope.node("Sub", [one, closed], "opened")
    nothing = scope.constant("nothing", 0, np.float32)
    around = _padded(opened, (OPEN - 1, OPEN - 1), nothing, "around", scope, rank=3)
    is_open = _highest_of_open(around, "open", scope)
    is_open = _shaped(is_open, [-1, strands, 3, thirds], "open_by_frame", scope)
    is_open = scope.node("Transpose", [is_open], "open_by_base", perm=[0, 1, 3, 2])
    is_open = _shaped(is_open, [-1, strands, 3 * thirds], "open_by_strand", scope)
    return scope.node("Greater", [is_open, nothing], "is_open")


def _padded(
    value: str, ends: tuple[int, int], filling: str, part: str, scope: Scope, rank: int = 2
) -> str:
    """`value` with `filling` before and behind its last axis."""
    others = [0] * (rank - 1)
    padding = scope.constant(f"{part}_padding", [*others, ends[0], *others, ends[1]])
    return scope.node("Pad", [value, padding, filling], part)


def _shaped(value: str, shape: list[int], part: str, scope: Scope) -> str:
    return scope.node("Reshape", [value, scope.constant(f"{part}_shape", shape)], part)


def _highest_of_open(value: str, part: str, scope: Scope) -> str:
    pooling = {"kernel_shape": [TEN], "strides": [1]}
    of_ten = scope.node("MaxPool", [value], f"{part}_of_ten", **pooling)
    return scope.node("MaxPool", [of_ten], part, dilations=[TEN], **pooling)


def _digits(reach: int, codes: str, scope: Scope) -> str:
    one, padding = scope.constant("one", [1]), scope.constant("padding", [0, reach, 0, reach])
    padded = scope.node("Pad", [codes, padding, scope.constant("N", 4, np.uint8)], "padded")
    length = scope.node("Gather", [scope.node("Shape", [codes], "shape"), one], "length")
    start = scope.node("Div", [length, scope.constant("two", [2])], "start")
    end = scope.node("Add", [start, scope.constant("span", [2 * reach])], "end")
    whole = scope.node("Slice", [padded, start, end, one], "whole")
    values = scope.constant("values", [0, 1, 2, 3, KINDS], np.int32)
    numbers = scope.node("Cast", [whole], "cast", to=TensorProto.INT32)
    return scope.node("Gather", [values, numbers], "digits")


def _numbers(digits: str, length: int, k: int, scope: Scope) -> str:
    """Numbers of the k-mers in rows of `length` digits."""
    axis, four = scope.constant("axis", [1]), scope.constant("four", 4, np.int32)
    number = ""
    for i in range(k):
        ends = scope.constant(f"from{i}", [i]), scope.constant(f"to{i}", [length - k + 1 + i])
        digit = scope.node("Slice", [digits, *ends, axis], f"digit{i}")
        if i:
            shifted = scope.node("Mul", [number, four], f"shifted{i}")
            digit = scope.node("Add", [shifted, digit], f"number{i}")
        number = digit
    return scope.node("Min", [number, scope.constant("kinds", 4**k, np.int32)], "number")


def _histogram(numbers: str, kinds: int, scope: Scope, suffix: str = "") -> str:
    size = scope.node("Shape", [numbers], f"size{suffix}")
    height = scope.node("Gather", [size, scope.constant("first", [0])], f"height{suffix}")
    columns = scope.constant("columns", [kinds + 1])
    table = scope.node("Concat", [height, columns], f"table{suffix}", axis=0)
    zero = scope.constant("zero", [[0]], np.float32)
    empty = scope.node("Expand", [zero, table], f"empty{suffix}")
    unit = scope.constant("unit", [[1]], np.float32)
    ones = scope.node("Expand", [unit, size], f"ones{suffix}")
    counts = scope.node(
        "ScatterElements", [empty, numbers, ones], f"all{suffix}", axis=1, reduction="add"
    )
    known = [scope.constant(*pair) for pair in (("first", [0]), ("known", [kinds]), ("axis", [1]))]
    return scope.node("Slice", [counts, *known], f"counts{suffix}")


@add_layer.register
def _stretch_means(layer: StretchMeans, value: str, scope: Scope) -> str:
    weight, bias = _of_shares(layer)
    weight_name, bias_name = (
        scope.constant(part, values, float) for part, values in (("weight", weight), ("bias", bias))
    )
    last, four_mers = scope.constant("last", [2]), scope.constant("four_mers", [KINDS])
    zero, half, full = (scope.constant(f"unit{i}", [i]) for i in (0, UNITS // 2, UNITS))
    counts = scope.node("Slice", [value, zero, four_mers, last], "counts")
    known = scope.node("ReduceSum", [counts, last], "known", keepdims=1)
    fewest = scope.constant("fewest", 1, np.float32)
    total = scope.node("Max", [known, fewest], "total")
    shares = scope.node("Div", [counts, total], "shares")
    if len(weight) > KINDS:
        end = scope.constant("end", [len(weight)])
        codons = scope.node("Slice", [value, four_mers, end, last], "codons")
        shares = scope.node("Concat", [shares, codons], "shares_and_codons", axis=2)
    product = scope.node("MatMul", [shares, weight_name], "product")
    units = scope.node("Add", [product, bias_name], "units")
    bent = scope.node("Relu", [scope.node("Slice", [units, zero, half, last], "bent")], "relu")
    straight = scope.node("Slice", [units, half, full, last], "straight")
    both = scope.node("Concat", [bent, straight], "both", axis=2)
    most = scope.constant("most", layer.bin_length - K + 1, np.float32)
    share = scope.node("Div", [known, most], "share")
    (members,) = scope.weights(layer, "members")
    sums = scope.node("MatMul", [members, scope.node("Mul", [both, share], "weighted")], "sums")
    weights = scope.node("MatMul", [members, share], "weights")
    least = scope.constant("least", FEWEST, np.float32)
    divisor = scope.node("Max", [weights, least], "divisor")
    means = scope.node("Div", [sums, divisor], "means")
    width = scope.constant("width", [-1, UNITS * len(layer.stretches)])
    return scope.node("Reshape", [means, width])


def _of_shares(means: StretchMeans) -> tuple[np.ndarray, np.ndarray]:
    """The linear layer of a `StretchMeans`: weight [256 or 384, UNITS] and bias.

    The folding of the 4-mers, the length of the bins and the standardisation are folded into it.
    """
    weight = (array(means.linear.weight) / array(means.scale)).T
    bias = array(means.linear.bias) - array(means.mean) @ weight
    fold = array(means.fold)
    of_codons = weight[fold.shape[1] :] * (3 / means.bin_length)
    return np.vstack([fold @ weight[: fold.shape[1]], of_codons]), bias


@add_layer.register
def _middle(layer: Middle, value: str, scope: Scope) -> str:
    ends = {"first": layer.skipped, "end": -layer.skipped, "axis": 1}.items()
    return scope.node("Slice", [value, *(scope.constant(part, [at]) for part, at in ends)])


@add_layer.register
def _beside(layer: Beside, value: str, scope: Scope) -> str:
    parts = layer.networks.named_children()
    outputs = [add_layer(part, value, scope.inside(number)) for number, part in parts]
    return scope.node("Concat", outputs, axis=-1)
