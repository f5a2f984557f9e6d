"""Settings of how a run is carried out: device, precision, and the use of earlier results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

Progress = Callable[[int, int], None]
"""Called with the number of finished items and the total."""


def no_progress(done: int, total: int) -> None:
    """Report nothing."""


class Execution(NamedTuple):
    """Settings that do not change which output is requested.

    device: 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'. precision: numerical precision of the encoder:
    'auto' (the default of its device), 'fp32', 'fp16', 'bf16' or 'int8'. store: folder that keeps
    embeddings for later runs; None: those of an expensive encoder are kept in the output folder
    until the run succeeds. overwrite: replace an earlier output of histpred. progress: called after
    each batch. table: False: a prediction leaves out its table of scores.
    """

    device: str = "auto"
    precision: str = "auto"
    store: Path | None = None
    overwrite: bool = False
    progress: Progress = no_progress
    table: bool = True
