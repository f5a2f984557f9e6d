from __future__ import annotations

import numpy as np
import pytest

REASON = "needs torch: HISTPRED_EXTRAS=train bin/test"
torch = pytest.importorskip("torch", reason=REASON)

from torch.nn.functional import binary_cross_entropy_with_logits  # noqa: E402

from histpred.training.chromosome import (  # noqa: E402
    SEGMENT,
    Bins,
    bins_of,
    distil,
    embed_bins,
    means_along,
    segment_losses,
)
from histpred.training.counting import BinCounts  # noqa: E402
from histpred.training.fitting import fit, reproducible  # noqa: E402
from histpred.training.settings import Settings  # noqa: E402
from histpred.training.spectra import SpectraNetwork, averaged, nested  # noqa: E402

DISTILLED = Settings(epochs=20, batch=64, learning_rate=5e-3, weight_decay=0.0, seed=3)
BIN, BINS = 20, 500
STRETCHES = nested(20, 60, 140)  # bp: up to 3 bins on either side
REACH = 70


@pytest.fixture(scope="module")
def codes() -> np.ndarray:
    """A chromosome whose share of C and G changes every five bins, with N at its start."""
    rng = np.random.default_rng(0)
    rich = np.repeat(rng.integers(0, 2, BINS // 5), 5 * BIN)
    bases = np.where(rng.random(BINS * BIN) < 0.3 + 0.4 * rich, 1, 0) + 2 * rng.integers(
        0, 2, BINS * BIN
    )
    letters = np.array([0, 1, 3, 2], np.uint8)[bases]
    letters[: 10 * BIN] = 4
    return letters


@pytest.fixture(scope="module")
def bins(codes) -> Bins:
    counts = BinCounts(BIN, BIN // 2)(torch.from_numpy(codes.reshape(-1, BIN).copy()))
    return bins_of(counts[:, 0].byte(), BIN)


def network_of(bins: Bins, seed: int, marks: int = 1) -> SpectraNetwork:
    with reproducible(seed):
        network = SpectraNetwork(marks, BIN, STRETCHES, both_strands=True)
    bins.give_scale(network)
    return network


def windows(codes: np.ndarray) -> torch.Tensor:
    """What the network reads around the middle of each bin, N beyond the ends."""
    padded = np.pad(codes, REACH, constant_values=4)
    middles = np.arange(BINS) * BIN + BIN // 2
    return torch.from_numpy(padded[middles[:, None] + np.arange(2 * REACH)])


def test_means_along_the_chromosome_are_those_of_each_window(codes, bins):
    network = network_of(bins, 0).eval()
    means = network.stretches
    shares = torch.nn.functional.pad(bins.shares, (0, 0, 3, 3))[None]
    weight = torch.nn.functional.pad(bins.weight, (3, 3))[None]
    with torch.inference_mode():
        found = means_along(means, means.units(shares, weight), weight, BINS)[0]
        expected = means(network.encoder[0](windows(codes)))
    assert expected.std(0).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_bins_are_embedded_as_their_windows_are(codes, bins):
    members = [network_of(bins, seed, marks=3).eval() for seed in range(2)]
    chosen = np.random.default_rng(0).random(BINS) < 0.5
    embeddings = embed_bins(members, bins, chosen)
    with torch.inference_mode():
        expected = averaged(members).encoder(windows(codes)[torch.from_numpy(chosen)])
    assert expected.std(0).max() > 0.01
    np.testing.assert_allclose(embeddings, expected, atol=1e-4)


def test_a_network_learns_along_the_chromosome_and_the_same_seed_gives_the_same_weights(
    codes, bins
):
    letters = codes.reshape(BINS, BIN)
    gc = ((letters == 1) | (letters == 2)).mean(axis=1)
    positions = (np.arange(10, BINS) * BIN + BIN // 2)[::-1].copy()  # in any order
    targets = (gc[positions // BIN] > 0.5).astype(np.float32)[:, None]
    settings = Settings(epochs=30, batch=1, learning_rate=1e-2, weight_decay=0.0, seed=1)
    trained = []
    for _ in range(2):
        network = network_of(bins, settings.seed)
        with reproducible(settings.seed):
            losses = segment_losses(
                network, bins, positions, targets, binary_cross_entropy_with_logits, settings
            )
            fit(network, losses, settings)
        trained.append(network)
    with torch.inference_mode():
        logits = trained[0](windows(codes))[positions // BIN]
    assert ((logits > 0).numpy() == (targets == 1)).mean() > 0.9
    states = [network.state_dict().values() for network in trained]
    assert all(map(torch.equal, *states))


def test_segments_with_few_loci_teach_nothing(bins):
    network = network_of(bins, 0)
    positions = np.arange(20, 32) * BIN
    losses = segment_losses(
        network,
        bins,
        positions,
        np.ones((12, 1), np.float32),
        binary_cross_entropy_with_logits,
        Settings(batch=1),
    )
    assert losses.batches == 1  # the second segment has no locus
    found = [loss for epoch in range(1, 30) for loss in losses.of_epoch(epoch)]
    assert len(found) == 29
    assert any(loss is not None for loss in found)


def test_a_chromosome_shorter_than_a_segment_is_refused(bins):
    short = bins._replace(shares=bins.shares[:50], weight=bins.weight[:50])
    with pytest.raises(ValueError, match=f"50 bins, a segment has {SEGMENT}"):
        segment_losses(
            network_of(bins, 0),
            short,
            np.arange(20) * BIN,
            np.ones((20, 1), np.float32),
            binary_cross_entropy_with_logits,
            Settings(),
        )


def test_a_scorer_learns_the_logits_up_to_their_mean_and_scale():
    torch.manual_seed(0)
    embeddings = torch.randn(1000, 6)
    logits = embeddings @ torch.randn(6, 3) * torch.tensor([1.0, 20.0, 0.1]) + 7
    state = torch.get_rng_state()
    scorer = distil(embeddings, logits, (32, 32), DISTILLED)
    assert torch.equal(torch.get_rng_state(), state)
    assert not scorer.training
    with torch.inference_mode():
        found = scorer(embeddings)
    for mark in range(3):
        assert np.corrcoef(found[:, mark], logits[:, mark])[0, 1] > 0.98
    np.testing.assert_allclose(found.std(0), 1, atol=0.15)

    again = distil(embeddings, logits, (32, 32), DISTILLED)
    assert all(map(torch.equal, scorer.state_dict().values(), again.state_dict().values()))
