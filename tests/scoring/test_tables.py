"""scores.tsv.gz and calls.bed.gz, from windows and probabilities made up here."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import numpy as np
import pysam
import pytest

from histpred.core.errors import InputError
from histpred.core.marks import mark_colour
from histpred.genome.regions import Window
from histpred.genome.windows import row_of
from histpred.scoring import tables as module
from histpred.scoring.tables import BED_NAME_LIMIT, TBI_LIMIT, Tables, index, join, read_scores
from support.command_line import COLUMNS

MARKS = ("H3K4me3", "H3K27me3")


def window(chrom: str, start: int, end: int, name: str = "a", strand: str = "+") -> Window:
    return Window(chrom, start, end, strand, name, "G", "lncRNA", 1)


def write(folder: Path, rows: list[tuple[Window, list[float]]], thresholds=(0.5, 0.5)) -> Tables:
    with Tables(folder, MARKS, thresholds) as tables:
        if rows:
            windows, probabilities = zip(*rows, strict=True)
            given = [row_of(window, b"", 0.25) for window in windows]
            tables.write(given, np.array(probabilities))
    return tables


def lines(folder: Path, name: str) -> list[list[str]]:
    text = gzip.decompress((folder / name).read_bytes()).decode()
    return [line.split("\t") for line in text.splitlines()]


def test_a_row_of_scores_and_of_calls(tmp_path):
    tables = write(tmp_path, [(window("chr1", 5, 90, "LINC 1", "-"), [0.9041251, 0.1])])
    assert lines(tmp_path, "scores.tsv.gz") == [
        [f"#{COLUMNS[0]}", *COLUMNS[1:], *MARKS],
        ["chr1", "5", "90", "LINC 1", "-", "G", "lncRNA", "0.25", "0", "0.904125", "0.1"],
    ]
    colour = ",".join(map(str, mark_colour("H3K4me3")))
    assert lines(tmp_path, "calls.bed.gz") == [
        ["chr1", "5", "90", "LINC_1|H3K4me3", "904", "-", "5", "90", colour]
    ]
    assert tables.calls == 1


@pytest.mark.parametrize(
    ("probability", "called"),
    [(0.25, True), (np.nextafter(0.25, 0), False), (1.0, True), (0, False)],
)
def test_a_call_begins_at_the_threshold(probability, called, tmp_path):
    tables = write(tmp_path, [(window("chr1", 0, 9), [probability, 0.0])], thresholds=(0.25, 1.0))
    assert tables.calls == len(lines(tmp_path, "calls.bed.gz")) == called


@pytest.mark.parametrize(
    ("probability", "score"), [(0, 0), (0.0004, 0), (0.99951, 1000), (1, 1000)]
)
def test_bed_scores_are_whole_numbers_up_to_1000(probability, score, tmp_path):
    write(tmp_path, [(window("chr1", 0, 9), [probability, 0.0])], thresholds=(0, 2))
    assert [line[4] for line in lines(tmp_path, "calls.bed.gz")] == [str(score)]


def test_numbers_are_written_without_locale_and_with_six_digits(tmp_path):
    write(tmp_path, [(window("chr1", 0, 9), [1 / 3, 1e-9])])
    assert lines(tmp_path, "scores.tsv.gz")[1][-2:] == ["0.333333", "1e-09"]


def test_no_window_is_a_table_that_can_be_read(tmp_path):
    tables = write(tmp_path, [])
    assert tables.calls == 0
    assert len(lines(tmp_path, "scores.tsv.gz")) == 1
    assert lines(tmp_path, "calls.bed.gz") == []
    for path in tables.paths:
        assert Path(f"{path}.tbi").exists()
        with pysam.TabixFile(str(path)) as table:
            assert table.contigs == []


def test_the_same_windows_give_the_same_bytes_whatever_the_batches(tmp_path):
    rng = np.random.default_rng(0)
    rows = [(window("chr1", i, i + 50, f"w{i}"), rng.random(2).tolist()) for i in range(300)]
    contents = []
    for size in (1, 7, 300):
        folder = tmp_path / str(size)
        folder.mkdir()
        with Tables(folder, MARKS, (0.5, 0.5)) as tables:
            for i in range(0, 300, size):
                windows, probabilities = zip(*rows[i : i + size], strict=True)
                given = [row_of(window, b"", 0.0) for window in windows]
                tables.write(given, np.array(probabilities))
        contents.append([path.read_bytes() for path in sorted(folder.iterdir())])
    assert contents[0] == contents[1] == contents[2]


@pytest.mark.parametrize("end", [TBI_LIMIT - 1, TBI_LIMIT, TBI_LIMIT + 1, 2**31 - 1])
def test_the_index_can_address_the_last_base(end, tmp_path):
    tables = write(
        tmp_path, [(window("chr1", 5, 9), [1, 1]), (window("chr1", end - 9, end), [1, 1])]
    )
    for path in tables.paths:
        suffix = ".csi" if end >= TBI_LIMIT else ".tbi"
        assert {p.name for p in tmp_path.glob(f"{path.name}.*")} == {path.name + suffix}
        with pysam.TabixFile(str(path), index=f"{path}{suffix}") as table:
            found = list(table.fetch("chr1", end - 1, end))
        assert found
        assert all(line.split("\t")[2] == str(end) for line in found)


def test_an_index_is_made_anew(tmp_path):
    tables = write(tmp_path, [(window("chr1", 5, 9), [1, 1])])
    stale = Path(f"{tables.paths[0]}.tbi")
    stale.write_bytes(b"stale")
    index(tables.paths[0], 9)
    with pysam.TabixFile(str(tables.paths[0])) as table:
        assert table.contigs == ["chr1"]


def test_no_index_where_the_run_failed(tmp_path):
    with pytest.raises(ZeroDivisionError), Tables(tmp_path, MARKS, (0.5, 0.5)):
        raise ZeroDivisionError
    assert {path.name for path in tmp_path.iterdir()} == {"scores.tsv.gz", "calls.bed.gz"}


NAMES = {
    "a": "a",
    "a b\u00a0c": "a_b_c",
    "β": "_",
    "a|b": "a|b",
    "": "",
    "n" * 300: "n" * (BED_NAME_LIMIT - 8),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_call_has_a_name_that_bed_allows_and_the_score_keeps_its_own(name, tmp_path):
    write(tmp_path, [(window("chr1", 0, 9, name), [1.0, 0.0])])
    assert lines(tmp_path, "calls.bed.gz")[0][3] == f"{NAMES[name]}|H3K4me3"
    assert lines(tmp_path, "scores.tsv.gz")[1][3] == name


# Joined


def joined(folder: Path, parts: list[list[tuple[Window, list[float]]]]) -> list[Path]:
    """The parts' rows written as tables of their own, then joined in the folder `whole`."""
    (folder / "whole").mkdir()
    for number, rows in enumerate(parts):
        (folder / f"part{number}").mkdir()
        write(folder / f"part{number}", rows)
    wholes = [folder / "whole" / name for name in ("scores.tsv.gz", "calls.bed.gz")]
    for whole in wholes:
        join([folder / f"part{number}" / whole.name for number in range(len(parts))], whole)
    return wholes


@pytest.mark.parametrize("cut", [[], [0], [4000], [0, 0, 1], [1500], [700, 701, 2500, 4000]])
@pytest.mark.parametrize("last", [5_000, TBI_LIMIT + 9])
def test_joined_tables_are_the_bytes_of_one(cut, last, tmp_path):
    """Also where parts are empty, and where only the last has a position that needs a .csi."""
    rng = np.random.default_rng(1)
    rows = [(window("chr1", i, i + 50, f"w{i}"), rng.random(2).tolist()) for i in range(3999)]
    rows.append((window("chr1", last, last + 9), [0.9, 0.9]))
    edges = [0, *cut, len(rows)]
    joined(tmp_path, [rows[left:right] for left, right in pairwise(edges)])
    (tmp_path / "one").mkdir()
    write(tmp_path / "one", rows)
    one, whole = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "whole")
    )
    assert whole == one
    assert any(name.endswith(".csi" if last > TBI_LIMIT else ".tbi") for name in one)


def test_parts_of_which_none_has_a_call_join_to_a_table_without_rows(tmp_path):
    joined(tmp_path, [[(window("chr1", 0, 9), [0.1, 0.1])], [], [(window("chr2", 0, 9), [0, 0])]])
    assert lines(tmp_path / "whole", "calls.bed.gz") == []
    assert len(lines(tmp_path / "whole", "scores.tsv.gz")) == 3


def test_tables_of_other_marks_are_not_joined(tmp_path):
    for name, marks in (("a", MARKS), ("b", MARKS[::-1])):
        (tmp_path / name).mkdir()
        with Tables(tmp_path / name, marks, (0.5, 0.5)):
            pass
    parts = [tmp_path / name / "scores.tsv.gz" for name in "aab"]
    with pytest.raises(InputError, match=r"b/scores\.tsv\.gz: its columns are not"):
        join(parts, tmp_path / "scores.tsv.gz")


def test_a_mark_without_a_threshold_is_na_and_reads_back_as_nan(tmp_path):
    rows = [(window("chr1", i, i + 9), [0.75, np.nan]) for i in range(3)]
    tables = write(tmp_path, rows, thresholds=(0.5, np.nan))
    assert tables.calls == 3
    assert [row[-2:] for row in lines(tmp_path, "scores.tsv.gz")[1:]] == [["0.75", "NA"]] * 3
    with read_scores(tmp_path / "scores.tsv.gz") as (_, blocks):
        (block,) = blocks
    np.testing.assert_array_equal(block.probabilities, [[0.75, np.nan]] * 3)


@pytest.mark.parametrize("at_once", [1, 100])
@pytest.mark.parametrize(
    ("column", "values", "fault"),
    [
        ("H3K27me3", ("NA", "0.5"), "a probability in column 11, which is NA above"),
        ("H3K27me3", ("0.5", "NA"), "could not convert string to float: 'NA'"),
        ("H3K4me3", ("nan", "nan"), "a probability is not from 0 to 1"),
    ],
)
def test_na_is_in_all_rows_of_a_mark_or_in_none(
    column, values, fault, at_once, tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    shared = ["chr1", "5", "90", "a", "-", "G", "lncRNA", "0", "1"]
    rows = [[f"#{COLUMNS[0]}", *COLUMNS[1:], *MARKS]]
    for value in values:
        rows.append([*shared, *(value if mark == column else "0.5" for mark in MARKS)])
    path = tmp_path / "scores.tsv.gz"
    path.write_bytes(gzip.compress("".join("\t".join(row) + "\n" for row in rows).encode()))
    with read_scores(path) as (_, blocks), pytest.raises(InputError, match=fault):
        list(blocks)
