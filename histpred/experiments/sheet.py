"""The sheet of an experiment: a YAML file that names genomes, splits and configurations.

A configuration has the words of `histpred train`: its fields are those of
`histpred.training.settings`, which hold the defaults too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_args, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    create_model,
)

from histpred.bundle.mark_spec import NAME_PATTERN
from histpred.core.errors import InputError, UsageError
from histpred.core.shipped import demo_data
from histpred.core.spelling import did_you_mean
from histpred.core.strict_yaml import Place, line_of, read_yaml
from histpred.experiments.paper import ROWS
from histpred.labels.splits import METHODS, RANDOM
from histpred.training.settings import LOSSES, MODELS, Recipe, Settings

SHIPPED = ("paper", "smoke")
LEFT_OUT = (
    *("split", "block", "test_chromosomes", "validation_chromosomes", "marks"),  # of the sheet
    *("parent", "settings"),  # every training starts anew; the settings are fields of their own
)
HINT_TRAIN = "'histpred train --help' says what a key of a configuration can be"
HINT_SHEET = "docs/reproduce-the-paper.md describes the sheet"
WORDS = ("paper", "summary")  # keys of a configuration that only the report reads
PRIOR = "prior"
UNKNOWN = "extra_forbidden"  # pydantic's word
FILE, LIST = "file", "list"
CHOICES = {"model": MODELS, "loss": LOSSES}


def _from_folder(path: Path, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / path


FilePath = Annotated[Path, AfterValidator(_from_folder)]


class NamedFile(NamedTuple):
    """A file or folder as the sheet names it, and its path from here."""

    written: Path
    path: Path


def _named(value: object, info: ValidationInfo) -> NamedFile:
    if not isinstance(value, str):
        raise ValueError("should be the path of a file or folder")
    return NamedFile(Path(value), _from_folder(Path(value), info))


def _prior(value: object, info: ValidationInfo) -> object:
    """A share as text, or the path of a table of priors, which starts at the sheet's folder."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value:
        try:
            float(value)
        except ValueError:
            return str(_from_folder(Path(value), info))
    return value


Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Split = Literal[*METHODS]  # type: ignore[valid-type]
Positive = Annotated[int, Field(ge=1)]
Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Part(BaseModel):
    """A part of a sheet, which has no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)


class SheetGenome(Part):
    """A genome that the sheet names itself, with the columns of a samplesheet."""

    name: Name
    annotation: FilePath
    fasta: FilePath
    labels: FilePath | None = None
    species: str | None = None
    taxon_id: int | None = None
    assembly: str | None = None


Genomes = Annotated[
    Annotated[FilePath, Tag(FILE)] | Annotated[tuple[SheetGenome, ...], Tag(LIST)],
    Discriminator(lambda value: LIST if isinstance(value, list | tuple) else FILE),
]
"""A samplesheet, or genomes in the sheet itself."""


class Common(Part):
    """The keys of a configuration that are no fields of a recipe.

    paper: the row of the paper's tables beside which the configuration is shown. summary: a remark
    for the report. The others are options of `histpred train`.
    """

    name: Name
    paper: Literal[*ROWS] | None = None  # type: ignore[valid-type]
    summary: str = ""
    encoder: str | None = None
    weights: Annotated[NamedFile, BeforeValidator(_named)] | None = None
    chunks: str | None = None
    window: str | None = None
    by: Literal["gene", "transcript"] | None = None
    unstranded: bool = False


def _fields() -> dict[str, Any]:
    """The fields of a recipe and its settings, as pydantic takes them: type and default."""
    fields: dict[str, Any] = {}
    for record, without in ((Recipe, LEFT_OUT), (Settings, ("seed",))):
        hints = get_type_hints(record)
        for name, default in record._field_defaults.items():
            if name not in without:
                fields[name] = (_bounded(name, hints[name]), default)
    return fields


def _bounded(name: str, hint: Any) -> Any:
    """The type of a field, with the values that it can have."""
    if name in CHOICES:
        return Literal[CHOICES[name]]
    if name == PRIOR:
        return Annotated[hint, BeforeValidator(_prior)]
    if float in (hint, *get_args(hint)):
        return Number
    if int in (hint, *get_args(hint)):
        bounded: Any = tuple[Positive, ...] if hint == tuple[int, ...] else Positive
        return bounded | None if type(None) in get_args(hint) else bounded
    return hint


if TYPE_CHECKING:
    Configuration = Common
else:
    Configuration = create_model("Configuration", __base__=Common, **_fields())
    """A configuration: the keys of `Common`, then fields of `Recipe` and `Settings`."""


class Sheet(Part):
    """A sheet: what is trained and evaluated, on which genomes, rows and splits.

    genomes: a samplesheet, or genomes in the sheet itself; None: they are given beside the sheet.
    labels: of all genomes that name none. transcripts: FASTA files of all genomes, whose sequences
    spliced windows have; empty: exons are joined. defaults: keys that every configuration has
    unless it states them itself. splits: the first is the one of the paper-like chapter of the
    report.
    """

    title: str = ""
    genomes: Genomes | None = None
    labels: FilePath | None = None
    transcripts: tuple[FilePath, ...] = ()
    biotypes: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    splits: Annotated[tuple[Split, ...], Field(min_length=1)] = (RANDOM,)
    seed: Annotated[int, Field(ge=0)] = 0
    configurations: Annotated[tuple[Configuration, ...], Field(min_length=1)]


def read_sheet(path: Path) -> Sheet:
    """Read a sheet, or the shipped one of that name ('paper', 'smoke').

    Relative paths start at the sheet's folder. Raises InputError (file:line) for a file that is no
    YAML, unknown keys and values, and two configurations or genomes of one name.
    """
    path = _find(path)
    content, lines = read_yaml(path)
    if not isinstance(content, dict):
        raise InputError(path, "is no sheet of an experiment", "write keys and values: title: ...")
    content = dict(content)
    defaults = content.pop("defaults", None) or {}
    listed = content.get("configurations")
    if isinstance(defaults, dict) and isinstance(listed, list):
        content["configurations"] = [
            {**defaults, **one} if isinstance(one, dict) else one for one in listed
        ]
        for key in defaults:
            lines |= {
                ("configurations", i, key): lines.get(("configurations", i, key), line)
                for i in range(len(listed))
                if (line := lines.get(("defaults", key)))
            }
    elif not isinstance(defaults, dict):
        line = lines.get(("defaults",))
        raise InputError(path, "'defaults' holds no keys", "write 'epochs: 10' below it", line)
    try:
        sheet = Sheet.model_validate(content, context={"folder": path.parent})
    except ValidationError as error:
        raise _refusal(path, error, lines) from error
    _refuse_twice(path, "configurations", [one.name for one in sheet.configurations], lines)
    _refuse_twice(path, "configurations", [one.paper for one in sheet.configurations], lines)
    if isinstance(sheet.genomes, tuple):
        _refuse_twice(path, "genomes", [one.name for one in sheet.genomes], lines)
    _refuse_twice(path, "splits", list(sheet.splits), lines)
    return sheet


def _find(path: Path) -> Path:
    if path.is_file():
        return path
    if str(path) in SHIPPED:
        folder = demo_data() if str(path) == "smoke" else Path(__file__).parent
        return folder / f"{path}.yaml"
    if path.is_dir():
        raise UsageError(f"{path} is a folder, not the sheet of an experiment", "name a YAML file")
    hint = did_you_mean([str(path)], SHIPPED, f"give a YAML file, or {' or '.join(SHIPPED)}")
    raise UsageError(f"no sheet {path}", hint)


def _refuse_twice(
    path: Path, key: str, names: Sequence[str | None], lines: dict[Place, int]
) -> None:
    """Raise InputError if two items of a list have one name; case counts for nothing in files."""
    first: dict[str, int] = {}
    for i, name in enumerate(names):
        if name is None:
            continue
        line = line_of(lines, (key, i))
        if name.lower() in first:
            before = line_of(lines, (key, first[name.lower()]))
            message = f"{key}: {name!r} stands here and in line {before}"
            raise InputError(path, message, "name it once", line)
        first[name.lower()] = i


def _refusal(path: Path, error: ValidationError, lines: dict[Place, int]) -> InputError:
    """The first thing that is wrong with a sheet, with its line."""
    # A misspelt key is the reason why another one is missing.
    one = min(error.errors(), key=lambda one: one["type"] != UNKNOWN)
    place: Place = tuple(part for part in one["loc"] if part not in (FILE, LIST))
    line = line_of(lines, place)
    key = next((part for part in reversed(place) if isinstance(part, str)), "")
    where = f"{place[0]}: " if key != place[0] else ""
    if one["type"] == UNKNOWN:
        fields = _keys_at(place)
        hint = did_you_mean([key], fields, f"known keys: {', '.join(fields)}")
        return InputError(path, f"{where}unknown key {key!r}", hint, line)
    if one["type"] == "missing":
        return InputError(path, f"{where}no key {key!r}", f"add {key}: ...", line)
    of_training = place[0] in ("configurations", "defaults") and len(place) > 2
    hint = HINT_TRAIN if of_training else HINT_SHEET
    expected = str(one.get("ctx", {}).get("expected", ""))
    if one["type"] == "literal_error":
        known = re.findall("'([^']*)'", expected)
        hint = did_you_mean([str(one["input"])], known, f"use {expected}")
    found = f"found {str(one['input'])[:60]!r}"
    return InputError(path, f"{where}{key}: {one['msg']}, {found}", hint, line)


def _keys_at(place: Place) -> list[str]:
    """The keys of the mapping that holds the last part of a place."""
    if len(place) == 1:
        return [*Sheet.model_fields, "defaults"]
    return [*(Configuration if place[0] == "configurations" else SheetGenome).model_fields]
