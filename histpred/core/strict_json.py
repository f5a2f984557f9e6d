"""JSON from a file: what could be read in two ways, or not be held, is a ValueError."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

MOST_DIGITS = 40  # of a whole number; a seed has up to 39, and a float holds 308
DEEPEST = 100  # levels of lists and objects
TEXT_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[]}]', re.DOTALL)


def parse(content: str | bytes) -> object:
    """The value of a JSON text.

    Raises ValueError for text that is not JSON, a key that occurs twice in an object, a whole
    number of more than 40 digits, and lists and objects nested more than 100 deep.

    >>> parse('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ValueError: the key 'a' occurs twice in an object
    """
    if isinstance(content, bytes):
        content = content.decode(json.detect_encoding(content), "surrogatepass")
    _check_depth(content)
    value: object = json.loads(content, object_pairs_hook=_object, parse_int=_whole_number)
    return value


def _check_depth(content: str) -> None:
    """Raise ValueError for deep nesting, which Python's parser meets with its stack."""
    depth = 0
    for found in TEXT_OR_BRACKET.finditer(content):
        if found[0] in "[{":
            depth += 1
        elif found[0] in "]}":
            depth -= 1
        if depth > DEEPEST:
            raise ValueError(f"lists and objects are nested more than {DEEPEST} deep")


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for key, value in pairs:
        if key in fields:
            raise ValueError(f"the key {key!r} occurs twice in an object")
        fields[key] = value
    return fields


def _whole_number(text: str) -> int:
    digits = len(text.lstrip("-"))
    if digits > MOST_DIGITS:
        raise ValueError(f"a whole number of {digits:,} digits, {MOST_DIGITS} are read")
    return int(text)
