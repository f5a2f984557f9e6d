"""Distributions and overviews: what they show is what the probabilities are."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest

from histpred.bundle.mark_spec import MarkSpec
from histpred.reports import shapes
from histpred.reports.landscape import BINS
from histpred.reports.shapes import POINTS, distributions, overview, smoothed
from support.landscapes import landscape_of, specs


def area_of(path):
    """The area under a path that begins and ends at the foot of the box."""
    start = [float(part) for part in re.match(r"M([\d.]+) ([\d.]+)", path).groups()]
    points = [start] + [list(map(float, pair)) for pair in re.findall(r"L([\d.]+) ([\d.]+)", path)]
    xs, ys = np.array(points).T
    return np.trapezoid(shapes.HEIGHT - ys, xs)


def test_few_windows_are_lines_at_their_probabilities():
    one, other = distributions(landscape_of([[0.2, 0.1], [0.731, 0.1], [0.5, 0.9]]), specs())
    assert re.findall(r"M([\d.]+)", one.below) == ["20.0"]
    assert re.findall(r"M([\d.]+)", one.above) == ["73.1", "50.0"]
    assert (one.threshold, one.called) == (50, "66.7%")
    assert other.called == "33.3%"


def test_many_windows_are_an_area_cut_at_the_threshold():
    values = np.random.default_rng(1).beta(2, 3, (POINTS * 20, 2))
    one, other = distributions(landscape_of(values, (0.4, 1.0)), specs(0.4, 1.0))
    assert max(float(x) for x in re.findall(r"L([\d.]+)", one.below)) == 40
    assert min(float(x) for x in re.findall(r"L([\d.]+)", one.above)) == 40
    heights = np.sqrt(np.histogram(values[:, 0], BINS, (0, 1))[0])
    expected = heights[:40].sum() / heights.sum()
    found = area_of(one.below) / (area_of(one.below) + area_of(one.above))
    assert found == pytest.approx(expected, abs=0.02)
    assert (other.above, other.threshold, other.called) == ("", None, "never called")


@pytest.mark.parametrize("place", [0, 40, BINS - 1])
def test_smoothing_keeps_the_sum_and_the_place(place):
    counts = np.zeros(BINS, int)
    counts[place] = 1_000
    density = smoothed(counts)
    assert density.sum() == pytest.approx(1_000)
    assert density.argmax() == place


def test_a_mark_that_is_not_predicted_has_a_reason_and_no_picture():
    marks = [specs()[0], MarkSpec(name="H3K9me3", threshold=1, unpredicted="too few")]
    *_, last = distributions(landscape_of([[0.2, 0.1]] * 3), marks)
    assert (last.mark, last.called, last.reason, last.below) == ("H3K9me3", "NA", "too few", "")


def pixels(address):
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    content = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    return np.asarray(image.open(io.BytesIO(content)))


def test_an_overview_puts_alike_windows_together():
    rng = np.random.default_rng(2)
    groups = np.array([[0.9, 0.1], [0.1, 0.9]])[rng.permutation([0, 1] * 30)]
    values = groups + rng.normal(0, 0.01, groups.shape)
    found = overview(landscape_of(values))
    image = pixels(found.address)
    assert image.shape == (60, 2, 4)
    red = [tuple(row[0, :3]) == shapes.ABOVE for row in image]
    assert sum(red) == 30
    # On a circle: at most two changes from one group to the other.
    assert sum(here != there for here, there in zip(red, red[1:] + red[:1], strict=True)) == 2
    assert [tuple(row[1, :3]) == shapes.BELOW for row in image] == red


def test_an_overview_averages_neighbours_of_many_windows():
    values = np.random.default_rng(3).random((1_001, 2))
    found = overview(landscape_of(values))
    assert (found.windows, found.lines) == (1_001, 3)
    assert pixels(found.address).shape == (334, 2, 4)


@pytest.mark.parametrize(
    "values", [[[0.2, 0.3], [0.4, 0.1]], [[0.2, 0.5], [0.4, 0.5], [0.3, 0.5], [0.1, 0.5]]]
)
def test_too_little_has_no_overview(values):
    assert overview(landscape_of(values)) is None
