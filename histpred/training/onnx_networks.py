"""The networks of a bundle, read back from its graphs: the inverse of the export.

A graph holds its networks with their arithmetic folded together: the standardisation is part of the
first layer, each batch norm of the layer behind it, and the members stand side by side. The numbers
fix what the networks compute, but not what they were folded from. So in the networks that are read
back, standardisation and batch norms pass their values on unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from histpred.bundle.folder import Bundle
from histpred.bundle.mark_vectors import mark_vectors_of
from histpred.core.errors import BundleError
from histpred.core.graph import BINS, HEADS
from histpred.encoders import build
from histpred.encoders.onnx import sequences_of
from histpred.scoring.scorer import Scorer
from histpred.training import spectra
from histpred.training.fitting import logits_of
from histpred.training.onnx_graph import PARITY
from histpred.training.parent import INSTEAD
from histpred.training.perceptron import MarkNetwork
from histpred.training.settings import MLP, Recipe
from histpred.training.spectra import HIDDEN, KINDS, UNITS, K, SpectraNetwork

HALF = UNITS // 2  # units with a ReLU, which come first
CHECKED_ROWS, CHECKED_WINDOWS = 256, 4

Networks = Sequence[MarkNetwork] | Sequence[SpectraNetwork]
Constants = dict[str, np.ndarray]
"""The constants of a graph by name, float64 or int64"""


def networks_of(bundle: Bundle, recipe: Recipe) -> Networks:
    """The members of a bundle that `train` wrote, in eval mode, with the bundle's marks in order.

    `recipe` has the bundle's model, members, widths and length of the mark vectors. The mean of the
    members' logits is the bundle's logit. Raises BundleError if the graphs are not those of such
    networks: constants are missing or have other shapes, or the logits of random rows differ.
    """
    try:
        if recipe.model == MLP:
            perceptrons = _perceptrons(bundle, recipe)
            found, expected = _logits_of_rows(bundle, perceptrons)
        else:
            members = _spectra(bundle, recipe.members)
            found, expected = _logits_of_bases(bundle, members)
    except (OSError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise _foreign(bundle, f"{type(error).__name__} {error}") from error
    difference = float(np.abs(found - expected).max())
    if not difference <= PARITY * max(float(np.abs(expected).max()), 1.0):
        raise _foreign(bundle, f"logits of random rows differ by {difference:.2g}")
    return perceptrons if recipe.model == MLP else members


def linear_layers(network: MarkNetwork | SpectraNetwork) -> list[nn.Linear]:
    """The linear layers from the first to the last."""
    return [part for part in network.modules() if isinstance(part, nn.Linear)]


def batch_norms(network: MarkNetwork | SpectraNetwork) -> list[nn.BatchNorm1d]:
    """The batch norms in order; each stands before the linear layer of the next number."""
    return [part for part in network.modules() if isinstance(part, nn.BatchNorm1d)]


def set_linear(linear: nn.Linear, weight: np.ndarray, bias: np.ndarray) -> None:
    """Set weight [out, in] and bias [out]. Raises ValueError for other shapes."""
    set_values(linear.weight, weight)
    set_values(linear.bias, bias)


def set_values(tensor: Tensor, values: np.ndarray) -> None:
    """Set all values of a tensor. Raises ValueError for another shape."""
    if values.shape != tensor.shape:
        raise ValueError(f"shape {values.shape} where {tuple(tensor.shape)} is needed")
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(values))


def set_statistics(norm: nn.BatchNorm1d, mean: np.ndarray, variance: np.ndarray) -> None:
    """Set the running mean and variance, each [features]."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    set_values(norm.running_mean, mean)
    set_values(norm.running_var, variance)


def pass_on(norm: nn.BatchNorm1d) -> None:
    """Make a new batch norm do nothing in eval mode."""
    set_statistics(norm, np.zeros(norm.num_features), np.full(norm.num_features, 1 - norm.eps))


def _perceptrons(bundle: Bundle, recipe: Recipe) -> list[MarkNetwork]:
    graph, hidden, length = _constants(bundle.scorer_path), recipe.hidden, recipe.mark_dimension
    dimension, marks = bundle.manifest.encoder.dimension, len(bundle.manifest.marks)
    layers = [(graph[f"layer{i}.weight"], graph[f"layer{i}.bias"]) for i in range(len(hidden))]
    names = [mark.name for mark in bundle.manifest.marks]
    of_all = mark_vectors_of(bundle, names) if length else np.empty((marks, 0))
    networks = []
    for member in range(recipe.members):
        network = MarkNetwork(dimension, marks, hidden, length, recipe.dropout).eval()
        own = [slice(member * width, (member + 1) * width) for width in hidden]
        of_marks = graph["mark_part"][0][:, own[0]]
        if length:
            vectors = of_all[:, member * length : (member + 1) * length]
            set_values(network.mark_vectors, vectors)
            of_marks = np.linalg.lstsq(vectors, of_marks, rcond=None)[0]
        weight = np.vstack([graph["shared.weight"][:, own[0]], of_marks]).T
        set_linear(network.layers[0], weight, graph["shared.bias"][own[0]])
        for i, linear in enumerate(network.layers[1:]):
            weight, bias = layers[i]
            set_linear(linear, weight[own[i], own[i + 1]].T, bias[own[i + 1]])
        weight, bias = layers[-1]
        set_linear(network.output, weight[own[-1]].T * recipe.members, bias)
        for norm in batch_norms(network):
            pass_on(norm)
        networks.append(network)
    return networks


def _spectra(bundle: Bundle, members: int) -> list[SpectraNetwork]:
    bins, heads = (_constants(bundle.directory / name) for name in (BINS, HEADS))
    scorer, marks = _constants(bundle.scorer_path), len(bundle.manifest.marks)
    networks = []
    for member in range(members):
        network = spectra.spectra(marks).eval()
        means = network.stretches
        own, last = (slice(member * n, (member + 1) * n) for n in (HALF, HIDDEN[1]))
        straight = heads["heads.weight"][:, own] * (means.bin_length - K + 1)
        columns = np.hstack([bins["bins.weight"][:, own], straight])
        bias = np.hstack([bins["bins.bias"][own], heads["heads.bias"][own]])
        # The shares of shorter k-mers follow from those of 4-mers and need no weights of their own.
        rows, kinds = np.zeros((means.linear.in_features, UNITS)), means.fold.shape[1]
        rows[kinds - KINDS : kinds] = columns[:KINDS]
        rows[kinds:] = columns[KINDS:] * (means.bin_length / 3)
        _, *hidden, output = linear_layers(network)
        set_linear(means.linear, rows.T, bias)
        for i, linear in enumerate(hidden):
            weight, bias = (heads[f"heads.{member}.{what}{i}"] for what in ("weight", "bias"))
            set_linear(linear, weight.T, bias)
        weight = scorer["weight"][:, last] * members
        bias = scorer["bias"] + weight @ heads["heads.last_shift"][last]
        set_linear(output, weight * heads["heads.gain"][last], bias)
        for norm in batch_norms(network):
            pass_on(norm)
        networks.append(network)
    return networks


def _logits_of_rows(
    bundle: Bundle, members: Sequence[MarkNetwork]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean logits of random embeddings from the members, and those of the bundle."""
    shape = CHECKED_ROWS, members[0].dimension
    rows = np.random.default_rng(0).random(shape, dtype=np.float32)
    means = [logits_of(member, torch.from_numpy(rows)).numpy() for member in members]
    with Scorer(bundle, "cpu") as scorer:
        return np.mean(means, axis=0), scorer.logits(rows)


def _logits_of_bases(
    bundle: Bundle, members: Sequence[SpectraNetwork]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean logits of random bases from the members, and those of the bundle."""
    shape = CHECKED_WINDOWS, 2 * members[0].stretches.reach
    codes = np.random.default_rng(0).integers(0, 4, shape, dtype=np.uint8)
    means = [logits_of(member, torch.from_numpy(codes)).numpy() for member in members]
    vectors = build(bundle.manifest.encoder, bundle.directory).embed(sequences_of(codes)).vectors
    with Scorer(bundle, "cpu") as scorer:
        return np.mean(means, axis=0), scorer.logits(vectors)


def _constants(path: Path) -> Constants:
    graph = onnx.load(path).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    return {
        name: value.astype(float) if value.dtype.kind == "f" else value
        for name, value in arrays.items()
    }


def _foreign(bundle: Bundle, found: str) -> BundleError:
    what = f"{bundle.directory}: its graphs are not those that histpred train writes"
    return BundleError(f"{what}: {found}", INSTEAD)
