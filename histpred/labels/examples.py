"""Rows with labels, as a network meets them: what of the labels lies on the annotation, which set
each row belongs to, and which marks can be learned.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from histpred.core.errors import InputError, UsageError, first_few
from histpred.core.marks import canonical
from histpred.labels.matrix import Labels, rows_of, unit_ids

logger = logging.getLogger(__name__)

FEWEST = 2  # positives, and negatives, of a mark in the training rows


class Examples(NamedTuple):
    """Rows with a label, in genome order.

    windows: a row each (chrom, start, end, name, strand, gene_id, biotype); units [n]: what is kept
    together in a split; inputs [n, ...]: what the network takes; labels: float32 [n, marks], NaN
    where unlabelled; sets [n]: see `histpred.labels.splits`.
    """

    windows: pandas.DataFrame
    units: np.ndarray
    inputs: np.ndarray
    labels: np.ndarray
    sets: np.ndarray

    def of(self, name: str) -> Examples:
        """Those of one set."""
        chosen = self.sets == name
        rest = (values[chosen] for values in self[1:])
        return Examples(self.windows[chosen].reset_index(drop=True), *rest)


class Labelled(NamedTuple):
    """Windows that have a label: `rows` [n] are their numbers among all windows."""

    rows: np.ndarray
    windows: pandas.DataFrame
    units: np.ndarray
    labels: np.ndarray


def labelled(windows: pandas.DataFrame, labels: Labels, path: Path) -> Labelled:
    """The windows that have a label; what is left over on either side is said.

    A row without any label is no row. Raises InputError where no window has one.
    """
    found = rows_of(labels, windows)
    empty = np.isnan(labels.values).all(axis=1)
    rows = np.flatnonzero((found >= 0) & ~empty[found])
    absent = np.setdiff1d(np.arange(len(labels.ids)), found)
    if not rows.size:
        raise InputError(
            path,
            f"none of its {len(labels.ids)} rows is in the annotation: {first_few(labels.ids)} "
            f"here, {first_few(unit_ids(windows))} there",
            "the first column must hold gene_id or name as the annotation has them",
        )
    if absent.size:
        names = first_few((labels.ids[i] for i in absent), len(absent))
        logger.warning(
            "%d of %d rows of %s have no window and are not used: %s",
            len(absent),
            len(labels.ids),
            path,
            names,
        )
    if len(rows) < len(windows):
        logger.info("%d of %d windows have no label", len(windows) - len(rows), len(windows))
    chosen = windows.iloc[rows].reset_index(drop=True)
    return Labelled(rows, chosen, np.array(unit_ids(chosen)), labels.values[found[rows]])


def choose_marks(labels: Labels, names: tuple[str, ...], path: Path) -> Labels:
    """The labels of some marks, in the order of `names`; all of them if it is empty."""
    if not names:
        return labels
    wanted = list(dict.fromkeys(canonical(name) for name in names))
    if missing := [name for name in wanted if name not in labels.marks]:
        raise UsageError(
            f"{path} has no mark {first_few(missing)}", f"it has {', '.join(labels.marks)}"
        )
    columns = [labels.marks.index(name) for name in wanted]
    return Labels(labels.ids, tuple(wanted), labels.values[:, columns])


def learnable(marks: tuple[str, ...], train: np.ndarray, path: Path) -> np.ndarray:
    """Which marks, bool [marks], have enough of both classes in the training labels [n, marks].

    The others are named in a warning.

    Raises InputError where no mark has enough.
    """
    positive, negative = (train == 1).sum(0), (train == 0).sum(0)
    enough = (positive >= FEWEST) & (negative >= FEWEST)
    few = [
        f"{mark} ({p} with, {n} without it)"
        for mark, p, n, fine in zip(marks, positive, negative, enough, strict=True)
        if not fine
    ]
    if not enough.any():
        raise InputError(
            path,
            f"no mark has {FEWEST} training rows with it and {FEWEST} without: {first_few(few)}",
            "where unobserved pairs are unlabelled, train with --loss nnpu, or make the labels "
            "with --unobserved negative",
        )
    if few:
        logger.warning(
            "%d marks are left out, as the training rows hardly differ in them: %s",
            len(few),
            first_few(few),
        )
    return enough
