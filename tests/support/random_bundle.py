"""A bundle with random weights of a true architecture, for tests and benchmarks only."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from histpred.bundle.encoding import bundle_encoder
from histpred.bundle.folder import Bundle
from histpred.bundle.manifest import EncoderSpec, Manifest
from histpred.bundle.publish import write_bundle
from histpred.encoders import ENCODERS, build
from histpred.encoders.chunks import ChunkPolicy
from histpred.encoders.embedder import embed_sequences
from histpred.genome.request import Request
from histpred.scoring.predict import predict
from histpred.scoring.scorer import Scorer
from histpred.training.onnx_scorer import to_onnx
from histpred.training.perceptron import MarkNetwork
from support import random_bed_rows, random_genome, write_bed, write_fasta

MARKS = ("H3K27ac", "H3K27me3", "H3K4me3")
REASON = "too few genes carry it"
CURVE = [(0.2, 0.5, 0.9), (0.5, 0.8, 0.6), (0.6, 0.9, 0.4)]
STATED = (  # a mark whose calls state their precision, one that is not predicted, one never called
    {
        "name": "H3K27ac",
        "threshold": 0.5,
        "meaning": "a peak at the start in at least a quarter of the samples",
        "needed_samples": 20,
        "calls": {
            "rule": "precision",
            "wanted": 0.8,
            "precision": 0.8,
            "recall": 0.6,
            "curve": CURVE,
        },
    },
    {"name": "H3K27me3", "threshold": 1, "unpredicted": REASON},
    {"name": "H3K4me3", "threshold": 1, "calls": {"rule": "precision", "wanted": 0.8}},
)
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
    marks: Sequence[dict[str, object]] = tuple({"name": mark, "threshold": 0.5} for mark in MARKS),
    caveats: tuple[str, ...] = (),
) -> Bundle:
    """Write a bundle with a random scorer into `folder`.

    Its encoder's weights are the files `names` of the folder `weights`. marks: the specifications
    of `MARKS`, in their order.
    """
    files = {name: hashlib.sha256((weights / name).read_bytes()).hexdigest() for name in names}
    encoder = build(ENCODERS[kind], weights, "cpu")
    spec = EncoderSpec(
        kind=kind,
        settings=dict(ENCODERS[kind].settings),
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
            caveats=caveats,
            licence="MIT",
            species={"name": "Homo sapiens", "taxon_id": 9606, "assembly": "hg19"},
            window={"max_n_fraction": 0.9, **window},
            encoder=spec,
            marks=marks,
            files={},
            training={"data": ["none"], "splits": {}, "seed": 0, "counts": {}},
            metrics={},
            known_answer={"sequence": SEQUENCE, "probabilities": answer},
        )

    predicted = [str(mark["name"]) for mark in marks if not mark.get("unpredicted")]
    draft = write_bundle(folder, manifest(dict.fromkeys(predicted, 0.5)), scorer, "Random.")
    with Scorer(draft, "cpu") as opened:
        (answer,) = opened.probabilities(rows[:1])
    every = {mark: float(value) for mark, value in zip(MARKS, answer, strict=True)}
    answers = {mark: every[mark] for mark in predicted}
    return write_bundle(folder, manifest(answers), scorer, "Random.")


def stated_bundle(folder: Path) -> Bundle:
    """A bundle of k-mers whose marks are `STATED`, with a caveat."""
    return random_bundle(
        folder,
        "kmer",
        Path(),
        [],
        chunks=ChunkPolicy("window", 400),
        window={"kind": "promoter", "upstream": 200, "downstream": 200},
        marks=STATED,
        caveats=("It was trained on nothing.",),
    )


class StatedPrediction(NamedTuple):
    """A prediction of `stated_bundle`, and what it was made from."""

    folder: Path
    bundle: Path
    fasta: Path


def stated_prediction(folder: Path) -> StatedPrediction:
    """Predict random rows with `stated_bundle`, all in `folder`."""
    rng = random.Random(5)
    genome = random_genome(rng, {"chr1": 30_000, "chr2": 9_000})
    fasta, rows = folder / "genome.fa", folder / "rows.bed"
    write_fasta(fasta, genome)
    write_bed(rows, random_bed_rows(rng, genome, 80))
    choice = bundle_encoder(stated_bundle(folder / "stated"))
    predict(Request(str(rows), str(fasta)), choice, folder / "scores")
    return StatedPrediction(folder / "scores", folder / "stated", fasta)
