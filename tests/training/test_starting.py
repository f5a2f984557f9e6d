from __future__ import annotations

import numpy as np
import pytest

REASON = "needs torch and onnx: HISTPRED_EXTRAS=train bin/test"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("onnx", reason=REASON)

from histpred.bundle.folder import load_bundle  # noqa: E402
from histpred.encoders.onnx import codes_of  # noqa: E402
from histpred.training.fitting import logits_of  # noqa: E402
from histpred.training.members import new_network, trained_part  # noqa: E402
from histpred.training.onnx_networks import batch_norms, networks_of  # noqa: E402
from histpred.training.settings import SPECTRA, Recipe  # noqa: E402
from histpred.training.starting import start_from  # noqa: E402
from support.kmers import random_sequences  # noqa: E402
from support.parents import HIDDEN, perceptron_bundle, perceptrons, rows  # noqa: E402

TRAIN = np.arange(200)


def started(tmp_path, length, marks, shared):
    """A new perceptron of other rows that starts from a bundle's, and the bundle's network."""
    bundle = perceptron_bundle(tmp_path, perceptrons(1, length))
    recipe = Recipe(hidden=HIDDEN, mark_dimension=length)
    (parent,) = networks_of(bundle, recipe)
    inputs = rows(seed=1) * 2 + 1  # other means and scales than the parent's
    network = new_network(inputs.numpy(), TRAIN, marks, recipe, 7)
    start_from(network, parent, shared, (inputs, torch.from_numpy(TRAIN)))
    return network, parent, inputs


@pytest.mark.parametrize("length", [None, 2])
def test_a_perceptron_starts_with_the_outputs_of_its_parent(length, tmp_path):
    network, parent, inputs = started(tmp_path, length, 3, [(0, 0), (1, 1), (2, 2)])
    found, expected = logits_of(network, inputs), logits_of(parent, inputs)
    np.testing.assert_allclose(found, expected, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("length", [None, 2])
def test_marks_in_another_order_keep_their_outputs_and_new_marks_start_anew(length, tmp_path):
    network, parent, inputs = started(tmp_path, length, 3, [(0, 2), (2, 0)])
    found, expected = logits_of(network, inputs), logits_of(parent, inputs)
    np.testing.assert_allclose(found[:, [0, 2]], expected[:, [2, 0]], atol=2e-5, rtol=1e-5)
    assert (found[:, 1] - expected[:, 1]).abs().max() > 0.01


def test_the_batch_norms_have_the_statistics_of_the_training_rows(tmp_path):
    """In training mode, the whole set as one batch gives nearly what eval mode gives."""
    network, _, inputs = started(tmp_path, None, 3, [(0, 0), (1, 1), (2, 2)])
    assert not network.training
    expected = logits_of(network, inputs[: len(TRAIN)])
    network.train()
    network.dropout.p = 0
    found = network(inputs[: len(TRAIN)]).detach()
    np.testing.assert_allclose(found, expected, atol=1e-3)
    for norm in batch_norms(network):
        assert torch.equal(norm.weight, torch.ones_like(norm.weight))
        assert not norm.bias.any()


def test_a_spectra_network_starts_with_the_outputs_of_its_parent():
    recipe = Recipe(model=SPECTRA, members=5)
    parent = networks_of(load_bundle("yeast"), recipe)[1]
    codes = torch.from_numpy(codes_of(random_sequences(12, 20_000, seed=3), 20_000).copy())
    counts = parent.counts_of(codes)
    network = new_network(counts.numpy(), np.arange(10), 4, recipe, 0)
    before = logits_of(trained_part(network), counts)
    shared = [(0, 25), (3, 0)]
    start_from(network, parent, shared, (counts, torch.arange(10)))
    found, expected = (logits_of(trained_part(each), counts) for each in (network, parent))
    np.testing.assert_allclose(found[:, [0, 3]], expected[:, [25, 0]], atol=1e-5)
    assert (found[:, 1] - before[:, 1]).abs().max() > 1e-3  # its hidden layers are the parent's
    assert network.stretches.linear.weight[:, :4].abs().max() > 0  # all k-mers are used
