"""A bundle's networks are read back, and give the bundle's outputs."""

from __future__ import annotations

import numpy as np
import pytest

REASON = "needs torch and onnx: HISTPRED_EXTRAS=train bin/test"
torch = pytest.importorskip("torch", reason=REASON)
onnx = pytest.importorskip("onnx", reason=REASON)

from histpred.bundle.folder import load_bundle  # noqa: E402
from histpred.bundle.probability import probabilities_of  # noqa: E402
from histpred.core.errors import BundleError  # noqa: E402
from histpred.encoders import build  # noqa: E402
from histpred.encoders.onnx import codes_of  # noqa: E402
from histpred.scoring.scorer import Scorer  # noqa: E402
from histpred.training.export import spectra_to_onnx  # noqa: E402
from histpred.training.fitting import logits_of  # noqa: E402
from histpred.training.onnx_networks import networks_of  # noqa: E402
from histpred.training.onnx_scorer import linear_to_onnx, to_onnx  # noqa: E402
from histpred.training.perceptron import MarkNetwork, averaged  # noqa: E402
from histpred.training.settings import SPECTRA, Recipe  # noqa: E402
from histpred.training.spectra import averaged as averaged_spectra  # noqa: E402
from support.kmers import random_sequences  # noqa: E402
from support.parents import HIDDEN, MARKS, perceptron_bundle, perceptrons, rows  # noqa: E402

SPECTRA_OF_YEAST = Recipe(model=SPECTRA, members=5)


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("length", [None, 2])
def test_perceptrons_are_read_back_member_by_member(members, length, tmp_path):
    networks = perceptrons(members, length)
    recipe = Recipe(members=members, hidden=HIDDEN, mark_dimension=length)
    found = networks_of(perceptron_bundle(tmp_path, networks), recipe)
    bias = np.mean([network.output.bias.item() for network in networks])
    for network, read in zip(networks, found, strict=True):
        expected = logits_of(network, rows()) - network.output.bias.item() + bias
        np.testing.assert_allclose(_centred(logits_of(read, rows())), _centred(expected), atol=1e-5)


def _centred(logits: torch.Tensor) -> torch.Tensor:
    """Without their mean: only the mean of the members' last biases is in a bundle."""
    return logits - logits.mean()


@pytest.mark.parametrize("length", [None, 2])
def test_a_bundle_that_is_read_and_exported_again_has_the_same_outputs(length, tmp_path):
    bundle = perceptron_bundle(tmp_path / "one", perceptrons(3, length))
    recipe = Recipe(members=3, hidden=HIDDEN, mark_dimension=length)
    again = averaged(networks_of(bundle, recipe))
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "scorer.onnx").write_bytes(to_onnx(again, MARKS, rows().numpy()))
    session = onnx_session(tmp_path / "again" / "scorer.onnx")
    (found,) = session.run(["logits"], {"embedding": rows().numpy()})
    with Scorer(bundle, "cpu") as scorer:
        np.testing.assert_allclose(found, scorer.logits(rows().numpy()), atol=1e-6)


def onnx_session(path):
    import onnxruntime

    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def test_the_shipped_yeast_is_read_and_exported_again_with_the_same_probabilities(tmp_path):
    bundle = load_bundle("yeast")
    whole = averaged_spectra(networks_of(bundle, SPECTRA_OF_YEAST))
    sequences = random_sequences(6, 20_000)
    spec, graphs = spectra_to_onnx(whole.encoder, codes_of(sequences, 20_000))
    assert spec == bundle.manifest.encoder
    for name, content in graphs.items():
        (tmp_path / name).write_bytes(content)
    vectors = build(spec, tmp_path).embed(sequences).vectors
    weight, bias = (part.detach().numpy() for part in whole.output.parameters())
    scorer_bytes = linear_to_onnx(weight, bias, bundle.manifest.mark_names, vectors)
    (tmp_path / "scorer.onnx").write_bytes(scorer_bytes)
    session = onnx_session(tmp_path / "scorer.onnx")
    (logits,) = session.run(["logits"], {"embedding": vectors})
    found = probabilities_of(logits, [mark.calibration for mark in bundle.manifest.marks])
    theirs = build(bundle.manifest.encoder, bundle.directory).embed(sequences).vectors
    with Scorer(bundle, "cpu") as scorer:
        np.testing.assert_allclose(found, scorer.probabilities(theirs), atol=1e-6)


@pytest.mark.parametrize(
    ("recipe", "found"),
    [
        (Recipe(hidden=(5, 4)), "logits of random rows differ"),
        (Recipe(hidden=(*HIDDEN, 3)), "KeyError 'layer2.weight'"),
        (Recipe(hidden=HIDDEN, members=2), "shape"),
        (Recipe(model=SPECTRA), "bins.onnx"),
    ],
    ids=["other widths", "more layers", "more members", "spectra"],
)
def test_graphs_of_other_networks_are_refused(recipe, found, tmp_path):
    bundle = perceptron_bundle(tmp_path, perceptrons(1))
    with pytest.raises(BundleError, match=r"not those that histpred train writes") as refused:
        networks_of(bundle, recipe)
    assert found in str(refused.value)


def test_a_foreign_graph_with_the_same_constants_is_refused(tmp_path):
    """Its names and shapes fit, but it computes something else."""
    bundle = perceptron_bundle(tmp_path, perceptrons(1), scorer=_without_relu)
    with pytest.raises(BundleError, match="logits of random rows differ by"):
        networks_of(bundle, Recipe(hidden=HIDDEN))


def _without_relu(network: MarkNetwork) -> bytes:
    model = onnx.load_from_string(to_onnx(network, MARKS, rows().numpy()))
    for node in model.graph.node:
        if node.op_type == "Relu":
            node.op_type = "Tanh"
    return model.SerializeToString()
