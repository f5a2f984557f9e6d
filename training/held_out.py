"""Held-out loci scored by models that did not see them, and what follows from the scores."""

from __future__ import annotations

import hashlib
import logging
import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from blocks import LOCUS, Block, Fold, aurocs, block_of, outside
from genes import fit_genes
from members import SEED, Data, Model, Plan, logits_at, logits_of_tiles, pooled_at, train
from regions import FURTHER
from samples import MARKS, Places
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from histpred.bundle.manifest import Evaluation
from histpred.bundle.mark_spec import Calibration, MarkSpec
from histpred.core.journal import publish
from histpred.evaluation.baselines import CPG, GC, KMERS, fit_predictors, shares_of
from histpred.evaluation.bootstrap import draws
from histpred.evaluation.calibration import (
    NEVER,
    base_rate,
    calibrated,
    choose_calls,
    never_called,
    platt,
)
from histpred.evaluation.metrics import card_figures, expected_calibration_error
from histpred.evaluation.ranking import by_locus, drawn_figures, rank

logger = logging.getLogger(__name__)

BASELINES = (GC, CPG, KMERS)
TO_BEAT = (GC, CPG)  # by a mark that is predicted
FEWEST_TO_CALL = 10  # positives, and negatives; a mark with fewer is not predicted
UNPREDICTED = "its ranking of {what} that it did not see is not better than that of {than}"
TOO_FEW = f"fewer than {FEWEST_TO_CALL} of the {{what}} carry it"
THINNED = 3  # one in so many training tiles fits the baselines


class HeldOut(NamedTuple):
    """Held-out loci, the block of each [n], and scores [n, marks]: logits, and the baselines'.

    pooled: for genes, what their regressions read; else without columns.
    """

    marks: tuple[str, ...]
    places: Places
    blocks: tuple[Block, ...]
    block: np.ndarray
    logits: np.ndarray
    beside: dict[str, np.ndarray]
    pooled: np.ndarray

    def with_marks(self, keep: np.ndarray) -> HeldOut:
        """The marks of a mask [marks] only."""
        return self._replace(
            marks=tuple(np.array(self.marks)[keep]),
            places=self.places._replace(labels=self.places.labels[:, keep]),
            logits=self.logits[:, keep],
            beside={name: scores[:, keep] for name, scores in self.beside.items()},
        )

    def where(self, rows: np.ndarray) -> HeldOut:
        """The loci of a mask [n]."""
        return self._replace(
            places=self.places.where(rows),
            block=self.block[rows],
            logits=self.logits[rows],
            beside={name: scores[rows] for name, scores in self.beside.items()},
            pooled=self.pooled[rows],
        )

    @property
    def chromosomes(self) -> dict[str, np.ndarray]:
        """The loci of each chromosome, bool [n]."""
        own = np.array([block.chromosome for block in self.blocks])[self.block]
        return {name: own == name for name in dict.fromkeys(own.tolist())}

    def cross_fitted(self) -> np.ndarray:
        """Probabilities [n, marks] where each block was calibrated on the others."""
        probabilities = np.empty(self.logits.shape)
        columns = zip(self.places.labels.T, self.logits.T, strict=True)
        for mark, (labels, logits) in enumerate(columns):
            for number in np.unique(self.block):
                inside = self.block == number
                fitted = platt(logits[~inside], labels[~inside])
                probabilities[inside, mark] = calibrated(logits[inside], fitted)
        return probabilities

    def probabilities(self) -> np.ndarray:
        """Probabilities [n, marks] that did not see the rows' own block."""
        return expit(self.logits) if self.pooled.size else self.cross_fitted()

    def evaluation(self, description: str) -> Evaluation | None:
        """A table of the card; None without marks."""
        labels, found = self.places.labels, self.probabilities()
        columns = zip(labels.T, found.T, strict=True)
        errors = [expected_calibration_error(*column) for column in columns]
        return card_figures(description, self.marks, labels, self.logits, self.beside, errors)


Found = tuple[HeldOut, HeldOut, HeldOut]
"""Tiles, genes and regions"""


def hold_out(data: Data, plan: Plan, folds: Sequence[Fold], work: Path | None) -> Found:
    """Score the tiles, the genes and the regions of each fold by models trained without it.

    work: a folder where each finished fold is kept, so that a killed run goes on from there.
    """
    blocks = tuple(block for fold in folds for block in fold)
    starts = data.genome.starts
    every = (data.tiles, data.genes, data.regions)
    blocked = [block_of(places.position, blocks, starts) for places in every]
    parts = zip((MARKS, MARKS, FURTHER), every, blocked, strict=True)
    tiles, genes, regions = (
        _unscored(marks, places.where(block >= 0), blocks, block[block >= 0])
        for marks, places, block in parts
    )
    features = [of[block >= 0] for of, block in zip(data.features, blocked, strict=True)]
    for fold in folds:

        def usable(positions: np.ndarray, fold: Fold = fold) -> np.ndarray:
            return outside(positions, fold, starts, plan.gap)

        def make(usable: Callable[[np.ndarray], np.ndarray] = usable) -> Model:
            return train(data, plan, usable)

        model = kept(work, (plan, fold), make)
        numbers = [blocks.index(block) for block in fold]
        _score(data, model, numbers, (tiles, genes, regions))
        _score_baselines(data, usable, numbers, (tiles, genes, regions), features)
        rows = np.isin(tiles.block, numbers)
        auroc = np.nanmean(aurocs(tiles.places.labels[rows], tiles.logits[rows]))
        logger.info("%s: macro AUROC %.4f of %d", fold, auroc, rows.sum())
    return tiles, _cross_fitted_genes(genes), regions


def kept(work: Path | None, key: object, make: Callable[[], Model]) -> Model:
    """The model that an earlier run left in the folder for a key, or a new one."""
    name = hashlib.sha256(repr(key).encode()).hexdigest()
    path = work / f"{name}.pickle" if work else None
    if path and path.exists():
        model: Model = pickle.loads(path.read_bytes())
        return model
    model = make()
    if path:
        partial = path.with_suffix(".partial")
        partial.write_bytes(pickle.dumps(model))
        publish(partial, path)
    return model


def _score(data: Data, model: Model, numbers: Sequence[int], found: Found) -> None:
    """Fill in what the model says of the blocks with these numbers."""
    codes = data.genome.codes
    for held_out in found:
        rows = np.isin(held_out.block, numbers)
        places = held_out.places.where(rows)
        if held_out is found[0]:
            logits = logits_of_tiles(model, data.bins, places.position)
            held_out.logits[rows] = logits[:, : len(MARKS)]
        elif held_out is found[1]:
            held_out.pooled[rows] = pooled_at(model, codes, places)
        else:
            logits = logits_at(model, codes, places.position)
            held_out.logits[rows] = logits[:, len(MARKS) :]


def _score_baselines(
    data: Data,
    usable: Callable[[np.ndarray], np.ndarray],
    numbers: Sequence[int],
    found: Found,
    features: Sequence[np.ndarray],
) -> None:
    """Fill in what the baselines of `histpred evaluate` say of the blocks with these numbers.

    Tiles teach those of tiles and genes, regions their own. features: of the loci in `found`.
    """
    nowhere = pd.DataFrame({"chrom": [], "start": [], "end": []})
    fitted = []
    for places, known in ((data.tiles, data.features[0]), (data.regions, data.features[2])):
        (taught,) = np.nonzero(usable(places.position))
        taught = taught[::THINNED]
        labels = places.labels[taught].astype(float)
        fitted.append(fit_predictors(nowhere, known[taught], labels, shares_of(labels)))
    models = (fitted[0], fitted[0], fitted[1])
    for held_out, known, predictors in zip(found, features, models, strict=True):
        rows = np.isin(held_out.block, numbers)
        for name in BASELINES:
            held_out.beside[name][rows] = predictors[name](nowhere, known[rows])


def _unscored(
    marks: tuple[str, ...], places: Places, blocks: tuple[Block, ...], block: np.ndarray
) -> HeldOut:
    shape = places.labels.shape
    beside = {name: np.full(shape, np.nan) for name in BASELINES}
    pooled = np.full((shape[0], 2 * len(MARKS) * places.coding.any()), np.nan, np.float32)
    logits = np.full(shape, np.nan, np.float32)
    return HeldOut(marks, places, blocks, block, logits, beside, pooled)


def _cross_fitted_genes(genes: HeldOut) -> HeldOut:
    """The genes with logits from regressions that were fitted on the other blocks."""
    logits = np.empty(genes.logits.shape)
    for number in np.unique(genes.block):
        inside = genes.block == number
        model = fit_genes(genes.pooled[~inside], genes.places.where(~inside))
        logits[inside] = model.logits(genes.pooled[inside])
    return genes._replace(logits=logits)


def calls(
    held_out: HeldOut,
    groups: Sequence[np.ndarray],
    wanted: float,
    meaning: str,
    bootstraps: int,
    needed: Mapping[str, int],
    what: str,
) -> tuple[MarkSpec, ...]:
    """Calibration, threshold and promise of each mark, from held-out logits.

    groups: masks [n]; a threshold reaches the precision `wanted` in each of them. It, and what it
    promises, are those of the group that needs the highest one. A mark is not predicted if its
    AUROC is not above those of TO_BEAT, or its 95 % interval not above 0.5. what: the loci, in the
    plural.
    """
    of_genes = held_out.pooled.size > 0
    marks = []
    for i, mark in enumerate(held_out.marks):
        labels, logits = held_out.places.labels[:, i], held_out.logits[:, i]
        why = _why_unpredicted(held_out, i, bootstraps, what)
        stated = {"name": mark, "meaning": meaning, "needed_samples": needed.get(mark)}
        if why:
            threshold, promise = NEVER, None
            calibration = base_rate(labels)
        else:
            # The regressions of genes give probabilities already.
            calibration = Calibration() if of_genes else platt(logits, labels)
            rates = calibrated(logits, calibration)
            chosen = [
                choose_calls(labels[rows], rates[rows], wanted)
                if labels[rows].any()
                else never_called(wanted)
                for rows in groups
            ]
            threshold, promise = max(chosen, key=lambda each: each[0])
        found = {"threshold": threshold, "calibration": calibration, "calls": promise}
        marks.append(MarkSpec(**stated, **found, unpredicted=why))
    return tuple(marks)


def _why_unpredicted(held_out: HeldOut, mark: int, bootstraps: int, what: str) -> str:
    labels, logits = held_out.places.labels[:, mark], held_out.logits[:, mark]
    if min(labels.sum(), (~labels).sum()) < FEWEST_TO_CALL:
        return TOO_FEW.format(what=what)
    if auroc_interval(held_out, mark, bootstraps)[0] <= 0.5:
        return UNPREDICTED.format(what=what, than="chance")
    for name in TO_BEAT:
        if roc_auc_score(labels, logits) <= roc_auc_score(labels, held_out.beside[name][:, mark]):
            return UNPREDICTED.format(what=what, than=name)
    return ""


def auroc_interval(held_out: HeldOut, mark: int, bootstraps: int) -> tuple[float, float]:
    """95 % bootstrap interval of a mark's AUROC over loci."""
    truth = held_out.places.labels[:, mark].astype(float)
    ranking = rank(truth, held_out.logits[:, mark], np.arange(len(truth)))
    names, loci = np.unique(held_out.places.position // LOCUS, return_inverse=True)
    weights = np.concatenate(list(draws(len(names), bootstraps, SEED, bootstraps)))
    figures = drawn_figures(by_locus(ranking, loci), weights)[:, 0]
    low, high = np.nanquantile(figures, [0.025, 0.975])
    return float(low), float(high)
