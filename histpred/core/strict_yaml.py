"""YAML from a file, with the line of every value; a key that occurs twice is an error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from histpred.core.errors import InputError

Place = tuple[str | int, ...]
"""Keys and numbers of items that lead to a value."""


def read_yaml(path: Path) -> tuple[object, dict[Place, int]]:
    """The value of a YAML file, and the line (1-based) of each value in it, by its place.

    Only plain data is read: no tag makes an object. Raises InputError (file:line) if the file
    cannot be read, is not YAML, or holds a key twice in one mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, yaml.SafeLoader)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}", "check the path") from error
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        what = getattr(error, "problem", None) or "is not UTF-8 text"
        hint = "indent with blanks, write 'key: value', and quote text that holds a colon"
        raise InputError(path, f"cannot be read as YAML: {what}", hint, line) from error
    if node is None:
        return None, {}
    lines = dict(_places(path, node, (), set()))
    try:
        loader = yaml.SafeLoader("")
        return loader.construct_document(node), lines
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        what = f"holds what is no plain data: {getattr(error, 'problem', error)}"
        raise InputError(path, what, "use text, numbers, lists and mappings", line) from error
    except ValueError as error:  # such as 2026-02-30, or a number of 5,000 digits
        hint = "is a date or a number wrong? quote what is meant as text"
        raise InputError(path, f"holds a value that cannot be: {error}", hint) from error


def line_of(lines: dict[Place, int], place: Place) -> int | None:
    """The line of a place or, if it is not in the file, of the nearest one around it."""
    for length in range(len(place), 0, -1):
        if place[:length] in lines:
            return lines[place[:length]]
    return None


def _places(
    path: Path, node: yaml.Node, place: Place, above: set[int]
) -> Iterator[tuple[Place, int]]:
    """The line of every value of a node. An alias has those of its anchor only once."""
    if id(node) in above:
        return
    above.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield (*place, number), item.start_mark.line + 1
            yield from _places(path, item, (*place, number), above)
    elif isinstance(node, yaml.MappingNode):
        keys: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in keys:
                message = f"the key {name!r} stands here and in line {keys[name]}"
                raise InputError(path, message, "keep one of them", line)
            keys[name] = line
            yield (*place, name), line
            yield from _places(path, value, (*place, name), above)
