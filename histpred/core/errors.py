"""What can go wrong, as types. Raised low, caught only in `histpred.cli`.

Every message says what is wrong, where (file:line), what was found and what to do; several
offenders are shown as the first three and a count.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice

SHOWN = 3

EXIT_DATA = 1
EXIT_USAGE = 2
EXIT_STRICT = 3
EXIT_TEMPORARY = 75  # EX_TEMPFAIL of sysexits.h: later, or with more room, it may work
EXIT_INTERRUPTED = 130


class HistpredError(Exception):
    """Base of every error that a user can cause or mend; `exit_code` is the process's."""

    exit_code = EXIT_DATA

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class InputError(HistpredError):
    """An input file is not what it should be; `line` is 1-based, None where no single line is to
    blame.
    """

    def __init__(
        self, path: str | os.PathLike[str], message: str, hint: str = "", line: int | None = None
    ) -> None:
        where = os.fspath(path) if line is None else f"{os.fspath(path)}:{line}"
        super().__init__(f"{where}: {message}", hint)
        self.path = os.fspath(path)
        self.line = line


class BundleError(HistpredError):
    """A bundle is incomplete, altered, from another schema, or does not fit its own scorer."""


class WeightsError(HistpredError):
    """Weights are missing, damaged, or not those of the encoder that they are given for."""


class ModelError(HistpredError):
    """An encoder or scorer gave something that is no score (NaN, infinity, wrong shape)."""


class DeviceError(HistpredError):
    """A device that was asked for is not there."""


class OutputError(HistpredError):
    """The output folder or file cannot be used: not ours, from another run, or in use."""


class UsageError(HistpredError):
    """Options that do not go together or do not fit the input."""

    exit_code = EXIT_USAGE


class StrictError(HistpredError):
    """Rows were skipped under --strict; the outputs are written."""

    exit_code = EXIT_STRICT


class TemporaryError(HistpredError):
    """Out of disk, memory or another resource that may be there next time."""

    exit_code = EXIT_TEMPORARY


def first_line(error: BaseException) -> str:
    """What an exception says, in one line of at most 200 letters."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__


def first_few(offenders: Iterable[object], total: int | None = None) -> str:
    """The first three of `offenders`, and how many more there are.

    >>> first_few(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    >>> first_few(["a"])
    'a'
    """
    if total is None:
        offenders = list(offenders)
        total = len(offenders)
    shown = [str(offender) for offender in islice(offenders, SHOWN)]
    rest = total - len(shown)

    return ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")
