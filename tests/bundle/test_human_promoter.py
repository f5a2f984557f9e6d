"""The shipped bundle, run from sequence to probability, against the figures on its own card."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pysam
import pytest

from histpred.bundle.folder import load_bundle
from histpred.bundle.outputs import encoder_for
from histpred.core.sequence import reverse_complement
from histpred.encoders import build
from histpred.scoring.scorer import Scorer

STRETCHES = {"chr22": (17_000_000, 40_000_000), "chr20": (100_000, 45_000_000)}
EVERY = 32  # tile


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The share of (positive, negative) pairs in the right order, ties half: by ranks."""
    ranks = pd.Series(scores).rank().to_numpy()
    positives, negatives = labels.sum(), (~labels).sum()
    return (ranks[labels].sum() - positives * (positives + 1) / 2) / (positives * negatives)


def probabilities(sequences: list[bytes], of_intervals: bool) -> np.ndarray:
    bundle = load_bundle("human-promoter")
    interval = bundle.manifest.interval if of_intervals else None
    encoder = build(encoder_for(bundle.manifest, interval), bundle.directory)
    with Scorer(bundle, "cpu", interval=interval) as scorer:
        return scorer.probabilities(encoder.embed(sequences).vectors)


@pytest.mark.shared
def test_tiles_are_ranked_as_the_card_says(shared_data):
    """The card's figures come from models that left the tiles out.

    This model was trained on them, so its figures must be no lower.
    """
    bundle = load_bundle("human-promoter")
    window = bundle.manifest.interval.window
    tables, sequences = [], []
    for name, (first, last) in STRETCHES.items():
        data = shared_data / "human" / name
        tiles = pd.read_csv(data / "labels_tiles.tsv.gz", sep="\t")
        tiles = tiles[tiles["start"].between(first, last)].iloc[::EVERY]
        with pysam.FastaFile(str(data / f"hg19.{name}.fa.gz")) as fasta:
            chromosome = fasta.fetch(name).upper().encode()
        middles = (tiles["start"] + tiles["end"]) // 2
        sequences += [chromosome[m - window.upstream : m + window.downstream] for m in middles]
        tables.append(tiles)
    tiles = pd.concat(tables)
    found = probabilities(sequences, of_intervals=True)

    card = bundle.manifest.metrics["tiles"]
    assert len(card.marks) == 8
    for column, mark in enumerate(bundle.manifest.interval.marks[:8]):
        labels = tiles[f"c25.{mark.name}"].to_numpy(bool)
        figures = card.marks[mark.name]
        assert auroc(labels, found[:, column]) > figures.model.auroc - 0.01
        assert figures.model.auroc > figures.baselines["GC"].auroc
        assert figures.model.ece < 0.03


@pytest.mark.parametrize("of_intervals", [True, False])
def test_strand_and_place_of_n_change_nothing(of_intervals):
    rng = np.random.default_rng(0)
    reach = load_bundle("human-promoter").manifest.window.upstream
    bases = rng.choice(np.frombuffer(b"ACGT", np.uint8), 2 * reach)
    sequence = bases.tobytes()
    near = sequence[reach - 3_000 : reach + 3_000]
    whole = b"N" * (reach - 3_000) + near + b"N" * (reach - 3_000)
    given = [sequence, reverse_complement(sequence), near, whole]
    found = probabilities(given, of_intervals)
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)
    np.testing.assert_allclose(found[2], found[3], atol=1e-5)
    assert np.abs(found[0] - found[2]).max() > 1e-4


def test_cpg_islands_look_active():
    """H3K4me3 and H3K9ac in C and G with CpG, not in A and T."""
    rng = np.random.default_rng(1)
    island = rng.choice(np.frombuffer(b"ACGT", np.uint8), 2_000, p=[0.15, 0.35, 0.35, 0.15])
    poor = rng.choice(np.frombuffer(b"ACGT", np.uint8), 30_200, p=[0.3, 0.2, 0.2, 0.3])
    with_island = poor.copy()
    with_island[14_100:16_100] = island
    for of_intervals in (True, False):
        found = probabilities([with_island.tobytes(), poor.tobytes()], of_intervals)
        marks = load_bundle("human-promoter").manifest.mark_names
        for mark in ("H3K4me3", "H3K9ac", "H2AFZ"):
            high, low = found[:, marks.index(mark)]
            assert high > low
