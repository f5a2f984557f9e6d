"""The genome: contig lengths, names and cleaned sequence, by position."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from histpred.core.errors import InputError
from histpred.core.output import file_digest
from histpred.core.sequence import FOREIGN, clean, reverse_complement
from histpred.genome import faidx, fasta
from histpred.genome.naming import ContigNames

STRETCH = 1 << 20
SETTLED = 2  # seconds; a file that was changed later may change again without another time


class Reference:
    """Random access to a FASTA; a context manager. Not to be shared between processes.

    `lengths` maps contig names to bp, in the order of the file; `organism` is the species that its
    first header states, or None; `digest` is the file's sha256.
    Private indexes and the digest go to `directory`. Fetches that move along a contig are served
    from one stretch of about 1 Mbp, so that overlapping windows cost one read.
    """

    def __init__(self, path: str | os.PathLike[str], directory: Path) -> None:
        import pysam

        self.name = os.fspath(path)
        fasta.check_fasta(Path(path))
        directory.mkdir(parents=True, exist_ok=True)
        self.digest = remembered_digest(Path(path), directory)
        self._indexed = faidx.prepare(path, self.digest, directory)
        self.notices, self.warnings = self._indexed.notices, self._indexed.warnings
        try:
            self._file = pysam.FastaFile(
                os.path.abspath(self._indexed.path),
                filepath_index=str(self._indexed.fai),
                filepath_index_compressed=str(self._indexed.gzi) if self._indexed.gzi else None,
            )
        except (OSError, ValueError) as error:
            raise InputError(
                path, f"cannot be opened as FASTA ({error})", "check the file"
            ) from error
        self.organism = fasta.organism(self._indexed.path)
        self.lengths = dict(zip(self._file.references, self._file.lengths, strict=True))
        self.names = ContigNames(self.lengths, self._descriptions)
        self._contig, self._start, self._end, self._stretch, self._reverse = "", 0, 0, b"", b""

    def __enter__(self) -> Reference:
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.close()

    def fetch(self, contig: str, start: int, end: int, strand: str = "+") -> bytes:
        """Bases [start, end) of `contig`, 5' to 3' on `strand`: upper case, ambiguity codes as N.

        The interval must lie on the contig. Raises InputError where there are letters that are no
        DNA.
        """
        if not (contig == self._contig and self._start <= start <= end <= self._end):
            if not 0 <= start <= end <= self.lengths[contig]:
                raise ValueError(f"{contig}:{start}-{end} is not on the contig")
            self._load(contig, start, max(end, min(start + STRETCH, self.lengths[contig])))
        if strand == "-":
            if not self._reverse:
                self._reverse = reverse_complement(self._stretch)
            return self._reverse[self._end - end : self._end - start]
        return self._stretch[start - self._start : end - self._start]

    def _load(self, contig: str, start: int, end: int) -> None:
        try:
            raw = self._file.fetch(contig, start, end)
        except (OSError, ValueError) as error:
            raise InputError(
                self.name,
                f"{contig}:{start}-{end} cannot be read ({error})",
                "is the file damaged?",
            ) from error
        sequence = clean(raw.encode())
        if len(sequence) != end - start:
            raise InputError(
                self.name,
                f"{contig}:{start}-{end} gave {len(sequence)} bases: the file is cut short or its "
                "index is wrong",
                "remove the .fai (and .gzi) beside it, or fetch the file again",
            )
        if FOREIGN in sequence:
            self._refuse_letters(contig, start, raw)
        self._contig, self._start, self._end, self._stretch, self._reverse = (
            contig,
            start,
            end,
            sequence,
            b"",
        )

    def _refuse_letters(self, contig: str, start: int, raw: str) -> None:
        positions = [i for i, base in enumerate(clean(raw.encode())) if base == FOREIGN[0]]
        letters = "".join(sorted({raw[position] for position in positions}))
        raise InputError(
            self.name,
            f"contig {contig!r} holds {letters!r}, first at base {start + positions[0] + 1}",
            "this is RNA: turn U into T"
            if letters in ("U", "u", "Uu")
            else "a genome is in DNA letters (A C G T N and IUPAC codes); is this protein?",
        )

    def _descriptions(self) -> Mapping[str, str]:
        return {name: description for name, description, _ in fasta.headers(self._indexed.path)}


def remembered_digest(path: Path, directory: Path) -> str:
    """sha256 of a file, kept in `directory` for as long as it has the same place, size and times.

    A genome is large, and each of many shards needs its digest. A folder that cannot be read or
    written costs time, nothing else.
    """
    found = path.stat()
    fixed = (os.path.realpath(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    kept = directory / f"{hashlib.sha256(repr(fixed).encode()).hexdigest()}.sha256"
    with suppress(OSError, UnicodeDecodeError):
        if re.fullmatch("[0-9a-f]{64}", known := kept.read_text(encoding="ascii")):
            return known

    digest = file_digest(path)
    if time.time() - max(found.st_mtime, found.st_ctime) > SETTLED:
        partial = Path(f"{kept}.{os.getpid()}.partial")
        with suppress(OSError):
            try:
                partial.write_text(digest, encoding="ascii")
                os.replace(partial, kept)
            finally:
                partial.unlink(missing_ok=True)
    return digest
