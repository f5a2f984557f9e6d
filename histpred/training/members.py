"""The networks of a recipe: made or taken from a parent, trained in turn, averaged into one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from pydantic import JsonValue
from torch import Tensor, nn

from histpred.bundle.folder import load_bundle
from histpred.labels.examples import Examples
from histpred.labels.splits import TRAIN, VALIDATION
from histpred.training import perceptron, spectra
from histpred.training.checkpoint import Checkpoint, fixing
from histpred.training.deephistone import DeepHistone, adapted, vanilla
from histpred.training.fitting import Epoch, LossOf, Rows, fit, reproducible, row_losses
from histpred.training.losses import mark_priors, nnpu, pair_weights, weighted_bce
from histpred.training.onnx_networks import networks_of
from histpred.training.parent import shared_marks
from histpred.training.perceptron import MarkNetwork
from histpred.training.settings import DEEPHISTONE, MLP, NNPU, SPECTRA, Recipe
from histpred.training.spectra import SpectraNetwork
from histpred.training.starting import start_from

logger = logging.getLogger(__name__)

SCALED_ROWS = 500  # training rows whose bases give the scale of spectra

Network = MarkNetwork | SpectraNetwork | DeepHistone


def fit_members(
    examples: Examples,
    marks: tuple[str, ...],
    recipe: Recipe,
    device: torch.device,
    precision: str,
    checkpoints: Path,
    identity: dict[str, JsonValue],
    progress: Callable[[Epoch], None],
) -> tuple[Network, list[list[Epoch]]]:
    """Train the members of a recipe; returns their average on `device` and their histories.

    `precision` is that of the products in training. `checkpoints` is a folder from which an
    interrupted run of the same `identity` continues.
    """
    inputs = torch.from_numpy(examples.inputs).to(device)
    train, validation = examples.numbers(TRAIN), examples.numbers(VALIDATION)
    labels, held_out = examples.labels[train], examples.labels[validation]
    seed = recipe.settings.seed
    weights = pair_weights(labels, marks, recipe.loss, seed)
    loss_of = _loss_of(labels, marks, recipe, device)
    rows = _rows(inputs, labels, weights, train)
    weights = pair_weights(held_out, marks, recipe.loss, seed, labels)
    validation_rows = _rows(inputs, held_out, weights, validation)
    fixed = fixing(identity, device)
    parent = load_bundle(recipe.parent) if recipe.parent else None
    parents = networks_of(parent, recipe) if parent else ()
    networks, histories = [], []
    for member in range(recipe.members):
        settings = recipe.settings._replace(seed=seed + member)
        network = new_network(examples.inputs, train, len(marks), recipe, settings.seed)
        logger.info(
            "%s parameters are trained on %s%s",
            f"{sum(p.numel() for p in network.parameters() if p.requires_grad):,}",
            device,
            f", member {member + 1} of {recipe.members}" if recipe.members > 1 else "",
        )
        part = trained_part(network).to(device)
        if parent and not isinstance(network, DeepHistone):
            shared = shared_marks(marks, parent)
            start_from(network, parents[member], shared, (inputs, torch.from_numpy(train)))
        losses = row_losses(part, rows, validation_rows, loss_of, settings, precision)
        checkpoint = Checkpoint(checkpoints / f"checkpoint{member}.pt", fixed)
        histories.append(fit(part, losses, settings, checkpoint, progress))
        networks.append(network)
    return _average(networks).to(device), histories


def new_network(
    inputs: np.ndarray, train: np.ndarray, marks: int, recipe: Recipe, seed: int
) -> Network:
    """An untrained network that knows the scale of its inputs, float32 or uint8 [all, ...].

    `train` are the numbers of the training rows.
    """
    with reproducible(seed):
        if recipe.model == MLP:
            perceptron = MarkNetwork(
                inputs.shape[1], marks, recipe.hidden, recipe.mark_dimension, recipe.dropout
            )
            perceptron.standardise_like(torch.from_numpy(inputs[train]))
            return perceptron
        if recipe.model == SPECTRA:
            network = spectra.spectra(marks)
            every = max(len(train) // SCALED_ROWS, 1)
            network.standardise_like(torch.from_numpy(inputs[train[::every]]))
            return network
        return vanilla(marks) if recipe.model == DEEPHISTONE else adapted(marks)


def trained_part(network: Network) -> nn.Module:
    """The layers that are trained, which read what `histpred.training.data.reader` returns."""
    return network.after_counts() if isinstance(network, SpectraNetwork) else network


def _average(networks: list[Network]) -> Network:
    if len(networks) == 1:
        return networks[0]
    if perceptrons := [n.cpu() for n in networks if isinstance(n, MarkNetwork)]:
        return perceptron.averaged(perceptrons)
    return spectra.averaged([n.cpu() for n in networks if isinstance(n, SpectraNetwork)])


def _loss_of(
    labels: np.ndarray, marks: tuple[str, ...], recipe: Recipe, device: torch.device
) -> LossOf:
    if recipe.loss != NNPU:
        return weighted_bce
    priors = torch.from_numpy(mark_priors(labels, marks, recipe.prior)).float().to(device)
    return lambda logits, targets, weights: nnpu(logits, targets == 1, priors)


def _rows(inputs: Tensor, labels: np.ndarray, weights: np.ndarray, numbers: np.ndarray) -> Rows:
    arrays = np.nan_to_num(labels), weights, numbers
    return Rows(inputs, *(torch.from_numpy(array).to(inputs.device) for array in arrays))
