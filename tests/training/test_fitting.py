from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train")

import torch
from torch import nn

from histpred.core.errors import ModelError
from histpred.training.fitting import Rows, Settings, fit, logits_of
from histpred.training.perceptron import MarkNetwork

SETTINGS = Settings(epochs=6, batch=32, learning_rate=1e-2, seed=3)


def bce(logits, targets, weights):
    losses = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (losses * weights).sum() / weights.sum()


def rows(seed: int, n: int = 200) -> Rows:
    """A mark is there where its column of the input is above 0."""
    inputs = np.random.default_rng(seed).normal(size=(n, 6)).astype(np.float32)
    targets = (inputs[:, :3] > 0).astype(np.float32)
    return Rows(*map(torch.from_numpy, (inputs, targets, np.ones_like(targets))))


def network() -> MarkNetwork:
    torch.manual_seed(0)
    return MarkNetwork(6, 3, (16, 8), dropout=0.3)


def weights(of: nn.Module) -> list[torch.Tensor]:
    return [value.clone() for value in of.state_dict().values()]


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(map(torch.equal, weights(one), weights(other)))


class StoppedError(Exception):
    pass


def stop_after(number: int):
    def progress(epoch):
        if epoch.epoch == number:
            raise StoppedError

    return progress


def test_it_learns_what_can_be_learned():
    trained = network()
    history = fit(trained, rows(1), rows(2), bce, SETTINGS._replace(epochs=30))
    assert history[-1].train_loss < 0.5 * history[0].train_loss
    unseen = rows(5)
    assert ((logits_of(trained, unseen.inputs) > 0) == (unseen.targets == 1)).float().mean() > 0.9
    assert not trained.training


def test_a_run_that_was_broken_off_ends_with_the_weights_of_an_unbroken_one(tmp_path):
    unbroken, broken = network(), network()
    whole = fit(unbroken, rows(1), rows(2), bce, SETTINGS)

    checkpoint = tmp_path / "resume" / "checkpoint.pt"
    with pytest.raises(StoppedError):
        fit(broken, rows(1), rows(2), bce, SETTINGS, checkpoint, "me", stop_after(3))
    again = network()
    torch.manual_seed(99)
    seen = []
    history = fit(again, rows(1), rows(2), bce, SETTINGS, checkpoint, "me", seen.append)
    assert [epoch.epoch for epoch in seen] == [4, 5, 6]
    assert history == whole
    assert same(again, unbroken)
    assert not same(again, network())


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_not_used(tmp_path):
    checkpoint = tmp_path / "checkpoint.pt"
    with pytest.raises(StoppedError):
        fit(network(), rows(1), rows(2), bce, SETTINGS, checkpoint, "me", stop_after(3))
    fresh, other = network(), network()
    whole = fit(fresh, rows(1), rows(2), bce, SETTINGS)
    assert fit(other, rows(1), rows(2), bce, SETTINGS, checkpoint, "another") == whole
    assert same(other, fresh)

    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    assert fit(network(), rows(1), rows(2), bce, SETTINGS, checkpoint, "another") == whole


def test_the_rate_falls_and_training_stops_as_printed():
    """Validation labels are the opposite of the training's: it only gets worse from epoch 1 on."""
    validation = rows(1)
    history = fit(
        network(),
        rows(1),
        validation._replace(targets=1 - validation.targets),
        bce,
        SETTINGS._replace(epochs=50),
    )
    assert [epoch.best for epoch in history] == [True] + [False] * 5
    # patience 3: after the fourth epoch without improvement the next one has a tenth of the rate
    assert [epoch.learning_rate for epoch in history] == [1e-2] * 5 + [pytest.approx(1e-3)]


def test_the_weights_of_the_best_epoch_are_kept():
    validation = rows(1)
    opposite = validation._replace(targets=1 - validation.targets)
    kept, one = network(), network()
    fit(kept, rows(1), opposite, bce, SETTINGS._replace(epochs=50))
    fit(one, rows(1), opposite, bce, SETTINGS._replace(epochs=1))
    assert same(kept, one)


def test_unlabelled_pairs_change_nothing():
    train, validation = rows(1), rows(2)
    masked = train.weights.clone()
    masked[::2, 1] = 0
    other = train.targets.clone()
    other[::2, 1] = 1 - other[::2, 1]
    one, two = network(), network()
    fit(one, train._replace(weights=masked), validation, bce, SETTINGS)
    fit(two, train._replace(weights=masked, targets=other), validation, bce, SETTINGS)
    assert same(one, two)


def test_a_loss_that_is_no_number_is_an_error():
    train = rows(1)
    huge = train._replace(inputs=train.inputs * float("inf"))
    with pytest.raises(ModelError, match="epoch 1 is no longer a number"):
        fit(network(), huge, rows(2), bce, SETTINGS)
