"""The progress bar of a verb, and its messages about skipped rows."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from histpred.core.errors import StrictError
from histpred.genome.reasons import UNWANTED

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar


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
            f"--strict: {lost:,} rows were skipped and {past_end:,} end past their contig",
            f"the outputs are written; {ledger} states the reason for each row",
        )


class Progress:
    """Context manager that shows a bar on a terminal and nothing in the log of a batch system."""

    def __init__(self, label: str, quiet: bool) -> None:
        self._label = label
        self._shown = not quiet and sys.stderr.isatty()
        self._bar: ProgressBar[int] | None = None
        self._done = 0

    def __enter__(self) -> Progress:
        return self

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` windows are finished."""
        if not self._shown:
            return
        if self._bar is None:
            self._bar = click.progressbar(length=total, label=self._label, file=sys.stderr)
            self._bar.__enter__()
        self._bar.update(done - self._done)
        self._done = done

    def __exit__(self, *raised: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()
