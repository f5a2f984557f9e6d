"""Randomness that stays inside a block: torch's global state is what it was afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def reproducible(seed: int | None = None) -> Iterator[None]:
    """Make torch reproducible inside the block, and restore its state at the end.

    Restored are the random state of the CPU and of all CUDA devices, and cuDNN's `deterministic`
    flag, which is set inside the block. With a `seed`, the random state starts from it; without
    one, it continues as it was.
    """
    deterministic = torch.backends.cudnn.deterministic
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices):
        try:
            torch.backends.cudnn.deterministic = True
            if seed is not None:
                torch.manual_seed(seed)
            yield
        finally:
            torch.backends.cudnn.deterministic = deterministic
