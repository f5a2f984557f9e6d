"""The training loop: any network, and any losses of its batches.

By default as in the paper (appendix C): AdamW, learning rate 2e-4, weight decay 1e-3, up to 50
epochs. The paper gives a factor of 0.1 and a patience of 3, which are arguments of torch's
ReduceLROnPlateau, so its meaning applies: three epochs in a row without improvement are tolerated,
and after the fourth the rate is divided by ten. Only a loss that is lower by more than 0.01 % is an
improvement to it. Training stops after 5 epochs in a row without a lower validation loss, and the
weights of the best epoch are kept. Without validation rows, the rate goes through one cycle (Smith
& Topin 2019, arXiv:1708.07120) and the weights of the last epoch are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau

from histpred.core.errors import ModelError, TemporaryError, is_memory
from histpred.encoders.devices import BF16, FP32
from histpred.training.checkpoint import Checkpoint
from histpred.training.settings import Settings

NUMBERS_AT_ONCE, MOST_ROWS_AT_ONCE = 1 << 17, 2048  # outside training: keeps memory flat

Schedule = ReduceLROnPlateau | OneCycleLR
LossOf = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(logits, targets, weights of pairs), each [batch, marks], to a number"""


@contextmanager
def reproducible(seed: int | None = None) -> Iterator[None]:
    """Make torch reproducible inside the block, and restore its state at the end.

    Restored are the random state of the CPU and of all CUDA devices, the number of threads, and
    cuDNN's `deterministic` flag, which is set inside the block. With a `seed`, the random state
    starts from it; without one, it continues as it was.
    """
    deterministic, threads = torch.backends.cudnn.deterministic, torch.get_num_threads()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices):
        try:
            torch.backends.cudnn.deterministic = True
            if seed is not None:
                torch.manual_seed(seed)
            yield
        finally:
            torch.backends.cudnn.deterministic = deterministic
            torch.set_num_threads(threads)


class Rows(NamedTuple):
    """Training or validation rows, on one device.

    inputs: [all, ...], what the network reads, of all sets, so that no set needs a copy. targets,
    weights: float32 [n, marks]; a pair without a label has weight 0 and any finite target. numbers:
    int64 [n], where the inputs of these rows are.
    """

    inputs: Tensor
    targets: Tensor
    weights: Tensor
    numbers: Tensor


class Epoch(NamedTuple):
    """One line of the training's history.

    train_loss: mean over batches. validation_loss: mean over labelled pairs; NaN without validation
    rows. best: True if these weights are the best so far.
    """

    epoch: int
    train_loss: float
    validation_loss: float
    learning_rate: float
    best: bool


class Losses(NamedTuple):
    """What training minimises.

    of_epoch: the number of an epoch, from 1, to the losses of its batches, each computed when it is
    asked for; None where a batch teaches nothing. batches: their number in an epoch. validation:
    the validation loss of the network as it is; None if there are no validation rows.
    """

    of_epoch: Callable[[int], Iterator[Tensor | None]]
    batches: int
    validation: Callable[[], float] | None = None


def row_losses(
    network: nn.Module,
    train: Rows,
    validation: Rows,
    loss_of: LossOf,
    settings: Settings,
    precision: str = FP32,
) -> Losses:
    """Losses over shuffled rows; training computes products in a precision, fp32 or bf16.

    The randomness of an epoch depends on the seed and the epoch's number alone, so an interrupted
    run ends with the weights of an uninterrupted one. Validation is always in fp32.
    """
    device = train.inputs.device
    size = len(train.numbers)
    batches = max(min(round(size / settings.batch), size // 2), 1)  # a batch norm needs two rows
    half = torch.autocast(device.type, torch.bfloat16, enabled=precision == BF16)

    def of_epoch(number: int) -> Iterator[Tensor]:
        torch.manual_seed((settings.seed * 1_000_003 + number) % 2**63)
        order = np.random.default_rng([settings.seed, number]).permutation(size)
        for chosen in np.array_split(order, batches):
            rows = torch.from_numpy(chosen).to(device)
            with half:
                logits = network(train.inputs[train.numbers[rows]])
            yield loss_of(logits.float(), train.targets[rows], train.weights[rows])

    def validate() -> float:
        logits = logits_of(network, validation.inputs, validation.numbers)
        return float(loss_of(logits, validation.targets, validation.weights))

    return Losses(of_epoch, batches, validate)


def fit(
    network: nn.Module,
    losses: Losses,
    settings: Settings,
    checkpoint: Checkpoint | None = None,
    progress: Callable[[Epoch], None] = lambda epoch: None,
) -> list[Epoch]:
    """Train `network` in place; it ends in eval mode, and torch's random state as it was.

    Returns the history, one entry per epoch. If `checkpoint` holds a state, training continues from
    it; it is written and `progress` is called after each epoch. Raises ModelError if the loss is no
    longer a number, and TemporaryError if a batch does not fit into the GPU's memory.
    """
    optimiser = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule: Schedule
    if losses.validation:
        schedule = ReduceLROnPlateau(optimiser, factor=settings.factor, patience=settings.patience)
    else:
        steps = settings.epochs * losses.batches
        schedule = OneCycleLR(optimiser, settings.learning_rate, total_steps=steps)
    saved = checkpoint and checkpoint.restore(network, optimiser, schedule)
    best_weights, epochs = saved or ({}, [])
    history = [Epoch(*epoch) for epoch in epochs]

    with reproducible():
        while len(history) < settings.epochs and _stale(history) < settings.stop:
            number = len(history) + 1
            train_loss, validation_loss = _epoch_losses(
                network, losses, number, optimiser, schedule, settings
            )
            lowest = min((epoch.validation_loss for epoch in history), default=math.inf)
            is_best = losses.validation is None or validation_loss < lowest
            rate = optimiser.param_groups[0]["lr"]
            history.append(Epoch(number, train_loss, validation_loss, rate, is_best))
            if isinstance(schedule, ReduceLROnPlateau):
                schedule.step(validation_loss)
            if is_best:
                best_weights = {name: value.clone() for name, value in network.state_dict().items()}
            if checkpoint:
                checkpoint.save(network, optimiser, schedule, best_weights, history)
            progress(history[-1])

    network.load_state_dict(best_weights)
    network.eval()
    return history


def _epoch_losses(
    network: nn.Module,
    losses: Losses,
    number: int,
    optimiser: Optimizer,
    schedule: Schedule,
    settings: Settings,
) -> tuple[float, float]:
    """Train for one epoch; returns the training and the validation loss."""
    network.train()
    device = next(network.parameters()).device
    total = torch.zeros((), device=device)
    try:
        for loss in losses.of_epoch(number):
            if loss is not None:
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                total += loss.detach()
            if isinstance(schedule, OneCycleLR):
                schedule.step()
        found = [float(total) / losses.batches]
        if losses.validation:
            found.append(losses.validation())
    except (MemoryError, RuntimeError) as error:
        if not is_memory(error):
            raise
        raise TemporaryError(
            f"the memory of {device} does not hold a batch of {settings.batch} rows",
            "run the same command with a smaller --batch",
        ) from error
    if not np.isfinite(found).all():
        raise ModelError(
            f"the loss of epoch {number} is no longer a number",
            "lower --learning-rate, or look for huge values among the embeddings",
        )
    return found[0], found[1] if losses.validation else math.nan


def logits_of(network: nn.Module, inputs: Tensor, numbers: Tensor | None = None) -> Tensor:
    """Logits of all or some rows, float32 [n, marks], in eval mode; the network stays in it."""
    device = next(network.eval().parameters()).device
    size = min(max(NUMBERS_AT_ONCE // inputs[0].numel(), 1), MOST_ROWS_AT_ONCE)
    chosen = torch.arange(len(inputs)) if numbers is None else numbers
    with torch.inference_mode():
        return torch.cat([network(inputs[rows].to(device)).float() for rows in chosen.split(size)])


def _stale(history: list[Epoch]) -> int:
    """Epochs since the validation loss last improved."""
    bests = [epoch.epoch for epoch in history if epoch.best]
    return len(history) - bests[-1] if bests else 0
