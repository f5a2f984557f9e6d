"""Token lists through a model in batches, and out as the mean over each list.

On a GPU, lists are sorted by length and padded to the longest of a batch; a batch holds about
`TOKENS_AT_ONCE` tokens, half as many each time the memory does not suffice. On a CPU each list goes
alone, on one core, as many at once as there are cores: nothing is padded, no core waits for
another, and a piece's vector is the same to the last bit whatever came with it and however many
cores there are. Means are taken on the device: only they come back.
"""

from __future__ import annotations

import ctypes
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from histpred.core.errors import TemporaryError
from histpred.core.runtime import usable_cores
from histpred.encoders import Embedded

logger = logging.getLogger(__name__)

TOKENS_AT_ONCE = 32_768
CHUNKS_AT_ONCE = {"cpu": 32, "cuda": 4096, "mps": 512}
OUT_OF_MEMORY = (  # torch's words on the CPU, where it has no type of its own, and on MPS
    "can't allocate memory",
    "not enough memory",
    "MPS backend out of memory",
)

Forward = Callable[[Tensor, Tensor | None], Tensor]
"""ids [batch, tokens] and, where a list is shorter than the batch, a mask of the same shape (True:
a token of the list) -> hidden states [batch, tokens, dimension]."""


class Tokens(NamedTuple):
    """A piece as a model reads it: ids int64 [n], and which of them count in the mean, bool [n]."""

    ids: np.ndarray
    counted: np.ndarray


class Batcher:
    """Runs one model on one device; `tokens_at_once` shrinks when memory runs out. Thread-safe."""

    def __init__(
        self, forward: Forward, dimension: int, device: torch.device, pad: int = 0
    ) -> None:
        self._forward = forward
        self._dimension = dimension
        self._device = device
        self._pad = pad
        self._alone = device.type == "cpu"
        self._turn = threading.Lock()  # one call on the device at a time
        self._cores: ThreadPoolExecutor | None = None
        self.tokens_at_once = TOKENS_AT_ONCE

    def means(self, pieces: Sequence[Tokens]) -> Embedded:
        """The mean hidden state over each piece's counted tokens.

        Raises
        ------
        TemporaryError
            Where the memory does not suffice for one piece.
        """
        counts = np.array([int(piece.counted.sum()) for piece in pieces], np.int64)
        vectors = np.zeros((len(pieces), self._dimension), np.float32)
        order = np.flatnonzero(counts)
        lengths = np.array([len(piece.ids) for piece in pieces], np.int64)
        order = order[np.argsort(-lengths[order], kind="stable")]  # the longest first: if the
        # memory runs out, it does so at once

        if order.size:
            ordered = [pieces[i] for i in order]
            with self._turn:
                means = self._one_by_one(ordered) if self._alone else self._in_batches(ordered)
            vectors[order] = torch.cat(means).cpu().numpy()
        return Embedded(vectors, counts)

    def _one_by_one(self, pieces: Sequence[Tokens]) -> list[Tensor]:
        if self._cores is None:
            keep_memory()
            self._cores = ThreadPoolExecutor(
                usable_cores(), initializer=torch.set_num_threads, initargs=(1,)
            )
        means = self._cores.map(self._run, [[piece] for piece in pieces])
        return [mean for mean in means if mean is not None]

    def _in_batches(self, pieces: Sequence[Tokens]) -> list[Tensor]:
        done: list[Tensor] = []
        start = 0
        while start < len(pieces):
            size = max(self.tokens_at_once // len(pieces[start].ids), 1)
            batch = pieces[start : start + size]
            result = self._run(batch)
            if result is not None:
                done.append(result)
                start += len(batch)
        return done

    def _run(self, batch: Sequence[Tokens]) -> Tensor | None:
        """Means [batch, dimension] on the device; None where it must be tried again with fewer."""
        try:
            with torch.inference_mode():
                return self._means(batch)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            tokens = len(batch) * len(batch[0].ids)
            if len(batch) == 1:
                raise TemporaryError(
                    f"the memory of {self._device} does not suffice for one piece of "
                    f"{tokens:,} tokens",
                    "free memory there, use another device, or a bundle with shorter chunks",
                ) from error
        # Outside the handler, whose traceback holds the tensors.
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        self.tokens_at_once = max(tokens // 2, 1)
        logger.warning(
            "%s is out of memory with %d pieces in a batch: going on with batches half as large",
            self._device,
            len(batch),
        )
        return None

    def _means(self, batch: Sequence[Tokens]) -> Tensor:
        longest = len(batch[0].ids)
        ragged = len(batch[-1].ids) < longest
        ids = np.full((len(batch), longest), self._pad, np.int64)
        counted = np.zeros((len(batch), longest), np.float32)
        for row, piece in enumerate(batch):
            ids[row, : len(piece.ids)] = piece.ids
            counted[row, : len(piece.ids)] = piece.counted
        mask = None
        if ragged:
            lengths = torch.tensor([len(piece.ids) for piece in batch])
            mask = self._send(torch.arange(longest) < lengths[:, None])
        weights = self._send(torch.from_numpy(counted))
        weights = weights / weights.sum(dim=1, keepdim=True)
        hidden = self._forward(self._send(torch.from_numpy(ids)), mask)
        return torch.bmm(weights[:, None, :], hidden.float())[:, 0]

    def _send(self, tensor: Tensor) -> Tensor:
        if self._device.type == "cuda":
            return tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor.to(self._device)


def keep_memory() -> None:
    """Have glibc keep what is freed for the next tensor, and all threads share it.

    It hands large blocks back to the kernel otherwise, and the page faults of the next ones take up
    to a quarter of the time. Parameters as in malloc.h, `man mallopt`; nothing happens elsewhere.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        for parameter, value in ((-3, 1 << 30), (-1, (1 << 31) - 1), (-8, 1)):
            mallopt(parameter, value)  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_ARENA_MAX


def is_out_of_memory(error: Exception) -> bool:
    """Whether torch raised for want of memory, on a GPU or the CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(words in str(error) for words in OUT_OF_MEMORY)
