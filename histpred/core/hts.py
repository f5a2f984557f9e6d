"""Writing bgzip files (SAM specification, 4.1), with every failure raised as one exception.

They are compressed with libdeflate: the htslib in the wheels of pysam has only zlib, which takes
four times as long for files that are larger.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn

from histpred.core.errors import MORE_ROOM, TemporaryError

PROBE_BYTES = 1 << 16
FILES_AT_ONCE = 16  # more than htslib opens for a table and its index
BLOCK_BYTES = 0xFF00  # of text in a block, as bgzip cuts it
LEVEL = 5  # of libdeflate; higher levels gain less than 2 %
BGZF_START = bytes.fromhex("1f8b08040000000000ff060042430200")
BGZF_EOF = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


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
    """Context manager that writes a bgzip file; raises TemporaryError if the disk is full.

    The bytes depend on the text alone, not on how it is cut into writes, nor on the processor.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = open(path, "wb")  # noqa: SIM115 - closed on exit
        self._rest = bytearray()

    def __enter__(self) -> BgzipWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            with self._file:
                if kind is None:
                    last = bgzip_block(self._rest) if self._rest else b""
                    self._file.write(last + BGZF_EOF)
        except OSError as failure:
            if kind is None:
                _give_up(failure, self._path)

    def write(self, text: bytes) -> None:
        """Append uncompressed bytes."""
        self._rest += text
        whole = len(self._rest) // BLOCK_BYTES * BLOCK_BYTES
        try:
            for start in range(0, whole, BLOCK_BYTES):
                self._file.write(bgzip_block(self._rest[start : start + BLOCK_BYTES]))
        except OSError as failure:
            _give_up(failure, self._path)
        del self._rest[:whole]


def bgzip_block(text: bytes | bytearray) -> bytes:
    """Compress at most `BLOCK_BYTES` as one block: gzip, with its size in the extra field BC.

    Compressed or not, that many bytes fit in a block of 64 KiB.
    """
    import deflate  # here, so that histpred doctor can say that it is missing

    packed = deflate.deflate_compress(text, LEVEL)
    size = len(BGZF_START) + 2 + len(packed) + 8
    check = struct.pack("<II", deflate.crc32(text), len(text))
    return b"".join((BGZF_START, struct.pack("<H", size - 1), packed, check))


def no_room(path: Path) -> TemporaryError:
    """The error for a file that could not be written; htslib does not say why."""
    what = f"{path.name} cannot be written in {path.parent}: the disk is full or over quota"
    return TemporaryError(what, MORE_ROOM)


def _give_up(failure: OSError, path: Path) -> NoReturn:
    """Raise the error for a failed write. The first one imports libdeflate, which opens a file."""
    if failure.errno == errno.EMFILE:
        raise failure
    raise no_room(path) from failure


def check_open_files(path: Path) -> None:
    """Raise OSError if fewer files can be opened at once than htslib needs; it does not say so."""
    with ExitStack() as stack:
        for _ in range(FILES_AT_ONCE):
            stack.enter_context(open(path, "rb"))


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
