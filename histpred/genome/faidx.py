"""FASTA indexes for random access; no file is written beside the FASTA.

An index beside the file (samtools faidx) is used if it matches; if it is missing, stale or damaged,
a private one is built. Plain gzip has no random access: a private bgzip copy is made.
"""

from __future__ import annotations

import os
import re
import struct
from bisect import bisect_right
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from histpred.core.errors import InputError
from histpred.core.hts import BGZF_EOF, has_room, no_room
from histpred.genome import fasta
from histpred.genome.kept import private_files
from histpred.genome.lines import GZIP_MAGIC, is_bgzf

if TYPE_CHECKING:
    import pysam

HEADER_LIMIT = 1 << 16
LARGEST_FILE = 1 << 62  # bytes; a larger offset is not one of a file
_NUMBER = re.compile("[0-9]{1,18}", re.ASCII)


class IndexedFasta(NamedTuple):
    """The paths that pysam needs (`gzi`: None for a plain FASTA), and messages for the user.

    notices: which private files were made. warnings: which files are stale or damaged.
    """

    path: Path
    fai: Path
    gzi: Path | None
    notices: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Block(NamedTuple):
    """The start of a bgzip block: byte offsets in the file and in the uncompressed data."""

    compressed: int
    uncompressed: int


class Contig(NamedTuple):
    """One line of a .fai (samtools faidx); offsets in bytes of the uncompressed file."""

    name: str
    length: int
    offset: int
    line_bases: int
    line_width: int

    @property
    def stop(self) -> int:
        """Offset just after the last base, before its line end."""
        if not self.length:
            return self.offset
        lines, rest = divmod(self.length - 1, self.line_bases)
        return self.offset + lines * self.line_width + rest + 1


def prepare(path: str | os.PathLike[str], digest: str, directory: Path) -> IndexedFasta:
    """Find the index of the FASTA `path`, or build a private one in `directory`.

    `digest` is the file's sha256: the next run finds private files by it, and uses them if they
    are undamaged. Raises InputError if the file is truncated, has uneven lines or repeats a contig
    name.
    """
    given, path = os.fspath(path), Path(path)
    head = fasta.check_fasta(path)
    notices: list[str] = []
    warnings: list[str] = []
    if head.startswith(GZIP_MAGIC) and not is_bgzf(head):
        source = path
        copy = private_files(
            directory, digest, (".gz",), lambda stem: fasta.recompress(source, Path(f"{stem}.gz"))
        )
        notices.append(
            f"{path} is gzip, not bgzip: reading a private bgzip copy of it (to avoid this: "
            f"gunzip -c {path.name} | bgzip > {path.name.removesuffix('.gz')}.bgz)"
        )
        warnings.append(copy.warning)
        (path,), digest = copy.paths, copy.digest
        head = fasta.check_fasta(path)

    compressed = is_bgzf(head)
    if compressed:
        fasta.check_eof_block(path)
    if os.fspath(path) == given:
        beside = IndexedFasta(
            path, Path(f"{path}.fai"), Path(f"{path}.gzi") if compressed else None
        )
        if beside.fai.exists() and (beside.gzi is None or beside.gzi.exists()):
            fault = _fault(beside)
            if not fault:
                return beside
            warnings.append(f"{path}: {fault}; building a private one")
        else:
            notices.append(f"{path}: no index beside it; building a private one")

    suffixes = (".fai", ".gzi") if compressed else (".fai",)
    index = private_files(directory, digest, suffixes, lambda stem: _build_index(stem, path, given))
    warnings.append(index.warning)
    gzi = index.paths[1] if compressed else None
    said = tuple(notices), tuple(filter(None, warnings))
    return IndexedFasta(path, index.paths[0], gzi, *said)


def read_fai(path: Path) -> list[Contig]:
    """Read the contigs of a .fai; raises ValueError if it is damaged."""
    contigs: dict[str, Contig] = {}
    # htslib ends lines at a line feed only.
    with open(path, encoding="utf-8", newline="\n") as lines:
        for line in lines:
            name, *numbers = line.rstrip("\n").split("\t")
            if len(numbers) != 4 or not all(map(_NUMBER.fullmatch, numbers)):
                raise ValueError(f"not a line of an index: {line[:80]!r}")
            contig = Contig(name, *map(int, numbers))
            _, length, offset, bases, width = contig
            if not offset or (length and not 0 < bases <= width) or contig.stop > LARGEST_FILE:
                raise ValueError(f"impossible numbers: {line[:80]!r}")
            if name in contigs:
                raise ValueError(f"{name!r} is indexed twice")
            contigs[name] = contig
    if not contigs:
        raise ValueError("empty")
    return list(contigs.values())


def _fault(indexed: IndexedFasta) -> str:
    """The reason why the index beside a FASTA cannot be used; '' if it can."""
    written = indexed.path.stat().st_mtime
    for index in (indexed.fai, indexed.gzi):
        if index and index.stat().st_mtime < written:
            return f"its index {index.name} is older than the file"
    try:
        contigs = sorted(read_fai(indexed.fai), key=lambda contig: contig.offset)
    except (ValueError, TypeError, OSError):
        return f"its index {indexed.fai.name} is damaged"

    try:
        if indexed.gzi is None:
            with open(indexed.path, "rb") as plain:
                fits = _headers_fit(partial(_read_plain, plain), contigs)
        else:
            import pysam

            blocks = _blocks(indexed.path, indexed.gzi)
            if blocks is None:
                return f"its index {indexed.gzi.name} does not fit the file"
            with pysam.BGZFile(str(indexed.path), "rb", None) as compressed:
                fits = _headers_fit(partial(_read_bgzf, compressed, blocks), contigs)
    except OSError:  # it points to where nothing can be read
        fits = False
    return "" if fits else f"its index {indexed.fai.name} does not fit the file"


def _headers_fit(read: Callable[[int, int], bytes], contigs: list[Contig]) -> bool:
    """True if each contig has its header before it and lines as indexed; nothing follows the last.

    `read(offset, count)` returns bytes of the uncompressed file.
    """
    before = 0
    for contig in contigs:
        if not before <= contig.offset <= before + HEADER_LIMIT:
            return False
        header = read(before, contig.offset - before).strip()
        if header.count(b"\n") or header[1:].split(None, 1)[:1] != [contig.name.encode()]:
            return False
        if not _lines_fit(read, contig):
            return False
        before = contig.stop
    return len(read(before - 1, 1)) == 1 and not read(before, HEADER_LIMIT).strip()


def _lines_fit(read: Callable[[int, int], bytes], contig: Contig) -> bool:
    """True if a contig ends with a base, and its first line is as long as the index says.

    Other line lengths can end at the same offset, and would give other bases.
    """
    _, length, offset, line_bases, line_width = contig
    if not length:
        return True
    if not (line_bases <= length and 0 <= line_width - line_bases <= 2):
        return False
    if not read(contig.stop - 1, 1).strip():
        return False
    if b"\n" in read(offset, min(line_bases, HEADER_LIMIT)):
        return False
    line_end = read(offset + line_bases, line_width - line_bases)
    return length == line_bases or line_end in (b"\n", b"\r\n")


def _read_plain(stream: BinaryIO, start: int, count: int) -> bytes:
    stream.seek(start)
    return stream.read(count)


def _read_bgzf(stream: pysam.BGZFile, blocks: list[Block], start: int, count: int) -> bytes:
    """Read at a virtual offset (SAM specification, 4.1.1): block in the file, byte in the block."""
    block = blocks[bisect_right(blocks, start, key=lambda block: block.uncompressed) - 1]
    if start - block.uncompressed >= HEADER_LIMIT:
        return b""
    stream.seek(block.compressed << 16 | start - block.uncompressed)
    return stream.read(count)


def _blocks(path: Path, gzi: Path) -> list[Block] | None:
    """The blocks that a .gzi lists; None if they are not the blocks of the file.

    A .gzi is a count and pairs of offsets of 8 bytes each, without the first block. A block must
    start at each offset, and the uncompressed offsets must differ by the block's size (ISIZE).
    """
    data = gzi.read_bytes()
    numbers = [number for (number,) in struct.iter_unpack("<Q", data[: len(data) // 8 * 8])]
    if len(data) % 8 or len(numbers) != 1 + 2 * (numbers[0] if numbers else 0):
        return None
    blocks = [Block(0, 0), *map(Block, numbers[1::2], numbers[2::2])]
    size_of_file = path.stat().st_size
    with open(path, "rb") as stream:
        for before, block in pairwise(blocks):
            if not before.compressed + len(BGZF_EOF) <= block.compressed <= size_of_file:
                return None
            stream.seek(block.compressed - 4)
            around = stream.read(22)
            size = int.from_bytes(around[:4], "little")
            if size != block.uncompressed - before.uncompressed or not is_bgzf(around[4:]):
                return None
    return blocks


def _build_index(stem: Path, path: Path, name: str) -> None:
    """Build the index of the FASTA `path` at `stem` plus .fai (and .gzi).

    `name` is the file that the user gave. htslib builds it when it opens a FASTA without one;
    pysam.faidx would leave temporary files elsewhere if it is killed.
    """
    import pysam

    stem.symlink_to(path.absolute())
    try:
        pysam.FastaFile(os.fspath(stem)).close()
        contigs = read_fai(Path(f"{stem}.fai"))
    except (OSError, ValueError) as error:
        if not has_room(stem.parent):
            raise no_room(stem) from error
        fasta.explain(path, name)
        hint = "for the reason, run: samtools faidx FASTA"
        raise InputError(name, "cannot be indexed as FASTA", hint) from error

    named = all(contig.name for contig in contigs)
    if not named or fasta.count_headers(path) != len(contigs):
        fasta.explain(path, name)
