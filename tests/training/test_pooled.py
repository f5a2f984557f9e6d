from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("onnx", reason="needs the extra train")

import onnxruntime  # noqa: E402

from histpred.core.errors import ModelError  # noqa: E402
from histpred.training.onnx_scorer import pooled_to_onnx, to_onnx  # noqa: E402
from histpred.training.perceptron import MarkNetwork  # noqa: E402
from histpred.training.pooled import Pooled  # noqa: E402

DIMENSION, PLACES = 6, 3
OF_PLACES, OF_GENES = ("a", "b"), ("x", "y", "z")


def run(content: bytes, rows: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"embedding": rows})[0]


@pytest.fixture
def rows():
    return np.random.default_rng(1).normal(2, 5, (40, PLACES * DIMENSION)).astype(np.float32)


@pytest.fixture
def pooled(rows):
    torch.manual_seed(0)
    network = MarkNetwork(DIMENSION, len(OF_PLACES), (8, 7), dropout=0.0)
    network.standardise_like(torch.from_numpy(rows.reshape(-1, DIMENSION)))
    rng = np.random.default_rng(2)
    weight = rng.normal(0, 1, (2 * len(OF_PLACES), len(OF_GENES)))
    return Pooled(network.eval(), PLACES, weight, rng.normal(0, 1, len(OF_GENES)))


def test_a_gene_has_the_highest_and_the_mean_logit_of_its_places(pooled, rows):
    at_place = to_onnx(pooled.network, OF_PLACES, rows.reshape(-1, DIMENSION))
    expected = []
    for row in rows:
        logits = np.stack([run(at_place, part[None])[0] for part in np.split(row, PLACES)])
        both = [max(column) for column in logits.T] + [sum(column) / PLACES for column in logits.T]
        expected.append(both @ pooled.weight + pooled.bias)
    found = run(pooled_to_onnx(pooled, OF_GENES, rows), rows)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_graph_that_differs_is_refused(pooled, rows, monkeypatch):
    monkeypatch.setattr(Pooled, "logits", lambda self, rows: np.zeros((len(rows), 3)))
    with pytest.raises(ModelError, match=r"scorer\.onnx"):
        pooled_to_onnx(pooled, OF_GENES, rows)
