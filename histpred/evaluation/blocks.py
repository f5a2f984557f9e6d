"""Baselines by block of the genome, for rows that no split divides.

The blocks are dealt in turn to FOLDS folds. The baselines of a fold are fitted on the rows of the
other folds that lie at least GAP bp from its rows, so every row is scored by baselines that saw
neither the row nor its neighbours.
"""

from __future__ import annotations

import numpy as np
import pandas

from histpred.evaluation.baselines import (
    INPUTS,
    OF_GENOME,
    Scores,
    fit_predictors,
    several,
    shares_by_genome,
    shares_of,
)
from histpred.evaluation.calibration import call_thresholds
from histpred.evaluation.spooled import SpooledRows
from histpred.labels.loci import overlapping

FOLDS = 5
GAP = 100_000  # bp
ENOUGH = 50_000  # rows that baselines are fitted on; more change nothing but the time
AT_ONCE = 20_000  # rows that are scored at once


class Blocks:
    """The blocks of `length` bp in which windows lie, counted from the start of each contig.

    A window lies where its middle lies. Windows have the columns chrom, start and end. numbers: the
    block of each window, int [n], from 0 in order of name and place. names: of each block.
    """

    def __init__(self, windows: pandas.DataFrame, length: int) -> None:
        middle = (windows["start"].to_numpy() + windows["end"].to_numpy()) // 2
        place = pandas.DataFrame({"chrom": windows["chrom"].to_numpy(), "block": middle // length})
        grouped = place.groupby(["chrom", "block"], sort=True)
        self.length = length
        self.numbers: np.ndarray = grouped.ngroup().to_numpy()
        self.names = [
            f"{chrom}:{block * length}-{block * length + length}" for chrom, block in grouped.groups
        ]

    @property
    def folds(self) -> np.ndarray:
        """The fold of each window, int [n]."""
        folds: np.ndarray = self.numbers % FOLDS
        return folds


def out_of_fold(
    windows: pandas.DataFrame,
    features: np.ndarray | SpooledRows,
    labels: np.ndarray,
    blocks: Blocks,
    wanted: float | None = None,
) -> Scores:
    """Probabilities of the baselines for windows [n] with `sequence_features` and labels.

    The prevalence, by genome too, is that of all of them: one of each fold would rank the folds,
    and in the wrong order. Thresholds are chosen on these same rows by `call_thresholds`, which
    takes `wanted`. Both flatter the baselines a little.
    """
    shares = shares_of(labels)
    found: dict[str, np.ndarray] = {}
    around = windows.assign(start=windows["start"] - GAP // 2, end=windows["end"] + GAP // 2)
    for fold in np.unique(blocks.folds):
        held_out = blocks.folds == fold
        train = np.flatnonzero(~overlapping(around, held_out))
        train = train[:: max(1, -(-len(train) // ENOUGH))]
        rows = windows.iloc[train].reset_index(drop=True)
        predictors = fit_predictors(rows, features[train], labels[train], shares)
        scored = np.flatnonzero(held_out)
        for part in np.array_split(scored, -(-len(scored) // AT_ONCE)):
            these, read = windows.iloc[part].reset_index(drop=True), features[part]
            for name, predict in predictors.items():
                values = found.setdefault(name, np.full(labels.shape, np.nan))
                values[part] = predict(these, read)
    if several(windows):
        predict = shares_by_genome(windows, labels, shares)  # which reads no features
        found[OF_GENOME] = predict(windows, np.empty(0))
    return {
        name: (found[name], call_thresholds(labels, found[name], wanted))
        for name in INPUTS
        if name in found
    }
