"""Random access to a FASTA, without writing beside it.

pysam reads plain and bgzip FASTA through an index (samtools faidx). An index that lies beside the
file is used if it fits; a missing, stale or damaged one is built again in a private folder. A plain
gzip file cannot be read at random: a private bgzip copy is made and said aloud.
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import InputError
from histpred.genome import fasta
from histpred.genome.lines import GZIP_MAGIC

HEADER_LIMIT = 1 << 16


class IndexedFasta(NamedTuple):
    """Paths that pysam needs (`gzi`: None for a plain FASTA), and what had to be done for it."""

    path: Path
    fai: Path
    gzi: Path | None
    notices: tuple[str, ...]


class Contig(NamedTuple):
    """One line of a .fai (samtools faidx): offsets in bytes of the uncompressed file."""

    name: str
    length: int
    offset: int
    line_bases: int
    line_width: int

    @property
    def stop(self) -> int:
        """Offset behind the last base, before its line end."""
        if not self.length:
            return self.offset
        lines, rest = divmod(self.length - 1, self.line_bases)
        return self.offset + lines * self.line_width + rest + 1


def prepare(path: str | os.PathLike[str], digest: str, directory: Path) -> IndexedFasta:
    """Find or make what random access to the FASTA `path` needs; what is made lies in `directory`.

    Files in `directory` carry the FASTA's `digest` (sha256) in their name, so that a kept folder
    serves the next run. Raises InputError for what is cut short, uneven in its lines or has one
    name twice.
    """
    path = Path(path)
    head = fasta.check_fasta(path)
    notices: list[str] = []
    if head.startswith(GZIP_MAGIC) and not fasta.is_bgzf(head):
        copy = directory / f"{digest}.fa.gz"
        if not copy.exists():
            fasta.recompress(path, copy)
        notices.append(
            f"{path} is gzip, not bgzip: reading a private bgzip copy of it (to save this step: "
            f"gunzip -c {path.name} | bgzip > {path.name.removesuffix('.gz')}.bgz)"
        )
        path, head = copy, fasta.check_fasta(copy)

    compressed = fasta.is_bgzf(head)
    if compressed:
        fasta.check_eof_block(path)
    beside = IndexedFasta(
        path, Path(f"{path}.fai"), Path(f"{path}.gzi") if compressed else None, ()
    )
    if not beside.fai.exists() or (beside.gzi and not beside.gzi.exists()):
        fault = "" if path.parent == directory else "no index beside it"
    else:
        fault = _fault(beside)
        if not fault:
            return beside._replace(notices=tuple(notices))
    if fault:
        notices.append(f"{path}: {fault}; a private index is built")

    stem = directory / (path.name if path.parent == directory else f"{digest}.fa")
    private = IndexedFasta(
        path, Path(f"{stem}.fai"), Path(f"{stem}.gzi") if compressed else None, tuple(notices)
    )
    if not private.fai.exists() or (private.gzi and not private.gzi.exists()):
        _build_index(private)
    return private


def read_fai(path: Path) -> list[Contig]:
    """The contigs of a .fai; raises ValueError where it is damaged."""
    contigs = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            name, *numbers = line.rstrip("\n").split("\t")
            contigs.append(Contig(name, *map(int, numbers[:4])))
    if not contigs or any(contig.line_bases < 1 for contig in contigs if contig.length):
        raise ValueError("empty or damaged")
    return contigs


def _fault(indexed: IndexedFasta) -> str:
    """Why the index beside a FASTA must not be used; '' where it fits."""
    written = indexed.path.stat().st_mtime
    for index in (indexed.fai, indexed.gzi):
        if index and index.stat().st_mtime < written:
            return f"its index {index.name} is older than the file"
    try:
        contigs = sorted(read_fai(indexed.fai), key=lambda contig: contig.offset)
    except (ValueError, TypeError, OSError):
        return f"its index {indexed.fai.name} is damaged"

    fits = _gzi_fits(indexed, contigs) if indexed.gzi else _fai_fits(indexed.path, contigs)
    return "" if fits else f"its index does not fit the file ({indexed.fai.name})"


def _fai_fits(path: Path, contigs: list[Contig]) -> bool:
    """Between two indexed contigs of a plain FASTA lies the second one's header line and nothing
    else.
    """
    size = path.stat().st_size
    with open(path, "rb") as stream:
        before = 0
        for contig in contigs:
            if not before <= contig.offset <= min(size, before + HEADER_LIMIT):
                return False
            stream.seek(before)
            header = stream.read(contig.offset - before).strip()
            if header.count(b"\n") or header[1:].split(None, 1)[:1] != [contig.name.encode()]:
                return False
            before = contig.stop
        stream.seek(before)
        return before <= size and not stream.read(HEADER_LIMIT).strip()


def _gzi_fits(indexed: IndexedFasta, contigs: list[Contig]) -> bool:
    """The last block that the .gzi knows begins a block of the file, and it holds the end of the
    last contig.
    """
    data = indexed.gzi.read_bytes() if indexed.gzi else b""
    count = int.from_bytes(data[:8], "little")
    if len(data) != 8 + 16 * count:
        return False
    compressed, uncompressed = (
        (int.from_bytes(data[-16:-8], "little"), int.from_bytes(data[-8:], "little"))
        if count
        else (0, 0)
    )
    with open(indexed.path, "rb") as stream:
        stream.seek(compressed)
        if not fasta.is_bgzf(stream.read(18)):
            return False
    gaps_fit = all(
        left.stop < right.offset <= left.stop + HEADER_LIMIT for left, right in pairwise(contigs)
    )
    # htslib's last entry may be the empty end-of-file block, so the last base may lie up to one
    # block before it.
    return (
        gaps_fit
        and uncompressed - 2 * HEADER_LIMIT < contigs[-1].stop <= uncompressed + HEADER_LIMIT
    )


def _build_index(indexed: IndexedFasta) -> None:
    """Build a private index; under its final name only when whole, since runs may share a cache."""
    import pysam

    fai = Path(f"{indexed.fai}.{os.getpid()}.partial")
    gzi = Path(f"{indexed.gzi}.{os.getpid()}.partial")
    arguments = ["--fai-idx", str(fai), *(["--gzi-idx", str(gzi)] if indexed.gzi else [])]
    verbosity = pysam.set_verbosity(0)
    try:
        pysam.faidx(*arguments, str(indexed.path))
        contigs = read_fai(fai)
    except (pysam.utils.SamtoolsError, ValueError, OSError) as error:
        fasta.explain(indexed.path)
        raise InputError(
            indexed.path,
            "cannot be indexed as FASTA",
            f"see what this says: samtools faidx {indexed.path.name}",
        ) from error
    finally:
        pysam.set_verbosity(verbosity)

    if fasta.count_headers(indexed.path) != len(contigs):
        fasta.explain(indexed.path)
    if indexed.gzi:
        os.replace(gzi, indexed.gzi)
    os.replace(fai, indexed.fai)
