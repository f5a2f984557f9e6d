"""The files that a killed training continues from, one for each member.

A training goes on only if it then ends with the same weights as an uninterrupted one. Otherwise it
starts again from epoch 1, and a warning at the start of the run says why.
"""

from __future__ import annotations

import json
import logging
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import JsonValue
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from histpred.core.errors import first_line
from histpred.core.finished import differences

logger = logging.getLogger(__name__)
PLAIN = int | float | str | list | None  # what torch loads with weights_only


def fixing(identity: Mapping[str, JsonValue], device: torch.device) -> dict[str, JsonValue]:
    """What fixes the weights: all of a bundle's identity but its name, the device, and torch.

    Another release of torch, or a CPU with other instructions, adds numbers in another order.
    """
    fixed = {name: value for name, value in identity.items() if name != "about"}
    arithmetic = torch.backends.cpu.get_cpu_capability()
    return fixed | {"device": str(device), "torch": torch.__version__, "CPU": arithmetic}


class Checkpoint(NamedTuple):
    """The file of one network.

    identity: what fixes the weights, but for the number of threads: sums depend on the order in
    which they are computed. The file has it, and a training goes on with the threads it began with.
    """

    path: Path
    identity: Mapping[str, JsonValue]

    def save(
        self,
        network: nn.Module,
        optimiser: Optimizer,
        schedule: LRScheduler,
        best: dict[str, Tensor],
        history: Sequence[tuple[Any, ...]],
    ) -> None:
        """Write the state after an epoch; the file is replaced only by a complete one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f"{self.path.name}.partial")
        state = {
            "identity": json.dumps(self.identity),
            "threads": torch.get_num_threads(),
            "network": network.state_dict(),
            "optimiser": optimiser.state_dict(),
            "schedule": {k: v for k, v in schedule.state_dict().items() if isinstance(v, PLAIN)},
            "best": best,
            "history": json.dumps(history),
        }
        torch.save(state, partial)
        os.replace(partial, self.path)

    def restore(
        self, network: nn.Module, optimiser: Optimizer, schedule: LRScheduler
    ) -> tuple[dict[str, Tensor], list[list[Any]]] | None:
        """Load the saved state; returns the best weights and the history.

        Loads nothing and returns None if there is no file or it has a `fault`, of which
        `warn_of_faults` tells. Sets torch's number of threads to that of the file.
        """
        if not self.path.exists() or self.fault():
            return None
        state = self._read()
        threads = state["threads"]
        if threads != torch.get_num_threads():
            told = "training goes on with the %d threads it began with: others give other weights"
            logger.info(told, threads)
            torch.set_num_threads(threads)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        return state["best"], json.loads(state["history"])

    def fault(self) -> str:
        """Why the training cannot go on from the file, as a phrase; empty if it can."""
        try:
            with zipfile.ZipFile(self.path) as archive:  # torch does not compare checksums
                if damaged := archive.testzip():
                    return f"{self.path} is damaged (checksum of {damaged})"
            before = json.loads(self._read()["identity"])
        except Exception as error:  # zipfile and torch have many kinds for a damaged file
            return f"{self.path} is damaged ({first_line(error)})"
        found = differences(before, json.loads(json.dumps(self.identity)))
        return f"what differs: {'; '.join(found)}" if found else ""

    def _read(self) -> dict[str, Any]:
        state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        return state


def warn_of_faults(folder: Path, identity: Mapping[str, JsonValue]) -> None:
    """Warn if an interrupted training left files in `folder` that this one cannot go on from.

    They stay until the first epoch ends, so that the user can stop and run the earlier command.
    """
    paths = sorted(folder.glob("checkpoint*.pt"))
    faults = {path.stem: fault for path in paths if (fault := Checkpoint(path, identity).fault())}
    for fault in dict.fromkeys(faults.values()):
        logger.warning(
            "the interrupted training in %s cannot go on exactly, and %s again from epoch 1: %s",
            folder.parent,
            "starts" if len(faults) == len(paths) else "one of its networks starts",
            fault,
        )
