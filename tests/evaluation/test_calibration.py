from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra train")

from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar
from sklearn.metrics import log_loss

from histpred.bundle.mark_spec import Calibration, Calls, MarkSpec
from histpred.evaluation import calibration as module
from histpred.evaluation.calibration import (
    Calibrated,
    base_rate,
    calibrate,
    calibrated,
    choose_calibration,
    choose_calls,
    isotonic,
    platt,
    precision_curve,
    temperature,
    youden,
)

METHODS = (temperature, platt, isotonic)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def drawn(seed: int, n: int, curve):
    """Logits [n], and labels drawn with the probability curve(logit)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, n)
    return logits, rng.random(n) < curve(logits)


def alone(n: int) -> np.ndarray:
    return np.arange(n)


def smoothed(labels):
    """Platt's targets, by his formula."""
    positives, negatives = sum(labels), sum(not label for label in labels)
    return [(positives + 1) / (positives + 2) if y else 1 / (negatives + 2) for y in labels]


def cross_entropy(targets, probabilities) -> float:
    return -sum(
        t * np.log(p) + (1 - t) * np.log(1 - p) for t, p in zip(targets, probabilities, strict=True)
    )


# Youden's J


def test_youden_by_hand():
    """Youden's J by threshold, worked out by hand.

    From 0.9 on: 1/4 + 5/5 - 1 = 0.25; 0.8: 0.5; 0.7: 0.3; 0.6: 3/4 + 4/5 - 1 = 0.55; 0.5:
    0.35; 0.4: 0.15; 0.3: 4/4 + 2/5 - 1 = 0.4; 0.2: 0.2; 0.1: 0.
    """
    probabilities = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    labels = np.array([1, 1, 0, 1, 0, 0, 1, 0, 0], bool)
    assert youden(labels, probabilities) == 0.6


def test_youden_of_two_equal_thresholds_is_the_higher():
    labels = np.array([1, 0, 1, 0], bool)
    assert youden(labels, np.array([0.9, 0.5, 0.4, 0.1])) == 0.9  # J 1/2 at 0.9 and at 0.4


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=30))
def test_youden_is_the_best_of_all_thresholds(rows):
    probabilities = np.array([p for p, _ in rows]) / 10
    labels = np.array([y for _, y in rows])
    if labels.all() or not labels.any():
        labels[0] = not labels[0]

    def j(threshold):
        called = probabilities >= threshold
        return called[labels].mean() + (~called)[~labels].mean() - 1

    best = max(j(p) for p in probabilities)
    assert j(youden(labels, probabilities)) == pytest.approx(best)


# Each method


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e3])
@pytest.mark.parametrize("shift", [0.0, 5.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_platt_is_the_minimum_that_scipy_finds(scale, shift, dtype):
    logits, labels = drawn(1, 80, lambda x: sigmoid(0.7 * x - 1))
    stretched = ((logits + shift) * scale).astype(dtype)
    found = platt(stretched, labels)

    exact = stretched.astype(float) / scale
    targets = smoothed(labels)
    expected = minimize(
        lambda at: cross_entropy(targets, sigmoid(at[0] * exact + at[1])),
        [0.1, 0.0],
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000},
    )
    assert found.slope * scale == pytest.approx(expected.x[0], rel=1e-4)
    assert found.intercept == pytest.approx(expected.x[1], rel=1e-4)
    assert found.method == "platt"
    assert found.logits == ()


def test_temperature_is_the_minimum_that_scipy_finds():
    logits, labels = drawn(2, 90, lambda x: sigmoid(0.5 * x))
    found = temperature(logits, labels)
    targets = smoothed(labels)
    expected = minimize_scalar(
        lambda slope: cross_entropy(targets, sigmoid(slope * logits)), bounds=(0, 5)
    )
    assert found.slope == pytest.approx(expected.x, rel=1e-4)
    assert found.intercept == 0
    assert found.method == "temperature"


def test_isotonic_by_hand():
    """Pooled: 0 | 1 0 -> 1/2 | 1 1; kept within [1/7, 6/7]."""
    found = isotonic(np.array([3.0, -1.0, 0.0, 1.0, 2.0]), np.array([1, 0, 1, 0, 1], bool))
    assert found.method == "isotonic"
    probabilities = calibrated(np.array([-9, -1, -0.5, 0, 0.4, 1, 1.5, 2, 3, 9]), found)
    middle = (1 / 7 + 1 / 2) / 2, (1 / 2 + 6 / 7) / 2
    expected = [1 / 7, 1 / 7, middle[0], 1 / 2, 1 / 2, 1 / 2, middle[1], 6 / 7, 6 / 7, 6 / 7]
    np.testing.assert_allclose(probabilities, expected)


def test_the_base_rate_is_nearly_everywhere():
    labels = np.array([True] * 2 + [False] * 7)
    probabilities = calibrated(np.array([-4.0, 0.0, 4.0]), base_rate(labels))
    np.testing.assert_allclose(probabilities, 3 / 11, atol=0.01)
    assert (np.diff(probabilities) > 0).all()
    assert base_rate(labels).method == "base rate"
    assert calibrated(np.zeros(1), base_rate(np.zeros(0, bool))) == 0.5


@pytest.mark.parametrize("method", [temperature, platt])
def test_a_slope_that_would_be_negative_is_the_base_rate(method):
    logits, labels = drawn(3, 60, lambda x: sigmoid(-2 * x))
    assert method(logits, labels) == base_rate(labels)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "logits", [[0.0] * 8, [1e4] * 8, [-1e6, -1e5, -1e4, 0, 0, 1e4, 1e5, 1e6], np.arange(8) * 1e-9]
)
@pytest.mark.parametrize("labels", [[0] * 4 + [1] * 4, [0] * 8, [1] * 8, [0] * 7 + [1]])
def test_no_method_is_ever_certain_or_stumbles(method, logits, labels):
    logits, labels = np.array(logits, float), np.array(labels, bool)
    calibration = method(logits, labels)
    assert Calibration.model_validate_json(calibration.model_dump_json()) == calibration
    probabilities = calibrated(logits, calibration)
    assert np.isfinite(probabilities).all()
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    if not logits.any():
        assert ((probabilities > 0.05) & (probabilities < 0.95)).all()


# The choice among them


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        (lambda x: sigmoid(0.6 * x), "temperature"),
        (lambda x: sigmoid(0.6 * x + 2), "platt"),
        (lambda x: np.where(x < 0, 0.05, np.where(x < 1.5, 0.5, 0.55)), "isotonic"),
    ],
)
def test_the_simplest_that_fits_is_chosen(curve, expected):
    chosen = Counter()
    for seed in range(6):
        logits, labels = drawn(seed, 1500, curve)
        chosen[choose_calibration(logits, labels, alone(1500), seed).method] += 1
    assert chosen[expected] >= 5, chosen


@pytest.mark.parametrize("method", METHODS)
def test_what_is_chosen_is_fitted_on_all_rows(method):
    curve = {
        temperature: lambda x: sigmoid(x),
        platt: lambda x: sigmoid(x + 3),
        isotonic: lambda x: np.where(x < 0, 0.05, 0.5),
    }[method]
    logits, labels = drawn(4, 2000, curve)
    assert choose_calibration(logits, labels, alone(2000), 0) == method(logits, labels)


def test_rows_of_a_group_are_not_held_out_apart():
    """Each locus has a logit and a label of its own, a hundred times.

    Within loci isotonic looks perfect; across loci it knows nothing that Platt does not.
    """
    grouped, apart = Counter(), Counter()
    for seed in range(6):
        of_locus, truth = drawn(seed, 40, lambda x: sigmoid(x - 0.5))
        locus = np.repeat(np.arange(40), 20)
        logits, labels = of_locus[locus], truth[locus]
        grouped[choose_calibration(logits, labels, locus, 0).method] += 1
        apart[choose_calibration(logits, labels, alone(800), 0).method] += 1
    assert apart["isotonic"] == 6
    assert grouped["isotonic"] <= 2, grouped


def test_a_seed_gives_the_same_choice_again_in_any_order_of_numbers():
    logits, labels = drawn(6, 200, lambda x: sigmoid(x - 1))
    groups = np.arange(200) // 3
    first = choose_calibration(logits, labels, groups, 1)
    assert choose_calibration(logits, labels, groups, 1) == first


@pytest.mark.parametrize(("positives", "negatives"), [(9, 200), (200, 9), (4, 5)])
def test_few_of_a_class_get_platt_scaling_if_there_is_skill(positives, negatives):
    labels = np.array([True] * positives + [False] * negatives)
    logits = labels * 3.0 + np.random.default_rng(0).normal(0, 1, len(labels))
    assert choose_calibration(logits, labels, alone(len(labels)), 0) == platt(logits, labels)


def test_one_group_gets_platt_scaling():
    logits, labels = drawn(7, 100, sigmoid)
    assert choose_calibration(logits, labels, np.zeros(100, int), 0) == platt(logits, labels)


@pytest.mark.parametrize("groups", [2, 3])
def test_two_groups_are_enough_to_compare(groups):
    logits, labels = drawn(8, 400, lambda x: sigmoid(x + 3))
    found = choose_calibration(logits, labels, np.arange(400) % groups, 0)
    assert found.method in ("temperature", "platt", "isotonic")


def test_no_skill_gets_the_base_rate():
    """By chance, one in twenty does not."""
    found = Counter()
    for seed in range(20):
        logits, labels = drawn(seed, 100, lambda x: np.full(len(x), 0.3))
        found[choose_calibration(logits, labels, alone(100), 0).method] += 1
    assert found["base rate"] >= 17
    logits, labels = drawn(0, 100, lambda x: sigmoid(-x))
    assert choose_calibration(logits, labels, alone(100), 0) == base_rate(labels)
    assert choose_calibration(np.ones(100), labels, alone(100), 0) == base_rate(labels)


def test_calibration_improves_on_rows_it_has_not_seen():
    curve = lambda x: sigmoid(0.4 * x - 1.5)  # noqa: E731
    logits, labels = drawn(9, 400, curve)
    later, truth = drawn(10, 4000, curve)
    found = choose_calibration(logits, labels, alone(400), 0)
    ideal, before = log_loss(truth, curve(later)), log_loss(truth, sigmoid(later))
    after = log_loss(truth, calibrated(later, found))
    assert after < ideal + 0.1 * (before - ideal)


# All marks


def test_marks_are_calibrated_each_on_its_labelled_rows(monkeypatch):
    rng = np.random.default_rng(11)
    logits = rng.normal(0, 2, (300, 2)).astype(np.float32)
    labels = (rng.random((300, 2)) < sigmoid(logits - [0, 2])).astype(float)
    labels[rng.random((300, 2)) < 0.3] = np.nan
    groups = np.arange(300) // 2
    received = []

    def recorded(*arguments):
        received.append(arguments)
        return choose_calibration(*arguments)

    monkeypatch.setattr(module, "choose_calibration", recorded)
    found = calibrate(logits, labels, groups, 3, 0.5)

    assert len(found) == 2
    for i, mark in enumerate(found):
        known = [row for row in range(300) if labels[row, i] in (0, 1)]
        truth = np.array([labels[row, i] == 1 for row in known])
        scores = logits[known, i].astype(float)
        for passed, meant in zip(received[i], (scores, truth, groups[known], 3), strict=True):
            np.testing.assert_array_equal(passed, meant)
        expected = choose_calibration(scores, truth, groups[known], 3)
        threshold, calls = choose_calls(truth, calibrated(scores, expected), 0.5)
        assert mark == Calibrated(expected, threshold, calls)
        assert 0 < threshold < 1
        assert threshold in calibrated(logits[:, i], mark.calibration)


@pytest.mark.parametrize(("label", "rate"), [(1.0, 51 / 52), (0.0, 1 / 52), (np.nan, 0.5)])
def test_a_mark_of_one_class_is_never_called(label, rate):
    rng = np.random.default_rng(12)
    logits = rng.normal(size=(50, 2))
    labels = np.column_stack([logits[:, 0] > 0, np.full(50, label)]).astype(float)
    good, constant = calibrate(logits, labels, alone(50), 0)
    assert good.calibration.method != "base rate"
    assert constant.calibration.method == "base rate"
    assert constant.threshold == 1.0
    assert constant.calls == Calls(rule="precision", wanted=0.8)
    probabilities = calibrated(logits[:, 1], constant.calibration)
    np.testing.assert_allclose(probabilities, rate, atol=0.01)
    assert (probabilities < 1).all()


@given(
    seed=st.integers(0, 1000),
    n=st.integers(2, 80),
    rate=st.sampled_from([0.03, 0.3, 0.9]),
    skill=st.sampled_from([0.0, 1.0, 50.0]),
    wanted=st.sampled_from([None, 0.5, 0.8]),
)
@settings(max_examples=25)
def test_any_labels_give_a_valid_calibration(seed, n, rate, skill, wanted):
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random((n, 2)) < 0.2, np.nan, rng.random((n, 2)) < rate)
    logits = np.round(rng.normal(size=(n, 2)) + skill * np.nan_to_num(labels), 1)
    groups = rng.integers(0, n, n)
    for i, mark in enumerate(calibrate(logits, labels, groups, seed, wanted)):
        known = ~np.isnan(labels[:, i])
        called = calibrated(logits[:, i], mark.calibration) >= mark.threshold
        assert Calls.model_validate_json(mark.calls.model_dump_json()) == mark.calls
        MarkSpec(name="a", **mark._asdict())
        if mark.calibration.method == "base rate":
            assert not called.any()
        elif wanted is not None:
            truth = labels[known, i] == 1
            assert not called.any() or truth[called[known]].mean() >= wanted
        else:
            truth = labels[known, i] == 1
            assert called[known][truth].mean() > called[known][~truth].mean()


# Calls of a precision


def ranked(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels, as '1' and '0', of rows whose probabilities fall from 0.9 in equal steps."""
    labels = np.array([letter == "1" for letter in text])
    return labels, np.linspace(0.9, 0.1, len(text))


def test_a_precision_is_wilsons_lower_bound_from_ten_rows_on():
    labels, probabilities = ranked("1" * 10 + "0" * 10)
    curve = precision_curve(labels, probabilities)
    # Of n rows that are all positive, the bound of z standard errors is n / (n + z^2).
    best = curve[-1]
    assert best.threshold == probabilities[9]
    assert best.precision == pytest.approx(10 / (10 + module.CAUTION**2))
    assert best.recall == 1
    assert curve[0].threshold == probabilities[-1]
    assert curve[0].precision == pytest.approx(lower(labels))
    assert precision_curve(*ranked("111110000")) == ()


def test_the_lowest_threshold_of_a_precision_is_chosen_and_it_stays_so_above():
    labels, probabilities = ranked("1" * 40 + "0" + "1" * 9 + "0" * 50)
    threshold, calls = choose_calls(labels, probabilities, 0.8)
    reaching = [n for n in range(10, 100) if lower(labels[:n]) >= 0.8]
    assert threshold == probabilities[max(reaching) - 1]
    assert (calls.rule, calls.wanted) == ("precision", 0.8)
    assert calls.precision >= 0.8
    assert calls.recall == 1
    # Ten rows of which the bound is lower do not lower what is known of them.
    precisions = [point.precision for point in calls.curve]
    assert precisions == sorted(precisions)
    assert len(calls.curve) <= 41


def lower(labels: np.ndarray) -> float:
    """Wilson's lower bound, solved from |p - share| = z sqrt(p (1 - p) / n)."""
    each, share = module.CAUTION**2 / len(labels), labels.mean()
    return float(min(np.roots([1 + each, -2 * share - each, share**2]).real))


def test_a_precision_that_is_not_reached_is_never_called_but_has_a_curve():
    labels, probabilities = ranked("10" * 50)
    threshold, calls = choose_calls(labels, probabilities, 0.8)
    assert threshold == 1
    assert (calls.precision, calls.recall) == (None, None)
    assert 0 < len(calls.curve) < 10


def test_youden_states_the_precision_of_its_calls():
    labels, probabilities = ranked("1" * 30 + "0" * 5 + "1" * 2 + "0" * 63)
    threshold, calls = choose_calls(labels, probabilities, None)
    assert threshold == youden(labels, probabilities) == probabilities[29]
    assert (calls.rule, calls.wanted) == ("youden", None)
    assert calls.precision == pytest.approx(30 / (30 + module.CAUTION**2))
    assert calls.recall == pytest.approx(30 / 32)


def test_equal_probabilities_are_called_together():
    labels = np.array([True] * 12 + [False] * 12)
    assert [point.threshold for point in precision_curve(labels, np.full(24, 0.4))] == [0.4]


def test_a_certain_probability_is_no_threshold():
    """A threshold of 1 means never."""
    labels, probabilities = np.array([True] * 20 + [False] * 20), np.repeat([1.0, 0.2], 20)
    assert [point.threshold for point in precision_curve(labels, probabilities)] == [0.2]
    assert choose_calls(labels, probabilities, 0.9)[0] == 1


def test_calls_hold_what_they_promise_on_other_rows():
    """In most draws the true precision is the promised one or better."""
    curve = lambda x: sigmoid(1.5 * x - 1)  # noqa: E731
    later, _ = drawn(99, 50_000, curve)
    promised, found = [], []
    for seed in range(40):
        logits, labels = drawn(seed, 800, curve)
        threshold, calls = choose_calls(labels, sigmoid(logits), 0.8)
        if threshold < 1:
            promised.append(calls.precision)
            found.append(curve(later)[sigmoid(later) >= threshold].mean())
    assert len(found) > 30
    kept = np.array(found) >= np.array(promised)
    assert kept.mean() >= 0.8
    assert np.mean(found) > 0.8
    assert min(found) > 0.75
