from __future__ import annotations

import errno
from pathlib import Path

import pytest

from histpred.core import errors
from histpred.core.errors import HistpredError, InputError, first_few, is_memory


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (InputError("a.bed", "start is -1", line=3), "a.bed:3: start is -1"),
        (InputError("a.bed", "empty", "why?"), "a.bed: empty\n  why?"),
        (InputError(Path("a.bed"), "empty"), "a.bed: empty"),
        (HistpredError("no", "do this"), "no\n  do this"),
    ],
)
def test_an_error_says_where_what_and_what_to_do(error, text):
    assert str(error) == text


# The numbers that scripts rely on.
EXIT_CODES = {
    "HistpredError": 1,
    "InputError": 1,
    "BundleError": 1,
    "ModelError": 1,
    "DeviceError": 1,
    "OutputError": 1,
    "InUseError": 1,
    "WeightsError": 1,
    "UsageError": 2,
    "StrictError": 3,
    "TemporaryError": 75,
}


def test_exit_codes():
    found = {
        name: value.exit_code
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, HistpredError)
    }
    assert found == EXIT_CODES


@pytest.mark.parametrize(
    ("offenders", "total", "text"),
    [
        ([], None, ""),
        ("abc", None, "a, b, c"),
        ("abcd", None, "a, b, c and 1 more"),
        (iter("abcd"), None, "a, b, c and 1 more"),
        ("abc", 500, "a, b, c and 497 more"),
        (iter(range(10**12)), 10**12, "0, 1, 2 and 999999999997 more"),
    ],
)
def test_the_first_three_and_a_count(offenders, total, text):
    assert first_few(offenders, total) == text


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (ImportError("libtorch.so: failed to map segment from shared object"), True),
        (ImportError("libc.so.6: cannot map zero-fill pages"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("bad allocation"), True),
        (RuntimeError("Failed to allocate memory for requested buffer of size 64"), True),
        (RuntimeError("pthread_create failed: Resource temporarily unavailable"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (RuntimeError(), False),
        (FileNotFoundError(errno.ENOENT, "No such file", "out of memory.bed"), False),
        (ImportError("no module named torch"), False),
    ],
)
def test_which_errors_are_a_lack_of_memory(error, expected):
    assert is_memory(error) is expected
