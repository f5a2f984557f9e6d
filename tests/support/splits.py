"""Windows for tests of splits, and brute force over them."""

from __future__ import annotations

import random

import pandas

from histpred.labels.splits import TEST, TRAIN, VALIDATION

ALL = {TRAIN, VALIDATION, TEST}
HELD_OUT = (VALIDATION, TEST)


def table(rows) -> pandas.DataFrame:
    """Windows of (chrom, start, end, gene_id)."""
    columns = ["chrom", "start", "end", "gene_id"]
    windows = pandas.DataFrame(rows, columns=columns)
    return windows.assign(name=windows["gene_id"], strand="+", biotype="lncRNA")


def drawn(seed: int, count: int, chromosomes: int = 4, length: int = 20_000, longest: int = 300):
    """Random windows, some of them of the same gene."""
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        start = rng.randrange(length)
        chrom = rng.randrange(chromosomes)
        gene = f"G{chrom}.{rng.randrange(count) if rng.random() < 0.7 else start}"
        rows.append((f"chr{chrom}", start, start + rng.randint(1, longest), gene))
    return table(rows)


def overlap(one, other) -> bool:
    return one.chrom == other.chrom and max(one.start, other.start) < min(one.end, other.end)


def leaking(windows, sets, name, into=TRAIN) -> int:
    """Brute force: windows of the set `name` that share a base with one of the set `into`."""
    rows = list(windows.itertuples())
    others = [row for row, of_row in zip(rows, sets, strict=True) if of_row == into]
    return sum(
        any(overlap(row, other) for other in others)
        for row, of_row in zip(rows, sets, strict=True)
        if of_row == name
    )


def sets_of_units(units, sets) -> dict[str, set[str]]:
    found = {}
    for unit, name in zip(units, sets, strict=True):
        found.setdefault(unit, set()).add(name)
    return found


def assert_apart(windows, sets):
    """No two windows of different sets share a base."""
    for name, into in ((TEST, TRAIN), (TEST, VALIDATION), (VALIDATION, TRAIN)):
        assert leaking(windows, sets, name, into) == 0, (name, into)


def assert_units_whole(units, sets):
    assert all(len(names) == 1 for names in sets_of_units(units, sets).values())
