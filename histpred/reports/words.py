"""Numbers and lists as the sentences and tables of a report write them."""

from __future__ import annotations

from collections.abc import Iterable

import pandas


def decimals(value: float, digits: int = 2) -> str:
    """Format a figure in ASCII; 'undefined' for NaN."""
    return "undefined" if pandas.isna(value) else f"{value:.{digits}f}"


def number(value: float, sign: bool = False) -> str:
    """Format a figure with three decimals and, if need be, a minus sign; 'undefined' for NaN.

    >>> number(0.12345), number(float("nan")), number(0.5, sign=True)
    ('0.123', 'undefined', '+0.500')
    """
    plus = "+" if sign and value >= 0 else ""
    return plus + decimals(value, 3).replace("-", "\N{MINUS SIGN}")


def percent(share: float) -> str:
    """Format a share from 0 to 1 as a percentage; 'undefined' for NaN."""
    return "undefined" if pandas.isna(share) else f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def counted(count: int, word: str) -> str:
    """A number of things.

    >>> counted(1, "window"), counted(1_200, "window")
    ('1 window', '1,200 windows')
    """
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def listed(names: Iterable[object]) -> str:
    """One or more names as a phrase.

    >>> listed(["A", "B", "C"])
    'A, B and C'
    """
    *most, last = map(str, names)
    return f"{', '.join(most)} and {last}" if most else last
