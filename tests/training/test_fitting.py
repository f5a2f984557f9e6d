from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train")

import torch
from torch import nn

from histpred.core.errors import ModelError, TemporaryError
from histpred.training.checkpoint import Checkpoint
from histpred.training.fitting import (
    Losses,
    Rows,
    fit,
    logits_of,
    reproducible,
    row_losses,
)
from histpred.training.perceptron import MarkNetwork
from histpred.training.settings import Settings

SETTINGS = Settings(epochs=6, batch=32, learning_rate=1e-2, seed=3)


def bce(logits, targets, weights):
    losses = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (losses * weights).sum() / weights.sum()


def rows(seed: int, n: int = 200) -> Rows:
    """A mark is there where its column of the input is above 0."""
    inputs = np.random.default_rng(seed).normal(size=(n, 6)).astype(np.float32)
    targets = (inputs[:, :3] > 0).astype(np.float32)
    arrays = inputs, targets, np.ones_like(targets), np.arange(n)
    return Rows(*map(torch.from_numpy, arrays))


def fit_rows(network, train, validation, loss_of, settings, path=None, identity="", *progress):
    losses = row_losses(network, train, validation, loss_of, settings)
    return fit(network, losses, settings, path and Checkpoint(path, {"run": identity}), *progress)


def network() -> MarkNetwork:
    torch.manual_seed(0)
    return MarkNetwork(6, 3, (16, 8), dropout=0.3)


def weights(network: nn.Module) -> list[torch.Tensor]:
    return [value.clone() for value in network.state_dict().values()]


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
    history = fit_rows(trained, rows(1), rows(2), bce, SETTINGS._replace(epochs=30))
    assert history[-1].train_loss < 0.5 * history[0].train_loss
    unseen = rows(5)
    assert ((logits_of(trained, unseen.inputs) > 0) == (unseen.targets == 1)).float().mean() > 0.9
    assert not trained.training


def test_a_run_that_was_broken_off_ends_with_the_weights_of_an_unbroken_one(tmp_path):
    unbroken, broken = network(), network()
    whole = fit_rows(unbroken, rows(1), rows(2), bce, SETTINGS)

    checkpoint = tmp_path / "resume" / "checkpoint.pt"
    with pytest.raises(StoppedError):
        fit_rows(broken, rows(1), rows(2), bce, SETTINGS, checkpoint, "me", stop_after(3))
    again = network()
    torch.manual_seed(99)
    seen = []
    history = fit_rows(again, rows(1), rows(2), bce, SETTINGS, checkpoint, "me", seen.append)
    assert [epoch.epoch for epoch in seen] == [4, 5, 6]
    assert history == whole
    assert same(again, unbroken)
    assert not same(again, network())


@pytest.mark.gpu
def test_a_gpu_learns_and_goes_on_from_a_checkpoint(cuda, tmp_path):
    train, validation, unseen = (Rows(*(part.to(cuda) for part in rows(n))) for n in (1, 2, 5))
    trained, broken, again = (network().to(cuda) for _ in range(3))
    settings = SETTINGS._replace(epochs=30)
    whole = fit_rows(trained, train, validation, bce, settings)
    assert whole[-1].train_loss < 0.5 * whole[0].train_loss
    assert ((logits_of(trained, unseen.inputs) > 0) == (unseen.targets == 1)).float().mean() > 0.9

    checkpoint = tmp_path / "checkpoint.pt"
    with pytest.raises(StoppedError):
        fit_rows(broken, train, validation, bce, settings, checkpoint, "me", stop_after(3))
    history = fit_rows(again, train, validation, bce, settings, checkpoint, "me")
    assert [epoch.epoch for epoch in history] == list(range(1, len(history) + 1))
    assert history[:4] == [pytest.approx(epoch, rel=1e-2) for epoch in whole[:4]]
    assert next(again.parameters()).device == torch.device(cuda)


@pytest.fixture
def threads():
    """Set torch's number of threads; the one before comes back in the end."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_a_run_goes_on_with_the_threads_it_began_with(tmp_path, threads, caplog):
    """Other threads would add up in another order, and so give other weights."""
    threads(3)
    unbroken, again = network(), network()
    whole = fit_rows(unbroken, rows(1), rows(2), bce, SETTINGS)
    checkpoint = tmp_path / "checkpoint.pt"
    with pytest.raises(StoppedError):
        fit_rows(network(), rows(1), rows(2), bce, SETTINGS, checkpoint, "me", stop_after(3))
    threads(1)
    seen = []
    with caplog.at_level("INFO"), reproducible():
        history = fit_rows(again, rows(1), rows(2), bce, SETTINGS, checkpoint, "me", seen.append)
        assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == 1
    assert "training goes on with the 3 threads it began with" in caplog.text
    assert [epoch.epoch for epoch in seen] == [4, 5, 6]
    assert history == whole
    assert same(again, unbroken)


def test_the_rate_falls_and_training_stops_as_printed():
    """A factor of 0.1 and a patience of 3 (appendix C) mean what they mean to torch's scheduler.

    Validation labels are the opposite of the training's: it only gets worse from epoch 1 on.
    """
    validation = rows(1)
    history = fit_rows(
        network(),
        rows(1),
        validation._replace(targets=1 - validation.targets),
        bce,
        SETTINGS._replace(epochs=50),
    )
    assert [epoch.best for epoch in history] == [True] + [False] * 5
    # Epochs 2 to 5 do not improve: three are tolerated, the fourth lowers the rate of epoch 6.
    assert [epoch.learning_rate for epoch in history] == [1e-2] * 5 + [pytest.approx(1e-3)]


def test_the_weights_of_the_best_epoch_are_kept():
    validation = rows(1)
    opposite = validation._replace(targets=1 - validation.targets)
    kept, one = network(), network()
    fit_rows(kept, rows(1), opposite, bce, SETTINGS._replace(epochs=50))
    fit_rows(one, rows(1), opposite, bce, SETTINGS._replace(epochs=1))
    assert same(kept, one)


def test_unlabelled_pairs_change_nothing():
    train, validation = rows(1), rows(2)
    masked = train.weights.clone()
    masked[::2, 1] = 0
    other = train.targets.clone()
    other[::2, 1] = 1 - other[::2, 1]
    one, two = network(), network()
    fit_rows(one, train._replace(weights=masked), validation, bce, SETTINGS)
    fit_rows(two, train._replace(weights=masked, targets=other), validation, bce, SETTINGS)
    assert same(one, two)


def test_a_loss_that_is_no_number_is_an_error():
    train = rows(1)
    huge = train._replace(inputs=train.inputs * float("inf"))
    with pytest.raises(ModelError, match="epoch 1 is no longer a number"):
        fit_rows(network(), huge, rows(2), bce, SETTINGS)


def test_a_batch_that_the_memory_does_not_hold_is_temporary():
    def loss(logits, targets, weights):
        return logits.sum() + torch.empty(2**62, dtype=torch.uint8).sum()

    with pytest.raises(TemporaryError, match=r"cpu does not hold a batch(.|\n)*a smaller --batch"):
        fit_rows(network(), rows(1), rows(2), loss, SETTINGS)


def test_rows_may_be_anywhere_among_the_inputs():
    """A set of rows need not be copied out of all rows; weights are the same to the last bit."""
    train, validation = rows(1), rows(2)
    order = np.random.default_rng(0).permutation(400)
    places = torch.from_numpy(np.argsort(order))
    inputs = torch.cat([train.inputs, validation.inputs])[torch.from_numpy(order)]
    apart, together = network(), network()
    expected = fit_rows(apart, train, validation, bce, SETTINGS)
    train = train._replace(inputs=inputs, numbers=places[:200])
    validation = validation._replace(inputs=inputs, numbers=places[200:])
    assert fit_rows(together, train, validation, bce, SETTINGS) == expected
    assert same(apart, together)


def test_in_bf16_training_ends_with_nearly_the_same_loss_and_again_with_the_same_weights():
    networks = [network() for _ in range(3)]
    histories = [
        fit(one, row_losses(one, rows(1), rows(2), bce, SETTINGS, precision), SETTINGS)
        for one, precision in zip(networks, ("fp32", "bf16", "bf16"), strict=True)
    ]
    exact, rounded, again = histories
    assert rounded == again
    assert same(networks[1], networks[2])
    assert not same(networks[0], networks[1])
    assert {value.dtype for value in networks[1].parameters()} == {torch.float32}
    for one, other in zip(exact, rounded, strict=True):
        assert other.train_loss == pytest.approx(one.train_loss, rel=0.02)
        assert other.validation_loss == pytest.approx(one.validation_loss, rel=0.02)


def test_validation_is_in_fp32_whatever_the_precision_of_training():
    trained = network()
    losses = [
        row_losses(trained, rows(1), rows(2), bce, SETTINGS, precision).validation()
        for precision in ("fp32", "bf16")
    ]
    assert losses[0] == losses[1]


def one_cycle(network: MarkNetwork, train: Rows, settings: Settings) -> Losses:
    """Batches of 32 rows without validation; every third one teaches nothing."""

    def of_epoch(number: int):
        for i, chosen in enumerate(torch.arange(len(train.inputs)).split(32)):
            part = Rows(*(values[chosen] for values in train))
            yield None if i % 3 == 2 else bce(network(part.inputs), part.targets, part.weights)

    return Losses(of_epoch, 7)


def test_without_validation_the_rate_goes_through_one_cycle_and_the_last_weights_are_kept():
    settings = SETTINGS._replace(epochs=10)
    one, other = network(), network()
    history = fit(one, one_cycle(one, rows(1), settings), settings)
    assert [epoch.epoch for epoch in history] == [*range(1, 11)]
    assert all(epoch.best and np.isnan(epoch.validation_loss) for epoch in history)
    rates = [epoch.learning_rate for epoch in history]
    assert max(rates) == pytest.approx(settings.learning_rate, rel=0.1)
    assert rates[-1] < 1e-4 < rates[0] < max(rates)
    assert history[-1].train_loss < history[0].train_loss
    assert not one.training

    states = []
    losses = one_cycle(other, rows(1), settings)
    fit(other, losses, settings, progress=lambda epoch: states.append(weights(other)))
    assert all(map(torch.equal, states[-1], weights(one)))


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_fit_leaves_no_global_state_behind(deterministic, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", deterministic)
    benchmark = torch.backends.cudnn.benchmark
    trained = network()
    torch.manual_seed(5)
    np.random.seed(5)
    expected = torch.get_rng_state(), np.random.get_state()
    fit_rows(trained, rows(1), rows(2), bce, SETTINGS)
    with pytest.raises(ModelError):
        fit_rows(trained, rows(1), rows(2), lambda logits, *_: logits.sum() * np.inf, SETTINGS)
    assert torch.equal(torch.get_rng_state(), expected[0])
    assert all(map(np.array_equal, np.random.get_state(), expected[1]))
    assert torch.backends.cudnn.deterministic == deterministic
    assert torch.backends.cudnn.benchmark == benchmark
