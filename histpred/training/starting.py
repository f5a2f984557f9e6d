"""New networks that start from those of another bundle (fine-tuning).

A new network begins with the outputs of the bundle's network, but with a standardisation and batch
norms of its own training rows, as a network that is trained anew would have. So what is trained has
the scale that the learning rate is made for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from histpred.training.fitting import logits_of
from histpred.training.onnx_graph import array
from histpred.training.onnx_networks import (
    batch_norms,
    linear_layers,
    pass_on,
    set_linear,
    set_statistics,
    set_values,
)
from histpred.training.perceptron import MarkNetwork
from histpred.training.spectra import SpectraNetwork

Network = MarkNetwork | SpectraNetwork
Rows = tuple[Tensor, Tensor]
"""What the trained part of a network reads of all rows, and the int64 numbers of some of them"""


def start_from(
    network: Network, parent: Network, shared: Sequence[tuple[int, int]], rows: Rows
) -> None:
    """Give a new, standardised network the outputs of `parent`, a network of `networks_of`.

    shared: the number of a mark in the new network and its number in the parent. Outputs of other
    marks stay as they are: they start anew. rows: the training rows, whose values become the
    statistics of the batch norms. The network ends in eval mode.
    """
    numbers = np.array(shared, dtype=int).reshape(-1, 2)
    if isinstance(network, MarkNetwork) and isinstance(parent, MarkNetwork):
        _start_perceptron(network, parent, *numbers.T)
    else:
        assert isinstance(network, SpectraNetwork)
        assert isinstance(parent, SpectraNetwork)
        _start_spectra(network, parent, *numbers.T)
    for norm in batch_norms(network):
        norm.reset_parameters()
        pass_on(norm)
    _take_statistics(network, rows)


def _start_perceptron(
    network: MarkNetwork, parent: MarkNetwork, new: np.ndarray, old: np.ndarray
) -> None:
    dimension = network.dimension
    weight, theirs = array(network.layers[0].weight), array(parent.layers[0].weight)
    weight[:, :dimension] = theirs[:, :dimension] * array(network.scale)
    bias = array(parent.layers[0].bias) + theirs[:, :dimension] @ array(network.mean)
    if network.mark_vectors.requires_grad:
        vectors = array(network.mark_vectors)
        vectors[new] = array(parent.mark_vectors)[old]
        set_values(network.mark_vectors, vectors)
        weight[:, dimension:] = theirs[:, dimension:]
    else:  # one-hot: a mark has a column of its own
        weight[:, dimension + new] = theirs[:, dimension + old]
    set_linear(network.layers[0], weight, bias)
    for ours, other in zip(linear_layers(network)[1:], linear_layers(parent)[1:], strict=True):
        set_linear(ours, array(other.weight), array(other.bias))


def _start_spectra(
    network: SpectraNetwork, parent: SpectraNetwork, new: np.ndarray, old: np.ndarray
) -> None:
    means, theirs = network.stretches, array(parent.stretches.linear.weight).T
    fold, mean, scale = array(means.fold), array(means.mean), array(means.scale)
    kinds = fold.shape[1]
    # Shares of shorter k-mers follow from those of 4-mers, so many weights give the same outputs.
    # The smallest ones use all k-mers, as training anew would.
    wanted = fold @ theirs[:kinds]
    of_kinds = np.linalg.lstsq(fold / scale[:kinds], wanted, rcond=None)[0]
    weight = np.vstack([of_kinds, theirs[kinds:] * scale[kinds:, None]])
    bias = array(parent.stretches.linear.bias) + (mean / scale) @ weight
    set_linear(means.linear, weight.T, bias)
    *hidden, output = linear_layers(network)[1:]
    *hidden_theirs, output_theirs = linear_layers(parent)[1:]
    for ours, other in zip(hidden, hidden_theirs, strict=True):
        set_linear(ours, array(other.weight), array(other.bias))
    rows, biases = array(output.weight), array(output.bias)
    rows[new], biases[new] = array(output_theirs.weight)[old], array(output_theirs.bias)[old]
    set_linear(output, rows, biases)


def _take_statistics(network: Network, rows: Rows) -> None:
    """Give batch norms that do nothing the mean and variance of their inputs.

    The layer behind each takes the inverse, so that the outputs stay the same.
    """
    norms = batch_norms(network)
    found: dict[nn.Module, list[Tensor]] = {norm: [] for norm in norms}

    def add(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        values = inputs[0].double()
        found[norm].append(torch.stack([torch.ones_like(values), values, values.square()]).sum(1))

    hooks = [norm.register_forward_pre_hook(add) for norm in norms]
    try:
        logits_of(network.after_counts() if isinstance(network, SpectraNetwork) else network, *rows)
    finally:
        for hook in hooks:
            hook.remove()
    for norm, linear in zip(norms, linear_layers(network)[1:], strict=True):
        count, total, squares = array(torch.stack(found[norm]).sum(0))
        mean = total / count
        variance = np.maximum(squares / count - mean**2, 0)
        set_statistics(norm, mean, variance)
        weight = array(linear.weight)
        bias = array(linear.bias) + weight[:, : len(mean)] @ mean
        set_linear(linear, weight * np.sqrt(variance + norm.eps), bias)
