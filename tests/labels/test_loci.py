from __future__ import annotations

import pytest

pytest.importorskip("scipy", reason="needs the extra train")


from histpred.labels.loci import locus_numbers
from support.extraction import bedtools, needs_bedtools
from support.splits import (
    drawn,
    table,
)


def test_locus_numbers_by_hand():
    windows = table(
        [
            ("chr2", 0, 10, "f"),
            ("chr1", 100, 200, "b"),
            ("chr1", 150, 160, "b"),
            ("chr1", 199, 300, "b"),  # reaches the locus through its first window only
            ("chr1", 300, 310, "c"),  # touches
            ("chr1", 0, 50, "a"),
            ("chr10", 0, 10, "d"),
        ]
    )
    assert locus_numbers(windows).tolist() == [4, 1, 1, 1, 2, 0, 3]


@needs_bedtools
@pytest.mark.parametrize("seed", range(5))
def test_locus_numbers_are_those_of_bedtools_cluster(tmp_path, seed):
    windows = drawn(seed, 300)
    bed = tmp_path / "windows.bed"
    windows[["chrom", "start", "end"]].assign(row=range(len(windows))).sort_values(
        ["chrom", "start"]
    ).to_csv(bed, sep="\t", header=False, index=False)
    clustered = [line.split("\t") for line in bedtools("cluster", "-d", -1, "-i", bed).splitlines()]
    expected = {}
    for *_, row, cluster in clustered:
        expected.setdefault(cluster, set()).add(int(row))
    found = {}
    for row, number in enumerate(locus_numbers(windows)):
        found.setdefault(number, set()).add(row)
    assert sorted(map(sorted, found.values())) == sorted(map(sorted, expected.values()))
    assert set(found) == set(range(len(found)))
    assert len(found) < len(windows)
