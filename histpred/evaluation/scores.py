"""The raw scores of a bundle and its probabilities, those of `histpred predict`, in memory."""

from __future__ import annotations

import logging
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas
from scipy.special import expit

from histpred.bundle.encoding import bundle_encoder
from histpred.bundle.folder import Bundle
from histpred.bundle.mark_spec import MarkSpec
from histpred.core.columns import COLUMNS, NAMES
from histpred.core.execution import Execution
from histpred.genome.genomes import GenomeInput, naming, placed
from histpred.genome.transcripts import fitting
from histpred.genome.windows import Row, WindowSpec, tile_name
from histpred.scoring.predict import predict

logger = logging.getLogger(__name__)

SAME_ROW = ["chrom", "name", "strand", "gene_id"]
COPY = "copy #"  # numbers rows that are the same otherwise; no mark has this name


class Target(NamedTuple):
    """The windows that are scored: None and 0: the bundle's own, see `window_for`."""

    window: str | None = None
    tile: int = 0


class ScoredWindows(NamedTuple):
    """All windows of some genomes, scored by a bundle.

    table: windows in genome order with the columns of `histpred.core.columns`, GENOME where genomes
    have names, and COPY. A tile is called by its place (`tile_name`) and has no gene_id. marks:
    those that the bundle predicts for such windows. probabilities: float64 [windows, marks].
    logits: float32 [windows, marks], before calibration.
    """

    bundle: Bundle
    window: WindowSpec
    marks: tuple[MarkSpec, ...]
    table: pandas.DataFrame
    probabilities: np.ndarray
    logits: np.ndarray

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the marks."""
        return tuple(mark.name for mark in self.marks)

    def columns(self, marks: Sequence[str], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities and raw scores, float64 [n, marks], of some rows and marks.

        A raw score is the sigmoid of the logit.
        """
        chosen = np.ix_(rows, np.array([self.names.index(mark) for mark in marks]))
        raw = self.logits[chosen].astype(np.float64)
        return self.probabilities[chosen], expit(raw, out=raw)

    def without_windows(self) -> ScoredWindows:
        """What is known without any window."""
        none = slice(0)
        return self._replace(
            table=self.table[none].copy(),
            probabilities=self.probabilities[none].copy(),
            logits=self.logits[none].copy(),
        )


class _Columns:
    """Windows that grow where they are; many small tables would take twice the memory to join."""

    def __init__(self) -> None:
        self.columns: list[Any] = [
            [] if column.type is str else array("q" if column.type is int else "d")
            for column in COLUMNS
        ]

    def add(self, row: Row) -> None:
        for column, value in zip(self.columns, row.values, strict=True):
            column.append(value)

    def table(self, window: WindowSpec) -> pandas.DataFrame:
        named = dict(zip(NAMES, self.columns, strict=True))
        if window.tile:
            starts = zip(named["chrom"], named["start"], strict=True)
            named["name"] = [tile_name(chrom, start, window.tile) for chrom, start in starts]
            named["gene_id"] = "."
        return pandas.DataFrame(named)


def score(
    bundle: Bundle,
    genomes: Sequence[GenomeInput],
    target: Target,
    weights: Path | None,
    work: Path,
    execution: Execution,
) -> ScoredWindows:
    """Score the windows of genomes; `work` is a private folder for temporary files."""
    choice = bundle_encoder(bundle, target.window, target.tile or None, weights)
    window, name = choice.window, bundle.manifest.name
    logger.info(f"{name}: embedding {described(window)}")
    if not choice.is_expensive:
        execution = execution._replace(store=None)
    marks = tuple(mark for mark in choice.scored if not mark.unpredicted)
    predicted = np.array([not mark.unpredicted for mark in choice.scored])
    tables: list[pandas.DataFrame] = []
    logits, probabilities = bytearray(), bytearray()
    execution = execution._replace(overwrite=True, table=False)
    for genome in genomes:
        windows = _Columns()

        def keep(rows: Sequence[Row], calibrated: np.ndarray, before: np.ndarray) -> None:
            for row in rows:
                windows.add(row)  # noqa: B023 - called within this turn
            probabilities.extend(calibrated[:, predicted].astype(np.float64).tobytes())
            logits.extend(before[:, predicted].astype(np.float32).tobytes())

        # Of bundles side by side, some may be of transcripts.
        request = fitting(genome.request, window.kind)
        with naming(genome):
            run = predict(request, choice, work / f"{name}.scores", execution, keep)
        if execution.store:
            logger.info(
                f"{run.embedded:,} chunks embedded on {run.device}, {run.reused:,} found in the "
                "store"
            )
        tables.append(placed(windows.table(window), genome.name))
    table = tables[0] if len(tables) == 1 else pandas.concat(tables, ignore_index=True)
    table[COPY] = 0 if window.tile else table.groupby(SAME_ROW).cumcount()  # a tile is there once
    return ScoredWindows(
        bundle,
        window,
        marks,
        table,
        np.frombuffer(probabilities, np.float64).reshape(len(table), len(marks)),
        np.frombuffer(logits, np.float32).reshape(len(table), len(marks)),
    )


def described(window: WindowSpec) -> str:
    """Windows in words."""
    tiles = f", tiles of {window.tile:,} bp" if window.tile else ""
    return f"{window} windows{tiles}"
