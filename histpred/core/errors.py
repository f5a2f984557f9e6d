"""The errors of histpred: raised anywhere, caught only in `histpred.cli`.

A message says what happened, where (file:line), what was found and what to do.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from itertools import islice

from histpred.core.interruption import EXIT_INTERRUPTED
from histpred.core.text import visible, visible_line

SHOWN = 3

EXIT_DATA = 1
EXIT_USAGE = 2
EXIT_STRICT = 3
EXIT_TEMPORARY = 75  # EX_TEMPFAIL of sysexits.h: worth another try
EXIT_CODES = {
    0: "done",
    EXIT_DATA: "an error in the data, the bundle or the device",
    EXIT_USAGE: "wrong usage",
    EXIT_STRICT: "done, but rows were skipped or clipped at the end of their contig "
    "(only with `--strict`)",
    EXIT_TEMPORARY: "temporary: disk full or out of memory; run the same command again",
    EXIT_INTERRUPTED: "interrupted",
}
"""Exit code -> what it means, as the documentation shows it."""
MORE_MEMORY = "give more memory and run the same command again"
MORE_ROOM = "nothing was published; make room and run the same command again"
OUT_OF_MEMORY = (
    *("failed to map segment", "cannot map zero-fill pages"),  # the loader
    *("bad_alloc", "bad allocation", "resource temporarily unavailable"),  # onnxruntime
    *("allocate memory", "out of memory", "not enough memory"),  # all three
)


class HistpredError(Exception):
    """Base class of the errors that a user can fix; `exit_code` is the exit code of the process."""

    exit_code = EXIT_DATA

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        message = visible_line(self.message)
        return f"{message}\n  {visible(self.hint)}" if self.hint else message


class InputError(HistpredError):
    """An input file is missing or malformed; `line` is 1-based, None for the file as a whole."""

    def __init__(
        self, path: str | os.PathLike[str], message: str, hint: str = "", line: int | None = None
    ) -> None:
        self.path = os.fspath(path)
        self.line = line
        where = self.path if line is None else f"{self.path}:{line}"
        super().__init__(f"{where}: {message}", hint)


class BundleError(HistpredError):
    """A bundle is incomplete, was altered, has another schema, or does not match its scorer."""


class WeightsError(HistpredError):
    """The weights of an encoder are missing, damaged, or belong to another encoder."""


class ModelError(HistpredError):
    """An encoder or scorer returned NaN, infinity or an array of the wrong shape."""


class DeviceError(HistpredError):
    """The requested device is not available."""


class OutputError(HistpredError):
    """The output cannot be written: it is in use, or holds files that are not histpred's."""


class InUseError(OutputError):
    """The output is being written by another run."""


class UsageError(HistpredError):
    """Options contradict each other or do not apply to the input."""

    exit_code = EXIT_USAGE


class StrictError(HistpredError):
    """Rows were skipped under --strict; the outputs were written all the same."""

    exit_code = EXIT_STRICT


class TemporaryError(HistpredError):
    """Disk space, memory or another resource ran out; a later run may succeed."""

    exit_code = EXIT_TEMPORARY


def is_memory(error: BaseException) -> bool:
    """True if memory ran out, on the CPU or a GPU.

    Python and the system have an error for that. The loader of libraries, onnxruntime and torch
    say it in words only.
    """
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in OUT_OF_MEMORY)


def first_line(error: BaseException) -> str:
    """The type of an exception and the first line of its message, cut to 200 characters."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__


def first_few(offenders: Iterable[object], total: int | None = None) -> str:
    """The first three of `offenders`, and how many more there are.

    >>> first_few(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    if total is None:
        offenders = list(offenders)
        total = len(offenders)
    shown = [str(offender) for offender in islice(offenders, SHOWN)]
    rest = total - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")
