"""Sequences of transcripts from FASTA files, in place of exons that are joined from the genome.

A transcript is found by its ID, with or without version, at the beginning of a header:
`>ENST00000456328.2 cdna chromosome:GRCh38:1:...` (Ensembl) or `>ENST00000456328.2|ENSG...|`
(GENCODE). The annotation still tells where it lies and how long it must be.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import InputError, UsageError, first_few
from histpred.genome.gene_list import VERSIONED
from histpred.genome.reasons import NO_SEQUENCE, OTHER_LENGTH
from histpred.genome.reference import Reference
from histpred.genome.regions import SPLICED, Feature, Window
from histpred.genome.request import FILE, Request
from histpred.genome.table import OF_TRANSCRIPTS, TABLE_HEADER, table_row
from histpred.genome.transcript_headers import transcript_id
from histpred.genome.windows import Row

MOST_OTHER = 0.2  # share of transcripts of another length from which the release must be another
FEWEST_OTHER = 10  # as many may have another length in any case


class Record(NamedTuple):
    """The place of a transcript's sequence: the file and the record's name in it."""

    file: Reference
    name: str

    @property
    def length(self) -> int:
        """Its number of bases."""
        return self.file.lengths[self.name]


class Transcripts:
    """The sequences of the transcripts of an annotation; a context manager.

    Of a transcript that is in several files, the first has it. Private indexes are kept in
    `directory`. Raises InputError for a file that is no FASTA.
    """

    def __init__(self, paths: Sequence[str], directory: Path) -> None:
        self._stack = ExitStack()
        self._records: dict[str, Record] = {}
        self._bare: dict[str, Record] = {}  # by the ID without version
        self._of: dict[tuple[int, str], Record] = {}
        self._missing: list[str] = []
        self._differing: list[str] = []
        self.notices: list[str] = []
        self.warnings: list[str] = []
        self.name = ", ".join(map(os.fspath, paths))
        with ExitStack() as stack:
            for path in paths:
                self._add(stack.enter_context(Reference(path, directory, rna=True)))
            self._stack = stack.pop_all()

    def __enter__(self) -> Transcripts:
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def _add(self, file: Reference) -> None:
        self.notices += file.notices
        self.warnings += file.warnings
        for name in file.lengths:
            identifier = transcript_id(name)
            record = self._records.setdefault(identifier, Record(file, name))
            self._bare.setdefault(without_version(identifier), record)

    def find(self, feature: Feature) -> Feature:
        """The feature, with a problem if its transcript is in no file, or of another length."""
        name = feature.transcript if feature.transcript != "." else feature.name
        record = self._records.get(name) or self._bare.get(without_version(name))
        if record is None:
            self._missing.append(name)
            return feature._replace(problem=NO_SEQUENCE)
        length = sum(end - start for start, end in feature.exons or ()) + feature.outside
        if feature.exons and length != record.length:
            self._differing.append(name)
            found = f"{record.length} bp in the FASTA, {length} bp in the annotation"
            return feature.with_note(found)._replace(problem=OTHER_LENGTH)
        self._of[feature.line, feature.name] = record
        identifier = transcript_id(record.name)
        return feature if identifier == name else feature.with_note(f"sequence of {identifier}")

    def sequence(self, window: Window) -> bytes:
        """The sequence of a window whose feature was found: upper case, with T for U."""
        file, name = self._of[window.line, window.name]
        return file.fetch(name, 0, file.lengths[name])

    def identifier(self, window: Window) -> str:
        """The ID of the sequence of a window whose feature was found, as the file has it."""
        return transcript_id(self._of[window.line, window.name].name)

    def check(self, annotation: str) -> None:
        """Raise InputError if no transcript was found, or too many of them had another length."""
        hint = "are both of the same release and species?"
        missing, differing, found = len(self._missing), len(self._differing), len(self._of)
        if missing and not differing + found:
            here, there = first_few(self._missing), first_few(self._records)
            message = f"has none of the {missing} transcripts of {annotation}"
            raise InputError(self.name, f"{message}: {here} there, {there} here", hint)
        if differing > max(FEWEST_OTHER, MOST_OTHER * (differing + found)):
            message = (
                f"{differing} of {differing + found} transcripts have another length than their "
                f"exons in {annotation}: {first_few(self._differing)}"
            )
            raise InputError(self.name, message, hint)


def with_sequence(
    feature: Feature, transcripts: Transcripts | None, annotation: str, is_window: bool
) -> Feature:
    """The feature as `Transcripts.find` gives it; unchanged if there are no transcripts.

    Raises UsageError for a row of a table of windows (`is_window`) that names a transcript if there
    are none, and for one that names none if there are.
    """
    if is_window and (feature.transcript != ".") != (transcripts is not None):
        if transcripts:
            what = f"--transcripts was given, but the windows of {annotation} name no transcripts"
            hint = "omit it, or give the annotation that the table was made from"
        else:
            what = f"the windows of {annotation} are transcripts, whose sequences lie elsewhere"
            hint = "give --transcripts with the files that the table was made with"
        raise UsageError(what, hint)
    return transcripts.find(feature) if transcripts else feature


def table_writer(transcripts: Transcripts | None) -> tuple[str, Callable[[Row], str]]:
    """The header of a table of windows, and what makes the line of a row."""
    if transcripts is None:
        return TABLE_HEADER, table_row
    return OF_TRANSCRIPTS, lambda row: table_row(row, transcripts.identifier(row.window))


def check_request(request: Request, kind: str) -> None:
    """Raise UsageError if a request for windows of `kind` cannot have sequences of transcripts."""
    if not request.transcripts:
        return
    if kind != SPLICED:
        what = f"--transcripts is for spliced windows, not for {kind}"
        raise UsageError(what, "omit it, or add --window spliced")
    if request.source != FILE:
        raise UsageError(f"--transcripts is for an annotation, not for {request.source}", "omit it")


def fitting(request: Request, kind: str) -> Request:
    """The request, without transcripts if windows of `kind` do not read them."""
    return request if kind == SPLICED else request._replace(transcripts=())


def without_version(name: str) -> str:
    """An ID of Ensembl or RefSeq without its version; any other name unchanged.

    >>> [without_version(name) for name in ("ENST00000456328.2", "NR_046018.2", "2R.1")]
    ['ENST00000456328', 'NR_046018', '2R.1']
    """
    found = VERSIONED.fullmatch(name)
    return found[1] if found else name
