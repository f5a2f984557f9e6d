"""Finished output folders: check that one is complete, histpred's own, and the requested output.

The last file written is the record, JSON with the version of histpred, the inputs and options of
the run, and the sha256 of each other file. A folder without a record is not finished.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from histpred.core.errors import InputError, OutputError, first_few
from histpred.core.journal import file_digest
from histpred.core.makers import made_otherwise
from histpred.core.output import sweep
from histpred.core.strict_json import parse
from histpred.core.version import __version__

LONGEST = 70  # characters of a value in a message

Model = TypeVar("Model", bound=BaseModel)
Identity = BaseModel | Mapping[str, object]
"""What determines an output: a model, or values as JSON has them."""


def is_ours(record: Path) -> bool:
    """Return True if a record names the version of histpred that wrote it."""
    try:
        fields = parse(record.read_bytes())
        return isinstance(fields, dict) and (
            "histpred" in fields or "histpred" in fields["identity"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_record(path: Path, model: type[Model], verb: str, remedy: str) -> Model:
    """Read the record of a finished output of `verb`.

    Raises InputError, with the `remedy`, if the record cannot be read, was not written by that
    verb, or has another major `schema_version` than the model.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        _refuse_other_maker(path.parent, verb, remedy)
        unread = f"{path.name} cannot be read ({error.strerror})"
        found = f"no finished output of histpred {verb}: {unread}"
        raise InputError(path.parent, found, remedy) from error
    try:
        fields = parse(content)
        _check_schema(path, fields, model, remedy)
        return model.model_validate(fields)
    except ValidationError as error:
        _refuse_other_maker(path.parent, verb, remedy)
        places = ((".".join(map(str, one["loc"])), one["msg"]) for one in error.errors())
        problems = first_few([": ".join(filter(None, place)) for place in places])
        raise InputError(path, f"not written by histpred {verb}: {problems}", remedy) from error
    except ValueError as error:
        message = f"not written by histpred {verb}: Invalid JSON: {error}"
        raise InputError(path, message, remedy) from error


def _refuse_other_maker(folder: Path, verb: str, remedy: str) -> None:
    if other := made_otherwise(folder, verb):
        raise InputError(folder, f"is {other}", remedy)


def write_record(path: Path, record: BaseModel, without: Set[str] = frozenset()) -> None:
    """Write a record as JSON, without some of its fields.

    json writes and reads records, not pydantic, because a path in them need not be valid Unicode.
    """
    fields = record.model_dump(mode="json", by_alias=True, exclude=set(without))
    path.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")


def _check_schema(path: Path, fields: object, model: type[BaseModel], remedy: str) -> None:
    """Raise InputError for another major schema version; ignore files that are not records."""
    field = model.model_fields.get("schema_version")
    if field is None or not isinstance(fields, dict) or "schema_version" not in fields:
        return
    found, own = fields["schema_version"], field.default
    if str(found).split(".")[0] != str(own).split(".")[0]:
        raise InputError(path, f"of schema version {found}, this release reads {own}", remedy)


def altered(folder: Path, digests: Mapping[str, str]) -> list[str]:
    """The names of files that are missing or no longer have the sha256 stated in `digests`."""
    return [
        name
        for name, digest in digests.items()
        if not (folder / name).exists() or file_digest(folder / name) != digest
    ]


def refuse_altered(folder: Path, digests: Mapping[str, str], remedy: str) -> None:
    """Raise InputError if files of a finished output are missing or changed."""
    if damaged := altered(folder, digests):
        raise InputError(folder, f"files missing or altered since: {first_few(damaged)}", remedy)


def differences(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """The differences between the output made `before` and the one requested `now`, as phrases.

    >>> differences({"by": "gene", "recipe": {"seed": 0}}, {"by": "gene", "recipe": {"seed": 1}})
    ['recipe seed (0 -> 1)']
    """
    found = []
    for name in {**now, **before}:
        value, old = now.get(name), before.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            found += [f"{name} {inner}" for inner in differences(old, value)]
        elif value != old:
            found.append(f"{name} ({_short(old)} -> {_short(value)})")
    return found


def refuse_other(
    folder: Path,
    what: str,
    before: Mapping[str, object],
    now: Mapping[str, object],
    outputs: Mapping[str, str],
) -> None:
    """Raise OutputError unless `folder` holds the requested output, with unchanged files.

    what: a noun phrase for a different output ('another prediction'). before, now: the inputs and
    options that determine the output in the folder, and the requested one. outputs: the sha256 of
    the folder's files, by name.
    """
    found = differences(before, now)
    if damaged := altered(folder, outputs):
        found.append(f"files missing or altered since: {first_few(damaged)}")
    if found:
        raise OutputError(
            f"{folder} holds {what}; what differs: {'; '.join(found)}",
            "choose another folder for -o, or add --overwrite to replace it",
        )


def digests_of(record: BaseModel) -> dict[str, str]:
    """sha256, by name, of the files in `outputs` of a record: each a text, or a model with it."""
    files = record.model_dump(include={"outputs"})["outputs"]
    return {
        name: file["sha256"] if isinstance(file, dict) else file for name, file in files.items()
    }


def held(
    path: Path,
    model: type[Model],
    what: str,
    now: Callable[[], Identity],
    overwrite: bool,
    below: str = "",
) -> Model | None:
    """The record of a finished folder that holds the requested output.

    None if no output of histpred is finished, or if it is to be replaced. What a killed run left
    is removed. `what` and `now`, which is called only if it is needed, are as in `refuse_other`,
    against the `identity` of the record. below: the name of the record's folder, if it is only a
    part of the output. Raises OutputError for another output, and if files are missing or altered.
    """
    record = None if overwrite else finished(path, model)
    if record is not None:
        folder = path.parent.parent if below else path.parent
        outputs = {str(Path(below, name)): digest for name, digest in digests_of(record).items()}
        before = record.model_dump(mode="json", by_alias=True, include={"identity"})["identity"]
        asked = now()
        if isinstance(asked, BaseModel):
            asked = asked.model_dump(mode="json", by_alias=True)
        refuse_other(folder, what, before, asked, outputs)
        sweep(path.parent)
    return record


def finished(record: Path, model: type[Model]) -> Model | None:
    """The record of a finished output folder; None if there is none from histpred.

    Raises OutputError if another release or another command wrote it.
    """
    return written(record, model) if is_ours(record) else None


def written(record: Path, model: type[Model]) -> Model:
    """A record of ours; OutputError if another release or another command wrote it."""
    try:
        return model.model_validate(parse(record.read_bytes()))
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{record} was not written by histpred {__version__} and this command",
            "choose another folder for -o",
        ) from error


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
