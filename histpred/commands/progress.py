"""The progress bar of a verb, and its messages about skipped rows."""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Callable

from histpred.core.errors import StrictError
from histpred.core.log import logger
from histpred.core.text import agreeing, counted
from histpred.genome.reasons import UNWANTED

BAR = 30  # characters
PAUSE = 0.1  # seconds between two drawings
SURE = 2.0  # seconds after which the rest can be told


def skipped(reasons: dict[str, int]) -> str:
    """The number of skipped rows for each reason as one phrase, '' for none.

    >>> skipped({"too-many-n": 2})
    '; skipped: too-many-n 2'
    """
    if not reasons:
        return ""
    return "; skipped: " + ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())


def check_strict(strict: bool, reasons: dict[str, int], past_end: int, ledger: object) -> None:
    """Raise StrictError if `strict` and any selected row was skipped or clipped."""
    lost = sum(count for reason, count in reasons.items() if reason not in UNWANTED)
    if strict and (lost or past_end):
        raise StrictError(
            f"--strict: {counted(lost, 'row')} {agreeing(lost, 'was', 'were')} skipped and "
            f"{past_end:,} {agreeing(past_end, 'ends past its', 'end past their')} contig",
            f"the outputs are written; {ledger} states the reason for each row",
        )


def duration(seconds: float) -> str:
    """A time in minutes and seconds, with hours if it has any.

    >>> duration(83.6), duration(7205)
    ('1:24', '2:00:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Progress:
    """Context manager that shows a bar on a terminal and nothing in the log of a batch system.

    The bar is gone when a message is shown, and at the end. `clock` gives seconds.
    """

    def __init__(
        self, label: str, quiet: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._label = label
        self._shown = not quiet and sys.stderr.isatty()
        self._clock = clock
        self._first: tuple[float, int] | None = None  # time and number of the first call
        self._drawn = 0.0  # the time of the last drawing
        self._line = ""
        self._clearing = _Clearing(self._clear)

    def __enter__(self) -> Progress:
        if self._shown:
            logger.handlers.insert(0, self._clearing)
        return self

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` windows are finished."""
        now = self._clock()
        if not self._shown or total < 1:
            return
        if self._first is None:
            self._first = now, done
        elif now - self._drawn < PAUSE and done < total:
            return
        self._drawn = now
        share = min(done / total, 1)
        bar = ("#" * round(share * BAR)).ljust(BAR, "-")
        line = f"{self._label} [{bar}] {share:4.0%}{self._rest(now, done, total)}"
        width = shutil.get_terminal_size().columns - 1
        self._clear()
        self._line = line[:width]
        self._write(self._line)

    def _rest(self, now: float, done: int, total: int) -> str:
        """How long the rest takes at the pace since the first call, '' if that is not known."""
        assert self._first is not None
        start, before = self._first
        if now - start < SURE or done <= before or done >= total:
            return ""
        return f", {duration((now - start) / (done - before) * (total - done))} left"

    def _clear(self) -> None:
        if self._line:
            self._write(f"\r{' ' * len(self._line)}\r")
        self._line = ""

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()

    def __exit__(self, *raised: object) -> None:
        if self._shown:
            self._clear()
            logger.handlers.remove(self._clearing)


class _Clearing(logging.Handler):
    """Calls a function before the handlers that come after it show a message."""

    def __init__(self, clear: Callable[[], None]) -> None:
        super().__init__()
        self._clear = clear

    def emit(self, record: logging.LogRecord) -> None:
        self._clear()
