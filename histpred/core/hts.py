"""Writing bgzip files with pysam, with every failure raised as one exception.

htslib prints its errors. pysam's BGZFile crashes if the file cannot be opened, and its destructor
prints an error if the file cannot be written (pysam 0.24).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from histpred.core.errors import MORE_ROOM, TemporaryError

PROBE_BYTES = 1 << 16


@contextmanager
def quiet_htslib() -> Iterator[None]:
    """Keep htslib from printing messages; pysam raises the errors."""
    import pysam

    verbosity = pysam.set_verbosity(0)
    try:
        yield
    finally:
        pysam.set_verbosity(verbosity)


class BgzipWriter:
    """Context manager that writes a bgzip file; raises TemporaryError if the disk is full."""

    def __init__(self, path: Path) -> None:
        import pysam

        open(path, "wb").close()  # raises OSError where pysam would crash
        self._path = path
        self._file = pysam.BGZFile(os.path.abspath(path), "wb", None)

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
        """Append uncompressed bytes."""
        try:
            self._file.write(text)
        except OSError as failure:
            raise no_room(self._path) from failure

    def _abandon(self) -> None:
        """Close the handle and hide the destructor's error, which either hook may receive."""
        hooks = sys.unraisablehook, sys.excepthook
        sys.unraisablehook, sys.excepthook = lambda error: None, lambda *error: None
        try:
            del self._file
        finally:
            sys.unraisablehook, sys.excepthook = hooks


def no_room(path: Path) -> TemporaryError:
    """The error for a file that htslib could not write; htslib does not say why."""
    what = f"{path.name} cannot be written in {path.parent}: the disk is full or over quota"
    return TemporaryError(what, MORE_ROOM)


def has_room(folder: Path) -> bool:
    """True if 64 KiB can still be written to `folder`."""
    probe = folder / f".room-{os.getpid()}"
    try:
        with open(probe, "wb") as stream:
            stream.write(bytes(PROBE_BYTES))
        return True
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)
