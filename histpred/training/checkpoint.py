"""The state of an unfinished training, in a file that an interrupted run continues from."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Checkpoint(NamedTuple):
    """The file of one network's training; `identity` names what fixes the weights."""

    path: Path
    identity: str

    def save(
        self,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler,
        best: dict[str, Tensor],
        history: Sequence[tuple[float, ...]],
    ) -> None:
        """Write the state after an epoch; the file is replaced only by a complete one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f"{self.path.name}.partial")
        state = {
            "identity": self.identity,
            "network": network.state_dict(),
            "optimiser": optimiser.state_dict(),
            "schedule": {k: v for k, v in schedule.state_dict().items() if _is_plain(v)},
            "best": best,
            "history": json.dumps(history),
        }
        torch.save(state, partial)
        os.replace(partial, self.path)

    def restore(
        self,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler,
    ) -> tuple[dict[str, Tensor], list[list[float]]]:
        """Load the saved state; returns the best weights and the history.

        Both are empty, and nothing is loaded, if there is no file, if it is damaged, or if it
        belongs to a run of another identity.
        """
        state = self._read()
        if state is None:
            return {}, []
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        best: dict[str, Tensor] = state["best"]
        return best, json.loads(state["history"])

    def _read(self) -> dict[str, Any] | None:
        if not self.path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.path, weights_only=True)
        except Exception:  # torch has many kinds for a damaged file
            return None
        return state if state["identity"] == self.identity else None


def _is_plain(value: object) -> bool:
    return isinstance(value, int | float | str | list | type(None))
