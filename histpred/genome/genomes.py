"""A sheet of genomes: several annotations, each with its FASTA and labels, used as one data set.

The sheet is a CSV, or a TSV if its header has a tab. Its columns are name (or sample, as in the
pipeline), annotation and fasta, and where they are needed labels, species, taxon_id and assembly.
Relative paths start at the sheet's folder.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from histpred.core.errors import HistpredError, InputError, UsageError, first_few
from histpred.core.spelling import did_you_mean
from histpred.genome.lines import open_lines
from histpred.genome.request import Request

if TYPE_CHECKING:
    import pandas

GENOME = "genome"  # the column of a window's genome, if that has a name
NAME, ANNOTATION, FASTA, LABELS = "name", "annotation", "fasta", "labels"
SPECIES, TAXON, ASSEMBLY = "species", "taxon_id", "assembly"
SAMPLE = "sample"  # the pipeline's word for a name
COLUMNS = (NAME, ANNOTATION, FASTA, LABELS, SPECIES, TAXON, ASSEMBLY)
SUFFIXES = (".csv", ".tsv")
PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
NUMBER = re.compile("[0-9]{1,9}")  # of a taxon
EVERY_ROW = Request("", "")
EXAMPLE = "the header must name name, annotation and fasta"


class GenomeInput(NamedTuple):
    """One genome of a data set, with what the user says of it.

    name: '' for a genome without a sheet. request: its annotation, FASTA and selected rows. labels:
    a gene x mark table, or a folder from `histpred labels`. species: scientific name; taxon_id:
    NCBI's; assembly: its name; None means what the annotation and the FASTA say.
    """

    name: str
    request: Request
    labels: Path | None = None
    species: str | None = None
    taxon_id: int | None = None
    assembly: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of annotation, FASTA and, if it has any, labels."""
        return (*self.request.files, *([str(self.labels)] if self.labels else []))

    @property
    def labels_path(self) -> Path:
        """The labels of a genome that must have some; a missing one is the caller's mistake."""
        if self.labels is None:
            raise ValueError(f"the genome {self.name!r} has no labels")
        return self.labels


def one_genome(request: Request, labels: Path | None = None) -> tuple[GenomeInput]:
    """The data set of one genome without a sheet."""
    return (GenomeInput("", request, labels),)


def with_cache(genomes: Sequence[GenomeInput], folder: Path) -> tuple[GenomeInput, ...]:
    """The genomes; those without a cache keep indexes in `folder` while a run reads them again."""
    return tuple(
        one._replace(request=one.request._replace(cache=one.request.cache or folder))
        for one in genomes
    )


def is_sheet(path: str | os.PathLike[str]) -> bool:
    """True if a path is a .csv or .tsv whose header names an annotation or a fasta."""
    if not os.path.isfile(path) or Path(path).suffix.lower() not in SUFFIXES:
        return False
    with open_lines(path) as lines:
        header = next((line for _, line in lines if line.strip()), "")
    return bool({ANNOTATION, FASTA} & set(_fields(header, _delimiter(header), lower=True)))


def read_genomes(
    path: str | os.PathLike[str], selection: Request = EVERY_ROW, labelled: bool = True
) -> tuple[GenomeInput, ...]:
    """Read a sheet of genomes. They are sorted by name: the order of the rows makes no difference.

    selection: what every request has beside its annotation and FASTA, such as the level and the
    biotypes. labelled: every genome needs labels; False: labels are not looked at.

    Raises UsageError for a file that is no .csv or .tsv; InputError (file:line) for missing,
    unknown or repeated columns, two genomes of one name, a name that is none, an empty cell, a file
    that does not exist, and a sheet without rows.
    """
    if Path(path).suffix.lower() not in SUFFIXES:
        what = "annotation, FASTA and labels" if labelled else "annotation and FASTA"
        hint = f"give {what}, or a sheet of genomes (.csv or .tsv)"
        raise UsageError(f"only one file was given: {path}", hint)
    needed = (NAME, ANNOTATION, FASTA, *([LABELS] if labelled else []))
    genomes: dict[str, GenomeInput] = {}
    for number, row in _rows(Path(path), needed):
        name = row[NAME]
        if not PATTERN.fullmatch(name):
            hint = "use letters, digits and . _ + -, beginning with a letter or digit"
            raise InputError(path, f"{name!r} cannot be the name of a genome", hint, number)
        if name in genomes:
            raise InputError(path, f"two genomes are called {name}", "rename one of them", number)
        files = {
            column: _existing(Path(path), row[column], number)
            for column in needed[1:]
            if column in row
        }
        taxon = row.get(TAXON, "")
        if taxon and not NUMBER.fullmatch(taxon):
            hint = "give NCBI's number, such as 9606, or leave it empty"
            raise InputError(path, f"the taxon_id {taxon[:40]!r} of {name}", hint, number)
        genomes[name] = GenomeInput(
            name,
            selection._replace(annotation=str(files[ANNOTATION]), fasta=str(files[FASTA])),
            files.get(LABELS),
            row.get(SPECIES) or None,
            int(taxon) if taxon else None,
            row.get(ASSEMBLY) or None,
        )
    if not genomes:
        raise InputError(path, "names no genome", "add a row for each genome below the header")
    return tuple(genomes[name] for name in sorted(genomes))


@contextmanager
def naming(genome: GenomeInput) -> Iterator[None]:
    """Put the genome's name, if it has one, before the message of an error."""
    try:
        yield
    except HistpredError as error:
        if genome.name:
            error.message = f"genome {genome.name}: {error.message}"
        raise


def within(genome: str, name: str) -> str:
    """A contig or gene of a genome under a name that no other genome has.

    >>> within("human", "chr1"), within("", "chr1")
    ('human:chr1', 'chr1')
    """
    return f"{genome}:{name}" if genome else name


def local_name(genome: str, name: str) -> str | None:
    """The inverse of `within`: the name in its own genome; None for a name of another genome.

    >>> local_name("human", "human:chr1"), local_name("", "chr1"), local_name("human", "mouse:chr1")
    ('chr1', 'chr1', None)
    """
    prefix = within(genome, "")
    return name.removeprefix(prefix) if name.startswith(prefix) else None


def placed(windows: pandas.DataFrame, genome: str) -> pandas.DataFrame:
    """Windows on contigs that no other genome has, with the column GENOME if it has a name."""
    if not genome:
        return windows
    contigs = [within(genome, contig) for contig in windows["chrom"]]
    return windows.assign(chrom=contigs, **{GENOME: genome})


def all_files(genomes: Sequence[GenomeInput]) -> tuple[str, ...]:
    """The paths of all inputs of a data set."""
    return tuple(path for genome in genomes for path in genome.files)


def _rows(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and values by column of each row; the column 'sample' is read as 'name'."""
    columns: list[str] = []
    with open_lines(path) as lines:
        for number, line in lines:
            if not line.strip():
                continue
            if not columns:
                delimiter = _delimiter(line)
                columns = _fields(line, delimiter, lower=True)
                if NAME not in columns:
                    columns = [NAME if column == SAMPLE else column for column in columns]
                _check_columns(path, columns, needed, number)
                continue
            fields = _fields(line, delimiter)
            if len(fields) != len(columns):
                message = f"{len(fields)} columns where the header has {len(columns)}"
                raise InputError(path, message, "is a separator missing?", number)
            row = dict(zip(columns, fields, strict=True))
            if empty := [column for column in needed if not row[column]]:
                hint = "fill it in, or remove the row"
                raise InputError(path, f"a genome without {' and '.join(empty)}", hint, number)
            yield number, row
    if not columns:
        raise InputError(path, "is empty", EXAMPLE)


def _check_columns(path: Path, columns: list[str], needed: tuple[str, ...], number: int) -> None:
    if twice := sorted({column for column in columns if columns.count(column) > 1}):
        raise InputError(path, f"two columns {first_few(twice)}", "keep one of them", number)
    if unknown := [column for column in columns if column not in COLUMNS]:
        hint = did_you_mean(unknown, COLUMNS, f"the columns are {', '.join(COLUMNS)}")
        quoted = first_few(repr(column) for column in unknown)
        raise InputError(path, f"no such column as {quoted}", hint, number)
    if missing := [column for column in needed if column not in columns]:
        hint = EXAMPLE + (" and labels" if LABELS in needed else "")
        message = f"no column {' and '.join(missing)}: {first_few(columns)}"
        raise InputError(path, message, hint, number)


def _existing(sheet: Path, text: str, number: int) -> Path:
    path = sheet.parent / text
    if not path.exists():
        hint = "relative paths start at the folder of the sheet"
        raise InputError(sheet, f"{path} does not exist", hint, number)
    return path


def _delimiter(header: str) -> str:
    return "\t" if "\t" in header else ","


def _fields(line: str, delimiter: str, lower: bool = False) -> list[str]:
    try:
        fields = [field.strip() for field in next(csv.reader([line], delimiter=delimiter))]
    except csv.Error:  # a field longer than 128 KiB: no sheet has one
        return [line]
    return [field.lower() for field in fields] if lower else fields
