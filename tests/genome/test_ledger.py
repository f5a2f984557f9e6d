from __future__ import annotations

import random

import pytest

from histpred.genome import ledger, spool
from histpred.genome.ledger import CHUNK, COLUMNS, Ledger
from histpred.genome.regions import Feature, Window
from histpred.genome.windows import Placement
from support.extraction import read_ledger

SKIPPED = Placement(None, "unknown-contig", "")


@pytest.fixture(autouse=True, params=[1, 5000, ledger.KEPT], ids=["file", "both", "memory"])
def kept(request, monkeypatch) -> int:
    """Rows that are held in memory: whether the others are in a file makes no difference."""
    monkeypatch.setattr(ledger, "KEPT", request.param)
    return request.param


def entry(line: int, chrom: str = "chr1", start: int = 0, blocks=None) -> tuple[Feature, Placement]:
    feature = Feature(line, chrom, start, start + 10, "+", f"n{line}", "g", "lncRNA")
    window = Window(chrom, start, start + 10, "+", f"n{line}", "g", "lncRNA", line, blocks)
    return feature, Placement(window, "", "")


def test_windows_leave_in_the_order_of_the_genome_and_the_ledger_in_that_of_the_input(tmp_path):
    rng = random.Random(1)
    rows = [
        entry(line, rng.choice(["chr10", "chr2", "Chr1", "é"]), rng.randint(0, 300))
        for line in range(1, 3 * CHUNK // 2)
    ]
    rng.shuffle(rows)
    with Ledger(tmp_path) as ledger:
        for row in rows:
            ledger.add(*row)
        assert (ledger.rows, ledger.queued) == (len(rows), len(rows))
        windows = [window for window, _ in ledger.windows()]
        ledger.write(tmp_path / "ledger.tsv")
    assert windows == sorted(
        (placed.window for _, placed in rows),
        key=lambda w: (w.chrom.encode(), w.start, w.end, w.strand, w.name.encode(), w.line),
    )
    written = read_ledger(tmp_path / "ledger.tsv")
    assert [int(row["line"]) for row in written] == list(range(1, len(rows) + 1))
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.tsv"]


def test_blocks_come_back(tmp_path):
    blocks = ((0, 3), (5, 10))
    with Ledger(tmp_path) as ledger:
        ledger.add(*entry(1, blocks=blocks))
        ((window, _),) = ledger.windows()
    assert window.blocks == blocks


def test_one_line_may_be_several_rows(tmp_path):
    """An exon of two transcripts that have no line of their own."""
    with Ledger(tmp_path) as ledger:
        for _ in range(2):
            ledger.add(*entry(7))
        (_, first), (window, second) = ledger.windows()
        ledger.skip(window, second, "too-many-n", "all of it")
        ledger.write(tmp_path / "ledger.tsv")
    assert first != second
    rows = read_ledger(tmp_path / "ledger.tsv")
    assert [(row["line"], row["status"]) for row in rows] == [("7", "scored"), ("7", "skipped")]


def test_skips_are_counted_and_explained(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.add(*entry(1))
        ledger.add(entry(2)[0], SKIPPED)
        feature, placed = entry(3)
        ledger.add(feature, placed._replace(note="clipped by 2 bp"))
        for window, entry_number in list(ledger.windows()):
            ledger.skip(window, entry_number, "too-many-n", "0.9 of it")
        assert ledger.skipped == {"too-many-n": 2, "unknown-contig": 1}
        ledger.write(tmp_path / "ledger.tsv")
    rows = read_ledger(tmp_path / "ledger.tsv")
    assert tuple(rows[0]) == COLUMNS
    assert [(row["status"], row["reason"], row["note"]) for row in rows] == [
        ("skipped", "too-many-n", "0.9 of it"),
        ("skipped", "unknown-contig", ""),
        ("skipped", "too-many-n", "clipped by 2 bp; 0.9 of it"),
    ]


def test_an_empty_ledger(tmp_path):
    with Ledger(tmp_path) as ledger:
        assert list(ledger.windows()) == []
        ledger.write(tmp_path / "ledger.tsv")
    assert (tmp_path / "ledger.tsv").read_text() == "\t".join(COLUMNS) + "\n"


def test_only_a_large_ledger_is_written_to_a_file(kept, monkeypatch, tmp_path):
    monkeypatch.setattr(spool, "CACHE_KIB", 16)
    with Ledger(tmp_path) as opened:
        (file,) = tmp_path.iterdir()
        empty = file.stat().st_size
        for line in range(1, 3 * CHUNK):
            opened.add(*entry(line))
        assert (file.stat().st_size > empty) == (kept < 3 * CHUNK)
    assert list(tmp_path.iterdir()) == []


def test_rows_of_one_line_at_one_place_keep_their_order(tmp_path):
    """Two transcripts without lines of their own: their exons differ, in any order."""
    several = [((5, 10),), ((0, 3), (5, 10)), ((1, 5),)]
    with Ledger(tmp_path) as opened:
        for blocks in several:
            opened.add(*entry(7, blocks=blocks))
        assert [window.blocks for window, _ in opened.windows()] == several


def test_long_windows_are_counted_and_the_first_are_named(tmp_path):
    with Ledger(tmp_path) as opened:
        for line, start in ((1, 30), (2, 20), (3, 10)):
            opened.add(*entry(line, start=start))
        assert opened.longer_than(10) == (0, [])
        assert opened.longer_than(9) == (3, ["n3", "n2", "n1"])
