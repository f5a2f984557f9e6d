"""The track of calls, read back by pyBigWig."""

from __future__ import annotations

import gzip
import random
from itertools import groupby
from pathlib import Path

import pytest

from histpred.core.errors import InputError
from histpred.core.marks import mark
from histpred.tracks.calls import write_calls

pyBigWig = pytest.importorskip("pyBigWig", reason="needs pyBigWig")

LENGTHS = {"chr2": 10_000, "chr10": 5_000, "c|1 odd": 300}
MARKS = ("H3K27me3", "H3K4me3", "H3K27ac")


def calls_file(path: Path, rows: list[tuple]) -> Path:
    """Rows: contig, start, end, window, mark, score."""
    lines = [
        f"{contig}\t{start}\t{end}\t{window}|{name}\t{score}\t.\t{start}\t{end}\t1,2,3\n"
        for contig, start, end, window, name, score in rows
    ]
    path.write_bytes(gzip.compress("".join(lines).encode()))
    return path


def entries(path: Path, contig: str = "chr2") -> list[tuple]:
    with pyBigWig.open(str(path)) as reader:
        return reader.entries(contig, 0, LENGTHS[contig])


def colour(name: str) -> str:
    return ",".join(map(str, mark(name).colour))


def test_items_are_named_after_their_marks_and_sorted_by_class(tmp_path):
    rows = [("chr2", 5, 9, "a|b", name, 900 + i) for i, name in enumerate(MARKS)]
    calls = calls_file(tmp_path / "calls.bed.gz", [*rows, ("chr10", 0, 5_000, "x", "H2AFZ", 1_000)])
    counts = write_calls(calls, LENGTHS, tmp_path / "calls.bb")
    assert counts == {"H3K27me3": 1, "H3K4me3": 1, "H3K27ac": 1, "H2AFZ": 1}
    assert entries(tmp_path / "calls.bb") == [
        (5, 9, f"H3K4me3\t901\t.\t5\t9\t{colour('H3K4me3')}\ta|b"),
        (5, 9, f"H3K27ac\t902\t.\t5\t9\t{colour('H3K27ac')}\ta|b"),
        (5, 9, f"H3K27me3\t900\t.\t5\t9\t{colour('H3K27me3')}\ta|b"),
    ]
    assert len(entries(tmp_path / "calls.bb", "chr10")) == 1


def test_windows_side_by_side_stay_apart(tmp_path):
    rows = [("chr2", 200 * i, 200 * i + 200, "g", "H3K4me3", 900) for i in range(5)]
    calls = calls_file(tmp_path / "calls.bed.gz", rows)
    write_calls(calls, LENGTHS, tmp_path / "calls.bb")
    assert len(entries(tmp_path / "calls.bb")) == 5


def test_tiles_side_by_side_are_one_item_with_the_highest_score(tmp_path):
    rows = [("chr2", 200 * i, 200 * i + 200, "g", "H3K4me3", 900 + i) for i in range(5)]
    rows += [
        ("chr2", 1_000, 1_200, "other", "H3K4me3", 700),
        ("chr2", 1_400, 1_600, "other", "H3K4me3", 600),
    ]
    calls = calls_file(tmp_path / "calls.bed.gz", rows)
    assert write_calls(calls, LENGTHS, tmp_path / "calls.bb", tiles=True) == {"H3K4me3": 7}
    red = colour("H3K4me3")
    assert entries(tmp_path / "calls.bb") == [
        (0, 1_000, f"H3K4me3\t904\t.\t0\t1000\t{red}\tg"),
        (1_000, 1_200, f"H3K4me3\t700\t.\t1000\t1200\t{red}\tother"),
        (1_400, 1_600, f"H3K4me3\t600\t.\t1400\t1600\t{red}\tother"),
    ]


def test_merged_tiles_are_those_of_a_loop_over_each_mark(tmp_path, monkeypatch):
    monkeypatch.setattr("histpred.tracks.calls.IN_MEMORY", 200)  # most are in files
    rng = random.Random(3)
    rows = [
        (contig, at, at + 100, "g", name, rng.randrange(500, 1_000))
        for contig in LENGTHS
        for at in range(0, LENGTHS[contig], 100)
        for name in MARKS
        if rng.random() < 0.7
    ]
    calls = calls_file(tmp_path / "calls.bed.gz", rows)
    write_calls(calls, LENGTHS, tmp_path / "calls.bb", tiles=True)
    for contig in LENGTHS:
        expected = set()
        for name in MARKS:
            tiles = [row for row in rows if (row[0], row[4]) == (contig, name)]
            numbered = enumerate(tiles)
            for _, run in groupby(numbered, lambda each: each[1][1] - 100 * each[0]):
                some = [row for _, row in run]
                expected.add((some[0][1], some[-1][2], name, max(row[5] for row in some)))
        found = entries(tmp_path / "calls.bb", contig)
        texts = [(start, end, *rest.split("\t")[:2]) for start, end, rest in found]
        assert {(start, end, name, int(score)) for start, end, name, score in texts} == expected
        assert len(found) == len(expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calls.bb", "calls.bed.gz"]


def test_no_calls_are_no_file(tmp_path):
    calls = calls_file(tmp_path / "calls.bed.gz", [])
    assert not write_calls(calls, LENGTHS, tmp_path / "calls.bb")
    assert not (tmp_path / "calls.bb").exists()


def test_an_error_of_the_rows_is_raised_and_not_printed(tmp_path, capfd):
    rows = [("chr2", 5, 9, "g", "H2AFZ", 1), ("chr2", 1, 4, "g", "H2AFZ", 1)]
    calls = calls_file(tmp_path / "calls.bed.gz", rows)
    with pytest.raises(InputError, match=r"calls.bed.gz:2: chr2:1-4 is not sorted"):
        write_calls(calls, LENGTHS, tmp_path / "calls.bb")
    assert capfd.readouterr().err == ""
