"""Seconds of a call on a CPU or a GPU, and time and memory of a whole process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

SILENT = """
import json, os, sys, time
started = time.perf_counter()
silent = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=silent)
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - started
code = os.waitstatus_to_exitcode(status)
print(json.dumps([code, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024]))
"""
"""Runs a command. The kernel counts the peak memory of whoever starts a process as the process's
own, so a small one has to start it."""


class Usage(NamedTuple):
    """What a process took: seconds by the clock, seconds of all CPUs, most bytes of memory."""

    wall: float
    cpu: float
    peak: int


def synchronise(device: str) -> None:
    """Wait until the device has done what it was given; a CPU always has."""
    if device.partition(":")[0] == "cuda":
        import torch

        torch.cuda.synchronize(device)


def clock(function: Callable[..., object], *arguments: object, device: str = "cpu") -> float:
    """Seconds of one call, until the device has finished."""
    synchronise(device)
    started = time.perf_counter()
    function(*arguments)
    synchronise(device)
    return time.perf_counter() - started


def cpu_clock(function: Callable[..., object], *arguments: object) -> float:
    """Seconds of all CPUs that one call takes, in all threads of this process."""
    started = time.process_time()
    function(*arguments)
    return time.process_time() - started


def process(
    command: Sequence[object], cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Usage:
    """Run a command without its output. Raise SystemExit if it fails."""
    words = [str(word) for word in command]
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", SILENT, *words],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        check=True,
    )
    code, *found = json.loads(run.stdout)
    if code:
        raise SystemExit(f"failed ({code}): {' '.join(words)}")
    return Usage(*found)
