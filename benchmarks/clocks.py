"""Seconds of a call on a CPU or a GPU."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch


def synchronise(device: str) -> None:
    """Wait until the device has done what it was given; a CPU always has."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def clock(function: Callable[..., object], *arguments: object, device: str = "cpu") -> float:
    """Seconds of one call, until the device has finished."""
    synchronise(device)
    started = time.perf_counter()
    function(*arguments)
    synchronise(device)
    return time.perf_counter() - started
