"""The track of the annotation's rows, read back by pyBigWig."""

from __future__ import annotations

from pathlib import Path

import pytest

from histpred.tracks.annotation import SCORED_COLOUR, SKIPPED_COLOUR, write_annotation

pyBigWig = pytest.importorskip("pyBigWig", reason="needs pyBigWig")

LENGTHS = {"chr2": 10_000, "chr10": 5_000}
HEAD = "line\tchrom\tstart\tend\tstrand\tname\tgene_id\tbiotype\tstatus\treason\tnote\n"


def ledger(path: Path, rows: list[str]) -> Path:
    path.write_text(HEAD + "".join(f"{row}\n".replace(" ", "\t") for row in rows), "utf-8")
    return path


def entries(path: Path, contig: str) -> list[tuple]:
    with pyBigWig.open(str(path)) as reader:
        return reader.entries(contig, 0, LENGTHS[contig]) or []


def item(start, end, name, colour, gene, status, strand="+") -> tuple:
    return start, end, f"{name}\t0\t{strand}\t{start}\t{end}\t{colour}\t{gene}\t{status}"


def test_every_row_on_the_genome_is_an_item_and_those_that_were_skipped_are_grey(tmp_path):
    rows = [
        "1 2 5000 12000 + étude G2 lncRNA scored  clipped",
        "2 10 7 90 - b . . skipped too-many-n note",
        "3 2 100 900 + a G1 . scored  ",
        "4 chrZ 1 2 + lost . . skipped unknown-contig ",
        "5 2 20000 30000 + beyond . . skipped outside-the-contig ",
        "6 2 50 50 + empty . . skipped zero-length ",
        "0 . 0 0 . nowhere . . skipped gene-not-found ",
        "7 2 100 800 ? c . . skipped unknown-strand ",
    ]
    renamed = {"2": "chr2", "10": "chr10"}
    path = tmp_path / "annotation.bb"
    assert write_annotation(ledger(tmp_path / "ledger.tsv", rows), renamed, LENGTHS, path) == 4
    assert entries(path, "chr10") == [item(7, 90, "b", SKIPPED_COLOUR, ".", "too-many-n", "-")]
    assert entries(path, "chr2") == [
        item(100, 800, "c", SKIPPED_COLOUR, ".", "unknown-strand", "."),
        item(100, 900, "a", SCORED_COLOUR, "G1", "scored"),
        item(5_000, 10_000, "_tude", SCORED_COLOUR, "G2 lncRNA", "scored"),
    ]


def test_the_runs_of_a_row_that_was_cut_into_tiles_are_one_item(tmp_path):
    rows = [
        "1 chr2 0 400 . peak . . skipped too-many-n ",
        "1 chr2 400 800 . peak . . scored  ",
        "1 chr2 800 1000 . peak . . skipped too-many-n ",
        "2 chr2 800 1200 . next . . scored  ",
        "3 chr10 0 5000 . chr10 . . scored  ",
    ]
    path = tmp_path / "annotation.bb"
    found = write_annotation(ledger(tmp_path / "ledger.tsv", rows), {}, LENGTHS, path, tiles=True)
    assert found == 2  # a whole contig needs no item
    assert entries(path, "chr2") == [
        item(0, 1_000, "peak", SCORED_COLOUR, ".", "scored", "."),
        item(800, 1_200, "next", SCORED_COLOUR, ".", "scored", "."),
    ]


def test_without_rows_there_is_no_file(tmp_path):
    path = tmp_path / "annotation.bb"
    assert write_annotation(ledger(tmp_path / "ledger.tsv", []), {}, LENGTHS, path) == 0
    assert not path.exists()
