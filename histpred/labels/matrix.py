"""The gene x mark matrix: how it is written, read and matched to windows.

A tab-separated table with a header. The first column is the id of a gene (gene_id or name, as in
the annotation). The columns in CARRIED are for the reader. Every other column is a mark, with 1
(present), 0 (absent), or nothing (unlabelled).
"""

from __future__ import annotations

import csv
import gzip
import logging
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from histpred.bundle.mark_spec import NAME_PATTERN, RESERVED
from histpred.core.errors import InputError, first_few
from histpred.core.makers import made_otherwise
from histpred.core.marks import canonical
from histpred.core.text import agreeing, counted
from histpred.genome.regions import Feature
from histpred.labels.table import read_rows

logger = logging.getLogger(__name__)

LABELS = "labels.tsv.gz"
CARRIED = ("gene_id", "name", "biotype", "chrom", "start", "end", "strand")
VALUES = {"1": 1.0, "0": 0.0, "": np.nan, "NA": np.nan, "1.0": 1.0, "0.0": 0.0}


class Labels(NamedTuple):
    """Labels of n genes: 1 (mark present), 0 (absent) or NaN (unlabelled).

    ids [n]; marks: canonical names; values: float32 [n, marks].
    """

    ids: tuple[str, ...]
    marks: tuple[str, ...]
    values: np.ndarray


class LabelMatrix(NamedTuple):
    """A new matrix from RNAInter or peaks, with what to report about it.

    genes: one row per gene, columns id and CARRIED[1:]; start and end 0-based half-open. marks:
    canonical names. values: float32 [n, marks], as in Labels. unjoined: inputs without a place in
    the matrix; its last column, 'reason', says why. counts: in the order in which they are shown.
    categories: rows of the source by kind of RNA (category, entries, share, joined), if it has any.
    """

    genes: pandas.DataFrame
    marks: tuple[str, ...]
    values: np.ndarray
    unjoined: pandas.DataFrame
    counts: dict[str, int]
    categories: pandas.DataFrame | None = None


def gene_id(feature: Feature) -> str:
    """The id of a feature's gene: gene_id, or name where it is '.'."""
    return feature.gene_id if feature.gene_id != "." else feature.name


def carried(feature: Feature) -> tuple[str, str, str, int, int, str]:
    """The columns CARRIED[1:] of a feature."""
    name, biotype, strand = feature.name, feature.biotype, feature.strand
    return name, biotype, feature.chrom, feature.start, feature.end, strand


def gene_table(features: Iterable[Feature]) -> pandas.DataFrame:
    """One row per gene, with the columns id and CARRIED[1:]."""
    rows = [(gene_id(feature), *carried(feature)) for feature in features]
    return pandas.DataFrame(rows, columns=["id", *CARRIED[1:]])


def labels_file(path: Path) -> Path:
    """The table at `path`: the file itself, or the one in a folder from `histpred labels`."""
    if not path.is_dir():
        return path
    if not (path / LABELS).exists():
        found = made_otherwise(path, "labels") or f"a folder without {LABELS}"
        raise InputError(path, f"is {found}", "give a table of labels, or its folder")
    return path / LABELS


def read_labels(path: Path) -> Labels:
    """Read a matrix from a table or from a folder that `histpred labels` wrote.

    Repeated rows with the same id and values count once, with a warning. Raises InputError
    (file:line) for rows of another length than the header, values other than 1, 0 and nothing, a
    mark under two names, an id with two sets of values, and tables without rows or marks.
    """
    path = labels_file(Path(path))
    rows = read_rows(path)
    columns, marks = _header(path, rows)
    marked = [i for i, mark in enumerate(columns) if mark]
    genes: dict[str, int] = {}
    first_lines = array("q")
    found: list[tuple[float, ...]] = []
    distinct: dict[tuple[float, ...], tuple[float, ...]] = {}  # few, however many rows there are
    repeated = 0
    for number, fields in rows:
        name = fields[0]
        try:
            values = tuple(VALUES[fields[i]] for i in marked)
        except KeyError as error:
            message = f"the label {error.args[0]!r} of {name}"
            hint = "a label is 1, 0 or nothing; apply a threshold to measured values first"
            raise InputError(path, message, hint, number) from None
        if not name:
            raise InputError(path, "a row without an id", "give its gene_id or name", number)
        row = genes.setdefault(name, len(found))
        if row == len(found):
            first_lines.append(number)
            found.append(distinct.setdefault(values, values))
            continue
        if not np.array_equal(found[row], values, equal_nan=True):
            message = f"{name} has other labels here than in line {first_lines[row]}"
            raise InputError(path, message, "keep one row for each gene", number)
        repeated += 1
    if not genes:
        raise InputError(path, "no row below the header", "add a row for each gene")
    if repeated:
        repeat = agreeing(repeated, "repeats", "repeat")
        logger.warning(f"{counted(repeated, 'row')} of {path} {repeat} an earlier one")
    return Labels(tuple(genes), marks, np.array(found, np.float32))


def _header(path: Path, rows: Iterator[tuple[int, list[str]]]) -> tuple[list[str], tuple[str, ...]]:
    """The mark of each column, '' where there is none; and the marks."""
    number, names = next(rows, (0, []))
    if not number:
        raise InputError(path, "is empty", "a table of labels has a header: id, then marks")
    if "" in names[1:]:
        raise InputError(path, "a column without a name", "name or remove it", number)
    columns = ["", *("" if n.lower() in CARRIED else canonical(n) for n in names[1:])]
    marks = tuple(filter(None, columns))
    if twice := sorted({mark for mark in marks if marks.count(mark) > 1}):
        spelt = [n for n, mark in zip(names, columns, strict=True) if mark in twice]
        message = f"{first_few(twice)} twice, as {', '.join(spelt)}"
        raise InputError(path, message, "keep one column for each mark", number)
    if not marks:
        hint = "separate columns with tabs: the id first, then a column for each mark"
        raise InputError(path, f"no column of a mark: {first_few(names)}", hint, number)
    return columns, marks


def check_mark_name(path: Path, name: str, line: int | None = None) -> None:
    """Raise InputError for a name that no mark of a bundle, and no column of labels, can have."""
    if name in RESERVED or name.lower() in CARRIED or not re.fullmatch(NAME_PATTERN, name):
        hint = (
            "a mark is called by letters, digits and . _ + -, and not like a column or a file of "
            "histpred: rename it"
        )
        raise InputError(path, f"no mark can be called {name[:60]!r}", hint, line)


def write_labels(path: Path, matrix: LabelMatrix) -> None:
    """Write a matrix as a gzipped table; the same matrix gives the same bytes."""
    table = matrix.genes[["id", *CARRIED[1:]]].reset_index(drop=True)
    cells = np.where(np.isnan(matrix.values), "", np.where(matrix.values == 1, "1", "0"))
    whole = pandas.concat([table, pandas.DataFrame(cells, columns=list(matrix.marks))], axis=1)
    text = whole.to_csv(sep="\t", index=False, lineterminator="\n", quoting=csv.QUOTE_NONE).encode()
    path.write_bytes(gzip.compress(text, mtime=0))


def unit_ids(windows: pandas.DataFrame) -> list[str]:
    """The id that labels and splits use for each window: gene_id, or name if that is '.'."""
    pairs = zip(windows["gene_id"], windows["name"], strict=True)
    return [gene if gene != "." else name for gene, name in pairs]


def rows_of(labels: Labels, windows: pandas.DataFrame) -> np.ndarray:
    """The row of `labels` for each window, int [windows], -1 where there is none.

    Windows match by gene_id, else by name, else by either without the version of an Ensembl id
    (ENSG00000228630.5 and ENSG00000228630 are one) if that is unambiguous. Names that several genes
    share (Y_RNA) match nothing; a warning names those that have labels.
    """
    pairs = windows.loc[windows["gene_id"] != ".", ["name", "gene_id"]].drop_duplicates()
    counts = pairs["name"].value_counts()
    shared = set(counts.index[counts > 1])
    exact = {name: i for i, name in enumerate(labels.ids)}
    short = [(i, without_version(name)) for i, name in enumerate(labels.ids) if is_ensembl(name)]
    several = Counter(name for _, name in short)
    bare = {name: i for i, name in short if several[name] == 1}
    rows = array("q")
    for gene, name in zip(windows["gene_id"], windows["name"], strict=True):
        keys = [gene] if name in shared else [gene, name]
        found = [*map(exact.get, keys), *(bare.get(without_version(key)) for key in keys)]
        rows.append(next((row for row in found if row is not None), -1))
    if ambiguous := sorted(shared.intersection(labels.ids)):
        logger.warning(
            f"{counted(len(ambiguous), 'label')} {agreeing(len(ambiguous), 'is', 'are')} not used, "
            "of a name that several genes have: "
            f"{first_few(ambiguous)}"
        )
    return np.array(rows, np.int64)


def is_ensembl(name: str) -> bool:
    """True for an Ensembl id, which may have a version."""
    return name.startswith("ENS")


def without_version(name: str) -> str:
    """An Ensembl id without its version; any other name unchanged.

    >>> without_version("ENSG00000228630.5"), without_version("AC004.1")
    ('ENSG00000228630', 'AC004.1')
    """
    stem, dot, version = name.partition(".")
    return stem if dot and is_ensembl(stem) and version[:1].isdigit() else name
