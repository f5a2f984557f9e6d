"""Check that a bundle still gives the answer it was published with, on a known sequence."""

from __future__ import annotations

from pathlib import Path

from histpred.bundle.encoding import bundle_encoder
from histpred.bundle.folder import Bundle
from histpred.core.errors import BundleError
from histpred.encoders.embedder import embed_sequences
from histpred.scoring.scorer import Scorer

TOLERANCE = 1e-4


def verify(bundle: Bundle, weights: Path | None = None) -> float:
    """Score the bundle's known sequence; returns the largest difference in a probability.

    `weights`: see `histpred.encoders.installed.locate`. Raises BundleError if the
    difference is above 1e-4.
    """
    known = bundle.manifest.known_answer
    choice = bundle_encoder(bundle, weights=weights)
    vectors = embed_sequences(choice.open(), choice.chunks, [known.sequence.encode()])
    with Scorer(bundle, "cpu") as scorer:
        (row,) = scorer.probabilities(vectors)

    differences = {
        mark: abs(float(found) - known.probabilities[mark])
        for mark, found in zip(scorer.marks, row, strict=True)
        if mark in known.probabilities
    }
    if not differences:  # no mark is predicted
        return 0.0
    mark, worst = max(differences.items(), key=lambda item: item[1])
    if worst > TOLERANCE:
        raise BundleError(
            f"{bundle.directory}: the known answer comes out wrong: {mark} is off by {worst:.2g}",
            "this machine's onnxruntime does not compute what the bundle was published with; "
            "try another release of onnxruntime",
        )
    return worst
