"""Variants as text: the header and the records of a VCF, plain or compressed, or of a BCF.

VCF 4.5 (https://samtools.github.io/hts-specs/VCFv4.5.pdf). A VCF is read as text, so that whatever
it holds can be written as it was; htslib turns a BCF into the same text. Files are read more than
once. Records must be sorted by position, and all of a contig must be together, as tabix needs it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import InputError
from histpred.core.output import refuse_streams
from histpred.genome.lines import PEEK, Lines, lacks_eof_block, open_lines, parse_position
from histpred.genome.mistaken import FOREIGN, refuse_missing
from histpred.genome.vcf_note import split_header

COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
BCF = b"BCF\x02"
VCF = b"##fileformat=VCF"
GZIP = b"\x1f\x8b"
AGAIN = "download or copy the file again; none of its content was used"
VALIDATE = "is it a VCF? bcftools view FILE says what is wrong with it"
SORT = "sort it: bcftools sort -Oz -o sorted.vcf.gz"


class Record(NamedTuple):
    """A line of a VCF. number: counted from 1, without the header; line: that of the file.

    pos: as it is written, 1-based. before: the text before INFO. after: the text behind it, with
    its tab. In a BCF, `line` is `number`.
    """

    number: int
    line: int
    chrom: str
    pos: int
    id: str
    ref: str
    alts: tuple[str, ...]
    before: str
    info: str
    after: str

    @property
    def text(self) -> str:
        """The whole line."""
        return self.with_info(self.info)

    def with_info(self, info: str) -> str:
        """The line with another field INFO."""
        return f"{self.before}\t{info}{self.after}"


class Variants:
    """The records of a file, in order; iterate as often as needed.

    header: its lines, the last of which names the columns. shard: the note of a part of a VCF,
    which is not in the header then; records are counted as in the whole.
    """

    def __init__(self, path: str, header: list[str]) -> None:
        self.name = path
        self.header, self.shard = split_header(path, header)

    def __iter__(self) -> Iterator[Record]:
        columns = self.header[-1].count("\t") + 1
        done: set[str] = set()
        chrom, pos = "", -1
        first = self.shard.first if self.shard else 1
        for number, (line, text) in enumerate(self._lines(), first):
            record = self._record(number, line, text, columns)
            if record.chrom != chrom:
                if record.chrom in done:
                    what = f"{record.chrom} comes again after other contigs"
                    raise InputError(self.name, f"not sorted: {what}", self._sort(), line)
                done.add(record.chrom)
            elif record.pos < pos:
                what = f"{record.chrom}:{record.pos} comes after {record.chrom}:{pos}"
                raise InputError(self.name, f"not sorted: {what}", self._sort(), line)
            chrom, pos = record.chrom, record.pos
            yield record

    def _lines(self) -> Iterator[tuple[int, str]]:
        """The lines of records, with their numbers."""
        with open_lines(self.name, VcfLines) as lines:
            for number, line in lines:
                if not line.startswith("#") and line:
                    yield number, line

    def _record(self, number: int, line: int, text: str, columns: int) -> Record:
        found = text.count("\t") + 1
        if found != columns:
            what = f"{found} columns where the header has {columns}: truncated, or not a VCF"
            raise InputError(self.name, what, AGAIN, line)
        chrom, pos, id_, ref, alts, rest = text.split("\t", 5)
        qual, filters, info, *after = rest.split("\t", 3)
        place = parse_position(self.name, line, "POS", pos, VALIDATE)
        if not (chrom and ref and alts):
            raise InputError(self.name, "CHROM, REF or ALT is empty", VALIDATE, line)
        before = f"{chrom}\t{pos}\t{id_}\t{ref}\t{alts}\t{qual}\t{filters}"
        texts = before, info, "".join(f"\t{one}" for one in after)
        return Record(number, line, chrom, place, id_, ref, tuple(alts.split(",")), *texts)

    def _sort(self) -> str:
        return f"{SORT} {self.name}"


class BcfVariants(Variants):
    """The records of a BCF."""

    def _lines(self) -> Iterator[tuple[int, str]]:
        import pysam

        number = 0
        try:
            with pysam.VariantFile(self.name) as file:
                for number, record in enumerate(file, 1):
                    yield number, str(record).rstrip("\n")
        except (OSError, ValueError) as error:
            what = f"truncated or damaged after record {number} ({error})"
            raise InputError(self.name, what, AGAIN) from error


class VcfLines(Lines):
    """The lines of a VCF."""

    def refuse_foreign(self, head: bytes) -> None:
        """Raise InputError if a file that begins with `head` is no VCF."""
        if head.startswith(VCF):
            return
        for magic, what, _ in FOREIGN:
            if head.startswith(magic):
                raise InputError(self.name, f"this is {what}, not a VCF", "give a VCF or BCF")
        hint = "the order is VCF ANNOTATION FASTA; a VCF begins with ##fileformat=VCF"
        raise InputError(self.name, "not a VCF or BCF", hint)


@contextmanager
def open_variants(path: str | os.PathLike[str]) -> Iterator[Variants]:
    """Open a VCF (plain, gzip or bgzip) or a BCF, by its first bytes.

    Raises InputError if it cannot be read, is neither, lacks its header or is truncated, and
    UsageError for standard input and pipes.
    """
    refuse_streams([path])
    refuse_missing(path, is_fasta=False)
    name = os.fspath(path)
    if os.path.isdir(name):
        raise InputError(name, "is a directory", "give a VCF or BCF")
    yield BcfVariants(name, _bcf_header(name)) if _is_bcf(name) else Variants(name, _header(name))


def _is_bcf(name: str) -> bool:
    """True for a BCF, compressed or not."""
    import gzip
    import zlib

    try:
        with open(name, "rb") as stream:
            head = stream.read(len(BCF))
        if head.startswith(GZIP):
            with gzip.open(name) as unpacked:
                head = unpacked.read(len(BCF))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        found = f"the compressed data is truncated or damaged ({error})"
        raise InputError(name, found, AGAIN) from error
    except OSError as error:
        found = f"cannot be read: {error.strerror}"
        raise InputError(name, found, "check the path") from error
    return head == BCF


def _bcf_header(name: str) -> list[str]:
    import pysam

    with open(name, "rb") as stream:
        stream.seek(max(0, Path(name).stat().st_size - PEEK))
        if lacks_eof_block(stream.read()):
            found = "truncated: a BCF without its end-of-file block"
            raise InputError(name, found, AGAIN)
    try:
        with pysam.VariantFile(name) as file:
            return str(file.header).rstrip("\n").split("\n")
    except (OSError, ValueError) as error:
        found = f"the header of this BCF cannot be read ({error})"
        raise InputError(name, found, AGAIN) from error


def _header(name: str) -> list[str]:
    header: list[str] = []
    with open_lines(name, VcfLines) as lines:
        for number, line in lines:
            if not line.startswith("#"):
                break
            header.append(line)
            if not line.startswith("##"):
                fields = tuple(line.split("\t"))
                if fields[: len(COLUMNS)] != COLUMNS:
                    found = f"the line of columns begins with {line[:40]!r}"
                    hint = f"it must be {' '.join(COLUMNS)}, separated by tabs"
                    raise InputError(name, found, hint, number)
                return header
    found = "no line of columns (#CHROM ...) before the first record"
    raise InputError(name, found, VALIDATE, len(header) + 1)
