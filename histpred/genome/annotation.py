"""One annotation file of any format as a stream of features.

The format follows from the lines that are neither header nor comment. `start` and `end` are in
columns 2 and 3 of a BED, and in columns 4 and 5 of a GTF or a GFF3; the first attributes that are
`key "value"` (GTF) or `key=value` (GFF3) tell these two apart, whatever the header says. A table of
windows written by histpred is recognised by its header.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path

from histpred.core.errors import InputError, UsageError, first_few
from histpred.core.spelling import did_you_mean
from histpred.genome import bed, gff, table
from histpred.genome.assembly import assemble
from histpred.genome.attributes import GFF3, GTF, attribute_format
from histpred.genome.biotypes import GROUPS, expand, normalise
from histpred.genome.feature_types import CODING, kind_of
from histpred.genome.gene_list import GeneList
from histpred.genome.lines import Lines, open_lines
from histpred.genome.mistaken import refuse_missing
from histpred.genome.reasons import NOT_SELECTED
from histpred.genome.regions import INTERVAL, SPLICED, Feature

GENE, TRANSCRIPT = gff.GENE, gff.TRANSCRIPT
TABLE = "windows"
GFF = "GTF or GFF3"
LOOK_AHEAD = 1000  # lines in which the attributes must tell GTF from GFF3
_TAXON = re.compile(r"^##species .*[?&]id=([0-9]{1,9})(?![0-9])")
_VERSION = re.compile(r"##gff-version\s+(\d)")
_BUILD = re.compile(r"^#!genome-build (.+)")


@contextmanager
def open_annotation(
    path: str | os.PathLike[str],
    directory: Path,
    kind: str,
    level: str | None,
    biotypes: tuple[str, ...],
    genes: tuple[str, ...] = (),
) -> Iterator[Annotation]:
    """Open an annotation for windows of `kind`; '-' is standard input. `level`: see `level_for`."""
    refuse_missing(path, is_fasta=False)
    with open_lines(path) as lines:
        annotation = Annotation(lines, directory, level_for(kind, level), kind, biotypes)
        annotation.genes = GeneList(genes) if genes else None
        yield annotation


def level_for(kind: str, level: str | None) -> str:
    """The features that become rows: 'gene' or 'transcript'.

    `level` None means transcripts for spliced windows, else genes. Raises UsageError for an unknown
    level.
    """
    if level not in (None, GENE, TRANSCRIPT):
        raise UsageError(f"unknown level {level!r}", f"use {GENE} or {TRANSCRIPT}")
    return level or (TRANSCRIPT if kind == SPLICED else GENE)


class Annotation:
    """The features of one annotation; iterate once. The attributes are complete afterwards.

    format: 'BED3'..., 'GTF', 'GFF3', 'windows' (a table of windows) or 'empty'. taxon_id and
    genome_build: from an NCBI or Ensembl header, else None. circular: the circular contigs of a
    GFF3. aliases: contig -> chromosome, from the region lines of a GFF3. biotypes: all that occur.
    genes: those to use; None: all.
    """

    genes: GeneList | None = None

    def __init__(
        self, lines: Lines, directory: Path, level: str, kind: str, biotypes: tuple[str, ...]
    ) -> None:
        self.name = lines.name
        self.format = "empty"
        self.taxon_id: int | None = None
        self.genome_build: str | None = None
        self.circular: set[str] = set()
        self.aliases: dict[str, str] = {}
        self.biotypes: set[str] = set()
        self._header_format = ""
        self._other_types: Counter[str] = Counter()
        self._lines = lines
        self._directory = directory
        self._level = level
        self._kind = kind
        self._selected = biotypes
        self._wanted = expand(biotypes)

    @property
    def digest(self) -> str:
        """The sha256 of the file as stored; valid after all features have been read."""
        return self._lines.digest

    def __iter__(self) -> Iterator[Feature]:
        """Yield features; those that are not selected have the problem that says so.

        Genes that are asked for and not there are features too, at no place. Raises InputError if
        the file is not an annotation, or has none of the genes, and UsageError if it has none of
        the selected biotypes.
        """
        rows = self._of_biotypes()
        return self.genes.pick(rows, self.name) if self.genes else rows

    def _of_biotypes(self) -> Iterator[Feature]:
        count, selected = 0, self._selected
        for feature in self._features():
            count += 1
            biotype = feature.biotype if feature.gene_biotype == "." else feature.gene_biotype
            self.biotypes.add(biotype)
            if selected and normalise(biotype) not in self._wanted:
                feature = feature._replace(problem=NOT_SELECTED)
            yield feature
        self._lines.drain()  # a GFF3 may be followed by sequences (##FASTA)

        if self.format in ("GTF", "GFF3") and not count:
            self._refuse_other_types()
        self._check_selection()

    def _features(self) -> Iterator[Feature]:
        numbered = iter(self._lines)
        for number, line in numbered:
            self._read_header(line)
            if line.startswith("##FASTA") or (line[:1] == ">" and self._header_format):
                return  # sequences only
            if table.is_table(self.name, number, line):
                self.format = TABLE
                yield from table.read_windows(self.name, numbered, line)
                return
            if bed.is_header(line):
                continue
            self.format = sniff(self.name, number, line)
            break
        if self.format == "empty":
            return

        rest = self._with_headers(chain([(number, line)], numbered))
        if self.format.startswith("BED"):
            if self._selected:
                found = f"--biotype was given, but {self.name} is a BED, which has no biotypes"
                raise UsageError(found, "omit --biotype, or give the GTF or GFF3")
            kind = self._kind
            yield from bed.read_bed(self.name, rest, kind != INTERVAL, kind == SPLICED)
            return
        if self.format == GFF:
            rest = self._look_ahead(rest)
        if self.format == GTF:
            records = gff.read_gtf(self.name, rest, self._count_other)
        else:
            records = gff.read_gff3(self.name, rest, self._read_region, self._count_other)
        yield from assemble(records, self._level, self._kind == SPLICED, self._directory)

    def _look_ahead(self, numbered: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        """Set the format from the first attributes that tell it, else the header; all lines again.

        Attributes that do not tell are '.' (GFF3) or a bare ID (AUGUSTUS's GTF).
        """
        seen: list[tuple[int, str]] = []
        told, default = "", ""
        for number, line in islice(numbered, LOOK_AHEAD):
            seen.append((number, line))
            if line.startswith((">", "##FASTA")):
                break
            fields = line.split("\t")
            if line[:1] != "#" and len(fields) > 8:
                default = default or (GFF3 if fields[8].strip() in ("", ".") else GTF)
                if told := attribute_format(fields[8]):
                    break
        self.format = told or self._header_format or default or GFF3
        return chain(seen, numbered)

    def _with_headers(self, numbered: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        for number, line in numbered:
            if line.startswith("#"):
                self._read_header(line)
            yield number, line

    def _read_header(self, line: str) -> None:
        if version := _VERSION.match(line):
            self._header_format = GFF3 if version[1] == "3" else GTF
        elif taxon := _TAXON.match(line):
            self.taxon_id = int(taxon[1])
        elif build := _BUILD.match(line):
            self.genome_build = build[1].strip()

    def _read_region(self, contig: str, attributes: dict[str, str]) -> None:
        if attributes.get("Is_circular") == "true":
            self.circular.add(contig)
        # Unplaced scaffolds also state a chromosome, but with genome=genomic.
        if attributes.get("genome") == "chromosome" and "chromosome" in attributes:
            self.aliases.setdefault(contig, attributes["chromosome"])

    def _count_other(self, feature: str) -> None:
        if feature in self._other_types or len(self._other_types) < LOOK_AHEAD:
            self._other_types[feature] += 1

    def _refuse_other_types(self) -> None:
        """Raise InputError for a GTF or GFF3 of other features, with their types."""
        needed = "gene, transcript or exon" if self._level == GENE else "transcript or exon"
        types = first_few(f"{name} ({count})" for name, count in self._other_types.most_common())
        found = f"a {self.format} without a {needed} line; its types (column 3) are {types}"
        hint = "give an annotation of genes, or convert the rows to BED to use them as they are"
        if any(kind_of(name) == CODING for name in self._other_types):
            hint = "a CDS does not tell where transcription begins: add gene or exon lines"
        raise InputError(self.name, found, hint)

    def unmatched(self) -> list[str]:
        """The selected biotypes that no row has."""
        seen = {normalise(biotype) for biotype in self.biotypes}
        return [name for name in self._selected if not expand([name]) & seen]

    def suggested(self, names: Iterable[str], otherwise: str = "") -> str:
        """The biotypes of the rows, and the groups, that are most like unmatched `names`."""
        return did_you_mean(names, [*sorted(self.biotypes), *GROUPS], otherwise)

    def _check_selection(self) -> None:
        if not self._selected or self.format == "empty":
            return
        if self.biotypes <= {"."}:
            hint = "omit --biotype, or use a GENCODE, Ensembl or NCBI annotation"
            raise UsageError(f"--biotype was given, but {self.name} states no biotype", hint)
        if len(self.unmatched()) == len(self._selected):
            found = f"no {self._level} of {self.name} has the biotype {', '.join(self._selected)}"
            has = f"it has: {first_few(sorted(self.biotypes))}"
            raise UsageError(found, self.suggested(self._selected, has))


def sniff(name: str, number: int, line: str) -> str:
    """The format of an annotation, from its first row: 'BED<n>', 'GTF', 'GFF3', or GFF for these.

    >>> sniff("x", 1, "chr1\\t0\\t10\\tname")
    'BED4'
    >>> sniff("x", 1, 'chr1\\tsrc\\tgene\\t1\\t10\\t.\\t+\\t.\\tgene_id "a";')
    'GTF'
    """
    if line[:1] == " " and ("\t" in line or line.lstrip()[:1] == "#"):
        found = f"the line begins with a blank: {line[:60]!r}"
        hint = "remove the blanks before the first column, for example: sed 's/^ *//' FILE"
        raise InputError(name, found, hint, number)
    fields = line.split("\t")
    is_gff = len(fields) >= 8 and all(_whole(text) or text == "." for text in fields[3:5])
    # A BED has numbers in columns 2, 3 and 7; one of them may be malformed.
    if is_gff and sum(_whole(fields[number]) for number in (1, 2, 6)) < 2:
        return attribute_format("".join(fields[8:9])) or GFF
    words = line.split()
    if len(fields) < 9 <= len(words) and _whole(words[3]) and _whole(words[4]):
        found = "not tab-delimited: the columns are separated by spaces"
        raise InputError(name, found, "separate the nine columns with tabs", number)
    if len(fields) < 3 or _whole(fields[1].lstrip("-")) or _whole(fields[2].lstrip("-")):
        return f"BED{len(fields)}"
    hint = (
        "start and end must be whole numbers in columns 2 and 3 (BED) or 4 and 5 (GTF, GFF3), "
        "separated by tabs; a header line must begin with '#'"
    )
    raise InputError(name, f"neither BED, GTF nor GFF3: {line[:60]!r}", hint, number)


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit()
