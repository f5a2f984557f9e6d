"""Private files of a genome, in a folder that runs may share: each has its sha256 in its name.

A name is KEY-OWN.SUFFIX: the sha256 of the file that it was made from, then its own. A file whose
bytes do not have that sha256 (truncated, edited, half written) is never used, but made again.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import OutputError
from histpred.core.journal import file_digest, publish
from histpred.core.output import scratch_folder

SETTLED = 2  # seconds; a younger file may change again without a new modification time
SMALL = 1 << 26  # bytes; the digest of a larger private file is remembered

State = tuple[str, int, int, int]
"""Real path, size in bytes, and times of modification and change in ns of a file."""


class Kept(NamedTuple):
    """Private files, in the order of their suffixes, and a warning if others were damaged."""

    paths: tuple[Path, ...]
    warning: str

    @property
    def digest(self) -> str:
        """The sha256 of the first file."""
        return _own(self.paths[0])


def private_files(
    directory: Path, key: str, suffixes: Sequence[str], make: Callable[[Path], None]
) -> Kept:
    """The private files of the file with the sha256 `key`, one for each of `suffixes`.

    They are made if `directory` does not have all of them, undamaged: `make` is called with the
    path of a stem in a scratch folder, and writes each file at the stem plus its suffix.
    """
    found = [_undamaged(directory, key, suffix) for suffix in suffixes]
    whole = tuple(path for path, _ in found if path)
    if len(whole) == len(suffixes):
        return Kept(whole, "")

    damaged = next((path for path, other in found if not path for path in other), None)
    warning = f"{damaged} is damaged: it is not the file that histpred wrote; making it again"
    with scratch_folder(directory) as scratch:
        stem = scratch / "genome.fa"
        make(stem)
        made = []
        for suffix in suffixes:
            partial = Path(f"{stem}{suffix}")
            made.append(directory / f"{key}-{file_digest(partial)}{suffix}")
            publish(partial, made[-1])
    return Kept(tuple(made), warning if damaged else "")


def make_folder(directory: Path) -> None:
    """Create the folder of private files; OutputError if that is impossible."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"{directory} cannot be made a folder for indexes ({error.strerror})"
        raise OutputError(what, "choose another folder for --cache") from error


def remembered_digest(path: Path, directory: Path) -> str:
    """The sha256 of a file; kept in `directory` while its path, size and times stay the same.

    A genome is large, and every shard of a run needs its digest. If the kept one cannot be read or
    written, or is damaged, the digest is computed again.
    """
    state, settled = _state(path)
    name = hashlib.sha256(repr(state).encode()).hexdigest()
    kept = directory / f"{name}.sha256"
    with suppress(OSError, UnicodeDecodeError):
        known = kept.read_text(encoding="ascii")
        if known == _with_check(name, known[:64]):
            return known[:64]

    digest = known_digest(path)
    if settled:
        with suppress(OSError, OutputError), scratch_folder(directory) as scratch:
            (scratch / kept.name).write_text(_with_check(name, digest), encoding="ascii")
            publish(scratch / kept.name, kept)
    return digest


def known_digest(path: Path) -> str:
    """The sha256 of a file, which a process reads once while its size and times stay the same."""
    state, settled = _state(path)
    return _read_once(state) if settled else file_digest(path)


def _state(path: Path) -> tuple[State, bool]:
    """What changes with the bytes of a file, and True if the file is old enough to rely on that."""
    found = path.stat()
    state = os.path.realpath(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns
    return state, time.time() - max(found.st_mtime, found.st_ctime) > SETTLED


@lru_cache(maxsize=1 << 6)
def _read_once(state: State) -> str:
    return file_digest(state[0])


def _undamaged(directory: Path, key: str, suffix: str) -> tuple[Path | None, list[Path]]:
    """The kept file that has the sha256 of its name, or None; and those that do not."""
    damaged = []
    for path in sorted(directory.glob(f"{key}-*{suffix}")):
        if re.fullmatch(f"{key}-[0-9a-f]{{64}}{re.escape(suffix)}", path.name):
            with suppress(OSError):
                if path.is_file() and _digest(path, directory) == _own(path):
                    return path, []
            damaged.append(path)
    return None, damaged


def _digest(path: Path, directory: Path) -> str:
    small = path.stat().st_size < SMALL
    return file_digest(path) if small else remembered_digest(path, directory)


def _own(path: Path) -> str:
    return path.name.partition(".")[0].rpartition("-")[2]


def _with_check(name: str, digest: str) -> str:
    """A digest and, because another digest is as plausible, a checksum that belongs to both."""
    return f"{digest} {hashlib.sha256(f'{name} {digest}'.encode()).hexdigest()}\n"
