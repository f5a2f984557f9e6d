"""What the tiles of an evaluation take in memory."""

from __future__ import annotations

import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np
import pandas
import pytest

pytest.importorskip("sklearn", reason="needs the extra train")

from histpred.bundle.folder import load_bundle
from histpred.bundle.outputs import window_for
from histpred.evaluation import blocks, compare, ranking
from histpred.evaluation.bootstrap import intervals, lead
from histpred.evaluation.rows import EvaluationOptions, label_rows
from histpred.evaluation.scores import COPY, ScoredWindows
from histpred.genome.genomes import one_genome
from histpred.genome.request import Request
from histpred.genome.windows import tile_name
from histpred.labels.matrix import Labels

MARKS = ("H3K4me3", "H3K27ac")
TILE = 200
MOST = 600  # bytes of a tile; its features alone are 182 float32, 728 bytes


def scored_tiles(count: int) -> tuple[ScoredWindows, Labels]:
    """Tiles of one contig with made-up scores, and labels that follow them."""
    bundle, rng = load_bundle(), np.random.default_rng(0)
    starts = np.arange(count) * TILE
    table = pandas.DataFrame(
        {
            "chrom": ["chr1"] * count,
            "start": starts,
            "end": starts + TILE,
            "name": [tile_name("chr1", start, TILE) for start in starts],
            "strand": ["."] * count,
            "gene_id": ["."] * count,
            "biotype": ["."] * count,
            COPY: 0,
        }
    )
    logits = rng.normal(size=(count, len(MARKS))).astype(np.float32)
    marks = tuple(mark for mark in bundle.manifest.interval.marks if mark.name in MARKS)
    labels = (logits + rng.normal(size=logits.shape) > 1).astype(np.float32)
    names = tuple(mark.name for mark in marks)
    window = window_for(bundle, None, TILE)
    scored = ScoredWindows(bundle, window, marks, table, 1 / (1 + np.exp(-logits)), logits)
    return scored, Labels(tuple(table["name"]), names, labels)


def peak(count: int, work: Path) -> int:
    """Peak memory of an evaluation of so many tiles, with the tiles themselves, in bytes."""
    tracemalloc.start()
    try:
        scored, labels = scored_tiles(count)
        genomes = one_genome(Request("tiles.bed", "genome.fa"), Path("labels.tsv"))
        options = EvaluationOptions(block=count * TILE // 10)
        given = [scored]
        chosen = label_rows(given, genomes, [labels], options)
        del scored, labels
        result = compare.compare(given, genomes, chosen, options, work)
        assert len(result.models) == 6
        assert result.models["human-promoter"].figures.loc["macro", "auroc"] > 0.7
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_tile_takes_less_memory_than_its_features(tmp_path, monkeypatch):
    """All features were held, in float32, and several copies of windows, labels and scores."""

    def sequences(*_):
        yield from ([b"ACGT"] * 100 for _ in range(1_000))

    def features(batch, _):
        return rng.random((len(batch), 182), np.float32)

    rng = np.random.default_rng(1)
    monkeypatch.setattr(compare, "window_sequences", sequences)
    monkeypatch.setattr(compare, "sequence_features", features)
    for function in (intervals, lead):
        monkeypatch.setattr(compare, function.__name__, partial(function, samples=2))
    monkeypatch.setattr(ranking, "MOST_ENDS", 100)
    monkeypatch.setattr(blocks, "ENOUGH", 1_000)
    monkeypatch.setattr(blocks, "AT_ONCE", 1_000)
    few, many = (peak(count, tmp_path) for count in (3_000, 9_000))
    assert (many - few) / 6_000 < MOST
