"""Text from a file on its way to a terminal: what would steer the terminal is spelled out."""

from __future__ import annotations

import re

# Control characters but tab and line feed, marks that reorder a line, separators that break it,
# the byte order mark, and half pairs, which stand for bytes of a path that are not UTF-8
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def visible(text: str) -> str:
    r"""The text with hidden characters as `\uXXXX`; tabs and ends of lines stay.

    JSON stays JSON of the same meaning.

    >>> print(visible("chr1\x1b[31m"))
    chr1\u001b[31m
    """
    return _HIDDEN.sub(_escape, text)


def visible_line(text: str) -> str:
    r"""The text with hidden characters and ends of lines as `\uXXXX`.

    >>> print(visible_line("a\nb"))
    a\u000ab
    """
    return visible(text).replace("\n", r"\u000a")


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number of things, in the singular or the plural ('': with an s).

    >>> counted(1, "window"), counted(1_200, "REF allele"), counted(2, "box", "boxes")
    ('1 window', '1,200 REF alleles', '2 boxes')
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def agreeing(number: int, singular: str, plural: str) -> str:
    """The form of a word that fits a number of things.

    >>> agreeing(1, "is", "are"), agreeing(0, "is", "are")
    ('is', 'are')
    """
    return singular if number == 1 else plural


def say(text: object, err: bool = False) -> None:
    """Print a line for the user, on standard output or standard error."""
    import click

    click.echo(visible(str(text)), err=err)


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
