"""DataFrames in place of files: annotations and labels as inputs, tables as results."""

from __future__ import annotations

import copy
import csv
import math
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histpred.core.columns import COLUMNS, HEADER, NA, NAMES, PLACE
from histpred.core.errors import HistpredError, InputError, UsageError, first_few
from histpred.core.finished import written
from histpred.genome.genomes import GenomeInput, one_genome, read_genomes
from histpred.genome.request import Request
from histpred.genome.typed_regions import canonical, like_regions, names_contig, parse_regions
from histpred.scoring.called import called_rows
from histpred.scoring.tables import CALLS, SCORES

if TYPE_CHECKING:
    import pandas

    from histpred.scoring.record import RunRecord

CALL_COLUMNS = (*PLACE, "gene_id", "biotype")
FRAME, SEQUENCES = "<DataFrame>", "<sequences>"  # their names in errors


def regions_text(annotation: object, fasta: object = None) -> str | None:
    """The regions of a list of strings, or of one string that is no file, as one text.

    With a `fasta`, the name of one of its contigs is a region too; see `names_contig`. None for
    anything else that may be an annotation. Raises UsageError for a malformed region.
    """
    words = [annotation] if isinstance(annotation, str) else annotation
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        return None
    text = " ".join(words)

    def is_contig(word: str) -> bool:
        return fasta is not None and names_contig(word, str(fasta))

    regions = like_regions(text) or (bool(words) and all(map(is_contig, words)))
    if isinstance(annotation, str) and (os.path.exists(text) or not regions):
        return None
    if not regions:
        hint = "give an annotation as one path or a DataFrame, and names of genes as genes="
        raise UsageError(f"not a region: {text[:60]!r}", hint)
    return canonical(parse_regions(text, is_contig))


@contextmanager
def annotation_file(annotation: str | os.PathLike[str] | pandas.DataFrame) -> Iterator[str]:
    """The path of an annotation; a DataFrame's columns are written as those of a BED, in order."""
    with _file_of(annotation, "annotation", "annotation.bed", header=False) as path:
        yield path


@contextmanager
def sequences_file(sequences: object) -> Iterator[str]:
    """The path of a FASTA; a mapping of names to sequences is written as one.

    Raises UsageError for anything else, for a mapping without sequences, and for a name that is
    empty or has a blank.
    """
    if not isinstance(sequences, Mapping):
        if isinstance(sequences, str | os.PathLike) and not regions_text(sequences):
            yield os.fspath(sequences)
            return
        hint = (
            "give fasta=; or sequences, as one path of a FASTA or a mapping of names to sequences"
        )
        raise UsageError("no genome was given", hint)
    for name, sequence in sequences.items():
        if not isinstance(name, str) or not name or name.split() != [name]:
            raise UsageError(f"a sequence is called {name!r}", "give names without blanks")
        if not isinstance(sequence, str) or not sequence or sequence.split() != [sequence]:
            raise UsageError(f"{name} is no sequence: {str(sequence)[:40]!r}", "give its letters")
    if not sequences:
        raise UsageError("no sequences were given", "give a mapping of names to sequences")
    with output_path(None, "sequences.fa") as path:
        records = (f">{name}\n{one}\n" for name, one in sequences.items())
        path.write_text("".join(records), encoding="utf-8")
        with _named(path, SEQUENCES):
            yield str(path)


@contextmanager
def labels_table(labels: str | os.PathLike[str] | pandas.DataFrame) -> Iterator[Path]:
    """The path of a table of labels; a DataFrame is written as one."""
    with _file_of(labels, "labels", "labels.tsv", header=True) as path:
        yield Path(path)


@contextmanager
def data_set(
    annotation: Any, fasta: Any, labels: Any, selection: Request
) -> Iterator[tuple[GenomeInput, ...]]:
    """The genome of an annotation, FASTA and labels; without the latter, those of a sheet.

    A sheet is a path or a sequence of GenomeInput. selection: the rows of each genome. Raises
    UsageError for anything else.
    """
    if fasta is None and labels is None and not isinstance(annotation, str | os.PathLike):
        genomes = tuple(annotation) if isinstance(annotation, list | tuple) else ()
        if not genomes or not all(isinstance(one, GenomeInput) for one in genomes):
            what = "no FASTA and no labels were given"
            raise UsageError(what, "give fasta= and labels=, or a sheet of genomes as one path")
        names = [genome.name for genome in genomes]
        if len(set(names)) < len(names) or ("" in names and len(names) > 1):
            raise UsageError(f"genomes are called {first_few(names)}", "name each differently")
        yield tuple(sorted(genomes))
    elif fasta is None and labels is None:
        yield read_genomes(os.fspath(annotation), selection)
    else:
        with annotation_file(annotation) as rows, labels_table(labels) as table:
            genome = selection._replace(annotation=rows, fasta=path_text(fasta, "fasta"))
            yield one_genome(genome, table)


def path_text(path: str | os.PathLike[str], what: str) -> str:
    """The text of a path; raises UsageError for anything else that was given as `what`."""
    if isinstance(path, str | os.PathLike):
        return os.fspath(path)
    raise UsageError(f"{what} is a {type(path).__name__}", "give one path")


@contextmanager
def _file_of(
    given: str | os.PathLike[str] | pandas.DataFrame, what: str, name: str, header: bool
) -> Iterator[str]:
    """The path given, or that of a file `name` with the rows of a DataFrame.

    Raises UsageError for anything else, and InputError for a value that would break a row.
    """
    import pandas

    if not isinstance(given, pandas.DataFrame):
        if not isinstance(given, str | os.PathLike):
            hint = "give one path or a pandas.DataFrame"
            raise UsageError(f"{what} is a {type(given).__name__}", hint)
        yield os.fspath(given)
        return
    _check_values(given, header)
    with output_path(None, name) as path:
        given.to_csv(path, sep="\t", header=header, index=False, quoting=csv.QUOTE_NONE)
        with _named(path, FRAME):
            yield str(path)


@contextmanager
def _named(path: Path, name: str) -> Iterator[None]:
    """Name what a temporary file was written from in errors about it."""
    try:
        yield
    except HistpredError as error:
        error.message = error.message.replace(str(path), name)
        raise


def _check_values(frame: pandas.DataFrame, header: bool) -> None:
    """Raise InputError for a value that breaks a row of text, or makes it read as a comment."""
    for place, column in enumerate(frame.columns):
        breaks = r"[\t\r\n]"
        if header and re.search(breaks, str(column)):
            raise InputError(
                FRAME, f"a column is called {column!r}", "remove the tab or line break"
            )
        values = frame.iloc[:, place]
        if values.dtype.kind in "biuf":
            continue
        if not header and not place:
            breaks += r"|^#|^(?:track|browser)$"
        broken = values.astype(str).str.contains(breaks).to_numpy(bool)
        if broken.any():
            row = int(broken.argmax())
            found = f"row {row}, column {column!r} holds {str(values.iloc[row])[:40]!r}"
            hint = "replace tabs and line breaks; a contig named like a comment cannot be read"
            raise InputError(FRAME, found, hint)


@contextmanager
def output_path(out: str | os.PathLike[str] | None, name: str) -> Iterator[Path]:
    """The path of an output; None: one called `name` that does not outlive the context."""
    if out is not None:
        yield Path(out)
        return
    with tempfile.TemporaryDirectory() as scratch:
        yield Path(scratch) / name


def read_frame(path: Path) -> pandas.DataFrame:
    """A table of windows or scores; `start` and `end` are 0-based half-open.

    Probabilities that are NA are NaN.
    """
    import pandas

    types = {column.name: column.type for column in COLUMNS} | {"blocks": str, "outside": int}
    table = pandas.read_csv(
        path, sep="\t", dtype=str, keep_default_na=False, quoting=csv.QUOTE_NONE
    )
    table = table.rename(columns={HEADER[0]: NAMES[0]})
    for name in table.columns.difference(list(types)):
        if (table[name].head(1) == NA).all():  # so are all its rows
            table[name] = math.nan
    return table.astype({name: types.get(name, float) for name in table.columns})


def read_prediction(folder: Path) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """The scores and the calls in a folder of predict, with `attributes_of` in their `attrs`.

    scores: see `read_frame`. calls: a row for each window and mark that is called, in the order of
    the scores: the columns of `CALL_COLUMNS`, then `mark` and `probability`.
    """
    from histpred.scoring.record import RUN, RunRecord

    scores = read_frame(folder / SCORES)
    marks = [name for name in scores.columns if name not in NAMES]
    with called_rows(folder / CALLS, marks) as reader:
        places = scores[list(PLACE)].astype(str)
        rows, columns = reader.take([*places.itertuples(index=False, name=None)]).nonzero()
        reader.finish()
    calls = scores.iloc[rows][list(CALL_COLUMNS)].reset_index(drop=True)
    calls["mark"] = [marks[column] for column in columns]
    calls["probability"] = scores[marks].to_numpy(float)[rows, columns]
    attributes = attributes_of(written(folder / RUN, RunRecord))
    scores.attrs, calls.attrs = attributes, copy.deepcopy(attributes)
    return scores, calls


def read_effects(folder: Path) -> pandas.DataFrame:
    """The effects in a folder of variants, with NaN for NA.

    `attrs`: scales ('calibrated' or 'raw', of the differences by mark), resolution (one sentence;
    None if nothing was scored), skipped (alleles by reason) and warnings.
    """
    import pandas

    from histpred.scoring.variants_record import RECORD, VariantsRecord
    from histpred.scoring.variants_tables import EFFECTS

    texts = "chrom", "id", "ref", "alt", "window"
    table = pandas.read_csv(
        folder / EFFECTS,
        sep="\t",
        skiprows=1,
        keep_default_na=False,
        dtype=str,
        quoting=csv.QUOTE_NONE,
    )
    table = table.rename(columns={HEADER[0]: NAMES[0]})
    numbers = table.columns.difference(texts, sort=False)
    table[numbers] = table[numbers].replace(NA, "nan").astype(float)
    record = written(folder / RECORD, VariantsRecord)
    found = record.result.resolution
    table.attrs = {
        "scales": record.scales,
        "resolution": found and found.sentence(),
        "skipped": record.result.skipped,
        "warnings": [*record.result.warnings],
    }
    return table.astype({"pos": int})


def attributes_of(run: RunRecord) -> dict[str, Any]:
    """What a reader of scores must know of them, as values that JSON can hold.

    bundle: name, version and digest. thresholds: the lowest probability of a call by mark; None if
    the mark is never called. promises: the precision and recall expected of calls, by mark; None
    if the bundle does not state them. unpredicted: why marks are NaN. first_words, warnings:
    sentences.
    """
    marks = [mark for mark in run.marks if not mark.unpredicted]
    return {
        "bundle": run.identity.bundle,
        "thresholds": {mark.name: mark.threshold for mark in marks},
        "promises": {
            mark.name: {"precision": mark.precision, "recall": mark.recall} for mark in marks
        },
        "unpredicted": run.unpredicted,
        "first_words": [*run.result.first_words],
        "warnings": [*run.result.warnings],
    }
