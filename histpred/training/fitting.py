"""The training loop, and nothing else: any network that gives a logit for each mark of each row.

As the paper has it (appendix C): AdamW, learning rate 2e-4, weight decay 1e-3, up to 50 epochs; the
rate is divided by ten when the validation loss has not improved for 3 epochs, training stops when
it has not for 5, and the weights of the best epoch are kept. What is random in an epoch depends on
the seed and its number alone, so a run that was broken off ends with the weights of an unbroken
one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from histpred.core.errors import ModelError, TemporaryError

NUMBERS_AT_ONCE = 1 << 17  # of the inputs, outside training: keeps memory flat
MOST_ROWS_AT_ONCE = 2048

LossOf = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(logits, targets, weights of pairs), each [batch, marks], to a number"""


class Settings(NamedTuple):
    """How to train; the defaults are the paper's, but for the batch, which it does not give.

    batch: rows at once, each with all its marks. patience: epochs without improvement after which
    the rate falls. stop: after which training ends.
    """

    epochs: int = 50
    batch: int = 64
    learning_rate: float = 2e-4
    weight_decay: float = 1e-3
    patience: int = 3
    factor: float = 0.1
    stop: int = 5
    seed: int = 0


class Rows(NamedTuple):
    """What is trained or validated on, on one device.

    inputs: [n, ...], what the network takes. targets, weights: float32 [n, marks]; a pair without a
    label has weight 0 and any finite target.
    """

    inputs: Tensor
    targets: Tensor
    weights: Tensor


class Epoch(NamedTuple):
    """One line of the training's history; the losses are means over labelled pairs."""

    epoch: int
    train_loss: float
    validation_loss: float
    learning_rate: float
    best: bool


def fit(
    network: nn.Module,
    train: Rows,
    validation: Rows,
    loss_of: LossOf,
    settings: Settings,
    checkpoint: Path | None = None,
    identity: str = "",
    progress: Callable[[Epoch], None] = lambda epoch: None,
) -> list[Epoch]:
    """Train `network` in place; it ends in eval mode with the weights of its best epoch.

    Parameters
    ----------
    network
        On the device of the rows; bf16 is used in its products on CUDA, fp32 elsewhere.
    checkpoint
        A file written after each epoch; if it is there, of the same `identity`, training goes on
        from it.
    progress
        Called after each epoch.

    Raises
    ------
    ModelError
        Where the loss is no longer a number.
    TemporaryError
        Where the GPU's memory does not hold a batch.
    """
    optimiser = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, factor=settings.factor, patience=settings.patience
    )
    history: list[Epoch] = []
    best_weights: dict[str, Tensor] = {}
    if state := checkpoint and _read(checkpoint, identity):
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        best_weights = state["best"]
        history = [Epoch(*values) for values in json.loads(state["history"])]
    device = train.inputs.device
    size = len(train.inputs)
    batches = max(min(round(size / settings.batch), size // 2), 1)  # a batch norm needs two rows
    torch.backends.cudnn.deterministic = True
    half = torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")

    while len(history) < settings.epochs and _stale(history) < settings.stop:
        number = len(history) + 1
        torch.manual_seed((settings.seed * 1_000_003 + number) % 2**63)
        order = np.random.default_rng([settings.seed, number]).permutation(len(train.inputs))
        network.train()
        total = torch.zeros((), device=device)
        try:
            for chosen in np.array_split(order, batches):
                rows = torch.from_numpy(chosen).to(device)
                with half:
                    logits = network(train.inputs[rows])
                loss = loss_of(logits.float(), train.targets[rows], train.weights[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                total += loss.detach()
            logits = logits_of(network, validation.inputs)
        except torch.OutOfMemoryError as error:
            raise TemporaryError(
                f"the memory of {device} does not hold a batch of {settings.batch} rows",
                "run the same command with a smaller --batch",
            ) from error
        validation_loss = float(loss_of(logits, validation.targets, validation.weights))
        train_loss = float(total) / batches
        if not np.isfinite([train_loss, validation_loss]).all():
            raise ModelError(
                f"the loss of epoch {number} is no longer a number",
                "lower --learning-rate, or look for huge values among the embeddings",
            )

        is_best = validation_loss < min((e.validation_loss for e in history), default=np.inf)
        rate = optimiser.param_groups[0]["lr"]
        history.append(Epoch(number, train_loss, validation_loss, rate, is_best))
        schedule.step(validation_loss)
        if is_best:
            best_weights = {name: value.clone() for name, value in network.state_dict().items()}
        if checkpoint:
            _write(
                checkpoint,
                {
                    "identity": identity,
                    "network": network.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "schedule": {k: v for k, v in schedule.state_dict().items() if _is_plain(v)},
                    "best": best_weights,
                    "history": json.dumps(history),
                },
            )
        progress(history[-1])

    network.load_state_dict(best_weights)
    network.eval()
    return history


def logits_of(network: nn.Module, inputs: Tensor) -> Tensor:
    """Logits, float32 [n, marks], in eval mode; the network is left in it."""
    network.eval()
    size = min(max(NUMBERS_AT_ONCE // inputs[0].numel(), 1), MOST_ROWS_AT_ONCE)
    with torch.inference_mode():
        blocks = [network(inputs[i : i + size]).float() for i in range(0, len(inputs), size)]
    return torch.cat(blocks)


def _stale(history: list[Epoch]) -> int:
    """Epochs since the validation loss last improved."""
    bests = [epoch.epoch for epoch in history if epoch.best]
    return len(history) - bests[-1] if bests else 0


def _write(path: Path, state: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    torch.save(state, partial)
    os.replace(partial, path)


def _read(path: Path, identity: str) -> dict[str, Any] | None:
    """What a checkpoint holds; None where there is none, or that of another run."""
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
    except Exception:  # torch has many for a damaged file
        return None
    return state if state["identity"] == identity else None


def _is_plain(value: object) -> bool:
    return isinstance(value, int | float | str | list | type(None))
