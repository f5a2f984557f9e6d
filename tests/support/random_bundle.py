"""A bundle with random weights of a true architecture, for tests and benchmarks only."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch

from histpred.bundle.folder import Bundle
from histpred.bundle.manifest import EncoderSpec, Manifest
from histpred.bundle.publish import write_bundle
from histpred.encoders import ENCODERS, build
from histpred.encoders.chunks import ChunkPolicy
from histpred.encoders.embedder import embed_sequences
from histpred.scoring.scorer import Scorer
from histpred.training.onnx_scorer import to_onnx
from histpred.training.perceptron import MarkNetwork

MARKS = ("H3K27ac", "H3K27me3", "H3K4me3")
SEQUENCE = "ACGTTGCANNGATTACAGGCCTTAAC" * 40


def random_bundle(
    folder: Path,
    kind: str,
    weights: Path,
    names: list[str],
    *,
    chunks: ChunkPolicy,
    window: dict[str, object],
    hidden: tuple[int, ...] = (32, 16),
) -> Bundle:
    """Write a bundle with a random scorer into `folder`.

    Its encoder's weights are the files `names` of the folder `weights`.
    """
    files = {name: hashlib.sha256((weights / name).read_bytes()).hexdigest() for name in names}
    encoder = build(ENCODERS[kind], weights, "cpu")
    spec = EncoderSpec(
        kind=kind,
        dimension=encoder.dimension,
        chunks={"policy": chunks.policy, "length": chunks.length},
        files=files,
    )
    torch.manual_seed(0)
    network = MarkNetwork(encoder.dimension, len(MARKS), hidden).eval()
    rows = embed_sequences(encoder, chunks, [SEQUENCE.encode(), SEQUENCE[::-1].encode()])
    network.standardise_like(torch.from_numpy(np.vstack([rows, rows + 0.1])))
    scorer = to_onnx(network, MARKS, rows)

    def manifest(answer: dict[str, float]) -> Manifest:
        return Manifest(
            schema_version="1.1",
            name="random",
            version="0.0.0",
            summary="random weights: its scores mean nothing",
            licence="MIT",
            species={"name": "Homo sapiens", "taxon_id": 9606, "assembly": "hg19"},
            window={"max_n_fraction": 0.9, **window},
            encoder=spec,
            marks=[{"name": mark, "threshold": 0.5} for mark in MARKS],
            files={},
            training={"data": ["none"], "splits": {}, "seed": 0, "counts": {}},
            metrics={},
            known_answer={"sequence": SEQUENCE, "probabilities": answer},
        )

    draft = write_bundle(folder, manifest(dict.fromkeys(MARKS, 0.5)), scorer, "Random.")
    with Scorer(draft, "cpu") as opened:
        (answer,) = opened.probabilities(rows[:1])
    answers = {mark: float(value) for mark, value in zip(MARKS, answer, strict=True)}
    return write_bundle(folder, manifest(answers), scorer, "Random.")
