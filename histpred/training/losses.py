"""Losses: binary cross-entropy over labelled pairs, or a positive-unlabelled risk.

A pair is a window and a mark.

| strategy       | 0 means    | loss                                                          |
|----------------|------------|---------------------------------------------------------------|
| `weighted`     | negative   | cross-entropy; positives weigh negatives / positives (app. A) |
| `undersampled` | negative   | cross-entropy; equal numbers of both classes, drawn (app. A)  |
| `nnpu`         | unlabelled | the non-negative risk of Kiryo et al. 2017                    |
| `plain`        | negative   | cross-entropy; all labelled pairs weigh 1                     |
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from histpred.core.errors import InputError, UsageError, first_few
from histpred.core.marks import canonical
from histpred.labels.table import read_records
from histpred.training.recipe import prior_share
from histpred.training.settings import NNPU, UNDERSAMPLED, WEIGHTED

SLACK = 0.99  # a prior may be 1 % below the observed share, since it may have been rounded


def pair_weights(
    labels: np.ndarray,
    marks: Sequence[str],
    strategy: str,
    seed: int,
    reference: np.ndarray | None = None,
) -> np.ndarray:
    """Weight of each pair in the loss of a strategy, float32 [n, marks]; 0 leaves a pair out.

    'undersampled' keeps all pairs of a mark's rarer class and as many of the other class, drawn by
    the seed and the mark's column; 'nnpu' keeps all pairs, the others all labelled ones.

    `labels`, [n, marks], are 1, 0, or NaN for unlabelled pairs. `reference` are those of the
    training rows, if `labels` are of other rows: they are checked, and give the balance of
    'weighted', which is then used for 'undersampled', too, as its expected value. Raises UsageError
    if a mark has no positive, or if it has no negative (for 'nnpu', no unlabelled window).
    """
    positive, negative = labels == 1, labels == 0
    known = labels if reference is None else reference
    _check_learnable(known, marks, strategy)
    if strategy == NNPU:
        return np.ones(labels.shape, np.float32)
    if strategy == UNDERSAMPLED and reference is None:
        return _balanced(positive, negative, seed)

    weights = (positive | negative).astype(np.float32)
    if strategy in (WEIGHTED, UNDERSAMPLED):
        ratio = (known == 0).sum(axis=0) / (known == 1).sum(axis=0)
        weights = np.where(positive, ratio, weights).astype(np.float32)
    return np.asarray(weights)


def weighted_bce(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Binary cross-entropy of logits [batch, marks], as one number.

    The weighted sum over pairs is divided by the number of pairs with a weight above 0, as in
    torch's BCEWithLogitsLoss with pos_weight. A pair of weight 0 may have any target, even NaN.
    """
    counted = weights > 0
    losses = functional.binary_cross_entropy_with_logits(
        logits, torch.where(counted, targets, 0.0), weights, reduction="sum"
    )
    return losses / counted.sum().clamp(min=1)


def nnpu(logits: Tensor, positive: Tensor, priors: Tensor) -> Tensor:
    """The non-negative positive-unlabelled risk, mean over marks.

    From Kiryo et al. 2017 (arXiv:1703.00593, equation 6). The risk of a mark with prior p is
    R = p * R_p(+) + max(0, R_x(-) - p * R_p(-)), where R_p is the mean loss over positives and R_x
    over a sample of all windows. In the paper that sample is drawn separately from the positives.
    Here the positives are those windows that happen to be labelled (the single-training-set
    scenario of Elkan & Noto 2008, doi:10.1145/1401890.1401920). So the sample is all rows of the
    batch, including the positives; without them its share of positives would be below p. If p is
    the share of positives in the batch, R is plain binary cross-entropy.

    The loss is the logistic loss and not the paper's sigmoid. Its logits estimate log-odds, so they
    rank windows and can be calibrated even if a mark is rare.

    If the maximum is 0, the gradient is that of algorithm 1 with beta = 0 and gamma = 1, which
    raises the negative part again. The gradient of a plain maximum would leave the network
    overfitted. The value is R in both cases, so it can be compared between epochs.

    `positive`, [batch, marks], is 1 or True for positives; `priors`, [marks], are the shares of all
    windows that truly have a mark. Marks without a positive or without an unlabelled row in the
    batch are left out. If no mark remains, the risk is 0.
    """
    labelled = (positive == 1).to(logits.dtype)
    counts = labelled.sum(dim=0)
    usable = (counts > 0) & (counts < len(logits))
    of_positives = labelled / counts.clamp(min=1)
    as_positive, as_negative = functional.softplus(-logits), functional.softplus(logits)

    prior = priors.to(logits)
    positive_part = prior * (of_positives * as_positive).sum(dim=0)
    negative_part = as_negative.mean(dim=0) - prior * (of_positives * as_negative).sum(dim=0)
    risk = positive_part + negative_part.clamp(min=0)
    followed = torch.where(negative_part < 0, -negative_part, positive_part + negative_part)
    value = followed + (risk - followed).detach()  # the risk, with the gradient of `followed`
    return torch.where(usable, value, 0.0).sum() / usable.sum().clamp(min=1)


def mark_priors(labels: np.ndarray, marks: Sequence[str], given: str | None) -> np.ndarray:
    """The share of all windows that truly have each mark, float64 [marks].

    `labels`, [n, marks], are 1 for positives. `given` is the share c of true positives that are
    labelled, and a prior the share of labelled windows divided by c (Elkan & Noto 2008); or the
    path of a tab-separated table with the columns mark and prior.

    Raises UsageError if nothing is given, if c is not in (0, 1], or if a prior would be 1 or more;
    InputError if a mark is missing from the table or occurs twice, or if a prior is not in (0, 1)
    or is less than the share of labelled windows.
    """
    share = prior_share(given)
    observed = (labels == 1).mean(axis=0)
    if share is None:
        return _prior_table(Path(str(given)), marks, observed)
    priors: np.ndarray = observed / share
    impossible = [
        f"{mark} ({value:.2f} of the windows are labelled)"
        for mark, value in zip(marks, observed, strict=True)
        if value / share >= 1
    ]
    if impossible:
        raise UsageError(
            f"--prior {given}: more than all windows would have {first_few(impossible)}",
            "give a larger share, or a table with the columns mark and prior",
        )
    return priors


def _prior_table(path: Path, marks: Sequence[str], observed: np.ndarray) -> np.ndarray:
    shares = {canonical(mark): share for mark, share in zip(marks, observed, strict=True)}
    priors: dict[str, float] = {}
    for line, row in read_records(path, ("mark", "prior")):
        name, text = row["mark"], row["prior"]
        mark = canonical(name)
        if mark in priors:
            raise InputError(path, f"a second prior of {name}", "keep one row for each mark", line)
        priors[mark] = _readable_prior(path, line, name, text, shares.get(mark, 0.0))
    absent = [mark for mark in marks if canonical(mark) not in priors]
    if absent:
        hint = "add a row for each, or drop it with --marks"
        raise InputError(path, f"no prior for {first_few(absent)}", hint)
    return np.array([priors[canonical(mark)] for mark in marks])


def _readable_prior(path: Path, line: int, name: str, text: str, observed: float) -> float:
    try:
        prior = float(text)
    except ValueError:
        prior = np.nan
    found = f"prior of {name}: found"
    if not 0 < prior < 1:
        raise InputError(path, f"{found} {text!r}", "use a number between 0 and 1", line)
    if prior < SLACK * observed:
        raise InputError(
            path,
            f"{found} {text}, but {observed:.4f} of the windows are labelled",
            "a prior is the share of all windows with the mark, those labelled included",
            line,
        )
    return prior


def _check_learnable(labels: np.ndarray, marks: Sequence[str], strategy: str) -> None:
    positives, negatives = ((labels == value).sum(axis=0) for value in (1, 0))
    if strategy == NNPU:
        negatives = len(labels) - positives
    elif not negatives.any():
        raise UsageError(
            "the labels have no negatives, only positives and unlabelled windows",
            "use --loss nnpu, or make the labels with --unobserved negative",
        )
    other = "unlabelled window" if strategy == NNPU else "negative"
    for counts, what in ((positives, "positive"), (negatives, other)):
        lacking = [mark for mark, count in zip(marks, counts, strict=True) if not count]
        if lacking:
            raise UsageError(
                f"no {what} to learn from: {first_few(lacking)}",
                "leave such marks out with --marks, or get labels of more windows",
            )


def _balanced(positive: np.ndarray, negative: np.ndarray, seed: int) -> np.ndarray:
    weights = np.zeros(positive.shape, np.float32)
    for column in range(positive.shape[1]):
        generator = np.random.default_rng([seed, column])
        classes = [np.flatnonzero(kind[:, column]) for kind in (positive, negative)]
        size = min(map(len, classes))
        for rows in classes:
            weights[generator.choice(rows, size, replace=False), column] = 1
    return weights
