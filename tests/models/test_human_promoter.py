"""The shipped bundle, run from sequence to probability, against the figures on its own card."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pysam
import pytest

from histpred.encoders import build
from histpred.models.bundle import load_bundle
from histpred.scoring.scorer import Scorer

VALIDATION = (30_000_000, 40_000_000)


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The share of (positive, negative) pairs in the right order, ties half: by ranks."""
    ranks = pd.Series(scores).rank().to_numpy()
    positives, negatives = labels.sum(), (~labels).sum()
    return (ranks[labels].sum() - positives * (positives + 1) / 2) / (positives * negatives)


@pytest.mark.shared
def test_the_cards_figures_come_out_again(shared_data):
    data = shared_data / "human" / "chr22"
    bundle = load_bundle("human-promoter")
    window = bundle.manifest.window
    tiles = pd.read_csv(data / "labels_tiles.tsv.gz", sep="\t")
    middle = (tiles["start"] + tiles["end"]) // 2
    tiles = tiles[
        (middle - window.upstream >= VALIDATION[0]) & (middle + window.downstream <= VALIDATION[1])
    ]
    with pysam.FastaFile(str(data / "hg19.chr22.fa.gz")) as fasta:
        chromosome = fasta.fetch("chr22").upper().encode()
    sequences = [
        chromosome[(start + end) // 2 - window.upstream : (start + end) // 2 + window.downstream]
        for start, end in zip(tiles["start"], tiles["end"], strict=True)
    ]
    kept = np.array([s.count(b"N") <= window.max_n_fraction * len(s) for s in sequences])
    sequences = [sequence for sequence, keep in zip(sequences, kept, strict=True) if keep]

    encoder = build(bundle.manifest.encoder, bundle.directory)
    with Scorer(bundle) as scorer:
        probabilities = scorer.probabilities(encoder.embed(sequences).vectors)

    card = bundle.manifest.metrics["tiles"]
    assert len(sequences) == card.windows
    for column, mark in enumerate(bundle.manifest.marks):
        labels = tiles[f"c25.{mark.name}"].to_numpy(bool)[kept]
        figures = card.marks[mark.name]
        assert labels.sum() == figures.positives
        assert auroc(labels, probabilities[:, column]) == pytest.approx(
            figures.model.auroc, abs=1e-3
        )
        assert figures.model.auroc > figures.baselines["GC"].auroc
