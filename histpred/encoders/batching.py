"""Runs token lists through a network and returns the mean over each list.

On a GPU, lists are sorted by length and padded to the longest of their batch. On a CPU each list
runs by itself on one core, as many at once as there are cores: a chunk's vector is the same to the
last bit whatever other chunks are embedded and however many cores there are. Means are taken on the
device, so that only they are copied back.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from histpred.core.cores import usable_cores
from histpred.core.errors import TemporaryError, is_memory
from histpred.encoders import Embedded
from histpred.encoders.devices import (
    DTYPES,
    ROUNDED,
    choose_device,
    choose_precision,
    round_linear,
)

if TYPE_CHECKING:
    import tokenizers

logger = logging.getLogger(__name__)

TOKENS_AT_ONCE = 32_768  # of a batch; half as many each time memory runs out
CHUNKS_AT_ONCE = {"cpu": 32, "cuda": 4096, "mps": 512}

Forward = Callable[[Tensor, Tensor | None], Tensor]
"""ids [batch, tokens] and a mask of the same shape (True: a token; None: no list is padded) ->
hidden states [batch, tokens, dimension]."""

_all_cores = threading.Lock()  # one run at a time uses the CPU: each takes all its cores


class Tokens(NamedTuple):
    """A chunk as a network reads it."""

    ids: np.ndarray  # int64 [n]
    counted: np.ndarray  # bool [n], True for tokens that count in the mean


class TorchEncoder(ABC):
    """The part that all encoders on torch share: device, precision and batches.

    A subclass sets `files` and `dimension`, and calls `_start` when its network is loaded.
    """

    longest: int | None = None
    dimension: int
    files: tuple[Path, ...]

    def __init__(self, device: str, precision: str) -> None:
        self._target = choose_device(device)
        self.device = str(self._target)
        self.precision = choose_precision(self._target, precision)
        # On a CPU only the linear layers compute in another precision than fp32: see `_start`.
        on_cpu = self._target.type == "cpu"
        self._dtype = torch.float32 if on_cpu else DTYPES[self.precision]
        self.chunks_at_once = CHUNKS_AT_ONCE[self._target.type]

    def _start(self, network: nn.Module, forward: Forward, layers: nn.Module, pad: int) -> None:
        """Take a network to the device; `layers` is its part that int8 and, on a CPU, bf16 round.

        `pad` fills up a batch.
        """
        if self._target.type == "cpu" and self.precision in ROUNDED:
            round_linear(layers, self.precision)
        network.to(self._target)
        self._batcher = Batcher(forward, self.dimension, self._target, pad)

    @abstractmethod
    def tokenise(self, chunks: Sequence[bytes]) -> list[Tokens]:
        """The tokens of each chunk."""

    def embed(self, chunks: Sequence[bytes]) -> Embedded:
        """The mean hidden state of the last layer over each chunk's counted tokens."""
        return self._batcher.means(self.tokenise(chunks))


class Batcher:
    """Runs one network on one device. Thread-safe."""

    def __init__(
        self, forward: Forward, dimension: int, device: torch.device, pad: int = 0
    ) -> None:
        self._forward = forward
        self._dimension = dimension
        self._device = device
        self._pad = pad
        self._alone = device.type == "cpu"
        self._turn = _all_cores if self._alone else threading.Lock()
        self.tokens_at_once = TOKENS_AT_ONCE  # shrinks when memory runs out

    def means(self, chunks: Sequence[Tokens]) -> Embedded:
        """The mean hidden states; TemporaryError if the memory does not suffice for one chunk."""
        counts = np.array([int(chunk.counted.sum()) for chunk in chunks], np.int64)
        vectors = np.zeros((len(chunks), self._dimension), np.float32)
        # The longest first: if memory runs out, it does so at once.
        order = sorted(np.flatnonzero(counts).tolist(), key=lambda i: -len(chunks[i].ids))
        if order:
            ordered = [chunks[i] for i in order]
            with self._turn:
                means = self._one_by_one(ordered) if self._alone else self._in_batches(ordered)
            vectors[order] = torch.cat(means).cpu().numpy()
        return Embedded(vectors, counts)

    def _one_by_one(self, chunks: Sequence[Tokens]) -> list[Tensor]:
        keep_memory()
        threads = torch.get_num_threads()
        try:
            with ThreadPoolExecutor(
                usable_cores(), initializer=torch.set_num_threads, initargs=(1,)
            ) as cores:
                means = list(cores.map(self._run, [[chunk] for chunk in chunks]))
        finally:
            torch.set_num_threads(threads)  # the workers set it for threads that start later, too
        return [mean for mean in means if mean is not None]

    def _in_batches(self, chunks: Sequence[Tokens]) -> list[Tensor]:
        done: list[Tensor] = []
        while chunks:
            size = max(self.tokens_at_once // len(chunks[0].ids), 1)
            result = self._run(chunks[:size])
            if result is not None:
                done.append(result)
                chunks = chunks[size:]
        return done

    def _run(self, batch: Sequence[Tokens]) -> Tensor | None:
        """Means [batch, dimension] on the device; None if memory ran out: try a smaller batch."""
        try:
            with torch.inference_mode():
                return self._means(batch)
        except (MemoryError, RuntimeError) as error:
            if not is_memory(error):
                raise
            tokens = len(batch) * len(batch[0].ids)
            if len(batch) == 1:
                raise TemporaryError(
                    f"{self._device} has too little memory for one chunk of {tokens:,} tokens",
                    "free memory there, use another device, or a bundle with shorter chunks",
                ) from error
        # Outside the handler, whose traceback holds the tensors.
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        self.tokens_at_once = max(tokens // 2, 1)
        told = "%s is out of memory with %d chunks in a batch"
        logger.warning(f"{told}: continuing with batches half as large", self._device, len(batch))
        return None

    def _means(self, batch: Sequence[Tokens]) -> Tensor:
        longest = len(batch[0].ids)
        ids = np.full((len(batch), longest), self._pad, np.int64)
        counted = np.zeros((len(batch), longest), np.float32)
        for row, chunk in enumerate(batch):
            ids[row, : len(chunk.ids)] = chunk.ids
            counted[row, : len(chunk.ids)] = chunk.counted
        mask = None
        if len(batch[-1].ids) < longest:
            lengths = torch.tensor([len(chunk.ids) for chunk in batch])
            mask = self._send(torch.arange(longest) < lengths[:, None])
        weights = self._send(torch.from_numpy(counted))
        weights = weights / weights.sum(dim=1, keepdim=True)
        hidden = self._forward(self._send(torch.from_numpy(ids)), mask)
        return torch.bmm(weights[:, None, :], hidden.float())[:, 0]

    def _send(self, tensor: Tensor) -> Tensor:
        if self._device.type == "cuda":
            return tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor.to(self._device)


@functools.cache
def keep_memory() -> None:
    """Have glibc keep freed memory for the next tensor, and share it among all threads.

    Otherwise glibc returns large blocks to the kernel, and the page faults of the next ones take up
    to a quarter of the time. This holds for the whole process and cannot be undone: mallopt has no
    way to read a parameter (malloc.h, `man mallopt`). Systems without glibc are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        for parameter, value in ((-3, 1 << 30), (-1, (1 << 31) - 1), (-8, 1)):
            mallopt(parameter, value)  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_ARENA_MAX


def letters_table(alphabet: str, other: str = "N") -> bytes:
    """A table for bytes.translate: bases in either case to `alphabet`, all else to `other`.

    The alphabet is ACGT or ACGU; both T and U become its last letter.
    """
    table = bytearray(other.encode() * 256)
    for letter, base in zip(b"ACGTU", (alphabet + alphabet[-1]).encode(), strict=True):
        table[letter] = table[letter + 32] = base
    return bytes(table)


def open_tokenizer(path: Path) -> tokenizers.Tokenizer:
    """The tokenizer in a tokenizer.json; it neither pads nor truncates."""
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
