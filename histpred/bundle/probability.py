"""Logits to calibrated probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from histpred.bundle.manifest import Calibration


def probabilities_of(logits: np.ndarray, calibrations: Sequence[Calibration]) -> np.ndarray:
    """Calibrated probabilities, float64 [n, marks].

    Parameters
    ----------
    logits
        [n, marks], without NaN.
    calibrations
        One for each mark, in the order of the columns.
    """
    slope = np.array([calibration.slope for calibration in calibrations])
    intercept = np.array([calibration.intercept for calibration in calibrations])
    with np.errstate(over="ignore"):
        probabilities: np.ndarray = 1 / (1 + np.exp(-(slope * logits + intercept)))
    for i, calibration in enumerate(calibrations):
        if calibration.logits:
            probabilities[:, i] = np.interp(
                logits[:, i], calibration.logits, calibration.probabilities
            )
    return probabilities
