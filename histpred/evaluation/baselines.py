"""Baselines that a model must beat: prevalence, composition, k-mers, and neighbouring windows.

Each is fitted on the training rows only. Its thresholds are chosen on the validation rows by the
rule of the bundle beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from histpred.encoders.kmer import KmerEncoder
from histpred.evaluation.calibration import call_thresholds
from histpred.genome.genomes import GENOME
from histpred.genome.windows import WindowSpec
from histpred.labels.examples import Examples
from histpred.labels.splits import TRAIN, VALIDATION

PREVALENCE, OF_GENOME, GC, CPG = "prevalence", "prevalence by genome", "GC", "CpG o/e"
KMERS, NEAREST = "4-mers + logistic", "nearest neighbour"
INPUTS = {
    PREVALENCE: "nothing",
    OF_GENOME: "the genome",
    GC: "share of G and C",
    CPG: "CpG observed over expected",
    KMERS: "1- to 4-mer frequencies",
    NEAREST: "labels of neighbouring training windows",
}
"""Every baseline, and its input. OF_GENOME is for windows of several genomes."""

NEAR = 1_000  # bp to each side of the TSS or middle that are read of a window around it
NEIGHBOURS = 5
KMER_STRENGTH = 0.01  # scikit-learn's C: small, as k-mers are many and correlated
COMPOSITION_STRENGTH = 1.0
EVEN = 0.5

Scores = dict[str, tuple[np.ndarray, np.ndarray]]
"""Probabilities, float64 [n, marks], and thresholds [marks] of each baseline."""

COLUMNS = {GC: slice(0, 1), CPG: slice(1, 2), KMERS: slice(2, None)}  # of `sequence_features`


def sequence_features(sequences: Sequence[bytes], window: WindowSpec) -> np.ndarray:
    """Features, float32 [n, 182], of the sequences of windows: upper-case A, C, G, T and N.

    Of a window that is read whole, around a TSS or a middle, only the NEAR bp to each side of that
    count: the composition of 30 kb says little of the place in their middle. GC share of the ACGT
    bases; CpG observed over expected (CpG x bases / (C x G), Gardiner-Garden and Frommer 1987), 0
    without C or G; frequencies of the 180 canonical 1- to 4-mers.
    """
    if window.whole:
        near = slice(max(window.upstream - NEAR, 0), window.upstream + NEAR)
        sequences = [sequence[near] for sequence in sequences]
    counted = (b"A", b"C", b"G", b"T", b"CG")
    counts = [[sequence.count(word) for word in counted] for sequence in sequences]
    a, c, g, t, cpg = np.array(counts, np.float64).reshape(-1, 5).T
    bases = a + c + g + t
    gc = np.divide(c + g, bases, out=np.zeros_like(bases), where=bases > 0)
    ratio = np.divide(cpg * bases, c * g, out=np.zeros_like(bases), where=c * g > 0)
    spectra = KmerEncoder(k=[1, 2, 3, 4]).spectra(sequences)
    return np.column_stack([gc, ratio, spectra]).astype(np.float32)


Predictor = Callable[[pandas.DataFrame, np.ndarray], np.ndarray]
"""Gives probabilities [n, marks] of windows (chrom, start, end) and their features [n, f]."""


def fit_baselines(
    examples: Examples, wanted: float | None = None
) -> Callable[[pandas.DataFrame, np.ndarray], Scores]:
    """Fit on the training rows of `examples`, with thresholds from its validation rows.

    Its inputs are those of `sequence_features`. Returns a function from windows (columns chrom,
    start and end, 0-based half-open) and their features to scores.

    - prevalence: the share of positives, the same for every row.
    - prevalence by genome, for windows of several: the share of positives in each genome, or in all
      of them for a mark without labels there. A model that only tells genomes apart is no better.
    - GC, and CpG o/e: logistic regression on it and its square.
    - 4-mers + logistic: logistic regression on 1- to 4-mers, strongly regularised.
    - nearest neighbour: the mean label of the 5 training windows on the same chromosome with the
      nearest middles, and of a sixth label, the prevalence, which keeps the mean off 0 and 1.

    Features are standardised. Every baseline predicts the prevalence for a mark with one class in
    the training rows, and 0.5 for a mark without training labels. Thresholds: see
    `histpred.evaluation.calibration.call_thresholds`, which takes `wanted`.
    """
    train, held_out = examples.of(TRAIN), examples.of(VALIDATION)
    shares = shares_of(train.labels)
    predictors = fit_predictors(train.windows, train.inputs, train.labels, shares)
    thresholds = {
        name: call_thresholds(held_out.labels, predict(held_out.windows, held_out.inputs), wanted)
        for name, predict in predictors.items()
    }
    return lambda rows, these: {
        name: (predict(rows, these), thresholds[name]) for name, predict in predictors.items()
    }


def shares_of(labels: np.ndarray) -> np.ndarray:
    """The share of positives of each mark, float [marks], of labels [n, marks]; 0.5 for none."""
    known = ~np.isnan(labels)
    means = np.nansum(labels, axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known.any(axis=0), means, EVEN)


def fit_predictors(
    windows: pandas.DataFrame, features: np.ndarray, labels: np.ndarray, shares: np.ndarray
) -> dict[str, Predictor]:
    """Fit each baseline on labelled windows, with the prevalence `shares` [marks].

    See `fit_baselines`.
    """

    def fitted(name: str, strength: float, read: Callable[[np.ndarray], np.ndarray]) -> Predictor:
        model = _logistic(read(features[:, COLUMNS[name]]), labels, shares, strength)
        return lambda _, these: model(read(these[:, COLUMNS[name]]))

    nearest = _nearest(windows, labels, shares)
    return {
        PREVALENCE: lambda rows, _: np.tile(shares, (len(rows), 1)),
        **({OF_GENOME: shares_by_genome(windows, labels, shares)} if several(windows) else {}),
        GC: fitted(GC, COMPOSITION_STRENGTH, _with_square),
        CPG: fitted(CPG, COMPOSITION_STRENGTH, _with_square),
        KMERS: fitted(KMERS, KMER_STRENGTH, lambda values: values),
        NEAREST: lambda rows, _: nearest(rows),
    }


def several(windows: pandas.DataFrame) -> bool:
    """True for windows of several genomes."""
    return GENOME in windows and windows[GENOME].nunique() > 1


def shares_by_genome(
    windows: pandas.DataFrame, labels: np.ndarray, shares: np.ndarray
) -> Predictor:
    """The baseline OF_GENOME, fitted on labelled windows with the `shares` [marks] of all."""
    found = {}
    for genome in windows[GENOME].unique():
        here = labels[(windows[GENOME] == genome).to_numpy()]
        found[genome] = np.where(np.isnan(here).all(axis=0), shares, shares_of(here))
    return lambda rows, _: np.array([found.get(one, shares) for one in rows[GENOME]])


def _with_square(values: np.ndarray) -> np.ndarray:
    return np.hstack([values, values**2])


def _logistic(
    values: np.ndarray, labels: np.ndarray, shares: np.ndarray, strength: float
) -> Callable[[np.ndarray], np.ndarray]:
    """Fit a regression for each mark on values [n, f] and labels [n, marks].

    Returns a function from values to probabilities. Marks with one class get their share [marks].
    """
    slopes, intercepts = np.zeros((values.shape[1], len(shares))), logit(shares)
    if not len(values):
        return lambda these: expit(these @ slopes + intercepts)
    scaled = values.astype(np.float64)
    scaler = StandardScaler(copy=False).fit(scaled)
    scaled = scaler.transform(scaled)  # where it is
    # The systems are small: several BLAS threads are slower than one, above all on shared cores.
    with threadpool_limits(1, user_api="blas"):
        for i, truth in enumerate(labels.T):
            known = ~np.isnan(truth)
            if len(np.unique(truth[known])) < 2:
                continue
            model = LogisticRegression(C=strength, solver="newton-cholesky", max_iter=1000)
            model.fit(scaled if known.all() else scaled[known], truth[known] == 1)
            slopes[:, i] = model.coef_[0] / scaler.scale_
            intercepts[i] = model.intercept_[0] - scaler.mean_ @ slopes[:, i]
    return lambda these: expit(these.astype(np.float64) @ slopes + intercepts)


def _nearest(
    windows: pandas.DataFrame, labels: np.ndarray, shares: np.ndarray
) -> Callable[[pandas.DataFrame], np.ndarray]:
    """Returns a function from windows to probabilities; see `fit_baselines`."""
    chroms, middles = _places(windows)

    def predict(rows: pandas.DataFrame) -> np.ndarray:
        where, places = _places(rows)
        probabilities = np.tile(shares, (len(rows), 1))
        for chrom in np.unique(where):
            here, there = where == chrom, chroms == chrom
            for i, truth in enumerate(labels.T):
                near = there & ~np.isnan(truth)
                count = min(NEIGHBOURS, int(near.sum()))
                if not count:
                    continue
                model = KNeighborsRegressor(count).fit(middles[near], truth[near])
                means = model.predict(places[here])
                probabilities[here, i] = (count * means + shares[i]) / (count + 1)
        return probabilities

    return predict


def _places(windows: pandas.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Chromosomes [n] and middles [n, 1]."""
    middles = (windows["start"].to_numpy(np.float64) + windows["end"].to_numpy(np.float64)) / 2
    return windows["chrom"].to_numpy(str), middles[:, None]
