"""How a run is carried out: on which device, how exactly, and what becomes of earlier results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

Progress = Callable[[int, int], None]
"""Called with how many items are finished, and how many there are."""


def no_progress(done: int, total: int) -> None:
    """Report nothing."""


class Execution(NamedTuple):
    """Settings of a run that do not change what is asked for.

    device: where to compute: 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'. precision: that of the
    encoder: 'auto' (the usual one on its device), 'fp32', 'fp16', 'bf16' or 'int8'. store: folder
    of embeddings that outlives the run; None: those of an expensive encoder are kept in the output
    folder until the run has succeeded. overwrite: replace an earlier output of histpred. progress:
    called now and then.
    """

    device: str = "auto"
    precision: str = "auto"
    store: Path | None = None
    overwrite: bool = False
    progress: Progress = no_progress
