"""Published encoders on this machine: which of their files are there, and right."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from histpred.core.output import file_digest
from histpred.encoders.published import File, Published

INSTALLED, INCOMPLETE, ABSENT = "installed", "incomplete", "absent"
RIGHT, WRONG, UNKNOWN, MISSING = "right", "wrong", "unknown", "missing"


class Comparison(NamedTuple):
    """A file on this machine beside the published one.

    state: RIGHT, WRONG, UNKNOWN (no digest was published) or MISSING; found: its sha256, None if
    it is missing.
    """

    file: File
    path: Path
    state: str
    found: str | None


def state_of(encoder: Published, folder: Path) -> str:
    """INSTALLED, INCOMPLETE (files are missing or have another size) or ABSENT.

    Digests are not computed; `compare` does that.
    """
    paths = [(file, place(encoder, file, folder)) for file in encoder.files]
    if all(path.is_file() and file.size in (None, path.stat().st_size) for file, path in paths):
        return INSTALLED
    begun = partial_folder(folder).exists() or any(path.exists() for _, path in paths)
    return INCOMPLETE if begun else ABSENT


def compare(encoder: Published, folder: Path) -> list[Comparison]:
    """Compare an encoder's files in `folder` (or its one file) with the published ones."""
    return [compare_file(file, place(encoder, file, folder)) for file in encoder.files]


def compare_file(file: File, path: Path) -> Comparison:
    """Compare one file with the published one."""
    if not path.is_file():
        return Comparison(file, path, MISSING, None)
    found = file_digest(path)
    fits = file.sha256 in (None, found) and file.size in (None, path.stat().st_size)
    state = WRONG if not fits else RIGHT if file.sha256 else UNKNOWN
    return Comparison(file, path, state, found)


def place(encoder: Published, file: File, folder: Path) -> Path:
    """The path of a file; `folder` may be that file, if the encoder has but one."""
    return folder if folder.is_file() and len(encoder.files) == 1 else folder / file.name


def partial_folder(folder: Path) -> Path:
    """The folder of unfinished downloads into `folder`.

    It lies beside `folder`, so that files can be renamed into it; inside, if `folder` is a mount.
    """
    target = folder.resolve()
    return target / ".partial" if target.is_mount() else target.with_name(f"{target.name}.partial")
