"""Windows with labels, as training and evaluation use them, and the marks that can be learned."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from histpred.core.errors import InputError, UsageError, first_few
from histpred.core.marks import canonical
from histpred.core.spelling import did_you_mean
from histpred.core.text import agreeing, counted
from histpred.labels.matrix import Labels, check_mark_name, rows_of, unit_ids

logger = logging.getLogger(__name__)

FEWEST = 2  # positives, and negatives, of a mark in the training rows


class Examples(NamedTuple):
    """Labelled windows in genome order, with what a network takes of each.

    windows: columns chrom, start, end, name, strand, gene_id, biotype; units [n]: ids of what a
    split keeps together; inputs [n, ...]; labels: float32 [n, marks], NaN where unlabelled; sets
    [n]: see `histpred.labels.splits`.
    """

    windows: pandas.DataFrame
    units: np.ndarray
    inputs: np.ndarray
    labels: np.ndarray
    sets: np.ndarray

    def numbers(self, name: str) -> np.ndarray:
        """The numbers of the examples of one set, int64."""
        return np.flatnonzero(self.sets == name)

    def of(self, name: str) -> Examples:
        """The examples of one set, as copies."""
        chosen = self.sets == name
        rest = (values[chosen] for values in self[1:])
        return Examples(self.windows[chosen].reset_index(drop=True), *rest)


class LabelledWindows(NamedTuple):
    """Windows that have a label; `rows` [n] are their numbers among all windows."""

    rows: np.ndarray
    windows: pandas.DataFrame
    units: np.ndarray
    labels: np.ndarray


def labelled(windows: pandas.DataFrame, labels: Labels, path: Path) -> LabelledWindows:
    """Match windows with labels and keep those with at least one label.

    Logs how many windows have no label and which labels have no window; `path` is that of the
    labels. Raises InputError if no window has a label.
    """
    found = rows_of(labels, windows)
    empty = np.isnan(labels.values).all(axis=1)
    rows = np.flatnonzero((found >= 0) & ~empty[found])
    absent = np.setdiff1d(np.arange(len(labels.ids)), found)
    if not rows.size:
        here, there = first_few(labels.ids), first_few(unit_ids(windows))
        raise InputError(
            path,
            f"none of its {len(labels.ids)} rows is in the annotation: {here} here, {there} there",
            "the first column must hold gene_id or name as in the annotation",
        )
    if absent.size:
        logger.warning(
            f"{len(absent)} of {counted(len(labels.ids), 'row')} of {path} "
            f"{agreeing(len(absent), 'has no window and is', 'have no window and are')} not used: "
            f"{first_few(labels.ids[i] for i in absent)}"
        )
    if len(rows) < len(windows):
        bare = len(windows) - len(rows)
        have = agreeing(bare, "has", "have")
        logger.info(f"{bare} of {counted(len(windows), 'window')} {have} no label")
    chosen = windows.iloc[rows].reset_index(drop=True)
    return LabelledWindows(
        rows, chosen, np.array(unit_ids(chosen), object), labels.values[found[rows]]
    )


def choose_marks(labels: Labels, names: tuple[str, ...], path: Path) -> Labels:
    """The labels of the named marks, in the order of `names`; of all marks if it is empty.

    Raises UsageError for a mark that the labels, read from `path`, do not have, and InputError for
    a name that no bundle can hold.
    """
    wanted = list(dict.fromkeys(canonical(name) for name in names)) or list(labels.marks)
    if missing := [name for name in wanted if name not in labels.marks]:
        hint = did_you_mean(missing, labels.marks, f"it has {', '.join(labels.marks)}")
        raise UsageError(f"{path} has no mark {first_few(missing)}", hint)
    for mark in wanted:
        check_mark_name(path, mark)
    columns = [labels.marks.index(name) for name in wanted]
    return Labels(labels.ids, tuple(wanted), labels.values[:, columns])


def learnable(marks: tuple[str, ...], train: np.ndarray, path: Path | str) -> np.ndarray:
    """True, bool [marks], for marks with FEWEST rows of both classes.

    `train` holds the training labels [n, marks]. A warning names the other marks. Raises InputError
    if no mark has enough.
    """
    positive, negative = (train == 1).sum(0), (train == 0).sum(0)
    enough: np.ndarray = (positive >= FEWEST) & (negative >= FEWEST)
    few = [
        f"{mark} ({p} positive, {n} negative)"
        for mark, p, n, fine in zip(marks, positive, negative, enough, strict=True)
        if not fine
    ]
    if not enough.any():
        raise InputError(
            path,
            f"no mark has {FEWEST} positive and {FEWEST} negative training rows: {first_few(few)}",
            "if unobserved pairs are unlabelled, train with --loss nnpu, or make the labels "
            "with --unobserved negative",
        )
    if few:
        logger.warning(
            f"{counted(len(few), 'mark')} {agreeing(len(few), 'is', 'are')} left out, with too "
            f"few positive or negative training rows: {first_few(few)}"
        )
    return enough
