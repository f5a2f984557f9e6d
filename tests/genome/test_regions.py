from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histpred.genome.regions import (
    around_start,
    clip,
    extend_upstream,
    merge,
)

LENGTH = 60
INTERVALS = st.tuples(st.integers(0, LENGTH - 1), st.integers(1, 20)).map(
    lambda pair: (pair[0], pair[0] + pair[1])
)
REACH = st.integers(0, 30)


def mirrored(interval: tuple[int, int]) -> tuple[int, int]:
    """The same bases counted from the contig's other end."""
    start, end = interval
    return LENGTH - end, LENGTH - start


@given(INTERVALS, REACH, REACH)
def test_the_minus_strand_is_the_mirror_image_of_the_plus_strand(interval, upstream, downstream):
    other = mirrored(interval)
    assert mirrored(extend_upstream(*interval, "+", upstream)) == extend_upstream(
        *other, "-", upstream
    )
    assert mirrored(around_start(*interval, "+", upstream, downstream)) == around_start(
        *other, "-", upstream, downstream
    )


@pytest.mark.parametrize("strand", "+-")
@given(interval=INTERVALS, upstream=REACH, downstream=st.integers(1, 30))
def test_the_first_transcribed_base_is_the_first_of_the_downstream_bases(
    strand, interval, upstream, downstream
):
    start, end = around_start(*interval, strand, upstream, downstream)
    bases = list(range(start, end))
    if strand == "-":
        bases.reverse()
    assert len(bases) == upstream + downstream
    assert bases[upstream] == (interval[0] if strand == "+" else interval[1] - 1)


@given(INTERVALS, REACH)
def test_clip_keeps_the_bases_that_exist(interval, shift):
    start, end = interval[0] - shift, interval[1] + shift
    assert list(range(*clip(start, end, LENGTH))) == [
        base for base in range(start, end) if 0 <= base < LENGTH
    ]


@pytest.mark.parametrize("interval", [(-9, -1), (-5, 0), (60, 70), (61, 62)])
def test_what_lies_beside_the_contig_is_empty_when_clipped(interval):
    start, end = clip(*interval, LENGTH)
    assert start >= end


@given(st.lists(INTERVALS))
def test_merged_blocks_ascend_apart_and_hold_the_same_bases(blocks):
    merged = merge(blocks)
    assert {base for start, end in merged for base in range(start, end)} == {
        base for start, end in blocks for base in range(start, end)
    }
    assert all(start < end for start, end in merged)
    assert all(left[1] < right[0] for left, right in pairwise(merged))
    assert merge([*blocks, *reversed(blocks)]) == merged
