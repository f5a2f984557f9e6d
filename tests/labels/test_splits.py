from __future__ import annotations

import gzip
import logging

import numpy as np
import pytest

pytest.importorskip("scipy", reason="needs the extra train")

from hypothesis import given, settings
from hypothesis import strategies as st

from histpred.core.errors import InputError, UsageError
from histpred.labels.splits import (
    TEST,
    TRAIN,
    UNUSED,
    VALIDATION,
    leaks,
    read_split,
    warn_of_leaks,
    write_split,
)
from histpred.labels.splitting import refuse_unknown, split
from support.extraction import bedtools, needs_bedtools
from support.splits import (
    ALL,
    HELD_OUT,
    drawn,
    leaking,
    table,
)


@needs_bedtools
@pytest.mark.parametrize("seed", range(5))
def test_leaks_are_those_of_bedtools_intersect(tmp_path, seed):
    windows = drawn(seed, 400, longest=100)
    sets = split(windows, windows["gene_id"], "random", seed).sets
    for name in ALL:
        windows[sets == name][["chrom", "start", "end"]].to_csv(
            tmp_path / name, sep="\t", header=False, index=False
        )
    expected = [
        len(bedtools("intersect", "-u", "-a", tmp_path / name, "-b", tmp_path / TRAIN).splitlines())
        for name in HELD_OUT
    ]
    assert leaks(windows, sets) == dict(zip(HELD_OUT, expected, strict=True))
    assert 0 < expected[1] < (sets == TEST).sum()


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.integers(0, 30),
            st.integers(1, 9),
            st.sampled_from([TRAIN, VALIDATION, TEST, UNUSED]),
        ),
        max_size=30,
    )
)
def test_leaks_are_those_of_brute_force(rows):
    windows = table([(chrom, start, start + length, ".") for chrom, start, length, _ in rows])
    sets = np.array([row[3] for row in rows], dtype="<U10")
    expected = {name: leaking(windows, sets, name) for name in HELD_OUT}
    assert leaks(windows, sets) == expected


def test_leaks_of_a_filtered_table():
    """The index of the DataFrame does not matter."""
    windows = table([("chr1", 0, 10, "A"), ("chr1", 500, 510, "B"), ("chr1", 5, 15, "C")])
    sets = np.array([TRAIN, TEST])
    assert leaks(windows[windows["gene_id"] != "B"], sets) == {TEST: 1, VALIDATION: 0}


def leaky_windows(validation: int, test: int):
    """80 training windows, 9 for validation and 11 for test, of which the given numbers leak."""
    starts = [0] * (80 + validation) + [100] * (9 - validation) + [0] * test + [100] * (11 - test)
    return table([("chr1", start, start + 10, ".") for start in starts])


def test_the_warning_of_leaks():
    sets = np.array([TRAIN] * 80 + [VALIDATION] * 9 + [TEST] * 11)
    assert warn_of_leaks(leaky_windows(0, 0), sets) is None
    both = warn_of_leaks(leaky_windows(3, 10), sets)
    assert both.startswith("10 of 11 test windows (91%) and 3 of 9 validation windows (33%) share")
    assert "locus" in both
    one = warn_of_leaks(leaky_windows(3, 0), sets)
    assert one.startswith("3 of 9 validation windows (33%) share")


# Files


def test_a_split_comes_back_from_its_file(tmp_path):
    windows = drawn(5, 300)
    units = windows["gene_id"].tolist()
    sets = split(windows, units, "block", 1, block=3000).sets
    assert UNUSED in sets
    path = tmp_path / "split.tsv"
    write_split(path, windows, units, sets)
    lines = path.read_text().splitlines()
    first = windows.iloc[0]
    assert lines[0] == "id\tchrom\tstart\tend\tset"
    assert lines[1] == f"{units[0]}\t{first.chrom}\t{first.start}\t{first.end}\t{sets[0]}"
    assert len(lines) == 1 + len(windows)
    assert read_split(path) == dict(zip(units, sets.tolist(), strict=True))
    again, description = split(windows, units, str(path), 99)
    np.testing.assert_array_equal(again, sets)
    assert description == "as the file split.tsv has it"


def test_a_table_of_the_users(tmp_path, caplog):
    windows = table([("chr1", 10 * i, 10 * i + 5, name) for i, name in enumerate("AABCDE")])
    path = tmp_path / "mine.tsv.gz"
    rows = ["#note\tSet\tID", "x\ttrain\tA", "\ttest\tB", "", "\tvalidation\tC", "\ttest\tZZ"]
    rows.append("\tunused\tYY")  # is not wanted, so it needs no window
    path.write_bytes(gzip.compress(("\r\n".join(rows) + "\r\n").encode()))
    with caplog.at_level(logging.WARNING):
        sets, _ = split(windows, windows["gene_id"], str(path), 0)
    assert sets.tolist() == [TRAIN, TRAIN, TEST, VALIDATION, UNUSED, UNUSED]
    assert "1 of 4 ids of" in caplog.text
    assert "has no window: ZZ" in caplog.text
    assert "2 of 5 genes are not named in" in caplog.text
    assert "and not used: D, E" in caplog.text


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("id\tset\nA\ttrain\nB\ttesting\n", 3, "unknown set 'testing'"),
        ("id\tset\nA\ttrain\nB\n", 3, "1 columns where the header has 2"),
        ("id\tset\nA\ttrain\nA\ttest\n", 3, "A is in test here and in train before"),
        ("gene\tset\nA\ttrain\n", 1, "no column 'id': gene, set"),
        ("A,train\n", 1, "no column 'id' and no column 'set': A,train"),
        ("", None, "is empty"),
    ],
)
def test_a_table_that_is_none_says_where(tmp_path, text, line, message):
    path = tmp_path / "split.tsv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_split(path)
    assert message in str(caught.value)
    assert caught.value.line == line
    assert str(caught.value).startswith(f"{path}:{line}: " if line else f"{path}: ")
    with pytest.raises(InputError, match=r"split\.tsv"):
        split(drawn(0, 9), ["A"] * 9, str(path), 0)


def test_a_table_that_leaves_a_set_empty(tmp_path):
    path = tmp_path / "split.tsv"
    path.write_text("id\tset\nA\ttrain\nB\ttest\n")
    windows = table([("chr1", 0, 5, "A"), ("chr1", 5, 9, "B"), ("chr1", 9, 12, "C")])
    with pytest.raises(
        UsageError, match=r"leaves none for validation \(1 train, 0 validation, 1 test, 1 unused\)"
    ):
        split(windows, windows["gene_id"], str(path), 0)


def test_neither_a_kind_nor_a_file():
    windows = drawn(0, 50)
    with pytest.raises(UsageError, match="'loci' is no kind of split") as caught:
        split(windows, windows["gene_id"], "loci", 0)
    assert "random, chromosome, block, locus" in caught.value.hint


def test_a_folder_is_no_split(tmp_path):
    with pytest.raises(UsageError, match="is no kind of split, and a folder"):
        refuse_unknown(str(tmp_path))
    table_of_sets = tmp_path / "split.tsv"
    table_of_sets.write_text("id\tset\n")
    refuse_unknown(str(table_of_sets))


REGIONS = """\
chr1\t0\t100\ttrain
chr1\t100\t200\ttrain
chr1\t200\t300\ttest
chr1\t400\t500\tvalidation
chr1\t450\t600\ttrain
chr7\t0\t9\ttest
"""


def test_regions_of_a_bed(tmp_path, caplog):
    cases = [
        ("chr1", 0, 100, "a", TRAIN),
        ("chr1", 50, 150, "b", TRAIN),  # over the seam of two regions of one set
        ("chr1", 150, 201, "c", UNUSED),  # one base into another set
        ("chr1", 200, 300, "d", TEST),
        ("chr1", 299, 301, "e", UNUSED),  # one base outside
        ("chr1", 320, 330, "f", UNUSED),
        ("chr1", 400, 450, "g", VALIDATION),
        ("chr1", 440, 460, "h", UNUSED),  # where two sets overlap
        ("chr1", 500, 600, "i", TRAIN),
        ("chr2", 0, 100, "j", UNUSED),
        ("chr1", 10, 20, "k", UNUSED),  # its other window is in another set
        ("chr1", 210, 220, "k", UNUSED),
        ("chr1", 10, 20, "l", UNUSED),  # its other window is in none
        ("chr2", 10, 20, "l", UNUSED),
    ]
    windows = table([case[:4] for case in cases])
    path = tmp_path / "regions.bed"
    path.write_text(REGIONS)
    with caplog.at_level(logging.WARNING):
        sets, _ = split(windows, windows["gene_id"], str(path), 0)
    assert dict(zip(windows["gene_id"], sets, strict=True)) == {c[3]: c[4] for c in cases}
    assert sets[10:].tolist() == [UNUSED] * 4
    assert "no window lies on 1 contig of" in caplog.text
    assert "9 of 14 windows are not used: 6 do not lie within" in caplog.text


@given(
    regions=st.lists(
        st.tuples(st.integers(0, 60), st.integers(1, 30), st.sampled_from(sorted(ALL))),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=60)
def test_regions_of_a_bed_base_by_base(tmp_path_factory, regions):
    """Brute force: the sets that each base belongs to."""
    path = tmp_path_factory.mktemp("regions") / "regions.bed"
    fixed = [(200, 50, TRAIN), (300, 50, VALIDATION), (400, 50, TEST)]
    rows = [*regions, *fixed]
    path.write_text("".join(f"c\t{s}\t{s + length}\t{name}\n" for s, length, name in rows))
    windows = [("c", start, start + length) for start in range(0, 80, 3) for length in (1, 7, 20)]
    windows += [("c", start + 10, start + 20) for start, _, _ in fixed]
    named = table([(*window, f"G{i}") for i, window in enumerate(windows)])
    sets, _ = split(named, named["gene_id"], str(path), 0)

    of_base = {}
    for start, length, name in rows:
        for base in range(start, start + length):
            of_base.setdefault(base, set()).add(name)
    for (_, start, end), found in zip(windows, sets, strict=True):
        bases = [frozenset(of_base.get(base, ())) for base in range(start, end)]
        expected = UNUSED
        if len(set(bases)) == 1 and len(bases[0]) == 1:
            (expected,) = bases[0]
        assert found == expected


def test_a_region_of_an_unknown_set(tmp_path):
    path = tmp_path / "regions.bed"
    path.write_text("chr1\t0\t100\ttrain\nchr1\t100\t200\tholdout\n")
    windows = drawn(0, 50)
    with pytest.raises(InputError, match=r"regions\.bed:2: unknown set 'holdout'") as caught:
        split(windows, windows["gene_id"], str(path), 0)
    assert caught.value.hint == "use train, validation, test"
