from __future__ import annotations

import logging
from collections import Counter

import numpy as np
import pandas
import pytest

pytest.importorskip("scipy", reason="needs the extra train")

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from histpred.core.errors import UsageError
from histpred.genome.extract import extract
from histpred.genome.request import Request
from histpred.genome.windows import usual
from histpred.labels.splits import (
    TEST,
    TRAIN,
    UNUSED,
    VALIDATION,
    leaks,
)
from histpred.labels.splitting import split
from support.splits import (
    ALL,
    HELD_OUT,
    assert_apart,
    assert_units_whole,
    drawn,
    leaking,
    overlap,
    sets_of_units,
    table,
)

# Random by unit


@pytest.mark.parametrize(("units", "test", "validation"), [(100, 10, 9), (1000, 100, 90)])
def test_random_sizes_are_the_papers(units, test, validation):
    windows = table([("chr1", 10 * i, 10 * i + 5, f"G{i % units}") for i in range(2 * units)])
    sets, description = split(windows, windows["gene_id"], "random", 7)
    assert Counter(sets) == {
        TEST: 2 * test,
        VALIDATION: 2 * validation,
        TRAIN: 2 * (units - test - validation),
    }
    assert_units_whole(windows["gene_id"], sets)
    assert "seed 7" in description
    assert "10%" in description
    assert "\n" not in description


@pytest.mark.parametrize("how", ["random", "chromosome", "block", "locus"])
def test_seed_and_windows_alone_decide(how):
    windows = drawn(1, 400, chromosomes=12)
    order = np.random.default_rng(0).permutation(len(windows))

    def parted(these, seed):
        return split(these, these["gene_id"].tolist(), how, seed, block=1000).sets

    sets = parted(windows, 3)
    assert set(sets) >= ALL
    np.testing.assert_array_equal(parted(windows, 3), sets)
    np.testing.assert_array_equal(parted(windows.iloc[order], 3), sets[order])
    assert any((parted(windows, seed) != sets).any() for seed in (4, 5))


def test_what_is_random_is_not_always_the_same_place():
    windows = table([("chr1", 10 * i, 10 * i + 5, f"G{i:03}") for i in range(100)])
    tested = Counter()
    for seed in range(200):
        tested.update(
            np.flatnonzero(split(windows, windows["gene_id"], "random", seed).sets == TEST)
        )
    assert len(tested) == 100
    assert max(tested.values()) < 45  # 20 expected, standard deviation 4


# Chromosomes


def test_whole_chromosomes_near_a_tenth():
    windows = drawn(2, 2000, chromosomes=20)
    sets, description = split(windows, windows["gene_id"], "chromosome", 0)
    assert_units_whole(windows["chrom"], sets)
    for name in HELD_OUT:
        assert 0.08 < (sets == name).mean() < 0.12
        for chrom in set(windows["chrom"][sets == name]):
            assert chrom in description
    assert "seed 0" in description


def test_named_chromosomes():
    windows = drawn(3, 300)
    sets, description = split(
        windows,
        windows["gene_id"],
        "chromosome",
        0,
        test_chromosomes=("chr1", "chr3"),
        validation_chromosomes=["chr0"],
    )
    expected = {"chr1": TEST, "chr3": TEST, "chr0": VALIDATION, "chr2": TRAIN}
    assert sets.tolist() == [expected[chrom] for chrom in windows["chrom"]]
    assert description == "by chromosome: test chr1, chr3; validation chr0; the others train"


def test_what_is_not_named_is_drawn():
    windows = drawn(3, 300)
    sets, description = split(
        windows, windows["gene_id"], "chromosome", 5, test_chromosomes=("chr1",)
    )
    of_chromosome = sets_of_units(windows["chrom"], sets)
    assert of_chromosome.pop("chr1") == {TEST}
    assert sorted(name for (name,) in of_chromosome.values()) == [TRAIN, TRAIN, VALIDATION]
    assert "seed 5" in description


def test_three_chromosomes_of_any_size_are_enough():
    windows = table([(f"chr{i % 3}", 10 * i, 10 * i + 5, f"G{i}") for i in range(30)])
    sets, _ = split(windows, windows["gene_id"], "chromosome", 0)
    assert Counter(sets) == {TRAIN: 10, VALIDATION: 10, TEST: 10}


def test_a_gene_on_chromosomes_of_two_sets_is_not_used(caplog):
    windows = table(
        [(chrom, 10 * i, 10 * i + 5, f"{chrom}.{i}") for chrom in "XYZ" for i in range(5)]
        + [("X", 900, 950, "CD99"), ("Y", 900, 950, "CD99")]
    )
    sets, _ = split(
        windows,
        windows["gene_id"],
        "chromosome",
        0,
        test_chromosomes=("Y",),
        validation_chromosomes=("Z",),
    )
    assert sets.tolist() == [TRAIN] * 5 + [TEST] * 5 + [VALIDATION] * 5 + [UNUSED] * 2
    assert "1 gene has windows on chromosomes of different sets" in caplog.text


@pytest.mark.parametrize(
    ("test", "validation", "message"),
    [
        (["chr9"], [], r"no window lies on chr9\n.*chr0, chr1, chr2 and 1 more"),
        (["chr1"], ["chr1", "chr2"], "chr1 cannot both test and validate"),
        (["chr0", "chr1"], ["chr2", "chr3"], r"leaves none for train \(0 train, "),
    ],
)
def test_chromosomes_that_cannot_be(test, validation, message):
    windows = drawn(3, 100)
    with pytest.raises(UsageError) as caught:
        split(
            windows,
            windows["gene_id"],
            "chromosome",
            0,
            test_chromosomes=test,
            validation_chromosomes=validation,
        )
    assert caught.match(message)


def test_two_chromosomes_are_too_few():
    windows = drawn(3, 100, chromosomes=2)
    with pytest.raises(UsageError, match=r"of 2 chromosomes \(chr0, chr1\)") as caught:
        split(windows, windows["gene_id"], "chromosome", 0)
    assert "block or locus" in caught.value.hint


def test_chromosomes_named_for_another_split():
    windows = drawn(3, 100)
    with pytest.raises(UsageError, match="the split is 'locus'"):
        split(windows, windows["gene_id"], "locus", 0, test_chromosomes=("chr1",))


# Blocks


@pytest.mark.parametrize("seed", range(5))
def test_blocks_go_as_a_whole_and_their_sets_stay_apart(seed):
    windows = drawn(seed, 500)
    units = [f"W{i}" for i in range(len(windows))]
    sets, description = split(windows, units, "block", seed, block=2000)
    assert "2,000 bp" in description
    assert set(sets) == {*ALL, UNUSED}
    assert_apart(windows, sets)
    of_block = {}
    for row, name in zip(windows.itertuples(), sets, strict=True):
        of_block.setdefault((row.chrom, (row.start + row.end) // 2 // 2000), set()).add(name)
    assert all(len(names - {UNUSED}) <= 1 for names in of_block.values())
    for name in HELD_OUT:
        assert 0.06 < (sets == name).mean() < 0.13
    assert (sets == UNUSED).mean() < 0.25


def test_only_what_overlaps_another_set_is_left_out():
    """One window crosses the border of every tenth block; the other windows do not overlap."""
    rows = [("chr1", 100 * i + 10, 100 * i + 90, f"G{i}") for i in range(100)]
    windows = table(
        [*rows, *[("chr1", 1000 * i - 20, 1000 * i + 30, f"B{i}") for i in range(1, 10)]]
    )
    sets, _ = split(windows, windows["gene_id"], "block", 0, block=1000)
    whole = split(table(rows), [row[3] for row in rows], "block", 0, block=1000).sets
    assert Counter(whole) == {TRAIN: 80, VALIDATION: 10, TEST: 10}  # blocks of ten windows
    for i in range(1, 10):  # the middle lies in block i; overlaps windows before and after
        border = sets[99 + i]
        before, after = sets[10 * i - 1], sets[10 * i]
        if border == UNUSED:
            assert {before, after} & set(HELD_OUT)
        else:
            assert border == after
            assert before in (border, UNUSED)
    inner = [i for i in range(100) if i % 10 not in (0, 9)]
    assert UNUSED not in sets[inner]


def test_a_gene_with_windows_in_several_blocks_follows_its_first():
    windows = table(
        [("chr1", 100 * i, 100 * i + 50, f"G{i // 2}") for i in range(1, 401)]
    )  # every gene has its second window in the next block
    sets, _ = split(windows, windows["gene_id"], "block", 0, block=100)
    assert set(sets) == ALL
    assert_units_whole(windows["gene_id"], sets)


@given(seed=st.integers(0, 10_000), count=st.integers(30, 120), longest=st.integers(1, 1500))
@settings(max_examples=40)
@pytest.mark.parametrize("how", ["block", "locus"])
def test_no_base_is_shared_between_sets(how, seed, count, longest):
    windows = drawn(seed, count, longest=longest)
    try:
        sets, _ = split(windows, windows["gene_id"], how, seed, block=1000)
    except UsageError:  # all in one piece
        assume(False)
    assert_apart(windows, sets)
    assert_units_whole(windows["gene_id"], sets)


def test_blocks_without_length_are_refused():
    windows = drawn(0, 50)
    with pytest.raises(UsageError, match="blocks of 0 bp"):
        split(windows, windows["gene_id"], "block", 0, block=0)


# Loci


def components(windows, units) -> list[set[int]]:
    """Brute force: pools of windows that overlap or are of one unit, joined until none is left."""
    pools = [{i} for i in range(len(windows))]
    rows = list(windows.itertuples())
    for i, one in enumerate(rows):
        for j in range(i):
            if overlap(one, rows[j]) or units[i] == units[j]:
                first, second = (next(p for p in pools if k in p) for k in (i, j))
                if first is not second:
                    pools.remove(second)
                    first |= second
    return pools


@pytest.mark.parametrize("seed", range(4))
def test_loci_are_the_components_of_brute_force(seed):
    windows = drawn(seed, 150, longest=200)
    units = windows["gene_id"].tolist()
    sets, description = split(windows, units, "locus", seed)
    assert f"seed {seed}" in description
    assert UNUSED not in sets
    for pool in components(windows, units):
        assert len({sets[i] for i in pool}) == 1
    for name in HELD_OUT:
        assert 0.07 < (sets == name).mean() < 0.13


def test_what_overlaps_only_through_a_gene_stays_together():
    """G0 has windows on two loci far apart: what overlaps either belongs to it."""
    chain = [("chr1", 0, 100, "G0"), ("chr2", 0, 100, "G0"), ("chr1", 99, 150, "A")]
    chain += [("chr2", 50, 60, "B"), ("chr1", 149, 200, "C")]
    alone = [("chr3", 100 * i, 100 * i + 100, f"Z{i}") for i in range(40)]  # touch, no overlap
    windows = table(chain + alone)
    seen = set()
    for seed in range(40):
        sets, _ = split(windows, windows["gene_id"], "locus", seed)
        assert len(set(sets[:5])) == 1
        seen.add(sets[0])
    assert len(seen) > 1 or seen == {TRAIN}


def test_a_giant_locus_trains_and_missed_shares_are_said(caplog):
    giant = [("chr1", 10 * i, 10 * i + 20, f"G{i}") for i in range(90)]
    alone = [("chr2", 100 * i, 100 * i + 50, f"A{i}") for i in range(6)]
    windows = table(giant + alone)
    with caplog.at_level(logging.WARNING):
        sets, _ = split(windows, windows["gene_id"], "locus", 0)
    assert set(sets[:90]) == {TRAIN}
    counts = Counter(sets[90:])
    assert counts[TEST] + counts[VALIDATION] >= 5
    assert "the split by locus gives" in caplog.text
    assert f"{counts[TEST] / 96:.1%} test" in caplog.text


def pieces(sizes) -> pandas.DataFrame:
    """Loci with the given numbers of windows."""
    return table(
        [
            ("c", 100_000 * i + j, 100_000 * i + j + 9, f"{i}.{j}")
            for i, n in enumerate(sizes)
            for j in range(n)
        ]
    )


@pytest.mark.parametrize(
    ("sizes", "held_out"),
    [
        ([50] * 5 + [1] * 50, {25}),  # giants train; what is left is shared evenly
        ([16] * 6 + [1] * 2, {16, 17, 18}),  # without giants next to nothing would be tested
        ([90, 6, 4], {4, 6}),
        ([40, 30, 30], {30}),
    ],
)
def test_what_is_held_out_of_few_and_large_loci(sizes, held_out):
    windows = pieces(sizes)
    for seed in range(20):
        counts = Counter(split(windows, windows["gene_id"], "locus", seed).sets)
        assert {counts[name] for name in HELD_OUT} <= held_out


def test_a_share_that_is_met_is_not_talked_of(caplog):
    windows = drawn(0, 500, longest=20)
    with caplog.at_level(logging.WARNING):
        split(windows, windows["gene_id"], "locus", 0)
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("c", 0, 9, "A"), ("c", 1, 9, "B"), ("c", 2, 9, "C")], "validation and test"),
        ([("c", 0, 9, "A"), ("c", 5, 12, "B"), ("c", 20, 29, "C")], "validation and test"),
        ([], "train and validation and test"),
    ],
)
@pytest.mark.parametrize("how", ["locus", "random", "block"])
def test_an_empty_set_is_refused_by_name(rows, message, how):
    windows = table(rows)
    with pytest.raises(UsageError, match=f"leaves none for {message}") as caught:
        split(windows, windows["gene_id"], how, 0)
    assert f"of {len(rows)} windows" in str(caught.value)
    assert f"({len(rows)} train, 0 validation, 0 test, 0 unused)" in str(caught.value)


# Real genes


@pytest.mark.shared
def test_most_random_test_windows_of_real_genes_leak(shared_data, tmp_path):
    """With 30 kb of context upstream, most leak if split by gene, none by block and locus."""
    folder = shared_data / "human" / "chr22"
    out = tmp_path / "windows.tsv"
    genes, genome = folder / "genes.chr22.gtf.gz", folder / "hg19.chr22.fa.gz"
    spec = usual("context")._replace(max_n_fraction=1.0)
    extract(Request(str(genes), str(genome)), spec, out)
    windows = pandas.read_csv(out, sep="\t").rename(columns={"#chrom": "chrom"})
    units = windows["gene_id"]

    by_gene = split(windows, units, "random", 0).sets
    found = leaks(windows, by_gene)
    assert found == {name: leaking(windows, by_gene, name) for name in HELD_OUT}
    assert found[TEST] > 0.7 * (by_gene == TEST).sum()
    for how in ("block", "locus"):
        sets = split(windows, units, how, 0).sets
        assert leaks(windows, sets) == dict.fromkeys(HELD_OUT, 0)
        assert 0.08 < (sets == TEST).mean() < 0.12
        assert (sets == UNUSED).mean() < 0.05
