from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs torch: HISTPRED_EXTRAS=train bin/test")

from histpred.training.perceptron import PAPER_HIDDEN, MarkNetwork, averaged  # noqa: E402


def trained_a_little(dimension=7, marks=5, mark_dimension=None):
    """A network whose norms have seen something, so that eval is no identity."""
    torch.manual_seed(1)
    network = MarkNetwork(dimension, marks, (12, 9, 8, 7, 6), mark_dimension, dropout=0.1)
    rows = torch.randn(64, dimension) * 3 + 1
    network.standardise_like(rows)
    for _ in range(3):
        network(rows)
    return network.eval(), rows


@pytest.mark.parametrize("mark_dimension", [None, 2, 16])
def test_all_marks_at_once_equals_each_pair_concatenated(mark_dimension):
    network, rows = trained_a_little(mark_dimension=mark_dimension)
    with torch.inference_mode():
        at_once = network(rows)
        pairs = network.pairs(rows.repeat_interleave(5, 0), torch.arange(5).repeat(len(rows)))
    torch.testing.assert_close(at_once, pairs.view(len(rows), 5), rtol=1e-5, atol=1e-6)


def test_the_marks_differ_from_the_start():
    network, rows = trained_a_little()
    with torch.inference_mode():
        assert (network(rows).std(dim=1) > 0).all()


def test_the_default_widths_make_the_papers_five_million_parameters():
    network = MarkNetwork(dimension=768, marks=50)
    trained = sum(weight.numel() for weight in network.parameters() if weight.requires_grad)
    assert len(PAPER_HIDDEN) == 5
    assert 4.9e6 < trained < 5.3e6


def test_one_hot_marks_are_fixed_and_trainable_ones_learn():
    assert not MarkNetwork(4, 3, (5,)).mark_vectors.requires_grad
    assert torch.equal(MarkNetwork(4, 3, (5,)).mark_vectors, torch.eye(3))
    assert MarkNetwork(4, 3, (5,), mark_dimension=2).mark_vectors.requires_grad


def test_a_constant_feature_does_not_divide_by_zero():
    network = MarkNetwork(3, 2, (4,))
    network.standardise_like(torch.ones(10, 3))
    assert torch.isfinite(network.eval()(torch.ones(2, 3))).all()


def test_dropout_comes_after_batch_norm_and_not_in_eval():
    network, rows = trained_a_little()
    with torch.inference_mode():
        assert torch.equal(network(rows), network(rows))
    order = []
    network.norms[0].register_forward_hook(lambda *_: order.append("norm"))
    network.dropout.register_forward_hook(lambda *_: order.append("dropout"))
    network(rows)
    assert order[:2] == ["norm", "dropout"]


@pytest.mark.parametrize("mark_dimension", [None, 3])
def test_averaged_gives_the_mean_of_the_members_logits(mark_dimension):
    rows = torch.randn(40, 7, generator=torch.Generator().manual_seed(3))
    members = []
    for seed in range(3):
        torch.manual_seed(seed)
        member = MarkNetwork(7, 5, (12, 9, 8, 7, 6), mark_dimension)
        member.standardise_like(rows)
        for _ in range(3):
            member(rows)
        members.append(member.eval())
    with torch.inference_mode():
        expected = torch.stack([member(rows) for member in members]).mean(0)
        torch.testing.assert_close(averaged(members)(rows), expected, rtol=1e-5, atol=1e-6)
    assert averaged(members).mark_vectors.requires_grad == (mark_dimension is not None)


def test_averaged_refuses_members_that_standardise_differently():
    members = [MarkNetwork(2, 2, (3,)), MarkNetwork(2, 2, (3,))]
    members[1].standardise_like(torch.randn(5, 2))
    with pytest.raises(ValueError, match="standardise"):
        averaged(members)
