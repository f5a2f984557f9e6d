from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

REASON = "needs torch and onnx: HISTPRED_EXTRAS=train bin/test"
torch = pytest.importorskip("torch", reason=REASON)
onnx = pytest.importorskip("onnx", reason=REASON)

import onnxruntime  # noqa: E402

from histpred.core.errors import ModelError  # noqa: E402
from histpred.encoders.onnx import OnnxEncoder, codes_of  # noqa: E402
from histpred.training import onnx_graph, onnx_scorer  # noqa: E402
from histpred.training.deephistone import DeepHistone  # noqa: E402
from histpred.training.export import encoder_to_onnx  # noqa: E402
from histpred.training.onnx_scorer import linear_to_onnx, to_onnx  # noqa: E402
from histpred.training.perceptron import MarkNetwork  # noqa: E402

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
    folded = onnx_scorer.fold(network)

    def off(network):
        shared, mark_part, layers = folded
        return shared, mark_part + 0.1, layers

    monkeypatch.setattr(onnx_scorer, "fold", off)
    with pytest.raises(ModelError, match="differs from the trained network"):
        to_onnx(network, MARKS, rows)


def test_the_check_leaves_the_networks_mode_alone(network, rows):
    network.train()
    to_onnx(network, MARKS, rows)
    assert network.training


# DeepHistone

LENGTH = 150


@pytest.fixture(scope="module")
def windows(demo_data):
    """Nine real windows of the length, the first with N at its 5' end."""
    lines = gzip.decompress((demo_data / "genome.fa.gz").read_bytes()).upper().splitlines()
    bases = b"".join(lines[1:])  # of one contig
    known = [run for run in bases.split(b"N") if len(run) >= LENGTH][:9]
    return [b"N" * 40 + known[0][: LENGTH - 40], *(run[:LENGTH] for run in known[1:])]


@pytest.fixture(params=["flatten", "global"])
def tower(request, windows):
    torch.manual_seed(0)
    model = DeepHistone(len(MARKS), request.param, LENGTH)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.3)
            module.momentum = None
    with torch.no_grad():
        model(torch.from_numpy(codes_of(windows, LENGTH)))
    return model.eval()


def test_a_bundles_two_graphs_give_deephistones_logits(tower, windows, tmp_path):
    encoder, linear = tower.encoder, tower.output
    codes = codes_of(windows, LENGTH)
    path = tmp_path / "encoder.onnx"
    path.write_bytes(encoder_to_onnx(encoder, codes))
    opened = OnnxEncoder(path, "cpu")
    assert (opened.longest, opened.dimension) == (LENGTH, 925)
    embedding = opened.embed(windows).vectors

    weight, bias = (value.detach().numpy() for value in (linear.weight, linear.bias))
    found = run(linear_to_onnx(weight, bias, MARKS, embedding), embedding)
    with torch.inference_mode():
        expected = tower(torch.from_numpy(codes)).numpy()
    assert expected.std(axis=0).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_both_graphs_are_the_same_bytes_again_and_name_no_place_or_time(tower, windows):
    encoder = tower.encoder
    codes = codes_of(windows[:2], LENGTH)
    content = encoder_to_onnx(encoder, codes)
    assert content == encoder_to_onnx(encoder, codes)
    weight, rows = np.ones((3, 5), np.float32), np.ones((2, 5), np.float32)
    scorer = linear_to_onnx(weight, np.arange(3.0), MARKS, rows)
    assert scorer == linear_to_onnx(weight, np.arange(3.0), MARKS, rows)
    properties = [{}, {"histpred.marks": json.dumps(list(MARKS))}]
    for graph, expected in zip((content, scorer), properties, strict=True):
        model = onnx.load_from_string(graph)
        assert {entry.key: entry.value for entry in model.metadata_props} == expected
        assert not model.doc_string
        assert not any(node.doc_string or node.metadata_props for node in model.graph.node)


def test_an_encoder_in_training_is_exported_as_it_scores(tower, windows):
    encoder = tower.encoder
    codes = codes_of(windows[:2], LENGTH)
    expected = encoder_to_onnx(encoder, codes)
    before = {name: value.clone() for name, value in tower.state_dict().items()}
    assert encoder_to_onnx(encoder.train(), codes) == expected
    assert all(module.training for module in encoder.modules())
    assert all(torch.equal(value, before[name]) for name, value in tower.state_dict().items())


def test_an_encoder_graph_that_differs_is_refused(tower, windows, monkeypatch):
    encoder = tower.encoder
    monkeypatch.setattr(onnx_graph, "folded", lambda linear, norm: linear)
    with pytest.raises(ModelError, match=r"encoder\.onnx differs from the trained network"):
        encoder_to_onnx(encoder, codes_of(windows[:2], LENGTH))


def test_a_linear_scorer_is_the_matrix_product():
    weight = np.array([[1, 2], [0, -1], [0.5, 0]], np.float32)
    rows = np.array([[3, 4], [-1, 0.5]], np.float32)
    content = linear_to_onnx(weight, np.array([0, 10, -1], np.float32), MARKS, rows)
    assert run(content, rows).tolist() == [[11, 6, 0.5], [0, 9.5, -1.5]]
