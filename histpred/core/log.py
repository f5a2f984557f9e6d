"""What the user is told: messages on standard error; standard output is for data alone."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable


class _Style(logging.Formatter):
    """Plain sentences; a warning says that it is one."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if record.levelno <= logging.INFO else f"{record.levelname.lower()}: {text}"


def set_up(quiet: bool, debug: bool) -> None:
    """Messages of histpred to standard error: warnings only if `quiet`, everything if `debug`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Style("%(message)s"))
    logger = logging.getLogger("histpred")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.DEBUG if debug else logging.WARNING if quiet else logging.INFO)


def tell(notices: Iterable[str], warnings: Iterable[str]) -> None:
    """Say sentences to the user: notices are of no consequence, warnings are."""
    logger = logging.getLogger("histpred")
    for notice in notices:
        logger.info(notice)
    for warning in warnings:
        logger.warning(warning)
