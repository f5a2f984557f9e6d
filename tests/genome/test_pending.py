from __future__ import annotations

import random
import sys

from histpred.genome.pending import PendingRows
from histpred.genome.regions import FARTHEST, Feature, Window
from histpred.genome.windows import Placement


def row(line: int, start: int, end: int, strand: str = "+", **more) -> tuple[Feature, Placement]:
    feature = Feature(line, "1", start + 5, end + 5, strand, f"n{line}", "g", "lncRNA")
    names = "." if strand == "?" else strand, f"n{line}", "g", "lncRNA"
    return feature, Placement(Window("chr1", start, end, *names, line, **more), "", "")


def test_windows_come_back_as_they_were_added():
    blocks = ((-3, 2), (5, 8))
    rows = [
        row(10**12, 0, 0),
        row(2, 0, FARTHEST, "?"),
        row(3, FARTHEST - 1, FARTHEST, "+", blocks=blocks, outside=7),
        row(4, FARTHEST - 1, FARTHEST, outside=1),
    ]
    pending = PendingRows()
    for one in rows:
        pending.add(*one)
    order = [0, 1, 2, 3]
    assert list(pending.windows()) == [(rows[number][1].window, number) for number in order]


def test_windows_at_one_place_are_sorted_by_their_columns_then_stay_as_added():
    rng = random.Random(1)
    rows = [row(rng.randrange(9), 3, rng.choice([4, 5]), rng.choice("+-.?")) for _ in range(200)]
    pending = PendingRows()
    for one in rows:
        pending.add(*one)
    found = list(pending.windows())
    assert [window for window, _ in found] == sorted(placed.window for _, placed in rows)
    assert found == sorted(found)
    assert all(rows[number][1].window == window for window, number in found)


def test_a_row_takes_few_bytes():
    pending = PendingRows()
    rows = 10_000
    for number in range(rows):
        pending.add(*row(number, number * 1000, number * 1000 + 2000))
    held = [*pending.texts, *pending._windows["chr1"]]
    lists = [pending.texts, pending.fates, pending.lines, pending._windows["chr1"]]
    assert sum(map(sys.getsizeof, held + lists)) < 200 * rows
    assert len(set(map(id, pending.fates))) == 1
