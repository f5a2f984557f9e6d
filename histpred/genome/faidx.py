"""FASTA indexes for random access; no file is written beside the FASTA.

An index beside the file (samtools faidx) is used if it matches; if it is missing, stale or damaged,
a private one is built. Plain gzip has no random access: a private bgzip copy is made.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from histpred.core.errors import InputError
from histpred.core.hts import has_room, no_room
from histpred.genome import fasta
from histpred.genome.lines import BGZF_EOF, GZIP_MAGIC, is_bgzf

if TYPE_CHECKING:
    import pysam

HEADER_LIMIT = 1 << 16
LARGEST_FILE = 1 << 62  # bytes; a larger offset is not one of a file


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

    Private files have the FASTA's `digest` (sha256) in their names, so the next run can use them.
    Raises InputError if the file is truncated, has uneven lines or repeats a contig name.
    """
    given, path = os.fspath(path), Path(path)
    head = fasta.check_fasta(path)
    notices: list[str] = []
    if head.startswith(GZIP_MAGIC) and not is_bgzf(head):
        copy = directory / f"{digest}.fa.gz"
        if not copy.exists():
            fasta.recompress(path, copy)
        notices.append(
            f"{path} is gzip, not bgzip: reading a private bgzip copy of it (to avoid this: "
            f"gunzip -c {path.name} | bgzip > {path.name.removesuffix('.gz')}.bgz)"
        )
        path, head = copy, fasta.check_fasta(copy)

    compressed = is_bgzf(head)
    if compressed:
        fasta.check_eof_block(path)
    gzi = Path(f"{path}.gzi") if compressed else None
    beside = IndexedFasta(path, Path(f"{path}.fai"), gzi)
    fault = ""
    if beside.fai.exists() and (gzi is None or gzi.exists()):
        fault = _fault(beside)
        if not fault:
            return beside._replace(notices=tuple(notices))
    elif path.parent != directory:
        notices.append(f"{path}: no index beside it; building a private one")
    warnings = [f"{path}: {fault}; building a private one"] if fault else []

    stem = directory / (path.name if path.parent == directory else f"{digest}.fa")
    gzi = Path(f"{stem}.gzi") if compressed else None
    private = IndexedFasta(path, Path(f"{stem}.fai"), gzi, tuple(notices), tuple(warnings))
    if not private.fai.exists() or (private.gzi and not private.gzi.exists()):
        _build_index(private, given)
    return private


def read_fai(path: Path) -> list[Contig]:
    """Read the contigs of a .fai; raises ValueError if it is damaged."""
    contigs = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            name, *numbers = line.rstrip("\n").split("\t")
            contigs.append(Contig(name, *map(int, numbers[:4])))
    if not contigs or not all(
        length >= 0 < offset and (bases > 0 or not length)
        for _, length, offset, bases, _ in contigs
    ):
        raise ValueError("empty or damaged")
    return contigs


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
    if contig.stop > LARGEST_FILE or not read(contig.stop - 1, 1).strip():
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


def _build_index(indexed: IndexedFasta, name: str) -> None:
    """Build a private index; rename it when it is complete, because runs may share a cache.

    `name` is the file that the user gave.
    """
    import pysam

    fai = Path(f"{indexed.fai}.{os.getpid()}.partial")
    gzi = Path(f"{indexed.gzi}.{os.getpid()}.partial")
    arguments: list[str | Path] = ["--fai-idx", fai.absolute()]
    if indexed.gzi:
        arguments += ["--gzi-idx", gzi.absolute()]
    try:
        # The stub allows only str, but a path may not be UTF-8.
        faidx = cast(Callable[..., str], pysam.faidx)
        faidx(*map(os.fsencode, [*arguments, indexed.path.absolute()]))
        contigs = read_fai(fai)
    except (pysam.utils.SamtoolsError, ValueError, FileNotFoundError) as error:
        if not has_room(fai.parent):
            raise no_room(fai) from error
        fasta.explain(indexed.path, name)
        hint = "for the reason, run: samtools faidx FASTA"
        raise InputError(name, "cannot be indexed as FASTA", hint) from error

    named = all(contig.name for contig in contigs)
    if not named or fasta.count_headers(indexed.path) != len(contigs):
        fasta.explain(indexed.path, name)
    if indexed.gzi:
        os.replace(gzi, indexed.gzi)
    os.replace(fai, indexed.fai)
