"""What a call into histpred could leave changed in the process of its caller."""

from __future__ import annotations

import locale
import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pysam


def process_state() -> dict[str, object]:
    """Signal handlers, logging, warning filters, hooks, htslib's verbosity and more, by name."""
    loggers = {name: logging.getLogger(name) for name in ("", "histpred")}
    return {
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "logging": {
            name: (logger.level, logger.propagate, logger.disabled, list(logger.handlers))
            for name, logger in loggers.items()
        },
        "logging switched off up to": logging.root.manager.disable,
        "warning filters": list(warnings.filters),
        "warnings shown by": warnings.showwarning,
        "hooks": (sys.excepthook, sys.unraisablehook),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "verbosity of htslib": pysam.get_verbosity(),
        "locale": locale.setlocale(locale.LC_ALL),
        "folder": os.getcwd(),
    }


@contextmanager
def unchanged_state() -> Iterator[None]:
    """Fail if the state of the process differs at the end, whether or not the call raised."""
    before = process_state()
    try:
        yield
    finally:
        after = process_state()
        assert after == before
