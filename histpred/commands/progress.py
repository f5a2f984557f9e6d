"""What a verb says when it is done, and the progress bar until then."""

from __future__ import annotations

import logging
import sys
from typing import Any

import click

from histpred.core.errors import StrictError
from histpred.genome.regions import NOT_SELECTED

logger = logging.getLogger(__name__)


def skipped(reasons: dict[str, int]) -> str:
    """Reasons and counts as one phrase, '' for none.

    >>> skipped({"too-many-n": 2})
    '; skipped: too-many-n 2'
    """
    if not reasons:
        return ""
    return "; skipped: " + ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())


def check_strict(strict: bool, reasons: dict[str, int], past_end: int, ledger: object) -> None:
    """Raise StrictError where `strict` and rows were lost that the user did not leave out."""
    lost = sum(count for reason, count in reasons.items() if reason != NOT_SELECTED)
    if strict and (lost or past_end):
        raise StrictError(
            f"--strict: {lost:,} rows were skipped and {past_end:,} end past their contig",
            f"the outputs are written; {ledger} has the reason of each row",
        )


class Progress:
    """A context manager that shows click's progress bar on a terminal.

    Elsewhere it shows nothing, so that log files of batch systems stay readable.
    """

    def __init__(self, label: str, quiet: bool) -> None:
        self._label = label
        self._shown = not quiet and sys.stderr.isatty()
        self._bar: Any = None
        self._done = 0

    def __enter__(self) -> Progress:
        return self

    def __call__(self, done: int, total: int) -> None:
        """`done` of `total` windows are finished."""
        if not self._shown:
            return
        if self._bar is None:
            self._bar = click.progressbar(length=total, label=self._label, file=sys.stderr)
            self._bar.__enter__()
        self._bar.update(done - self._done)
        self._done = done

    def __exit__(self, *raised: Any) -> None:
        if self._bar is not None:
            self._bar.__exit__(*raised)
