"""Strips of what speaks for a mark: where bars lie, and what the sentence says of them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from histpred.genome.regions import Window
from histpred.genome.windows import Row
from histpred.reports.landscape import Locus
from histpred.reports.strips import HEIGHT, WIDTH, Bars, bars_of, path_of, sentence_of, ticks_of
from histpred.scoring.explain_tables import Explained

TSS = 50_000
STRETCHES = [(start, start + 1_000) for start in range(TSS - 10_000, TSS + 10_000, 1_000)]


def bars(values: dict[int, float], strand: str = "+") -> Bars:
    """Contributions of the stretches that begin at these positions; all others are 0."""
    window = Window("chr9", TSS - 10_000, TSS + 10_000, strand, "g", ".", ".", 1)
    locus = Locus("chr9", TSS - 500, TSS + 500, "g", strand, ".", np.zeros(2), np.ones(2, bool))
    contributions = np.zeros((len(STRETCHES), 2))
    for row, (start, _) in enumerate(STRETCHES):
        contributions[row, 1] = values.get(start, 0)
    anchor = TSS if strand == "+" else TSS - 1
    row = Row(window, b"", ())
    found = Explained(row, anchor, np.zeros(2), STRETCHES, contributions, [], np.empty((0, 2)))
    return bars_of(locus, found, 1)


def boxes(path: str) -> list[tuple[float, float, float]]:
    """Left, right and top or bottom of each bar of a path."""
    pattern = r"M(\S+) (\S+)V(\S+)H(\S+)V(\S+)Z"
    found = [tuple(map(float, part)) for part in re.findall(pattern, path)]
    assert len(found) == path.count("M")
    assert all(first == last == HEIGHT / 2 for _, first, _, _, last in found)
    return [(left, right, at) for left, _, at, right, _ in found]


def test_bars_run_along_the_strand_and_rise_where_they_speak_for_the_mark():
    values = {TSS - 3_000: 2.0, TSS + 4_000: -1.0}
    axis = (-10_000, 10_000)
    (box,) = boxes(path_of(bars(values), axis, 2.0, 1))
    assert box == (7 * WIDTH / 20, 8 * WIDTH / 20, 1.0)
    (box,) = boxes(path_of(bars(values), axis, 2.0, -1))
    assert box == (14 * WIDTH / 20, 15 * WIDTH / 20, HEIGHT / 2 + (HEIGHT / 2 - 1) / 2)
    (box,) = boxes(path_of(bars(values, "-"), axis, 2.0, 1))
    assert box == (12 * WIDTH / 20, 13 * WIDTH / 20, 1.0)


def test_a_bar_too_low_to_be_seen_is_not_drawn():
    assert path_of(bars({TSS: 1e-4}), (-10_000, 10_000), 1.0, 1) == ""


@pytest.mark.parametrize("strand", "+-")
def test_most_near_the_tss(strand):
    away = 3_000 if strand == "+" else -4_000
    found = sentence_of(bars({TSS: 0.6, TSS + away: 0.4}, strand), "TSS", "log-odds")
    side = "at the TSS" if strand == "+" else "1 bp upstream"
    assert found.startswith("Most of what speaks for it (60%) lies within 2 kb of the TSS. ")
    assert "The strongest stretch is chr9:50,001-51,000, " in found
    assert found.endswith("(+0.60 log-odds).")
    assert side in found or "0 bp upstream" in found


def test_all_near_the_tss():
    found = sentence_of(bars({TSS: 0.6, TSS + 3_000: -5.0}), "TSS", "log-odds")
    assert found.startswith("All of what speaks for it lies within 2 kb of the TSS. ")


def test_most_far_away_by_side():
    values = {TSS - 9_000: 3.0, TSS + 5_000: 1.0, TSS: 1.0, TSS + 7_000: -4.0}
    for strand, upstream, downstream in (("+", 60, 20), ("-", 20, 60)):
        found = sentence_of(bars(values, strand), "middle", "of the raw score")
        assert found.startswith(
            f"Most of what speaks for it lies beyond 2 kb of the middle ({upstream}% upstream, "
            f"{downstream}% downstream). The strongest stretch is chr9:41,001-42,000, "
        )
        assert "(+3.00 of the raw score)" in found
        assert f"8,000 bp {'upstream' if strand == '+' else 'downstream'}" in found


def test_a_stretch_that_straddles_the_border_counts_in_part():
    one = bars({TSS - 3_000: 1.0})
    shifted = one._replace(starts=one.starts + 500, ends=one.ends + 500)
    found = sentence_of(shifted, "TSS", "log-odds")
    assert "Most of what speaks for it (50%) lies within 2 kb" in found


def test_nothing_is_called_strong_that_is_not():
    assert sentence_of(bars({TSS: -1.0}), "TSS", "log-odds") == "No stretch speaks for it."
    weak = sentence_of(bars({TSS: 0.05, TSS + 1_000: -3.0}), "TSS", "log-odds")
    assert weak == (
        "No stretch matters much by itself: the strongest, chr9:50,001-51,000, at the TSS, adds "
        "0.05 log-odds."
    )


def test_a_short_window_is_not_said_to_be_near():
    one = bars({TSS: 1.0})
    near = slice(8, 12)
    short = Bars(one.locus, one.places[near], one.starts[near], one.ends[near], one.values[near])
    assert "2 kb" not in sentence_of(short, "TSS", "log-odds")


def test_the_ends_of_the_axis_are_named_where_there_is_room():
    assert [*ticks_of(-30_000, 30_000, "TSS")] == [
        (0.0, "\N{MINUS SIGN}30 kb"),
        (50.0, "TSS"),
        (100.0, "+30 kb"),
    ]
    assert [tick.text for tick in ticks_of(-1_000, 90_000, "TSS")] == ["TSS", "+90 kb"]
