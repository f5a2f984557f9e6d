"""Logits to calibrated probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from histpred.bundle.mark_spec import Calibration


def probabilities_of(logits: np.ndarray, calibrations: Sequence[Calibration]) -> np.ndarray:
    """Calibrated probabilities, float64 [n, marks], of `logits` [n, marks] without NaN."""
    slope = np.array([calibration.slope for calibration in calibrations])
    intercept = np.array([calibration.intercept for calibration in calibrations])
    with np.errstate(over="ignore"):
        probabilities: np.ndarray = 1 / (1 + np.exp(-(slope * logits + intercept)))
    for i, mark in enumerate(calibrations):
        if mark.logits:
            probabilities[:, i] = np.interp(logits[:, i], mark.logits, mark.probabilities)
    return probabilities
