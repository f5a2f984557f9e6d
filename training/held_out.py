"""Held-out loci scored by models that did not see them, and what follows from the scores."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from blocks import Block, Trains, aurocs, block_of, name_of
from members import SEED, Data, Plan, logits_at, train
from regions import FURTHER
from samples import MARKS, Places, spectra_around
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from histpred.bundle.manifest import Evaluation, MarkSpec
from histpred.bundle.probability import probabilities_of
from histpred.evaluation.calibration import NEVER, base_rate, calibrated, platt, youden
from histpred.evaluation.metrics import card_figures, expected_calibration_error

logger = logging.getLogger(__name__)

BASELINE_REACH = 1_100  # bp on either side that the baselines read, in whole bins
FEWEST_TO_CALL = 10  # positives, and negatives; a mark with fewer is never called

Baseline = Callable[[np.ndarray], np.ndarray]
"""features [n, f] to scores [n, marks]"""


class HeldOut(NamedTuple):
    """Held-out loci, the block of each [n], and scores [n, marks]: logits and two baselines'."""

    marks: tuple[str, ...]
    places: Places
    block: np.ndarray
    logits: np.ndarray
    gc: np.ndarray
    kmers: np.ndarray

    def with_marks(self, keep: np.ndarray) -> HeldOut:
        """The marks of a mask [marks] only."""
        names = tuple(np.array(self.marks)[keep])
        places = self.places._replace(labels=self.places.labels[:, keep])
        return HeldOut(names, places, self.block, *(scores[:, keep] for scores in self[3:]))

    def probabilities(self, marks: Sequence[MarkSpec]) -> np.ndarray:
        """Probabilities that the bundle would give, [n, marks]."""
        return probabilities_of(self.logits, [mark.calibration for mark in marks])

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

    def evaluation(self, description: str) -> Evaluation:
        """A table of the card."""
        labels = self.places.labels
        columns = zip(labels.T, self.cross_fitted().T, strict=True)
        errors = [expected_calibration_error(*column) for column in columns]
        beside = {"GC": self.gc, "4-mers": self.kmers}
        return card_figures(description, self.marks, labels, self.logits, beside, errors)


def hold_out(
    data: Data, plan: Plan, blocks: Sequence[Block], trains: Trains
) -> tuple[HeldOut, HeldOut, HeldOut]:
    """Score the tiles, the genes and the regions of each block by models that `trains` allows."""
    tiles, genes, regions = found = tuple(
        _unscored(marks, places, blocks)
        for marks, places in ((MARKS, data.tiles), (MARKS, data.genes), (FURTHER, data.regions))
    )
    spectra = [
        spectra_around(data.codes, places.position, BASELINE_REACH)
        for places in (data.tiles, data.regions)
    ]
    for number, block in enumerate(blocks):

        def usable(positions: np.ndarray, block: Block = block) -> np.ndarray:
            return trains(positions, block)

        model = train(data, plan, usable)
        of_tiles, of_regions = (
            baselines(features[usable(places.position)], places.labels[usable(places.position)])
            for places, features in zip((data.tiles, data.regions), spectra, strict=True)
        )
        scored = (
            (of_tiles, model.of_intervals, slice(len(MARKS))),
            (of_tiles, model.of_genes, slice(None)),
            (of_regions, model.of_intervals, slice(len(MARKS), None)),
        )
        for held_out, ((gc_model, kmer_model), scorer, columns) in zip(found, scored, strict=True):
            rows = held_out.block == number
            positions = held_out.places.position[rows]
            around = spectra_around(data.codes, positions, BASELINE_REACH)
            logits = logits_at(model.encoder, scorer, data.codes, positions)[:, columns]
            held_out.logits[rows] = logits
            held_out.gc[rows], held_out.kmers[rows] = gc_model(gc_of(around)), kmer_model(around)
            auroc = np.nanmean(aurocs(held_out.places.labels[rows], logits))
            logger.info("%s: macro AUROC %.4f of %d", name_of(block), auroc, rows.sum())
    return tiles, genes, regions


def _unscored(marks: tuple[str, ...], places: Places, blocks: Sequence[Block]) -> HeldOut:
    block = block_of(places.position, blocks)
    inside = places.where(block >= 0)
    empty = [np.full(inside.labels.shape, np.nan, np.float32) for _ in range(3)]
    return HeldOut(marks, inside, block[block >= 0], *empty)


def baselines(features: np.ndarray, labels: np.ndarray) -> tuple[Baseline, Baseline]:
    """Models of GC and of k-mers, fitted to features of `spectra_around`."""
    return _logistic(gc_of(features), labels), _logistic(features, labels)


def gc_of(features: np.ndarray) -> np.ndarray:
    """GC and its square, [n, 2], from features of `spectra_around`."""
    gc = features[:, 1]  # the 1-mers are A/T and C/G
    return np.stack([gc, gc**2], axis=1)


def _logistic(features: np.ndarray, labels: np.ndarray) -> Baseline:
    """Fit one logistic regression per mark; a mark that all rows or none have scores 0."""
    scaler = StandardScaler().fit(features)
    scaled = scaler.transform(features)
    taught = labels.any(axis=0) & ~labels.all(axis=0)
    truths = labels.T[taught]
    models = [LogisticRegression(C=0.01, max_iter=1000).fit(scaled, truth) for truth in truths]

    def score(rows: np.ndarray) -> np.ndarray:
        scores, scaled = np.zeros((len(rows), len(taught))), scaler.transform(rows)
        scores[:, taught] = np.transpose([model.decision_function(scaled) for model in models])
        return scores

    return score


def calls(held_out: HeldOut, meaning: str, bootstraps: int) -> tuple[MarkSpec, ...]:
    """Calibration and threshold of each mark, from held-out logits.

    A mark is never called if its AUROC is not above that of GC, or its 95 % interval not above 0.5.
    """
    marks = []
    columns = (held_out.logits.T, held_out.gc.T, held_out.places.labels.T)
    for mark, logits, gc, labels in zip(held_out.marks, *columns, strict=True):
        skilled = (
            min(labels.sum(), (~labels).sum()) >= FEWEST_TO_CALL
            and auroc_interval(labels, logits, bootstraps)[0] > 0.5
            and roc_auc_score(labels, logits) > roc_auc_score(labels, gc)
        )
        calibration = platt(logits, labels) if skilled else base_rate(labels)
        threshold = youden(labels, calibrated(logits, calibration)) if skilled else NEVER
        found = {"threshold": threshold, "calibration": calibration}
        marks.append(MarkSpec(name=mark, **found, meaning=meaning))
    return tuple(marks)


def auroc_interval(labels: np.ndarray, scores: np.ndarray, bootstraps: int) -> tuple[float, float]:
    """95 % bootstrap interval of the AUROC over rows."""
    rng = np.random.default_rng(SEED)
    figures = []
    for _ in range(bootstraps):
        rows = rng.integers(len(labels), size=len(labels))
        if labels[rows].any() and not labels[rows].all():
            figures.append(roc_auc_score(labels[rows], scores[rows]))
    low, high = np.quantile(figures, [0.025, 0.975])
    return float(low), float(high)
