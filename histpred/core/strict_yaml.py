"""YAML from a file, with the line of every value; a key that occurs twice is an error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from histpred.core.errors import InputError
from histpred.core.strict_json import DEEPEST

HINT = "indent with blanks, write 'key: value', and quote text that holds a colon"
PLAIN = "use text, numbers, lists and mappings"
Place = tuple[str | int, ...]
"""Keys and numbers of items that lead to a value."""


def read_yaml(path: Path) -> tuple[object, dict[Place, int]]:
    """The value of a YAML file, and the line (1-based) of each value in it, by its place.

    Only plain data is read: no tag makes an object. Raises InputError (file:line) if the file
    cannot be read, is not YAML, or holds a key twice in one mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, _Loader)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}", "check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(path, "cannot be read as YAML: is not UTF-8 text", HINT) from error
    except yaml.YAMLError as error:
        what = f"cannot be read as YAML: {_problem(error)}"
        raise InputError(path, what, HINT, _line(error)) from error
    if node is None:
        return None, {}
    lines = dict(_places(path, node, (), set()))
    try:
        return yaml.SafeLoader("").construct_document(node), lines
    except yaml.YAMLError as error:
        what = f"holds what is no plain data: {_problem(error)}"
        raise InputError(path, what, PLAIN, _line(error)) from error


class _Loader(yaml.SafeLoader):
    """Composes nodes that are nested as deep as JSON may be; PyYAML's own limit is the stack."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Return the next node, or raise ComposerError if it is nested too deep."""
        event = self.peek_event()
        if not isinstance(event, yaml.CollectionStartEvent):
            return super().compose_node(parent, index)
        if self.depth == DEEPEST:
            problem = f"lists and mappings are nested more than {DEEPEST} deep"
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _problem(error: yaml.YAMLError) -> str:
    """What is wrong; an error of the reader has a reason, all others have a problem."""
    return str(getattr(error, "problem", None) or getattr(error, "reason", error))


def _line(error: yaml.YAMLError) -> int | None:
    mark = getattr(error, "problem_mark", None)
    return None if mark is None else mark.line + 1


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
    if isinstance(node, yaml.ScalarNode):
        _check_scalar(path, node)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield (*place, number), item.start_mark.line + 1
            yield from _places(path, item, (*place, number), above)
    elif isinstance(node, yaml.MappingNode):
        keys: dict[str, int] = {}
        for key, value in node.value:
            yield from _places(path, key, place, above)
            name, line = str(key.value), key.start_mark.line + 1
            if name in keys:
                message = f"the key {name!r} stands here and in line {keys[name]}"
                raise InputError(path, message, "keep one of them", line)
            keys[name] = line
            yield (*place, name), line
            yield from _places(path, value, (*place, name), above)


def _check_scalar(path: Path, node: yaml.ScalarNode) -> None:
    """Raise InputError for text that has the form of a date or a number, and is none."""
    try:
        yaml.SafeLoader("").construct_object(node)
    except ValueError as error:
        line = node.start_mark.line + 1
        shown = node.value if len(node.value) <= 40 else f"{node.value[:20]}..."
        what = f"{shown!r} looks like a date or a number, but is none: {error}"
        raise InputError(path, what, f"write it in quotes: '{shown}'", line) from error
    except yaml.YAMLError:
        pass  # construct_document names it
