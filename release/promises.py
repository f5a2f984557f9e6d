"""Check that nothing of what docs/stability.md promises has gone, or write down what there is.

    PYTHONPATH=. .venv/bin/python release/promises.py            # exit code 1: one is broken
    PYTHONPATH=. .venv/bin/python release/promises.py --write    # after a release: promises.json

promises.json has the commands with their options and defaults, the exit codes, the files and
columns of a prediction, the reasons of the ledger, the fields of run.json, the Python functions
with their parameters, and the parameters of the pipeline, as of the last release. There may be more
of each. What goes, changes its default or its place is a new major version.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

import histpred
from histpred import cli
from histpred.bundle.manifest import SCHEMA_VERSION
from histpred.core.columns import NAMES
from histpred.core.errors import EXIT_CODES
from histpred.genome.reasons import MEANINGS
from histpred.scoring.record import OUTPUTS, RunRecord

ROOT = Path(__file__).resolve().parents[1]
PROMISES = ROOT / "release" / "promises.json"
PARAMETERS = ROOT / "nextflow" / "schema" / "nextflow_schema.json"


def surface() -> dict[str, Any]:
    """What there is now, as JSON has it: a list for what is in order, else an object."""
    functions = (name for name in histpred.__all__ if not name.startswith("_"))
    found = {
        "commands": dict(commands(cli.histpred)),
        "exit codes": dict.fromkeys(map(str, EXIT_CODES)),
        "files of a prediction": dict.fromkeys(OUTPUTS),
        "columns": NAMES,
        "reasons": dict.fromkeys(MEANINGS),
        "fields of run.json": fields(RunRecord.model_json_schema(mode="serialization")),
        "major version of bundles": SCHEMA_VERSION.split(".")[0],
        "Python": {
            name: list(inspect.signature(getattr(histpred, name)).parameters) for name in functions
        },
        "pipeline": parameters(),
    }
    restored: dict[str, Any] = json.loads(json.dumps(found))
    return restored


def commands(
    command: click.Command, path: str = "histpred"
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each command with its arguments, in order, and its options with their defaults."""
    arguments = [one.name for one in command.params if isinstance(one, click.Argument)]
    options = {
        name: default(one)
        for one in command.params
        if isinstance(one, click.Option) and not one.hidden
        for name in [*one.opts, *one.secondary_opts]
    }
    yield path, {"arguments": arguments, "options": options}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, f"{path} {name}")


def default(option: click.Option) -> str | None:
    """The default of an option; None for a flag, and if it has none or one of the machine."""
    known = isinstance(option.default, str | int | float)
    return str(option.default) if known and not option.is_flag else None


def fields(schema: dict[str, Any]) -> dict[str, Any]:
    """The names of a record's fields, with those of the records below it."""
    known = schema.get("$defs", {})

    def below(part: dict[str, Any]) -> dict[str, Any] | None:
        for one in (part, *part.get("anyOf", ())):
            inner = known.get(one.get("$ref", "").rpartition("/")[2], one)
            if "properties" in inner:
                return {name: below(value) for name, value in inner["properties"].items()}
        return None

    return below(schema) or {}


def parameters() -> dict[str, Any]:
    """The parameters of the pipeline, with their defaults."""
    schema = json.loads(PARAMETERS.read_text(encoding="utf-8"))
    return {
        name: value.get("default")
        for group in schema["$defs"].values()
        for name, value in group["properties"].items()
    }


def broken(promised: Any, found: Any, place: str = "") -> Iterator[str]:
    """Yield each promise that does not hold, in words.

    >>> list(broken({"a": {"x": 1, "y": ["b", "c"]}}, {"a": {"x": 2, "y": ["c", "b", "d"]}}))
    ['a: x was 1, is 2', 'a: y: c has gone, or has another place']
    """
    if isinstance(promised, dict) and isinstance(found, dict):
        for name, value in promised.items():
            if name in found:
                inner = isinstance(value, dict | list)
                yield from broken(value, found[name], f"{place}{name}{': ' if inner else ''}")
            else:
                yield f"{place}{name} has gone"
    elif isinstance(promised, list) and isinstance(found, list):
        rest = iter(found)
        yield from (
            f"{place}{name} has gone, or has another place" for name in promised if name not in rest
        )
    elif promised is not None and promised != found:
        yield f"{place} was {promised}, is {found}"


def main(arguments: Sequence[str]) -> int:
    if list(arguments) == ["--write"]:
        PROMISES.write_text(json.dumps(surface(), indent=1) + "\n", encoding="utf-8")
        return 0
    problems = list(broken(json.loads(PROMISES.read_text(encoding="utf-8")), surface()))
    print(*problems or ["all promises hold"], sep="\n")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
