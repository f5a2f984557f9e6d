"""Relations of marks against formulas written out, and small cases by hand."""

from __future__ import annotations

from itertools import combinations, permutations
from math import log, sqrt

import numpy as np
import pandas
import pytest

pytest.importorskip("sklearn", reason="needs the extra train")

from histpred.evaluation.analysis import (
    co_targeting,
    correlate,
    cosine_similarity_of,
    hierarchical_linkage,
    hierarchical_order,
    off_diagonal_summary,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2)


def table(values: object, marks: str = "ABCDEFGH") -> pandas.DataFrame:
    values = np.array(values, float)
    names = list(marks[: len(values)])
    return pandas.DataFrame(values, names, names)


def cosine(a: list[float], b: list[float]) -> float:
    norms = sqrt(sum(x * x for x in a)) * sqrt(sum(y * y for y in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / norms


def test_cosine_by_hand():
    """(3, 4) and (4, 3): 24 / 25; (0, -2) and (3, 4): -8 / 10; and (4, 3): -6 / 10."""
    found = cosine_similarity_of(np.array([[3, 4], [4, 3], [0, -2]], np.float32), "ABC")
    wanted = table([[1, 0.96, -0.8], [0.96, 1, -0.6], [-0.8, -0.6, 1]])
    pandas.testing.assert_frame_equal(found, wanted)


def test_a_vector_of_zeros_is_like_no_other():
    found = cosine_similarity_of(np.array([[0.0, 0.0], [1.0, 0.0]]), "AB")
    pandas.testing.assert_frame_equal(found, table(np.eye(2)))


def test_cosines_stay_within_one(rng):
    vectors = rng.normal(size=(1, 7)) * rng.uniform(0.1, 9, (40, 1))
    found = cosine_similarity_of(vectors, range(40))
    assert found.max(axis=None) <= 1
    assert (np.diag(found) == 1).all()


# Co-targeting.


def weighted_labels(labels: np.ndarray) -> np.ndarray:
    """TF-IDF with smooth idf and rows of length 1, one number at a time."""
    n, marks = labels.shape
    found = np.zeros(labels.shape)
    for row in range(n):
        for mark in range(marks):
            documents = sum(labels[other, mark] == 1 for other in range(n))
            idf = log((1 + n) / (1 + documents)) + 1
            found[row, mark] = idf if labels[row, mark] == 1 else 0
        length = sqrt(sum(value**2 for value in found[row]))
        found[row] /= length or 1
    return found


def test_co_targeting_follows_the_formula(rng):
    labels = (rng.random((30, 4)) < [0.9, 0.5, 0.3, 0.1]).astype(np.float32)
    labels[3] = 0
    labels[:5, 1] = np.nan
    weighted = weighted_labels(labels)
    found = co_targeting(labels, "ABCD")
    for a, b in permutations(range(4), 2):
        wanted = cosine(list(weighted[:, a]), list(weighted[:, b]))
        assert found.iloc[a, b] == pytest.approx(wanted)
    assert (np.diag(found) == 1).all()


def test_co_targeting_by_hand():
    """Two rows, A in both, B in the second: idf ln(3/3) + 1 = 1 and ln(3/2) + 1 = 1.4055.

    The rows of length 1 are (1, 0) and (1, 1.4055) / 1.7249 = (0.5797, 0.8148). The cosine of the
    columns (1, 0.5797) and (0, 0.8148) is 0.5797 / sqrt(1 + 0.5797^2) = 0.5015; without TF-IDF it
    is 1 / sqrt(2).
    """
    found = co_targeting(np.array([[1, 0], [1, 1]], np.float32), "AB")
    assert found.loc["A", "B"] == pytest.approx(0.5015, abs=1e-4)


def test_a_ubiquitous_mark_counts_less_beside_a_rare_one():
    """A is everywhere, B and C in 30 rows each: A weighs least in the rows that it shares."""
    labels = np.zeros((100, 3), np.float32)
    labels[:, 0] = labels[:30, 1] = labels[15:45, 2] = 1
    found, plain = co_targeting(labels, "ABC"), cosine_similarity_of(labels.T, "ABC")
    assert found.loc["A", "B"] < plain.loc["A", "B"]


def test_a_mark_without_a_positive_is_like_no_other():
    labels = np.array([[1, 0, np.nan], [1, 0, 1]], np.float32)
    found = co_targeting(labels, "ABC")
    assert found.loc["B"].to_list() == [0, 1, 0]
    assert found.loc["A", "C"] > 0


def test_unlabelled_counts_as_absent(rng):
    labels = (rng.random((20, 3)) < 0.5).astype(np.float32)
    unknown = np.where(labels == 0, np.nan, labels)
    pandas.testing.assert_frame_equal(co_targeting(unknown, "ABC"), co_targeting(labels, "ABC"))


# Clustering.


def test_linkage_by_hand():
    """A and C are at 0.1, B and D at 0.2; the means of the four distances between: 0.8."""
    similarity = table(
        [[1, 0.1, 0.9, 0.2], [0.1, 1, 0.2, 0.8], [0.9, 0.2, 1, 0.3], [0.2, 0.8, 0.3, 1]]
    )
    tree = hierarchical_linkage(similarity)
    assert [set(row[:2]) for row in tree] == [{0, 2}, {1, 3}, {4, 5}]
    np.testing.assert_allclose(tree[:, 2], [0.1, 0.2, 0.8])
    order = hierarchical_order(similarity)
    # C and D are the nearest across: they meet in the middle.
    assert order in ([0, 2, 3, 1], [1, 3, 2, 0])


def test_the_order_puts_marks_of_a_kind_together(rng):
    centres = np.eye(4)[[0, 1, 2, 3] * 4]
    similarity = cosine_similarity_of(centres + 0.05 * rng.normal(size=(16, 4)), range(16))
    order = hierarchical_order(similarity)
    assert sorted(order) == [*range(16)]
    for first in range(0, 16, 4):
        assert len({position % 4 for position in order[first : first + 4]}) == 1


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_marks(count):
    similarity = table(np.eye(count).reshape(count, count))
    assert sorted(hierarchical_order(similarity)) == [*range(count)]
    assert hierarchical_linkage(similarity).shape == (max(count - 1, 0), 4)


# Correlation.


def symmetric(values: list[float]) -> pandas.DataFrame:
    """The values A-B, A-C, ..., B-C, ... as a similarity table."""
    size = next(n for n in range(2, 9) if n * (n - 1) // 2 == len(values))
    matrix = np.eye(size)
    for (a, b), value in zip(combinations(range(size), 2), values, strict=True):
        matrix[a, b] = matrix[b, a] = value
    return table(matrix)


def test_correlation_by_hand():
    """Correlation of (.1 .2 .6) and (.2 .1 .3).

    Deviations (-2 -1 3)/10 and (0 -1 1)/10: 4 / sqrt(14 x 2). Ranks 1 2 3 and 2 1 3: 1 - 6 x 2 /
    (3 x 8).
    """
    found = correlate(symmetric([0.1, 0.2, 0.6]), symmetric([0.2, 0.1, 0.3]))
    assert found.pearson == pytest.approx(4 / sqrt(28))
    assert found.spearman == pytest.approx(0.5)
    assert found.pairs == 3


def test_correlation_goes_by_the_names_of_marks(rng):
    a = symmetric(list(rng.random(10)))
    b = symmetric(list(rng.random(10)))
    shuffled = b.loc[list("DBEAC"), list("DBEAC")]
    assert correlate(a, shuffled) == correlate(a, b)
    assert correlate(a, a.loc[list("DBEAC"), list("DBEAC")]).pearson == pytest.approx(1)


@pytest.mark.parametrize(
    ("a", "b", "pairs"), [([0.3], [0.2], 1), ([0.1, 0.1, 0.1], [0.1, 0.2, 0.4], 3)]
)
def test_an_undefined_correlation_is_nan(a, b, pairs):
    found = correlate(symmetric(a), symmetric(b))
    assert np.isnan([found.pearson, found.spearman]).all()
    assert found.pairs == pairs


def test_summary_by_hand():
    """Of .5, -.3, .25: mean .15, squared deviations .1225 + .2025 + .01 = .335; two beyond .25."""
    found = off_diagonal_summary(symmetric([0.5, -0.3, 0.25]))
    assert found == pytest.approx(
        {"mean": 0.15, "sd": sqrt(0.335 / 3), "share_above_quarter": 2 / 3}
    )


def test_summary_without_pairs_is_nan():
    assert np.isnan([*off_diagonal_summary(table([[1]])).values()]).all()
