"""Spectra networks as the two graphs that `histpred.encoders.spectra` runs.

Half of the units of a bin are linear in its counts. They need not be computed for each bin, since
the sums of counts over a stretch give their sums. So bins.onnx has the units with a ReLU, of all
networks in one product, and heads.onnx all that follows the sums.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto
from pydantic import JsonValue
from torch import nn

from histpred.encoders.bins import KINDS, K
from histpred.encoders.kmer import canonical_kmers
from histpred.training.onnx_graph import Scope, array, gain_and_shift, make_model
from histpred.training.spectra import FEWEST, UNITS, Beside, StretchMeans

HALF = UNITS // 2  # units with a ReLU, which come first

Affine = tuple[np.ndarray, np.ndarray]
"""Weight [in, out] and bias [out] of a linear layer, or gain and shift of each number."""


class Member(NamedTuple):
    """A network in eval mode, each batch norm folded into the linear layer behind it.

    stretches: in bp relative to the middle. units: from the shares of a bin's 4-mers, and the
    counts of its codons, to UNITS numbers. layers: behind the means, each with a ReLU behind it.
    last: gain and shift of the last batch norm.
    """

    stretches: tuple[tuple[int, int], ...]
    units: Affine
    layers: tuple[Affine, ...]
    last: Affine


class Spectra(NamedTuple):
    """Networks whose vectors are concatenated, and how their bins are counted."""

    bin_length: int
    both_strands: bool
    frames: bool
    members: tuple[Member, ...]

    @property
    def stretches(self) -> list[tuple[int, int]]:
        """The stretches of all members, each once."""
        return sorted({stretch for member in self.members for stretch in member.stretches})

    @property
    def four_mers(self) -> int:
        """The number of columns of 4-mers, which come before those of codons."""
        return len(canonical_kmers(K)[0]) if self.both_strands else KINDS

    def settings(self) -> dict[str, JsonValue]:
        """The settings of `histpred.encoders.spectra`."""
        stretches: list[JsonValue] = [list(stretch) for stretch in self.stretches]
        return {
            "bin_length": self.bin_length,
            "stretches": stretches,
            "both_strands": self.both_strands,
            "frames": self.frames,
        }


def spectra_of(encoder: nn.Sequential) -> Spectra:
    """What an encoder of `histpred.training.spectra` computes behind its counts."""
    _, *parts = encoder.children()
    networks = parts[0].networks if isinstance(parts[0], Beside) else [nn.Sequential(*parts)]
    members, first = [], None
    for network in networks:
        *_, means, norm, hidden = network.children()
        assert isinstance(means, StretchMeans)
        first = first or means
        members.append(_member(means, norm, hidden))
    assert first is not None
    kinds = first.fold.shape[1]
    both_strands = kinds < sum(4**k for k in range(1, K + 1))
    frames = first.linear.in_features > kinds
    return Spectra(first.bin_length, both_strands, frames, tuple(members))


def _member(means: StretchMeans, norm: nn.Module, hidden: nn.Module) -> Member:
    norms = [part for part in (norm, *hidden.children()) if isinstance(part, nn.BatchNorm1d)]
    linears = [part for part in hidden.children() if isinstance(part, nn.Linear)]
    *gains, last = map(gain_and_shift, norms)
    layers = []
    for (gain, shift), linear in zip(gains, linears, strict=True):
        weight = array(linear.weight)
        layers.append(((weight * gain).T, array(linear.bias) + weight @ shift))
    return Member(means.stretches, _units(means), tuple(layers), last)


def _units(means: StretchMeans) -> Affine:
    """The linear layer of a `StretchMeans`, with the columns of `Spectra.four_mers` and codons.

    The shares of shorter k-mers, the length of the bins and the standardisation are folded into it.
    """
    weight = (array(means.linear.weight) / array(means.scale)).T
    bias = array(means.linear.bias) - array(means.mean) @ weight
    fold = array(means.fold)
    kinds = fold.shape[1]
    if kinds < sum(4**k for k in range(1, K + 1)):  # both strands have the same rows
        fold = fold[canonical_kmers(K)[0]]
    return np.vstack([fold @ weight[:kinds], weight[kinds:] * (3 / means.bin_length)]), bias


def bins_graph(spectra: Spectra) -> onnx.ModelProto:
    """The graph bins.onnx: counts of bins to units, weighted by their share of known 4-mers."""
    scope = Scope([], {}, "bins")
    members = spectra.members
    columns = len(members[0].units[0])
    four_mers, known, axis = _known("counts", spectra, 1, scope)
    fewest = scope.constant("fewest", 1, np.float32)
    shares = scope.node("Div", [four_mers, scope.node("Max", [known, fewest], "total")], "shares")
    if spectra.frames:
        ends = scope.constant("first", [spectra.four_mers]), scope.constant("end", [columns])
        codons = scope.node("Slice", ["counts", *ends, axis], "codons")
        shares = scope.node("Concat", [shares, codons], "shares_and_codons", axis=1)
    weight, bias = (np.hstack([member.units[i][..., :HALF] for member in members]) for i in (0, 1))
    names = scope.constant("weight", weight, float), scope.constant("bias", bias, float)
    bent = scope.node("Relu", [scope.node("Gemm", [shares, *names], "linear")], "bent")
    scope.node("Mul", [bent, _share(known, spectra, scope)])
    scope.nodes[-1].output[:] = ["units"]
    taken = ("counts", TensorProto.FLOAT, [columns])
    return make_model(scope, taken, ("units", HALF * len(members)), "histpred bins")


def heads_graph(spectra: Spectra) -> onnx.ModelProto:
    """The graph heads.onnx: sums of units and counts over all stretches to the embedding."""
    scope = Scope([], {}, "heads")
    members, width = spectra.members, HALF * len(spectra.members)
    columns = len(members[0].units[0])
    axis = scope.constant("columns", [2])
    ends = [scope.constant(f"at{place}", [place]) for place in (0, width, width + columns)]
    bent = scope.node("Slice", ["sums", ends[0], ends[1], axis], "bent")
    counts = scope.node("Slice", ["sums", ends[1], ends[2], axis], "counts")
    _, known, _ = _known(counts, spectra, 2, scope)
    share = _share(known, spectra, scope)
    weight = np.hstack([member.units[0][:, HALF:] for member in members])
    bias = np.hstack([member.units[1][HALF:] for member in members])
    of_sums = scope.constant("weight", weight / _most(spectra), float)
    product = scope.node("MatMul", [counts, of_sums], "product")
    shift = scope.node("Mul", [share, scope.constant("bias", bias, float)], "shift")
    straight = scope.node("Add", [product, shift], "straight")
    least = scope.constant("least", FEWEST, np.float32)
    divisor = scope.node("Max", [share, least], "divisor")
    means = [
        scope.node("Div", [half, divisor], f"mean{i}") for i, half in enumerate((bent, straight))
    ]
    outputs = [
        _head(spectra, number, means, scope.inside(f"{number}")) for number in range(len(members))
    ]
    whole = scope.node("Concat", outputs, "whole", axis=1)
    gain, shift_ = (np.hstack([member.last[i] for member in members]) for i in (0, 1))
    scaled = scope.node("Mul", [whole, scope.constant("gain", gain, float)], "scaled")
    scope.node("Add", [scaled, scope.constant("last_shift", shift_, float)])
    scope.nodes[-1].output[:] = ["embedding"]
    taken = ("sums", TensorProto.FLOAT, [len(spectra.stretches), width + columns])
    return make_model(scope, taken, ("embedding", len(gain)), "histpred heads")


def _head(spectra: Spectra, number: int, means: list[str], scope: Scope) -> str:
    """The layers of a member behind its means, without the last batch norm."""
    member = spectra.members[number]
    ends = scope.constant("first", [number * HALF]), scope.constant("end", [(number + 1) * HALF])
    axis = scope.constant("axis", [2])
    own = [scope.node("Slice", [half, *ends, axis], f"half{i}") for i, half in enumerate(means)]
    both = scope.node("Concat", own, "both", axis=2)
    places = [spectra.stretches.index(stretch) for stretch in member.stretches]
    if places != list(range(len(spectra.stretches))):
        both = scope.node("Gather", [both, scope.constant("places", places)], "own", axis=1)
    value = scope.node("Flatten", [both], "flat")
    for layer, (weight, bias) in enumerate(member.layers):
        names = (
            scope.constant(f"weight{layer}", weight, float),
            scope.constant(f"bias{layer}", bias, float),
        )
        value = scope.node(
            "Relu", [scope.node("Gemm", [value, *names], f"linear{layer}")], f"layer{layer}"
        )
    return value


def _known(counts: str, spectra: Spectra, axis: int, scope: Scope) -> tuple[str, str, str]:
    """The columns of 4-mers, their sum, and the axis of the columns."""
    last = scope.constant("axis", [axis])
    if spectra.frames:
        ends = scope.constant("start", [0]), scope.constant("four_mers", [spectra.four_mers])
        counts = scope.node("Slice", [counts, *ends, last], "of_four_mers")
    return counts, scope.node("ReduceSum", [counts, last], "known", keepdims=1), last


def _share(known: str, spectra: Spectra, scope: Scope) -> str:
    return scope.node("Div", [known, scope.constant("most", _most(spectra), np.float32)], "share")


def _most(spectra: Spectra) -> int:
    """4-mers in a bin without N."""
    return spectra.bin_length - K + 1
