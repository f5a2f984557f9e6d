"""JSON from a file: what could be read in two ways, or not be held, is a ValueError."""

from __future__ import annotations

import json
from collections.abc import Sequence

MOST_DIGITS = 40  # of a whole number; a seed has up to 39, and a float holds 308
DEEPEST = 100  # levels of lists and objects


def parse(content: str | bytes) -> object:
    """The value of a JSON text.

    Raises ValueError for text that is not JSON, a key that occurs twice in an object, a whole
    number of more than 40 digits, and lists and objects nested more than 100 deep.

    >>> parse('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ValueError: the key 'a' occurs twice in an object
    """
    try:
        value: object = json.loads(content, object_pairs_hook=_object, parse_int=_whole_number)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [part for inner in level for part in _parts(inner)]
        if not level:
            return value
    raise ValueError(_TOO_DEEP)


_TOO_DEEP = f"lists and objects are nested more than {DEEPEST} deep"


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


def _parts(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
