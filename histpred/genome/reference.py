"""The genome: contig names, lengths and cleaned sequence by position."""

from __future__ import annotations

import hashlib
import os
import re
import time
from contextlib import suppress
from pathlib import Path

from histpred.core.errors import InputError
from histpred.core.output import file_digest
from histpred.core.sequence import FOREIGN, clean, reverse_complement
from histpred.genome import faidx, fasta
from histpred.genome.naming import ContigNames

STRETCH = 1 << 20
SETTLED = 2  # seconds; a younger file may change again without a new modification time


class Reference:
    """Random access to a FASTA; a context manager. Processes must not share one.

    `lengths` maps contig names to bp in file order. `organism` is the species in the first header,
    or None. `digest` is the file's sha256. Private indexes and the digest are kept in `directory`.
    About 1 Mbp is read at once, so overlapping windows along a contig cost one read.
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
            found = f"cannot be opened as FASTA ({error})"
            raise InputError(path, found, "check the file") from error
        self.organism = fasta.organism(self._indexed.path)
        self.lengths = dict(zip(self._file.references, self._file.lengths, strict=True))
        self.names = ContigNames(self.lengths, self._descriptions)
        self._contig, self._start, self._end, self._stretch, self._reverse = "", 0, 0, b"", b""

    def __enter__(self) -> Reference:
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.close()

    def fetch(self, contig: str, start: int, end: int, strand: str = "+") -> bytes:
        """Return bases [start, end), 5' to 3' on `strand`: upper case, ambiguity codes as N.

        Raises InputError for letters that are not DNA, and ValueError if the interval is not on the
        contig.
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
            found = f"{contig}:{start}-{end} cannot be read ({error})"
            raise InputError(self.name, found, "is the file damaged?") from error
        sequence = clean(raw.encode())
        if len(sequence) != end - start:
            raise InputError(
                self.name,
                f"{contig}:{start}-{end} has only {len(sequence)} bases: the file is truncated or "
                "its index is wrong",
                "remove the .fai (and .gzi) beside it, or download the file again",
            )
        if FOREIGN in sequence:
            self._refuse_letters(contig, start, raw, sequence)
        self._contig, self._start, self._end = contig, start, end
        self._stretch, self._reverse = sequence, b""

    def _refuse_letters(self, contig: str, start: int, raw: str, sequence: bytes) -> None:
        foreign = {letter for letter, base in zip(raw, sequence, strict=True) if base == FOREIGN[0]}
        letters = "".join(sorted(foreign))
        first = start + sequence.index(FOREIGN) + 1
        found = f"contig {contig!r} holds {letters!r}, first at base {first}"
        raise InputError(self.name, found, fasta.letters_hint(letters))

    def _descriptions(self) -> dict[str, str]:
        return {name: description for name, description, _ in fasta.headers(self._indexed.path)}


def remembered_digest(path: Path, directory: Path) -> str:
    """The sha256 of a file; kept in `directory` while its path, size and times stay the same.

    A genome is large, and every shard of a run needs its digest. If the folder cannot be read or
    written, the digest is computed again.
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
