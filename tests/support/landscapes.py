"""Landscapes of given probabilities, for tests of what the report says of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from histpred.bundle.mark_spec import MarkSpec
from histpred.reports.landscape import BINS, Landscape, Locus

MARKS = ("H3K4me3", "H3K27me3")


def landscape_of(
    probabilities: Sequence[Sequence[float]], thresholds: tuple[float, float] = (0.5, 0.5)
) -> Landscape:
    """A landscape of these probabilities, float [windows, marks], all of them in its sample."""
    values = np.asarray(probabilities, float)
    called = values >= thresholds
    bins = np.minimum((values * BINS).astype(int), BINS - 1)
    return Landscape(
        marks=MARKS,
        columns=(0, 1),
        windows=len(values),
        histograms=np.array([np.bincount(column, minlength=BINS) for column in bins.T]),
        sums=values.sum(axis=0),
        called=called.sum(axis=0),
        with_calls=int(called.any(axis=1).sum()),
        by="biotype",
        groups=(),
        sample=tuple(
            Locus("chr1", 10 * row, 10 * row + 9, f"g{row}", "+", ".", values[row], called[row])
            for row in range(len(values))
        ),
        top={},
        ends={"chr1": 10 * len(values)},
    )


def specs(first: float = 0.5, second: float = 0.5) -> list[MarkSpec]:
    """The marks with these thresholds."""
    return [
        MarkSpec(name=name, threshold=threshold)
        for name, threshold in zip(MARKS, (first, second), strict=True)
    ]
