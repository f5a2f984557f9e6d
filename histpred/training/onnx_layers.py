"""Layers of the encoders as nodes of an ONNX graph; those of spectra are in `onnx_spectra`."""

from __future__ import annotations

import copy
from functools import singledispatch

import numpy as np
import torch
from onnx import TensorProto
from torch import nn

from histpred.training.deephistone import DenseLayer, GlobalPooling, OneHot
from histpred.training.onnx_graph import Scope, array


@singledispatch
def add_layer(layer: nn.Module, value: str, scope: Scope) -> str:
    """Append the nodes of a layer in eval mode to the graph of its scope.

    `value` is the name of its input; returned is the name of its output. Raises TypeError for a
    layer that no encoder has.
    """
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
def _relu(layer: nn.ReLU, value: str, scope: Scope) -> str:
    return scope.node("Relu", [value])


@add_layer.register
def _max_pool(layer: nn.MaxPool1d, value: str, scope: Scope) -> str:
    assert isinstance(layer.kernel_size, int)
    size = [layer.kernel_size]
    return scope.node("MaxPool", [value], kernel_shape=size, strides=size)


@add_layer.register
def _global_pooling(layer: GlobalPooling, value: str, scope: Scope) -> str:
    pooled = [
        scope.node("GlobalMaxPool", [value], "maximum"),
        scope.node("GlobalAveragePool", [value], "mean"),
    ]
    return scope.node("Flatten", [scope.node("Concat", pooled, "both", axis=1)])


@add_layer.register
def _flatten(layer: nn.Flatten, value: str, scope: Scope) -> str:
    return scope.node("Flatten", [value])


@add_layer.register
def _linear(layer: nn.Linear, value: str, scope: Scope) -> str:
    return scope.node("Gemm", [value, *scope.weights(layer, "weight", "bias")], transB=1)


@add_layer.register
def _dropout(layer: nn.Dropout, value: str, scope: Scope) -> str:
    return value


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
