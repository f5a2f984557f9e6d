"""benchmarks/clocks.py measures calls, and processes apart from the one that starts them."""

from __future__ import annotations

import sys
import time
from types import ModuleType

import pytest

from support.scripts import load_script


@pytest.fixture
def clocks() -> ModuleType:
    return load_script("benchmarks/clocks.py")


def test_the_memory_of_a_process_is_its_own(clocks: ModuleType) -> None:
    held = bytearray(200_000_000)
    held[::4096] = b"x" * len(held[::4096])
    assert clocks.process([sys.executable, "-c", "pass"]).peak < 100_000_000


def test_a_process_that_waits_takes_no_cpu(clocks: ModuleType) -> None:
    used = clocks.process([sys.executable, "-c", "import time; time.sleep(1)"])
    assert used.wall >= 1
    assert used.cpu < 0.9


def test_a_process_that_fails_ends_the_benchmark(clocks: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"failed \(3\): .* exit\(3\)"):
        clocks.process([sys.executable, "-c", "exit(3)"])


def test_a_call_that_waits_takes_no_cpu(clocks: ModuleType) -> None:
    assert clocks.clock(time.sleep, 0.2) >= 0.2
    assert clocks.cpu_clock(time.sleep, 0.2) < 0.1
