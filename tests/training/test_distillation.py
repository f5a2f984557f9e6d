from __future__ import annotations

import numpy as np
import pytest

REASON = "needs torch: pip install 'histpred[train]'"
torch = pytest.importorskip("torch", reason=REASON)

from histpred.training.distillation import distil, mean_logits  # noqa: E402
from histpred.training.settings import Settings  # noqa: E402
from histpred.training.spectra import SpectraNetwork, nested  # noqa: E402

SETTINGS = Settings(epochs=20, batch=64, learning_rate=5e-3, weight_decay=0.0, seed=3)


def test_a_scorer_learns_the_logits_up_to_their_mean_and_scale():
    torch.manual_seed(0)
    embeddings = torch.randn(1000, 6)
    logits = embeddings @ torch.randn(6, 3) * torch.tensor([1.0, 20.0, 0.1]) + 7
    state = torch.get_rng_state()
    scorer = distil(embeddings, logits, (32, 32), SETTINGS)
    assert torch.equal(torch.get_rng_state(), state)
    assert not scorer.training
    with torch.inference_mode():
        found = scorer(embeddings)
    for mark in range(3):
        assert np.corrcoef(found[:, mark], logits[:, mark])[0, 1] > 0.98
    np.testing.assert_allclose(found.std(0), 1, atol=0.15)

    again = distil(embeddings, logits, (32, 32), SETTINGS)
    assert all(map(torch.equal, scorer.state_dict().values(), again.state_dict().values()))


def test_the_members_logits_are_averaged():
    torch.manual_seed(0)
    members = [SpectraNetwork(2, 20, nested(20), both_strands=True).eval() for _ in range(3)]
    embeddings = torch.randn(5, 3 * 64)
    with torch.inference_mode():
        parts = zip(members, embeddings.split(64, dim=1), strict=True)
        expected = torch.stack([member.output(part) for member, part in parts]).mean(0)
    np.testing.assert_allclose(mean_logits(members, embeddings), expected, atol=1e-5)
