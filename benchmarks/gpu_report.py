"""How much a step of gpu.sh does, and the report that it writes."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import NamedTuple


class Sizes(NamedTuple):
    """How much a step does."""

    published: bool  # networks of the published size, else tiny ones
    product: int  # rows of the matrices that show the device's limit
    tokens: int  # of a chunk
    fewest: int  # chunks in a call
    chunks: int  # the most
    seconds: float  # that a call should take
    compared: tuple[int, ...]  # lengths of the chunks of parity, in bp
    rows: int  # of the epoch; the paper's: 27,196 RNAs, less a tenth twice
    marks: int
    dimension: int
    train: tuple[str, ...]  # options of histpred train


FULL = Sizes(
    published=True,
    product=8192,
    tokens=512,
    fewest=64,  # a batch of 32,768 tokens
    chunks=16_384,
    seconds=2.0,
    compared=(60, 200, 500, 1000, 2600),
    rows=22_029,
    marks=50,
    dimension=768,
    train=("--window", "context:30000", "--chunks", "window:2000", "--epochs", "5"),
)
SMALL = Sizes(
    published=False,
    product=256,
    tokens=48,
    fewest=4,
    chunks=8,
    seconds=0.1,
    compared=(20, 60),
    rows=64,
    marks=3,
    dimension=16,
    train=("--window", "promoter:200:200", "--chunks", "window:200", "--epochs", "1"),
)


class Report:
    """What a step measured, in a JSON file that is complete after each addition."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.error = ""
        self._measured: list[dict[str, object]] = []
        self.facts: dict[str, object] = {}

    def add(
        self, what: str, found: str, goal: str = "", met: bool | None = None, **numbers: float
    ) -> None:
        """Add a row of the table, and the numbers in it."""
        finite = {name: n if math.isfinite(n) else str(n) for name, n in numbers.items()}
        row = {"what": what, "found": found, "goal": goal, "met": met, "numbers": finite}
        self._measured.append(row)
        self.save()

    def fail(self, what: str, reason: object) -> None:
        """Note that a part of the step failed; the other parts go on."""
        told = " ".join(f"{what}: {reason}".split())
        print(told, flush=True)
        self.error += f"; {told}" if self.error else told

    def save(self) -> None:
        """Write the file, with the GPU's memory as it is now."""
        memory = {}
        torch = sys.modules.get("torch")
        if torch and torch.cuda.is_initialized():
            free, total = torch.cuda.mem_get_info()
            memory = {
                "peak_allocated": torch.cuda.max_memory_allocated(),
                "peak_reserved": torch.cuda.max_memory_reserved(),
                "free_now": free,
                "total": total,
            }
        content = {**self.facts, "measured": self._measured, "gpu_bytes": memory}
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps(content | {"error": self.error}, indent=1))
        partial.replace(self._path)


class Plan(NamedTuple):
    """The options of a step."""

    device: str
    sizes: Sizes
    scratch: Path
    tokenizer: Path | None
    report: Report

    @property
    def kind(self) -> str:
        return self.device.partition(":")[0]

    def met(self, reached: bool) -> bool | None:
        """True or False on a GPU; on a CPU there are no goals."""
        return reached if self.kind == "cuda" else None
