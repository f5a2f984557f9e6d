"""Scores split into files; `test_binary.py` reads the tracks that are written from them."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from histpred.core.columns import HEADER
from histpred.genome.regions import Window
from histpred.genome.windows import row_of
from histpred.tracks.columns import TileColumns, middle, read_columns, split_columns

LENGTHS = {"b": 4_000, "a": 900}
TILES = [
    (contig, start, min(start + 200, length))
    for contig, length in LENGTHS.items()
    for start in range(0, length, 200)
]
MARKS = ("H3K4me3", "H3K27ac", "H3K9me3")
VALUES = np.random.default_rng(0).random((len(TILES), len(MARKS)))


def read_all(columns):
    parts = [list(read_columns(columns, number)) for number in range(len(columns.marks))]
    places = np.concatenate([places for places, _ in parts[0]])
    return places, np.array([np.concatenate([v for _, v in part]) for part in parts]).T


def test_tiles_as_they_come_are_those_of_the_table(tmp_path):
    lines = ["\t".join((*HEADER, *MARKS))]
    for (contig, start, end), values in zip(TILES, VALUES.tolist(), strict=True):
        shown = "\t".join(f"{value:.6g}" for value in values)
        lines.append(f"{contig}\t{start}\t{end}\tt\t.\t.\t.\t0\t1\t{shown}")
    table = tmp_path / "scores.tsv.gz"
    table.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))
    for name in ("split", "tiles"):
        (tmp_path / name).mkdir()
    expected = split_columns(table, LENGTHS, tmp_path / "split")

    written = TileColumns(tmp_path / "tiles", MARKS)
    rows = [row_of(Window(*tile, ".", "t", ".", ".", 1), b"", 0.0) for tile in TILES]
    for first in range(0, len(rows), 7):
        written.add(rows[first : first + 7], VALUES[first : first + 7])
    found = written.columns
    assert found[1:5] == expected[1:5] == (MARKS, len(TILES), 4_900, ("b", "a"))
    places, values = read_all(found)
    assert np.array_equal(places, read_all(expected)[0])
    assert places.tolist() == [["ba".index(contig), start, end] for contig, start, end in TILES]
    np.testing.assert_allclose(values, VALUES, atol=1e-7)
    np.testing.assert_allclose(read_all(expected)[1], VALUES, atol=1e-6)
    assert middle(found, 2, LENGTHS) == middle(expected, 2, LENGTHS)


@pytest.mark.parametrize(("beside", "locus"), [(2, "b:1401-3600"), (8, "b:801-4000")])
def test_a_browser_opens_at_the_middle_window(beside, locus, tmp_path):
    written = TileColumns(tmp_path, MARKS)
    rows = [row_of(Window(*tile, ".", "t", ".", ".", 1), b"", 0.0) for tile in TILES]
    written.add(rows, VALUES)
    assert middle(written.columns, beside, LENGTHS) == locus


def test_a_browser_does_not_open_at_windows_too_small_to_be_seen(tmp_path):
    """Genes lie far apart; near ones are shown together."""
    starts = [0, 500_000, 1_000_000, 1_050_000, 3_000_000]
    rows = "".join(f"b\t{at}\t{at + 2_000}\tt\t.\t.\t.\t0\t1\t0.5\n" for at in starts)
    table = tmp_path / "scores.tsv.gz"
    table.write_bytes(
        gzip.compress("\t".join((*HEADER, "H3K4me3")).encode() + b"\n" + rows.encode())
    )
    columns = split_columns(table, {"b": 4_000_000}, tmp_path)
    assert middle(columns, 10, {"b": 4_000_000}) == "b:990001-1052000"
