"""pysam's writing side, made to fail as Python does.

htslib prints its faults, and pysam's BGZFile crashes when the file cannot be opened and complains
from its destructor when it cannot be written (pysam 0.24): here each becomes one exception.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from histpred.core.errors import TemporaryError

ROOM = 1 << 16


@contextmanager
def quiet_htslib() -> Iterator[None]:
    """Keep htslib from printing: what goes wrong is raised."""
    import pysam

    verbosity = pysam.set_verbosity(0)
    try:
        yield
    finally:
        pysam.set_verbosity(verbosity)


class BgzipWriter:
    """A bgzip file being written; a context manager. TemporaryError where it cannot go on."""

    def __init__(self, path: Path) -> None:
        import pysam

        open(path, "wb").close()  # raises where pysam would crash
        self._path = path
        self._file = pysam.BGZFile(os.path.abspath(path), "wb")

    def __enter__(self) -> BgzipWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            self._file.close()
        except OSError as failure:
            self._abandon()
            if kind is None:
                raise no_room(self._path) from failure

    def write(self, text: bytes) -> None:
        """Append `text`."""
        try:
            self._file.write(text)
        except OSError as failure:
            raise no_room(self._path) from failure

    def _abandon(self) -> None:
        """Let go of the file; its destructor's complaint adds nothing, and takes either way out."""
        hooks = sys.unraisablehook, sys.excepthook
        sys.unraisablehook = sys.excepthook = lambda *fault: None
        try:
            del self._file
        finally:
            sys.unraisablehook, sys.excepthook = hooks


def no_room(path: Path) -> TemporaryError:
    """The error of a file that htslib could not write, since it does not say why itself."""
    return TemporaryError(
        f"{path.name} cannot be written in {path.parent}: the disk is full or over quota",
        "nothing was published; make room and run the same command again",
    )


def has_room(folder: Path) -> bool:
    """Whether a little can still be written to `folder`."""
    probe = folder / f".room-{os.getpid()}"
    try:
        with open(probe, "wb") as stream:
            stream.write(bytes(ROOM))
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)
    return True
