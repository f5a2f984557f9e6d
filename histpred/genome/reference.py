"""The genome: contig names, lengths and cleaned sequence by position."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from histpred.core.errors import InputError
from histpred.core.sequence import FOREIGN, clean, reverse_complement
from histpred.genome import faidx, fasta
from histpred.genome.kept import make_folder, remembered_digest
from histpred.genome.naming import ContigNames

STRETCH = 1 << 20


class Reference:
    """Random access to a FASTA; a context manager. Processes must not share one.

    `lengths` maps contig names to bp in file order. `organism` is the species in the first header,
    or None. `digest` is the file's sha256. Private indexes and the digest are kept in `directory`.
    `rna`: read U as T. About 1 Mbp is read at once, so overlapping windows cost one read.
    `known`: the digest, if it is known; else the file is read for it.
    """

    def __init__(
        self, path: str | os.PathLike[str], directory: Path, rna: bool = False, known: str = ""
    ) -> None:
        import pysam

        self.rna = rna
        self.name = os.fspath(path)
        fasta.check_fasta(Path(path))
        make_folder(directory)
        self.digest = known or remembered_digest(Path(path), directory)
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
            raise InputError(path, found, self._remedy()) from error
        self.organism = fasta.organism(self._indexed.path)
        self.lengths = dict(zip(self._file.references, self._file.lengths, strict=True))
        self.names = ContigNames(self.lengths, self.descriptions)
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

    def read(self, contig: str, start: int, end: int) -> bytes:
        """Like `fetch` on '+', but no more than these bases are read, and '?' is not an error."""
        return self._read(contig, start, end)[1]

    def written(self, contig: str, start: int, end: int) -> str:
        """Bases [start, end) as the file has them, in upper case, ambiguity codes and all."""
        return self._read(contig, start, end)[0].upper()

    def _read(self, contig: str, start: int, end: int) -> tuple[str, bytes]:
        """Bases as they are in the file, and cleaned."""
        try:
            raw = self._file.fetch(contig, start, end)
        except (OSError, ValueError) as error:
            found = f"{contig}:{start}-{end} cannot be read ({error})"
            raise InputError(self.name, found, self._remedy()) from error
        if self.rna:
            raw = raw.replace("U", "T").replace("u", "t")
        sequence = clean(raw.encode())
        if len(sequence) != end - start:
            short = f"has only {len(sequence)} bases: the file is truncated or its index is wrong"
            raise InputError(self.name, f"{contig}:{start}-{end} {short}", self._remedy())
        return raw, sequence

    def _load(self, contig: str, start: int, end: int) -> None:
        raw, sequence = self._read(contig, start, end)
        if FOREIGN in sequence:
            self._refuse_letters(contig, start, raw, sequence)
        self._contig, self._start, self._end = contig, start, end
        self._stretch, self._reverse = sequence, b""

    def _remedy(self) -> str:
        """What to do about a file that cannot be read; names a private copy and the index."""
        path, fai, gzi, *_ = self._indexed
        indexes = " and ".join(str(index) for index in (fai, gzi) if index)
        copy = "" if os.fspath(path) == self.name else f"it was read from the copy {path}; "
        return f"{copy}download or copy the file again, or remove its index, {indexes}"

    def _refuse_letters(self, contig: str, start: int, raw: str, sequence: bytes) -> None:
        foreign = {letter for letter, base in zip(raw, sequence, strict=True) if base == FOREIGN[0]}
        letters = "".join(sorted(foreign))
        first = start + sequence.index(FOREIGN) + 1
        found = f"contig {contig!r} holds {letters!r}, first at base {first}"
        raise InputError(self.name, found, fasta.letters_hint(letters))

    def descriptions(self) -> dict[str, str]:
        """The rest of each contig's header after its name; reads the whole file."""
        return {name: description for name, description, _ in fasta.headers(self._indexed.path)}


@contextmanager
def same_genome(
    fasta: str | os.PathLike[str], sha256: str, tables: Path, directory: Path
) -> Iterator[Reference]:
    """The genome that `tables`, a folder, were made with; InputError if the FASTA is another.

    sha256: that of their genome. directory: for private indexes.
    """
    with Reference(fasta, directory) as reference:
        if reference.digest != sha256:
            hint = f"give the FASTA that {tables} was made with"
            raise InputError(fasta, f"is not the genome of {tables}", hint)
        yield reference
