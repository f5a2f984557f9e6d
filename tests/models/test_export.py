from __future__ import annotations

import json

import numpy as np
import pytest

REASON = "needs torch and onnx: pip install 'histpred[train]'"
torch = pytest.importorskip("torch", reason=REASON)
onnx = pytest.importorskip("onnx", reason=REASON)

import onnxruntime  # noqa: E402

from histpred.core.errors import ModelError  # noqa: E402
from histpred.models import export  # noqa: E402
from histpred.models.export import to_onnx  # noqa: E402
from histpred.models.network import MarkNetwork  # noqa: E402

MARKS = ("H3K4me3", "H3K27me3", "H3K9ac")


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(2, 5, (50, 6)).astype(np.float32)


@pytest.fixture
def network(rows):
    torch.manual_seed(0)
    network = MarkNetwork(6, len(MARKS), (10, 9, 8, 7, 6), mark_dimension=4)
    network.standardise_like(torch.from_numpy(rows))
    for norm in network.norms:
        torch.nn.init.uniform_(norm.weight, 0.5, 2)
        torch.nn.init.normal_(norm.bias)
    for _ in range(5):
        network(torch.from_numpy(rows))
    return network.eval()


def run(content: bytes, rows: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"embedding": rows})[0]


def by_hand(network, row: np.ndarray, mark: int) -> float:
    """The paper's arithmetic for one pair, from the raw state: concatenate, then layer by layer."""
    state = {name: value.numpy().astype(np.float64) for name, value in network.state_dict().items()}
    values = np.concatenate([(row - state["mean"]) / state["scale"], state["mark_vectors"][mark]])
    for i in range(5):
        values = state[f"linears.{i}.weight"] @ values + state[f"linears.{i}.bias"]
        values = np.where(values > 0, values, 0)
        values = (values - state[f"norms.{i}.running_mean"]) / np.sqrt(
            state[f"norms.{i}.running_var"] + 1e-5
        ) * state[f"norms.{i}.weight"] + state[f"norms.{i}.bias"]
    return float((state["output.weight"] @ values + state["output.bias"])[0])


def test_equals_the_arithmetic_done_by_hand(network, rows):
    expected = [[by_hand(network, row, mark) for mark in range(len(MARKS))] for row in rows]
    np.testing.assert_allclose(run(to_onnx(network, MARKS, rows), rows), expected, atol=1e-4)


@pytest.mark.parametrize("batch", [1, 7, 50])
def test_any_batch_size(network, rows, batch):
    assert run(to_onnx(network, MARKS, rows), rows[:batch]).shape == (batch, len(MARKS))


def test_the_same_weights_give_the_same_bytes_and_name_no_place_or_time(network, rows):
    first, second = to_onnx(network, MARKS, rows), to_onnx(network, MARKS, rows)
    assert first == second
    model = onnx.load_from_string(first)
    assert {entry.key: json.loads(entry.value) for entry in model.metadata_props} == {
        "histpred.marks": list(MARKS)
    }
    assert not model.doc_string
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)


def test_an_export_that_differs_is_refused(network, rows, monkeypatch):
    folded = export.fold(network)

    def off(network):
        shared, mark_part, layers = folded
        return shared, mark_part + 0.1, layers

    monkeypatch.setattr(export, "fold", off)
    with pytest.raises(ModelError, match="differs from the trained network"):
        to_onnx(network, MARKS, rows)


def test_the_check_leaves_the_networks_mode_alone(network, rows):
    network.train()
    to_onnx(network, MARKS, rows)
    assert network.training
