"""What windows cost, and where they are cut."""

from __future__ import annotations

import random
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histpred.encoders.chunks import ChunkPolicy
from histpred.genome.regions import Window
from histpred.scoring.costs import Costs, cuts

# Where it is cut


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 300))
def test_cuts_leave_nothing_out_and_no_part_empty(work, most):
    ends = cuts(work, most)
    assert ends[-1] == len(work)
    assert all(left < right for left, right in pairwise([0, *ends])) or (not work and ends == [0])
    parts = [work[left:right] for left, right in pairwise([0, *ends])]
    assert len(parts) <= max(1, -(-sum(work) // most))
    assert all(sum(part) <= most + max(part, default=0) for part in parts)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=9), st.integers(1, 60))
def test_cuts_are_nearly_as_balanced_as_can_be(work, most):
    """Against every way to cut into as many parts: the heaviest is at most one piece heavier."""
    ends = cuts(work, most)
    heaviest = max(sum(work[left:right]) for left, right in pairwise([0, *ends]))
    best = min(
        max(sum(work[left:right]) for left, right in pairwise([0, *inner, len(work)]))
        for inner in combinations(range(1, len(work)), len(ends) - 1)
    )
    assert best <= heaviest <= best + max(work)


@pytest.mark.parametrize(
    ("work", "most", "ends"),
    [
        ([], 10, [0]),
        ([0, 0, 0], 1, [3]),
        ([7], 3, [1]),
        ([1] * 9, 3, [3, 6, 9]),
        ([5, 0, 0, 5], 5, [1, 4]),
        ([1, 100, 1], 10, [1, 2, 3]),
        ([10**12] * 4, 10**12, [1, 2, 3, 4]),
    ],
)
def test_cuts_worked_out_by_hand(work, most, ends):
    assert cuts(work, most) == ends


# What a window costs


def windows_in_order(rng: random.Random, count: int) -> list[Window]:
    places = []
    for _ in range(count):
        start = rng.randrange(300)
        end = start + rng.randint(1, 80)
        places.append((rng.choice(["1", "2"]), start, end, rng.choice("+-.")))
    return [Window(*place, "a", ".", ".", 1) for place in sorted(places)]


@pytest.mark.parametrize("seed", range(5))
def test_on_a_grid_work_is_the_union_of_the_bases_on_a_strand(seed):
    windows = windows_in_order(random.Random(seed), 60)
    costs = Costs(ChunkPolicy("grid", 50))
    seen: set[tuple[str, bool, int]] = set()
    for number, window in enumerate(windows):
        costs.add(window)
        own = {(window.chrom, window.strand == "-", i) for i in range(window.start, window.end)}
        assert costs.work[number] == len(own - seen)
        assert costs.bases[number] == len(own)
        seen |= own
    assert sum(costs.work) == len(seen) < sum(costs.bases)


@pytest.mark.parametrize("chunks", [None, ChunkPolicy("window", 50)])
def test_without_a_grid_work_is_every_windows_own_bases(chunks):
    windows = windows_in_order(random.Random(1), 30)
    spliced = windows[0]._replace(start=0, end=100, blocks=((0, 10), (95, 100)))
    costs = Costs(chunks)
    for window in [spliced, *windows]:
        costs.add(window)
    assert list(costs.work) == list(costs.bases)
    assert list(costs.bases) == [15, *(window.end - window.start for window in windows)]


def test_tiles_that_cost_the_same_are_one_entry():
    costs = Costs(None)
    costs.add_tiles(np.array([200, 200, 200]))
    costs.add_tiles(np.array([200, 30_200]))
    costs.add_tiles(np.array([200]))
    assert list(costs.work) == list(costs.bases) == [200, 30_200, 200]
    assert list(costs.counts) == [4, 1, 1]
    assert costs.windows == 6


ENTRIES = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 40)), max_size=12)


@given(ENTRIES, st.integers(1, 300))
def test_entries_of_several_windows_are_cut_as_these_are(entries, most):
    each = [work for work, count in entries for _ in range(count)]
    works, counts = [work for work, _ in entries], [count for _, count in entries]
    assert cuts(works, most, counts) == cuts(each, most)


@given(ENTRIES, st.integers(1, 300))
def test_what_parts_cost_is_the_sum_over_their_windows(entries, most):
    costs = Costs(None)
    for work, count in entries:
        costs.add_tiles(np.full(count, work))
    each = [work for work, count in entries for _ in range(count)]
    ends = cuts(each, most)
    sums = [sum(each[start:end]) for start, end in pairwise([0, *ends])]
    assert list(costs.spent(ends)) == [(work, work) for work in sums]


def test_cutting_takes_no_memory_for_each_window():
    assert cuts([200], 10**9, [15_000_000]) == [5_000_000, 10_000_000, 15_000_000]
