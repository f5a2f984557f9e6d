"""The gene x mark matrix: as it is written, read, and laid on windows.

A tab-separated table with a header. Its first column is the id of a gene (gene_id or name, as the
annotation has it); the columns of CARRIED are for the reader; every other column is a mark, with 1,
0 or nothing (unlabelled).
"""

from __future__ import annotations

import csv
import gzip
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas

from histpred.core.errors import InputError, first_few
from histpred.core.marks import canonical
from histpred.genome.lines import open_lines

logger = logging.getLogger(__name__)

LABELS = "labels.tsv.gz"
CARRIED = ("gene_id", "name", "biotype", "chrom", "start", "end", "strand")
VALUES = {"1": 1.0, "0": 0.0, "": np.nan, "NA": np.nan, "1.0": 1.0, "0.0": 0.0}


class Labels(NamedTuple):
    """ids [n]; marks, by their canonical names; values float32 [n, marks]: 1, 0, NaN where
    unlabelled.
    """

    ids: tuple[str, ...]
    marks: tuple[str, ...]
    values: np.ndarray


class Made(NamedTuple):
    """A matrix that a source was turned into, with what is to be told of it.

    genes: a row each, columns id and CARRIED[1:]; start and end 0-based half-open. marks:
    canonical. values: float32 [n, marks], as in Labels. unjoined: what found no place, with a
    column 'reason'. counts: by what was counted, in the order in which to tell it. inputs: sha256
    by path. options: by name.
    """

    genes: pandas.DataFrame
    marks: tuple[str, ...]
    values: np.ndarray
    unjoined: pandas.DataFrame
    counts: dict[str, int]
    inputs: dict[str, str]
    options: dict[str, Any]


def labels_file(path: Path) -> Path:
    """The table that `path` means: the file itself, or the one in a folder of `histpred labels`."""
    return path / LABELS if path.is_dir() else path


def read_labels(path: Path) -> Labels:
    """Read a matrix, or the folder that `histpred labels` wrote.

    The same id with the same values is one row, and that is said.

    Raises
    ------
    InputError
        (file:line) For ragged rows, values other than 1, 0 and nothing, a mark under two names, an
        id with two sets of values, and tables without rows or marks.
    """
    path = labels_file(Path(path))
    ids: dict[str, int] = {}
    rows: list[tuple[float, ...]] = []
    lines_of: list[int] = []
    repeated = 0
    with open_lines(path) as lines:
        numbered = ((number, line) for number, line in lines if line.strip())
        columns, marks = _header(path, numbered)
        width = len(columns)
        chosen = [i for i, name in enumerate(columns) if name]
        for number, line in numbered:
            fields = line.split("\t")
            if len(fields) != width:
                raise InputError(
                    path,
                    f"{len(fields)} columns where the header has {width}",
                    "is a tab missing, or is the file cut short?",
                    number,
                )
            try:
                values = tuple(VALUES[fields[i].strip()] for i in chosen)
            except KeyError as error:
                raise InputError(
                    path,
                    f"the label {error.args[0]!r} of {fields[0]}",
                    "a label is 1, 0 or nothing; cut measured values at a threshold first",
                    number,
                ) from None
            name = fields[0].strip()
            if not name:
                raise InputError(path, "a row without an id", "its gene_id or name", number)
            if name not in ids:
                ids[name] = len(rows)
                rows.append(values)
                lines_of.append(number)
            elif np.array_equal(rows[ids[name]], values, equal_nan=True):
                repeated += 1
            else:
                raise InputError(
                    path,
                    f"{name} has other labels here than in line {lines_of[ids[name]]}",
                    "one row for each gene",
                    number,
                )
    if not rows:
        raise InputError(path, "no row below the header", "a row for each gene is needed")
    if repeated:
        logger.warning("%d rows of %s repeat an earlier one", repeated, path)
    return Labels(tuple(ids), marks, np.array(rows, np.float32))


def _header(path: Path, numbered: Iterator[tuple[int, str]]) -> tuple[list[str], tuple[str, ...]]:
    """For each column the mark that it holds, '' if none; and the marks."""
    number, line = next(numbered, (0, ""))
    if not number:
        raise InputError(path, "is empty", "a table of labels has a header: id, then marks")
    names = [name.strip().removeprefix("#") for name in line.split("\t")]
    if "" in names[1:]:
        raise InputError(path, "a column without a name", "name it, or take it out", number)
    columns = ["", *("" if n.lower() in CARRIED else canonical(n) for n in names[1:])]
    marks = tuple(filter(None, columns))
    twice = sorted({mark for mark in marks if marks.count(mark) > 1})
    if twice:
        spelt = [n for n, mark in zip(names, columns, strict=True) if mark in twice]
        raise InputError(
            path, f"{first_few(twice)} twice, as {', '.join(spelt)}", "one column a mark", number
        )
    if not marks:
        raise InputError(
            path,
            f"no column of a mark: {first_few(names)}",
            "tab-separated, the first column is the id, then a column for each mark",
            number,
        )
    return columns, marks


def write_labels(path: Path, made: Made) -> None:
    """Write a matrix as a gzipped table; the same matrix gives the same bytes."""
    table = made.genes[["id", *CARRIED[1:]]].reset_index(drop=True)
    cells = np.where(np.isnan(made.values), "", np.where(made.values == 1, "1", "0"))
    whole = pandas.concat([table, pandas.DataFrame(cells, columns=list(made.marks))], axis=1)
    text = whole.to_csv(sep="\t", index=False, lineterminator="\n", quoting=csv.QUOTE_NONE).encode()
    path.write_bytes(gzip.compress(text, mtime=0))


def unit_ids(windows: pandas.DataFrame) -> list[str]:
    """What each window is labelled and split by: its gene_id, its name where it has none ('.')."""
    pairs = zip(windows["gene_id"], windows["name"], strict=True)
    return [gene if gene != "." else name for gene, name in pairs]


def rows_of(labels: Labels, windows: pandas.DataFrame) -> np.ndarray:
    """The row of `labels` for each window, int [windows], -1 where there is none.

    By gene_id, else by name, else by either without the version of an Ensembl id (ENSG00000228630.5
    and ENSG00000228630 are one) where that is unambiguous. A name that several genes have (Y_RNA)
    is none of theirs; that is said.
    """
    genes_of = windows.loc[windows["gene_id"] != ".", ["name", "gene_id"]].drop_duplicates()
    counts = genes_of["name"].value_counts()
    shared = set(counts.index[counts > 1])
    exact = {name: i for i, name in enumerate(labels.ids)}
    short = Counter(map(without_version, labels.ids))
    bare = {
        without_version(name): i for name, i in exact.items() if short[without_version(name)] == 1
    }
    rows = []
    for gene, name in zip(windows["gene_id"], windows["name"], strict=True):
        keys = [gene] if name in shared else [gene, name]
        found = [*map(exact.get, keys), *(bare.get(without_version(key)) for key in keys)]
        rows.append(next((row for row in found if row is not None), -1))
    if ambiguous := sorted(shared.intersection(labels.ids)):
        logger.warning(
            "%d labels are of a name that several genes have, and are not used: %s",
            len(ambiguous),
            first_few(ambiguous),
        )
    return np.array(rows, np.int64)


def without_version(name: str) -> str:
    """An Ensembl id without its version; anything else as it is.

    >>> without_version("ENSG00000228630.5"), without_version("AC004.1")
    ('ENSG00000228630', 'AC004.1')
    """
    stem, dot, version = name.partition(".")
    return stem if dot and stem.startswith("ENS") and version[:1].isdigit() else name
