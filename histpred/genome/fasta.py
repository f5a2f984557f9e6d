"""FASTA files without an index: compression, headers, and what is wrong with a malformed file."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from histpred.core.errors import InputError
from histpred.core.hts import BGZF_EOF, BgzipWriter
from histpred.genome.lines import GZIP_MAGIC, PEEK, lacks_eof_block
from histpred.genome.mistaken import HEAD, foreign, refuse_missing

BLOCK = 1 << 20
TWO_BIT = (b"\x43\x27\x41\x1a", b"\x1a\x41\x27\x43")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def check_fasta(path: Path) -> bytes:
    """Check that a plain or compressed file starts like a FASTA, and return its first bytes.

    Raises InputError if it is missing, a folder, a pipe, empty, 2bit or another format.
    """
    if path.is_dir():
        raise InputError(path, "is a directory", "give a FASTA file")
    try:
        if str(path) == "-" or path.is_fifo():
            found = "a FASTA is read at many places, which a pipe cannot do"
            hint = "give a file; it may be compressed (genome.fa.gz), so nothing need be unpacked"
            raise InputError(path, found, hint)
        refuse_missing(path, is_fasta=True)
        if not path.is_file():
            raise InputError(path, "is not a regular file", "give a FASTA file")
        with open(path, "rb") as stream:
            head = stream.read(HEAD)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}", "check the path") from error
    if not head:
        raise InputError(path, "the FASTA is empty", "was the download complete?")
    if head.startswith(TWO_BIT):
        hint = f"convert it: twoBitToFa {path.name} genome.fa"
        raise InputError(path, "this is a 2bit file", hint)
    start = _uncompressed_head(path) if head.startswith(GZIP_MAGIC) else head
    if other := foreign(start):
        raise InputError(path, f"this is {other[0]}", other[1])
    if start.startswith(BYTE_ORDER_MARK):
        found = "the FASTA begins with a byte order mark, which samtools cannot index"
        raise InputError(path, found, "remove the mark: sed -i '1s/^\\xef\\xbb\\xbf//' FASTA", 1)
    if not start.lstrip().startswith(b">"):
        found = f"not a FASTA: it begins with {start[:20].decode('utf-8', 'replace')!r}"
        hint = "a FASTA begins with '>'; it is the last argument: are the two swapped?"
        raise InputError(path, found, hint, 1)
    return head


def _uncompressed_head(path: Path) -> bytes:
    with _open(path) as stream:
        return stream.read(HEAD)


def check_eof_block(path: Path) -> None:
    """Raise InputError for a bgzip file that lacks its end-of-file block, or goes on as gzip."""
    with open(path, "rb") as stream:
        stream.seek(max(path.stat().st_size - PEEK, 0))
        tail = stream.read()
    if tail.endswith(BGZF_EOF):
        return
    if lacks_eof_block(tail):
        raise _truncated(path, "no bgzip end-of-file block")
    with _open(path) as stream:
        while stream.read(BLOCK):
            pass
    found = "begins as bgzip and ends as plain gzip, which samtools cannot index"
    raise InputError(path, found, "compress it again: gunzip -c FASTA | bgzip > new.fa.gz")


def _truncated(path: Path, why: object) -> InputError:
    found = f"the compressed data is truncated or damaged ({why})"
    return InputError(path, found, "download or copy the file again")


def recompress(path: Path, copy: Path) -> None:
    """Compress a gzip file again with bgzip."""
    with _open(path) as source, BgzipWriter(copy) as target:
        while block := source.read(BLOCK):
            target.write(block)


def headers(path: Path) -> Iterator[tuple[str, str, int]]:
    """Yield name, description and line number of each contig; reads the whole file."""
    number, is_start = 1, True
    with _open(path) as stream:
        for piece in iter(partial(stream.readline, BLOCK), b""):  # a line may be a chromosome
            if is_start and piece.startswith(b">"):
                name, *rest = piece[1:].decode("utf-8", "replace").split(None, 1) or [""]
                yield name, "".join(rest).strip(), number
            is_start = piece.endswith(b"\n")
            number += is_start


def organism(path: Path) -> str | None:
    """The species in the first header, in NCBI's format; None if there is none.

    `>NC_004353.4 Drosophila melanogaster chromosome 4` states 'Drosophila melanogaster'.
    """
    _, description, _ = next(headers(path), ("", "", 0))
    of_what = "chromosome|scaffold|contig|mitoch|complete genome|whole genome shotgun"
    pattern = rf"([A-Z][a-z]+ [a-z]{{3,}})\b(?=.* ({of_what}))"
    found = re.match(pattern, description)
    return found[1] if found else None


def count_headers(path: Path) -> int:
    """The number of header lines; faster than `headers`."""
    count, last = 0, b"\n"
    with _open(path) as stream:
        while block := stream.read(BLOCK):
            count += block.count(b"\n>") + (last == b"\n" and block[:1] == b">")
            last = block[-1:]
    return count


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    """Open the uncompressed bytes for one pass; InputError if damage shows while they are read."""
    with open(path, "rb") as stream:
        compressed = stream.read(2) == GZIP_MAGIC
    try:
        with cast(BinaryIO, gzip.open(path)) if compressed else path.open("rb") as stream:
            yield stream
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _truncated(path, error) from error


def letters_hint(letters: str) -> str:
    """What to do about letters that are not DNA, given sorted and once each."""
    if letters in ("U", "u", "Uu"):
        return "this is RNA: replace U by T"
    if letters in ("X", "x", "Xx"):
        return "X marks masked bases: replace X by N, for example: sed '/^>/!y/Xx/NN/' FASTA"
    if set(letters) <= set("-.~"):
        return "these are gaps of an alignment: give the genome without them"
    return "a genome has DNA letters (A C G T N and IUPAC codes): is this protein?"


def explain(path: Path, name: str) -> None:
    """Raise InputError with the line of a fault that htslib cannot index, or silently accepts.

    `name` is the file that the user gave: `path`, or the file that `path` is a copy of.
    """
    with _open(path) as stream:
        head = stream.read(BLOCK)
    if b"\r" in head.rstrip(b"\r") and b"\n" not in head:
        hint = "convert it, for example: tr '\\r' '\\n' < FASTA"
        raise InputError(name, "lines end in CR only", hint, 1)
    seen: dict[str, int] = {}
    for contig, _, number in headers(path):
        if not contig:
            raise InputError(name, "a contig has no name", "write its name after the '>'", number)
        if contig in seen:
            found = f"the contig name {contig!r} appears twice (first in line {seen[contig]})"
            raise InputError(name, found, "names must be unique: rename or remove one", number)
        seen[contig] = number
    _explain_lines(path, name)


def _explain_lines(path: Path, name: str) -> None:
    """Raise InputError for an empty contig, or a line (not its last) of another length."""
    contig, header, width, short_line = "", 0, 0, 0
    with _open(path) as lines:
        for number, line in enumerate(lines, 1):
            length = len(line.rstrip(b"\r\n"))
            if line.startswith(b">"):
                contig = line[1:].decode("utf-8", "replace").split(None, 1)[0]
                header, width, short_line = number, 0, 0
            elif length and (short_line or (width and length > width)):
                which = f"line {short_line} is shorter" if short_line else f"{length} after {width}"
                found = f"lines of contig {contig!r} differ in length: {which}"
                hint = "wrap them to one length, for example: seqtk seq -l 60 FASTA"
                raise InputError(name, found, hint, number)
            else:
                width = width or length
                short_line = number if length < width else 0
    if not width:
        found = f"the last contig, {contig!r}, has no sequence"
        raise InputError(name, found, "remove its header", header)
