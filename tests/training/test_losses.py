from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from torch import nn  # noqa: E402

from histpred.core.errors import InputError, UsageError  # noqa: E402
from histpred.training.losses import (  # noqa: E402
    mark_priors,
    nnpu,
    pair_weights,
    weighted_bce,
)
from histpred.training.settings import LOSSES  # noqa: E402

NAN = np.nan
MARKS = ("H3K4me3", "H3K27me3", "H3K9ac")
LABELS = np.array(
    [[1, 0, NAN], [0, 0, 1], [0, 1, 1], [0, 0, 0], [NAN, NAN, NAN], [0, 0, 1]], np.float32
)


def random_labels(rows: int = 400, unlabelled: float = 0.2) -> np.ndarray:
    rng = np.random.default_rng(5)
    labels = (rng.random((rows, 3)) < [0.1, 0.5, 0.8]).astype(np.float32)
    labels[rng.random(labels.shape) < unlabelled] = NAN
    return labels


# Weights of pairs


def test_plain_weighs_what_is_labelled():
    expected = [[1, 1, 0], [1, 1, 1], [1, 1, 1], [1, 1, 1], [0, 0, 0], [1, 1, 1]]
    weights = pair_weights(LABELS, MARKS, "plain", 0)
    assert weights.dtype == np.float32
    assert weights.tolist() == expected


def test_weighted_positives_weigh_negatives_by_positives():
    third = pytest.approx(1 / 3)
    expected = [[4, 1, 0], [1, 1, third], [1, 4, third], [1, 1, 1], [0, 0, 0], [1, 1, third]]
    assert pair_weights(LABELS, MARKS, "weighted", 0).tolist() == expected


def test_weights_of_other_rows_take_the_training_rows_balance():
    other = np.array([[1, 0, 1], [NAN, 0, 0]], np.float32)  # no positive of the second
    weights = pair_weights(other, MARKS, "weighted", 0, reference=LABELS)
    assert weights.tolist() == [[4, 1, pytest.approx(1 / 3)], [0, 1, 1]]


def test_undersampled_keeps_the_rarer_class_and_as_many_of_the_other():
    labels = random_labels()
    weights = pair_weights(labels, MARKS, "undersampled", 7)
    assert set(np.unique(weights)) == {0, 1}
    for column in range(3):
        kept = labels[weights[:, column] == 1, column]
        rarer = min((labels[:, column] == 1).sum(), (labels[:, column] == 0).sum())
        assert ((kept == 1).sum(), (kept == 0).sum(), len(kept)) == (rarer, rarer, 2 * rarer)


def test_the_draw_depends_on_the_seed_and_is_spread():
    labels = random_labels()
    first, again, other = (pair_weights(labels, MARKS, "undersampled", s) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    drawn = np.flatnonzero((first[:, 0] == 1) & (labels[:, 0] == 0))  # of the common class
    assert drawn.min() < 100
    assert drawn.max() > 300


def test_nnpu_counts_every_window():
    assert (pair_weights(np.array([[1.0], [NAN]]), MARKS[:1], "nnpu", 0) == 1).all()


@pytest.mark.parametrize("strategy", LOSSES)
def test_marks_without_positives_are_named(strategy):
    labels = LABELS.copy()
    labels[labels[:, 0] == 1, 0] = 0
    with pytest.raises(UsageError, match=r"no positive to learn from: H3K4me3\n.*--marks"):
        pair_weights(labels, MARKS, strategy, 0)


@pytest.mark.parametrize("strategy", ["plain", "weighted", "undersampled"])
def test_marks_without_negatives_are_named(strategy):
    labels = LABELS.copy()
    labels[labels == 0] = NAN
    labels[0, 1] = 0
    with pytest.raises(UsageError, match="no negative to learn from: H3K4me3, H3K9ac\n"):
        pair_weights(labels, MARKS, strategy, 0)
    labels[0, 1] = NAN
    with pytest.raises(UsageError, match=r"--loss nnpu.*--unobserved negative"):
        pair_weights(labels, MARKS, strategy, 0)
    assert (pair_weights(labels, MARKS, "nnpu", 0) == 1).all()


def test_nnpu_needs_unlabelled_windows():
    with pytest.raises(UsageError, match="no unlabelled window to learn from: H3K9ac\n"):
        pair_weights(np.array([[1, 1], [0, 1]]), ("H3K4me3", "H3K9ac"), "nnpu", 0)


# Binary cross-entropy


def test_weighted_is_torchs_loss_with_pos_weight():
    labels = random_labels(unlabelled=0)
    logits = torch.randn(labels.shape, generator=torch.Generator().manual_seed(0)) * 3
    positives = (labels == 1).sum(axis=0)
    ratio = torch.tensor((len(labels) - positives) / positives)
    expected = nn.BCEWithLogitsLoss(pos_weight=ratio)(logits, torch.from_numpy(labels))
    weights = torch.from_numpy(pair_weights(labels, MARKS, "weighted", 0))
    found = weighted_bce(logits, torch.from_numpy(labels), weights)
    torch.testing.assert_close(found.double(), expected.double(), rtol=1e-5, atol=1e-6)


def test_unlabelled_pairs_reach_neither_loss_nor_gradient():
    logits = torch.tensor([[0.0, 2.0], [-1.0, 5.0]], requires_grad=True)
    targets = torch.tensor([[1.0, NAN], [0.0, NAN]])
    loss = weighted_bce(logits, targets, torch.tensor([[2.0, 0.0], [1.0, 0.0]]))
    loss.backward()
    # 2 log 2 and log(1 + 1/e), by two pairs
    assert float(loss.detach()) == pytest.approx((2 * np.log(2) + np.log(1 + np.exp(-1))) / 2)
    expected = [[2 * -0.5 / 2, 0], [1 / (1 + np.e) / 2, 0]]
    np.testing.assert_allclose(logits.grad, expected, rtol=1e-5)


def test_a_batch_without_labels_costs_nothing():
    logits = torch.ones(2, 2, requires_grad=True)
    loss = weighted_bce(logits, torch.full((2, 2), NAN), torch.zeros(2, 2))
    loss.backward()
    assert float(loss.detach()) == 0
    assert (logits.grad == 0).all()


# The positive-unlabelled risk


def published_risk(logits: np.ndarray, positive: np.ndarray, prior: float) -> tuple[float, float]:
    """Equation 6 for one mark, term by term; the number, and its part in the maximum."""
    as_positive = [float(np.log(1 + np.exp(-z))) for z in logits]
    as_negative = [float(np.log(1 + np.exp(z))) for z in logits]
    rows = [i for i, yes in enumerate(positive) if yes]
    r_p_plus = sum(as_positive[i] for i in rows) / len(rows)
    r_p_minus = sum(as_negative[i] for i in rows) / len(rows)
    r_x_minus = sum(as_negative) / len(logits)
    inner = r_x_minus - prior * r_p_minus
    return prior * r_p_plus + max(0.0, inner), inner


def test_nnpu_is_the_papers_formula_mean_over_marks():
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (40, 3))
    positive = rng.random((40, 3)) < [0.1, 0.3, 0.5]
    logits[positive[:, 2], 2] += 6  # so that the third mark's negative part falls below 0
    priors = np.array([0.3, 0.4, 0.9])
    parts = [published_risk(logits[:, i], positive[:, i], priors[i]) for i in range(3)]
    assert [inner > 0 for _, inner in parts] == [True, True, False]
    found = nnpu(*map(torch.from_numpy, (logits, positive, priors)))
    assert float(found) == pytest.approx(np.mean([risk for risk, _ in parts]))
    as_targets = torch.from_numpy(np.where(positive, 1.0, NAN))
    assert float(nnpu(torch.from_numpy(logits), as_targets, torch.from_numpy(priors))) == float(
        found
    )


def test_with_all_positives_labelled_it_is_binary_cross_entropy():
    rng = np.random.default_rng(3)
    logits, positive = torch.from_numpy(rng.normal(0, 2, (50, 1))), rng.random((50, 1)) < 0.3
    expected = nn.BCEWithLogitsLoss()(logits, torch.from_numpy(positive.astype(float)))
    found = nnpu(logits, torch.from_numpy(positive), torch.from_numpy(positive.mean(axis=0)))
    assert float(found) == pytest.approx(float(expected))


def test_the_gradient_raises_a_negative_part_below_zero():
    """Algorithm 1: there, only the negative part is followed, upwards."""
    start = torch.tensor([[6.0], [5.0], [-4.0], [-3.0], [-5.0]], dtype=torch.float64)
    positive, prior = torch.tensor([[1], [1], [0], [0], [0]]), torch.tensor([0.9])

    def inner(values: torch.Tensor) -> float:
        return published_risk(values[:, 0].numpy(), positive[:, 0].numpy(), float(prior))[1]

    assert inner(start) < 0
    logits = start.clone().requires_grad_()
    nnpu(logits, positive, prior).backward()
    slopes = []
    for row in range(len(start)):
        step = torch.zeros_like(start)
        step[row] = 1e-5
        slopes.append((inner(start + step) - inner(start - step)) / 2e-5)
    np.testing.assert_allclose(logits.grad[:, 0], [-slope for slope in slopes], rtol=1e-4)
    assert inner(start - 0.1 * logits.grad) > inner(start)


def test_marks_that_a_batch_says_nothing_of_are_left_out():
    logits = torch.tensor([[1.0, 3.0, -2.0], [-1.0, 0.5, 4.0]], dtype=torch.float64)
    logits.requires_grad_()
    positive = torch.tensor([[1, 0, 1], [0, 0, 1]])  # the second has none, the third only those
    risk = nnpu(logits, positive, torch.tensor([0.6, 0.6, 0.6]))
    risk.backward()
    expected, _ = published_risk(logits.detach().numpy()[:, 0], [True, False], 0.6)
    assert float(risk.detach()) == pytest.approx(expected)
    assert (logits.grad[:, 1:] == 0).all()
    assert (logits.grad[:, 0] != 0).all()

    nothing = nnpu(logits, torch.zeros(2, 3), torch.full((3,), 0.6))
    nothing.backward()
    assert float(nothing.detach()) == 0


def test_huge_logits_stay_finite():
    logits = torch.tensor([[300.0], [-300.0]], requires_grad=True)
    nnpu(logits, torch.tensor([[0], [1]]), torch.tensor([0.7])).backward()
    assert torch.isfinite(logits.grad).all()


def test_hidden_positives_are_found_where_plain_training_takes_them_for_negatives():
    """Two overlapping clouds in the plane, half of one unlabelled."""
    rng = np.random.default_rng(0)
    truth = rng.random(2000) < 0.4
    points = torch.from_numpy(
        (rng.normal(size=(2000, 2)) + np.where(truth, 1.2, -1.2)[:, None]).astype(np.float32)
    )
    labelled = truth & (rng.random(2000) < 0.5)
    positive = torch.from_numpy(labelled[:, None].astype(np.float32))
    prior = torch.from_numpy(mark_priors(positive.numpy(), ("H3K4me3",), "0.5"))

    def wrong(loss_of) -> float:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
        optimiser = torch.optim.Adam(model.parameters(), 0.02)
        for _ in range(100):
            loss = loss_of(model(points))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        called = model(points).detach().numpy()[:, 0] > 0
        return float((called != truth).mean())

    plain = wrong(lambda logits: weighted_bce(logits, positive, torch.ones_like(positive)))
    aware = wrong(lambda logits: nnpu(logits, positive, prior))
    assert plain > 0.15  # most of the hidden ones, and others
    assert aware < 0.08  # the two clouds overlap: no rule does better than 0.04


# Priors


@pytest.fixture
def table(tmp_path):
    def write(text: str | bytes):
        path = tmp_path / "priors.tsv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def test_priors_of_a_share_of_labelled_positives():
    # 1, 1 and 3 of 6 windows are labelled
    assert mark_priors(LABELS, MARKS, "0.8") == pytest.approx([1 / 4.8, 1 / 4.8, 3 / 4.8])
    assert mark_priors(LABELS, MARKS, "1") == pytest.approx([1 / 6, 1 / 6, 1 / 2])


def test_priors_of_a_table_in_the_order_of_the_marks(table):
    path = table(
        "note\tprior\tmark\nx\t0.9\tH3K9ac\ny\t0.25\tH3K36me3\n\nz\t0.5\th3k4ME3\n-\t0.3\tH3K27me3\n"
    )
    assert mark_priors(LABELS, MARKS, path).tolist() == [0.5, 0.3, 0.9]


def test_a_prior_may_be_rounded_below_the_labelled_share(table):
    path = table("mark\tprior\nH3K4me3\t0.166\nH3K27me3\t0.2\nH3K9ac\t0.5\n")
    assert mark_priors(LABELS, MARKS, path).tolist() == [0.166, 0.2, 0.5]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "--loss nnpu needs to know.*give --prior"),
        ("0", "no share of true positives"),
        ("1.5", "no share of true positives"),
        ("nan", "no share of true positives"),
        ("-0.2", "no share of true positives"),
        ("0.5", r"more than all windows would have H3K9ac \(0.50 of the windows are labelled\)"),
        ("0.1", "H3K4me3 .*, H3K27me3 .*, H3K9ac"),
    ],
)
def test_priors_that_cannot_be_are_refused(given, words):
    with pytest.raises(UsageError, match=f"(?s){words}"):
        mark_priors(LABELS, MARKS, given)


WHOLE = "mark\tprior\nH3K4me3\t0.5\nH3K27me3\t0.5\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "priors.tsv: is empty"),
        ("mark,prior\nH3K4me3,0.5\n", ":1: no column 'mark' and no column 'prior'"),
        ("mark\tshare\nH3K4me3\t0.5\n", ":1: no column 'prior'"),
        ("mark\tprior\tprior\nH3K4me3\t0.5\t0.6\n", ":1: two columns 'prior'"),
        (WHOLE, ": no prior for H3K9ac"),
        (WHOLE + "H3K9ac\thigh\n", ":4: prior of H3K9ac: found 'high'"),
        (WHOLE + "H3K9ac\n", ":4: 1 columns where the header has 2"),
        (WHOLE + "H3K9ac\t\n", ":4: prior of H3K9ac: found ''"),
        (WHOLE + "H3K9ac\t1\n", ":4: prior of H3K9ac: found '1'"),
        (WHOLE + "H3K9ac\tnan\n", ":4: prior of H3K9ac: found 'nan'"),
        (WHOLE + "H3K9ac\t0.4\n", ":4: prior of H3K9ac: found 0.4, but 0.5000 of the windows"),
        (WHOLE + "h3k4me3\t0.4\n", ":4: a second prior of h3k4me3"),
        (b"\x1f\x8b\xff\x00", "priors.tsv:1: the compressed data is truncated"),
    ],
)
def test_tables_that_cannot_be_used_say_where_and_why(text, words, table):
    path = table(text)
    with pytest.raises(InputError) as raised:
        mark_priors(LABELS, MARKS, path)
    assert words in str(raised.value)
    assert raised.value.hint


def test_a_missing_table_is_said(tmp_path):
    for path in (tmp_path / "none.tsv", tmp_path, "0,5"):
        with pytest.raises(InputError, match=r"cannot be read: .*\n.*--prior is a number"):
            mark_priors(LABELS, MARKS, str(path))
