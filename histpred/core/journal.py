"""Moving finished files to their places, so that a later run knows which of them histpred wrote.

Before a run moves its files, it notes their sha256, and those of the files that it replaces, in a
journal. If the run is killed, the next one replaces the files that the journal knows, and no other.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePath

from histpred.core.errors import OutputError
from histpred.core.strict_json import parse

JOURNAL = "journal.json"
LOCK = ".lock"


def file_digest(path: str | os.PathLike[str]) -> str:
    """The sha256 of a file, hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def publish(partial: Path, final: Path) -> None:
    """Flush `partial` to disk and give it its final name."""
    with open(partial, "rb") as stream:
        os.fsync(stream.fileno())
    os.replace(partial, final)


class Journal:
    """The journal in a private folder of a run; what a killed run left there is read at once."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._path = work / JOURNAL
        self._known: dict[str, list[str]] = {}
        with contextlib.suppress(OSError, ValueError):
            noted = parse(self._path.read_bytes())
            for name, digests in noted.items() if isinstance(noted, dict) else ():
                if isinstance(digests, list) and _is_below(PurePath(name)):
                    self._known[name] = digests

    def clear(self) -> bool:
        """Empty the private folder but for its lock and the journal; False if that is all of it."""
        for left in self._work.iterdir():
            if left.name not in (LOCK, JOURNAL):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        return self._path.exists()

    def refuse_foreign(self, place: Path, names: Sequence[str], hint: str) -> None:
        """Raise OutputError, with the `hint`, if a killed run did not leave these files so."""
        for name in names:
            if os.path.lexists(place / name) and not self._left(place, name):
                raise OutputError(f"{place / name} exists", hint)

    def differing(self, place: Path, names: Sequence[str]) -> list[str]:
        """The names of files that are not the same in `place` as in the private folder."""
        return [name for name in names if not _alike(place / name, self._work / name)]

    def publish(self, place: Path, names: Sequence[str], marked: bool = False) -> None:
        """Move these files to `place` in this order, and remove there what this run did not make.

        marked: the last file marks a finished folder: it is removed first and written last.
        """
        stale = [name for name in self._known if name not in names and self._left(place, name)]
        names = [*stale, *names]
        entries = {name: _digests(place / name) + _digests(self._work / name) for name in names}
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps(entries), encoding="utf-8")
        publish(partial, self._path)
        if marked:
            (place / names[-1]).unlink(missing_ok=True)
        for name in names:
            if (self._work / name).exists():
                (place / name).parent.mkdir(exist_ok=True)
                publish(self._work / name, place / name)
            else:
                (place / name).unlink(missing_ok=True)

    def _left(self, place: Path, name: str) -> bool:
        """True if the file at `place` is one that a killed run left there."""
        there = _digests(place / name)
        return bool(there) and there[0] in self._known.get(name, [])


def _digests(path: Path) -> list[str]:
    """The sha256 of a file as a list, which is empty if there is none."""
    return [file_digest(path)] if path.is_file() else []


def _alike(one: Path, other: Path) -> bool:
    """True if both files are the same, or neither is there."""
    return one.is_file() == other.is_file() and _digests(one) == _digests(other)


def _is_below(path: PurePath) -> bool:
    """True unless a path may lead out of the output's own folder."""
    return not path.is_absolute() and ".." not in path.parts
