"""Perceptrons with weights as after training, and bundles of them to go on from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from histpred.bundle.folder import MARK_VECTORS, SPLIT, Bundle
from histpred.bundle.manifest import Manifest
from histpred.bundle.publish import write_bundle
from histpred.training.onnx_scorer import to_onnx
from histpred.training.perceptron import MarkNetwork, averaged

MARKS = ("H3K4me3", "H3K27me3", "H3K9ac")
HIDDEN = (10, 7)
DIMENSION = 6
PERCEPTRON = {"model": "mlp", "hidden": list(HIDDEN), "dropout": 0.1, "mark_dimension": None}


def rows(number: int = 300, seed: int = 0) -> torch.Tensor:
    """Embeddings, float32 [number, DIMENSION], far from standardised; the last is constant."""
    values = np.random.default_rng(seed).normal(2, 5, (number, DIMENSION))
    values[:, -1] = 3
    return torch.from_numpy(values.astype(np.float32))


def perceptrons(members: int, length: int | None = None) -> list[MarkNetwork]:
    """Networks in eval mode whose batch norms have seen rows and have weights of their own."""
    networks = []
    for seed in range(members):
        torch.manual_seed(seed)
        network = MarkNetwork(DIMENSION, len(MARKS), HIDDEN, length)
        network.standardise_like(rows())
        for norm in network.batch_norms:
            torch.nn.init.uniform_(norm.weight, 0.5, 2)
            torch.nn.init.normal_(norm.bias)
        for _ in range(5):
            network(rows())
        networks.append(network.eval())
    return networks


def perceptron_bundle(
    folder: Path,
    networks: Sequence[MarkNetwork],
    recipe: Mapping[str, object] = PERCEPTRON,
    split: str = "",
    scorer: Callable[[MarkNetwork], bytes] | None = None,
) -> Bundle:
    """A bundle of perceptrons. `scorer` makes its graph; `split` is its split.tsv."""
    network = averaged(networks) if len(networks) > 1 else networks[0]
    graph = scorer(network) if scorer else to_onnx(network, MARKS, rows().numpy())
    vectors = zip(MARKS, network.mark_vectors.tolist(), strict=True)
    table = "".join("\t".join([mark, *map(repr, vector)]) + "\n" for mark, vector in vectors)
    manifest = Manifest(
        schema_version="1.6",
        name="parent",
        version="3",
        summary="random weights",
        licence="MIT",
        species={
            "name": "Homo sapiens",
            "taxon_id": 9606,
            "assembly": "hg19",
            "chromosome_lengths": {"hg19": [1000, 2000]},
        },
        window={"kind": "promoter", "upstream": 100, "downstream": 100, "max_n_fraction": 0.5},
        encoder={"kind": "kmer", "dimension": DIMENSION, "settings": {"k": 1}},
        marks=[{"name": mark, "threshold": 0.5} for mark in MARKS],
        files={},
        training={
            "data": ["none"],
            "splits": {},
            "seed": 0,
            "counts": {},
            "recipe": {"recipe": {"members": len(networks), **recipe}} if recipe else {},
        },
        metrics={},
        known_answer={"sequence": "ACGT", "probabilities": dict.fromkeys(MARKS, 0.5)},
    )
    others = {MARK_VECTORS: table.encode()} | ({SPLIT: split.encode()} if split else {})
    return write_bundle(folder, manifest, graph, "Random.", others)
