"""The raw scores of a bundle and its probabilities, those of `histpred predict`, in memory."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas
from scipy.special import expit

from histpred.bundle.encoding import bundle_encoder
from histpred.bundle.folder import Bundle
from histpred.bundle.mark_spec import MarkSpec
from histpred.core.columns import NAMES
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
    have names, COPY, and a column of probabilities for each mark. A tile is called by its place
    (`tile_name`) and has no gene_id. marks: those that the bundle predicts for such windows. raw:
    float64 [windows, marks], the scores before calibration: the sigmoid of each logit.
    """

    bundle: Bundle
    window: WindowSpec
    marks: tuple[MarkSpec, ...]
    table: pandas.DataFrame
    raw: np.ndarray

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the marks."""
        return tuple(mark.name for mark in self.marks)


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
    tables: list[pandas.DataFrame] = []
    logits: list[np.ndarray] = []
    scores: list[np.ndarray] = []
    execution = execution._replace(overwrite=True, table=False)
    for genome in genomes:
        windows = [pandas.DataFrame([], columns=NAMES)]

        def keep(rows: Sequence[Row], probabilities: np.ndarray, before: np.ndarray) -> None:
            these = pandas.DataFrame([row.values for row in rows], columns=NAMES)
            windows.append(these)  # noqa: B023 - called within this turn
            logits.append(before)
            scores.append(probabilities)

        # Of bundles side by side, some may be of transcripts.
        request = fitting(genome.request, window.kind)
        with naming(genome):
            run = predict(request, choice, work / f"{name}.scores", execution, keep)
        if execution.store:
            logger.info(
                f"{run.embedded:,} chunks embedded on {run.device}, {run.reused:,} found in the "
                "store"
            )
        table = pandas.concat(windows[1:] or windows, ignore_index=True)
        if window.tile:
            places = zip(table["chrom"], table["start"], strict=True)
            table["name"] = [tile_name(chrom, start, window.tile) for chrom, start in places]
            table["gene_id"] = "."
        tables.append(placed(table, genome.name))
    table = pandas.concat(tables, ignore_index=True)
    nothing = np.empty((0, len(choice.scored)))
    columns = np.concatenate([nothing, *scores])
    scores.clear()  # all tiles of a chromosome may be here
    raw = np.concatenate([nothing, *logits])
    logits.clear()
    expit(raw, out=raw)
    predicted = np.array([not mark.unpredicted for mark in choice.scored])
    marks = tuple(mark for mark in choice.scored if not mark.unpredicted)
    values = pandas.DataFrame(columns[:, predicted], columns=[mark.name for mark in marks])
    values.insert(0, COPY, table.groupby(SAME_ROW).cumcount())
    table = pandas.concat([table, values], axis=1)
    return ScoredWindows(bundle, window, marks, table, raw[:, predicted])


def described(window: WindowSpec) -> str:
    """Windows in words."""
    tiles = f", tiles of {window.tile:,} bp" if window.tile else ""
    return f"{window} windows{tiles}"
