"""The vectors of a bundle's marks, in mark_vectors.tsv: a mark and its numbers in each row."""

from __future__ import annotations

import csv
from collections.abc import Sequence

import numpy as np

from histpred.bundle.folder import MARK_VECTORS, Bundle
from histpred.core.errors import BundleError

REMEDY = "copy the bundle again, or train it again with histpred train"


def mark_vectors_of(bundle: Bundle, marks: Sequence[str]) -> np.ndarray:
    """The vectors of `marks`, of all members side by side, float64 [marks, numbers].

    Raises BundleError if one is missing, or if they are not finite numbers of one length.
    """
    path = bundle.directory / MARK_VECTORS
    try:
        with open(path, encoding="utf-8", newline="") as lines:
            given = {row[0]: row[1:] for row in csv.reader(lines, "excel-tab") if row}
        vectors = np.array([given[mark] for mark in marks], dtype=float)
    except KeyError as error:
        raise BundleError(f"{path} has no vector of {error.args[0]}", REMEDY) from error
    except (OSError, ValueError, csv.Error) as error:
        raise BundleError(f"{path}: not vectors of one length: {error}", REMEDY) from error
    if not np.isfinite(vectors).all():
        raise BundleError(f"{path}: a number that is not finite", REMEDY)
    return vectors
