"""Messages for the user on standard error; standard output carries data only."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from histpred.core.text import visible

logger = logging.getLogger("histpred")


class _Style(logging.Formatter):
    """Plain sentences in visible characters; warnings and errors begin with their level."""

    def format(self, record: logging.LogRecord) -> str:
        text = visible(super().format(record))
        return text if record.levelno <= logging.INFO else f"{record.levelname.lower()}: {text}"


@contextmanager
def messages(quiet: bool, debug: bool) -> Iterator[None]:
    """Send histpred's messages to standard error, and restore its logger at the end.

    Only warnings and errors if `quiet`, everything if `debug`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Style("%(message)s"))
    before = logger.handlers[:], logger.propagate, logger.level
    logger.handlers[:], logger.propagate = [handler], False
    logger.setLevel(logging.DEBUG if debug else logging.WARNING if quiet else logging.INFO)
    try:
        yield
    finally:
        logger.handlers[:], logger.propagate, level = before
        logger.setLevel(level)


def tell(notices: Iterable[str], warnings: Iterable[str]) -> None:
    """Log sentences for the user: notices as information, warnings as warnings."""
    for notice in notices:
        logger.info(notice)
    for warning in warnings:
        logger.warning(warning)
