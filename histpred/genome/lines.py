"""Text lines of an annotation, whatever it is wrapped in.

Plain, gzip and bgzip (a series of gzip members, SAM specification section 4.1) are told apart by
their first bytes, never by suffix; a pipe or '-' works, since everything is read once and forwards.
CRLF and a UTF-8 byte order mark are accepted. A file that is cut short, not text, or of a kind that
is plainly something else is refused by name before a line of it is used.
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

from histpred.core.errors import InputError

GZIP_MAGIC = b"\x1f\x8b"
BGZF_EOF = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
PEEK = 1 << 16

FOREIGN = (
    (b"BZh", "compressed with bzip2", "decompress it first: bunzip2 FILE"),
    (b"\xfd7zXZ", "compressed with xz", "decompress it first: unxz FILE"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "decompress it first: unzstd FILE"),
    (
        b"PK\x03\x04",
        "a zip archive or an Excel sheet",
        "unpack it, or save it as tab-separated text",
    ),
    (b"BAM\x01", "a BAM file", "convert it: bedtools bamtobed -i FILE"),
    (b"##fileformat=VCF", "a VCF file", "give a BED, GTF or GFF3 annotation"),
    (b"version https://git-lfs", "a Git-LFS pointer, not the file itself", "run: git lfs pull"),
    (b"\xeb\xf2\x89\x87", "a bigBed file", "convert it: bigBedToBed FILE out.bed"),
    (b"\x87\x89\xf2\xeb", "a bigBed file", "convert it: bigBedToBed FILE out.bed"),
    (b"\xff\xfe", "UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8 FILE"),
    (b"\xfe\xff", "UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8 FILE"),
    (b"\x00\x00\x01\x00", "a binary file", "give a BED, GTF or GFF3 annotation"),
    (b"<", "a web page or XML", "a download may have failed; look at the file"),
    (b">", "a FASTA file", "the order is ANNOTATION FASTA; are the two swapped?"),
)


def is_bgzf(head: bytes) -> bool:
    """Whether a file that begins so is bgzip: gzip with the extra field BC (SAM spec., 4.1)."""
    return head[:4] == b"\x1f\x8b\x08\x04" and head[12:14] == b"BC"


class _Digesting(io.RawIOBase):
    """A raw stream that remembers the sha256 and the last bytes of all that passed through."""

    def __init__(self, source: io.BufferedIOBase | io.RawIOBase) -> None:
        self.source = source
        self.sha256 = hashlib.sha256()
        self.tail = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        count = self.source.readinto(buffer) or 0
        read = bytes(memoryview(buffer)[:count])
        self.sha256.update(read)
        self.tail = (self.tail + read)[-len(BGZF_EOF) :]
        return count


class _Resumed(io.RawIOBase):
    """A stream of which the first bytes were read already."""

    def __init__(self, head: bytes, rest: io.BufferedReader | gzip.GzipFile) -> None:
        self.head = head
        self.rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        read = self.head[: len(buffer)] or self.rest.read(len(buffer))
        self.head = self.head[len(buffer) :]
        buffer[: len(read)] = read
        return len(read)


def _look(stream: io.BufferedReader | gzip.GzipFile) -> tuple[bytes, io.BufferedReader]:
    """The first bytes of a stream, and the stream from its start; a pipe may give few at a time."""
    head = stream.read(PEEK)
    return head, io.BufferedReader(_Resumed(head, stream), PEEK)


class Lines:
    """Numbered lines of one annotation. Iterate once; `digest` is valid after `drain`.

    `name` is the path as the user gave it, '<stdin>' for '-'. `watch`, if set, is called with each
    number and line before the line is handed out.
    """

    def __init__(
        self, path: str | os.PathLike[str], source: io.BufferedIOBase | io.RawIOBase
    ) -> None:
        self.name = "<stdin>" if os.fspath(path) == "-" else os.fspath(path)
        self.number = 0
        self.watch: Callable[[int, str], None] | None = None
        self._raw = _Digesting(source)
        self._bgzf = False
        self._stream: io.BufferedReader | None = None

    @property
    def digest(self) -> str:
        """sha256 of the bytes as they are stored, hexadecimal."""
        return self._raw.sha256.hexdigest()

    def __iter__(self) -> Iterator[tuple[int, str]]:
        with self._explained():
            head, stream = _look(io.BufferedReader(self._raw, PEEK))
            self._bgzf = is_bgzf(head)
            if head.startswith(GZIP_MAGIC):
                head, stream = _look(gzip.GzipFile(fileobj=stream))  # type: ignore[arg-type]
            self._stream = stream
            self._refuse_foreign(head)
            for number, raw in enumerate(stream, 1):
                self.number = number
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                if self.watch:
                    self.watch(number, line)
                yield number, line
        self.drain()

    def drain(self) -> None:
        """Read on to the end without looking, and check that the file is whole."""
        with self._explained():
            while self._stream and self._stream.read(PEEK):
                pass
        if self._bgzf and self._raw.tail != BGZF_EOF:
            raise InputError(
                self.name,
                "truncated: a bgzip file without its end-of-file block",
                "fetch or copy the file again; nothing of it was used",
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors of decompression and decoding, with the line that they are near."""
        try:
            yield
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(
                self.name,
                f"the compressed data is truncated or damaged ({error})",
                "fetch or copy the file again; nothing of it was used",
                self.number + 1,
            ) from error
        except UnicodeDecodeError as error:
            raise InputError(
                self.name,
                f"not UTF-8 text (byte 0x{error.object[error.start]:02x})",
                "convert it, for example: iconv -f LATIN1 -t UTF-8 FILE",
                self.number,
            ) from error

    def _refuse_foreign(self, head: bytes) -> None:
        for magic, what, hint in FOREIGN:
            if head.startswith(magic):
                raise InputError(self.name, f"this is {what}", hint)
        if b"\x00" in head:
            raise InputError(
                self.name,
                "not text: it holds NUL bytes (a binary file, or UTF-16)",
                "give a BED, GTF or GFF3 annotation in UTF-8",
            )
        if b"\r" in head.rstrip(b"\r") and b"\n" not in head:
            raise InputError(
                self.name,
                "lines end in CR only (old Macintosh line endings)",
                "convert it: tr '\\r' '\\n' < FILE",
                1,
            )


@contextmanager
def open_lines(path: str | os.PathLike[str]) -> Iterator[Lines]:
    """Open an annotation for one pass; '-' is standard input.

    Raises InputError where the path is missing, a directory or unreadable.
    """
    if os.fspath(path) == "-":
        yield Lines(path, sys.stdin.buffer)
        return
    if os.path.isdir(path):
        raise InputError(path, "is a directory", "give a file")
    with ExitStack() as stack:
        try:
            source = stack.enter_context(open(path, "rb", buffering=0))
        except OSError as error:
            raise InputError(path, f"cannot be read: {error.strerror}", "check the path") from error
        yield Lines(path, source)
