"""Text lines of an annotation: plain, gzip or bgzip.

The first bytes tell the three apart, never the suffix (bgzip: SAM specification, 4.1). Files are
read once from start to end, so pipes and '-' work. CRLF and a UTF-8 byte order mark are accepted.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast

from histpred.core.errors import InputError
from histpred.core.hts import BGZF_EOF
from histpred.genome.mistaken import foreign
from histpred.genome.regions import is_too_far

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

GZIP_MAGIC = b"\x1f\x8b"
PEEK = 1 << 16  # bytes; also the largest size of a bgzip block
LONGEST = 1 << 24  # bytes of a line
AGAIN = "download or copy the file again; none of its content was used"


def is_bgzf(head: bytes) -> bool:
    """True if a file with these first bytes is bgzip: gzip with the extra field BC."""
    return head[:4] == b"\x1f\x8b\x08\x04" and head[12:14] == b"BC"


def lacks_eof_block(tail: bytes) -> bool:
    """True if a compressed file is truncated between two blocks; `tail` is its last PEEK bytes.

    It then ends with a bgzip block that holds data. Another gzip member may end a file, because
    gzip itself finds out whether that is complete.
    """
    start = tail.rfind(b"\x1f\x8b\x08\x04")
    while start >= 0:
        size = int.from_bytes(tail[start + 16 : start + 18], "little") + 1
        if is_bgzf(tail[start:]) and start + size == len(tail):
            return not tail.endswith(BGZF_EOF)
        start = tail.rfind(b"\x1f\x8b\x08\x04", 0, start + 3)
    return False


class _DigestStream(io.RawIOBase):
    """A raw stream that keeps the sha256 and the last bytes of what has been read."""

    def __init__(self, source: io.BufferedIOBase) -> None:
        self.source = source
        self.sha256 = hashlib.sha256()
        self.tail = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        # Unlike a raw stream, a buffered one fills the buffer from a pipe too.
        count = self.source.readinto(buffer) or 0
        read = bytes(memoryview(buffer)[:count])
        self.sha256.update(read)
        self.tail = read if count >= PEEK else (self.tail + read)[-PEEK:]
        return count


class Lines:
    """The numbered lines of one annotation; iterate once. `digest` is valid after `drain`.

    `name` is the path as the user gave it, '<stdin>' for '-'. `watch`, if set, is called with each
    number and line before the line is handed out.
    """

    def __init__(self, path: str | os.PathLike[str], source: io.BufferedIOBase) -> None:
        self.name = "<stdin>" if os.fspath(path) == "-" else os.fspath(path)
        self.number = 0
        self.watch: Callable[[int, str], None] | None = None
        self._raw = _DigestStream(source)
        self._stream: BinaryIO | None = None
        self._compressed = False

    @property
    def digest(self) -> str:
        """The sha256 of the file as stored (compressed or not), hexadecimal."""
        return self._raw.sha256.hexdigest()

    def __iter__(self) -> Iterator[tuple[int, str]]:
        with self._explained():
            stored = io.BufferedReader(self._raw, PEEK)
            self._stream = stored
            if stored.peek().startswith(GZIP_MAGIC):
                self._compressed = True
                self._stream = io.BufferedReader(gzip.GzipFile(fileobj=stored), PEEK)
            self.refuse_foreign(self._stream.peek())
            for number, raw in enumerate(iter(partial(self._stream.readline, LONGEST), b""), 1):
                self.number = number
                if len(raw) == LONGEST:
                    self._refuse_long()
                line = (raw.decode() if number > 1 else raw.decode("utf-8-sig")).rstrip("\r\n")
                if self.watch:
                    self.watch(number, line)
                yield number, line
        self.drain()

    def drain(self) -> None:
        """Read the rest of the file, and check that the file is complete."""
        with self._explained():
            while self._stream and self._stream.read(PEEK):
                pass
        if self._compressed and lacks_eof_block(self._raw.tail):
            found = "truncated: a bgzip file without its end-of-file block"
            raise InputError(self.name, found, AGAIN)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of decompression and decoding into InputError, with the line number."""
        try:
            yield
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            found = f"the compressed data is truncated or damaged ({error})"
            raise InputError(self.name, found, AGAIN, self.number + 1) from error
        except UnicodeDecodeError as error:
            found = f"not UTF-8 text (byte 0x{error.object[error.start]:02x})"
            hint = "convert it, for example: iconv -f LATIN1 -t UTF-8 FILE"
            raise InputError(self.name, found, hint, self.number) from error

    def _refuse_long(self) -> None:
        found = f"the line is longer than {LONGEST >> 20} MiB"
        hint = "a text file has lines: is this another format, or are its line ends lost?"
        raise InputError(self.name, found, hint, self.number)

    def refuse_foreign(self, head: bytes) -> None:
        """Raise InputError if a file that begins with `head` is of another format."""
        if other := foreign(head):
            raise InputError(self.name, f"this is {other[0]}", other[1])
        if head.startswith(b">"):
            hint = "the order is ANNOTATION FASTA: are the two swapped? For sequences without an "
            hint += "annotation, give only the FASTA, and --sequences"
            raise InputError(self.name, "this is a FASTA file", hint)
        if b"\x00" in head:
            found = "not text: it contains NUL bytes (a binary file or UTF-16)"
            raise InputError(self.name, found, "give a BED, GTF or GFF3 annotation in UTF-8")
        if b"\r" in head.rstrip(b"\r") and b"\n" not in head:
            found = "lines end in CR only (old Macintosh line endings)"
            raise InputError(self.name, found, "convert it: tr '\\r' '\\n' < FILE", 1)


@contextmanager
def open_lines(path: str | os.PathLike[str], kind: type[Lines] = Lines) -> Iterator[Lines]:
    """Open an annotation for one pass; '-' is standard input. kind: for a file of another format.

    Raises InputError if the path is missing, a directory or unreadable.
    """
    if os.fspath(path) == "-":
        if sys.stdin is None:
            raise InputError("<stdin>", "standard input is closed", "pipe the rows into it")
        yield kind(path, cast(io.BufferedReader, sys.stdin.buffer))
        return
    if os.path.isdir(path):
        raise InputError(path, "is a directory", "give a file")
    with ExitStack() as stack:
        try:
            source = stack.enter_context(open(path, "rb"))
        except OSError as error:
            raise InputError(path, f"cannot be read: {error.strerror}", "check the path") from error
        yield kind(path, source)


def parse_position(name: str, number: int, what: str, text: str, hint: str) -> int:
    """Parse a coordinate, called `what` ('start') in errors, of line `number` of the file `name`.

    Raises InputError unless `text` is a whole number that a contig can have.
    """
    if not (text.isascii() and text.isdigit()):
        raise InputError(name, f"{what} is not a whole number: {text[:40]!r}", hint, number)
    if is_too_far(text):
        raise InputError(name, f"{what} {text[:20]} is past the end of any contig", hint, number)
    return int(text)
