"""Tracks read back by pyBigWig, which shares no code with what wrote them."""

from __future__ import annotations

import gzip
import random
import subprocess
import sys
from pathlib import Path

import pytest

from histpred.core.errors import InputError
from histpred.tracks.binary import write_signal, write_windows
from histpred.tracks.columns import read_columns, split_columns, with_mean

pyBigWig = pytest.importorskip("pyBigWig", reason="needs pyBigWig")

FULL = ((255, 0, 0), (128, 128, 128))
LENGTHS = {"chr2": 10_000, "chr10": 5_000, "c|1 odd": 300}
HEAD = "#chrom\tstart\tend\tname\tstrand\tgene_id\tbiotype\tn_fraction\tknown_fraction"


def table(path: Path, rows: list[str], marks: str = "H3K4me3\tH3K27me3") -> Path:
    path.write_bytes(
        gzip.compress("".join(f"{row}\n" for row in [f"{HEAD}\t{marks}", *rows]).encode())
    )
    return path


def random_rows(count: int = 400) -> list[list[str]]:
    """Overlapping windows, as many contigs and strands as there are."""
    rng = random.Random(8)
    rows = []
    for contig, length in LENGTHS.items():
        starts = sorted(rng.randrange(length - 50) for _ in range(count // len(LENGTHS)))
        for start in starts:
            end = min(length, start + rng.randrange(1, 2_000))
            values = [f"{rng.random():.6g}" for _ in range(2)]
            row = [contig, start, end, f"g{start}", rng.choice("+-."), "G1", "lncRNA", "0.25", "1"]
            rows.append([*map(str, row), *values])
    return rows


@pytest.mark.parametrize("number", [0, 1])
def test_windows_come_back_as_they_were(number, tmp_path):
    rows = random_rows()
    scores = table(tmp_path / "scores.tsv.gz", ["\t".join(row) for row in rows])
    found = split_columns(scores, LENGTHS, tmp_path)
    assert (found.marks, found.windows, found.covered) == (("H3K4me3", "H3K27me3"), len(rows), None)
    write_windows(found, number, FULL[number], LENGTHS, tmp_path / "a.bb")
    with pyBigWig.open(str(tmp_path / "a.bb")) as reader:
        assert reader.isBigBed()
        assert reader.chroms() == LENGTHS
        assert reader.SQL().decode().startswith("table histpredWindow")
        entries = {name: reader.entries(name, 0, length) for name, length in LENGTHS.items()}
    for contig in LENGTHS:
        expected = []
        for chrom, start, end, name, strand, *_, first, second in rows:
            if chrom == contig:
                values = (first, second)
                score = round(float(values[number]) * 1000)
                parts = [
                    round(255 - (0.1 + 0.0009 * score) * (255 - part)) for part in FULL[number]
                ]
                shade = ",".join(map(str, parts))
                rest = f"{name}\t{score}\t{strand}\t{start}\t{end}\t{shade}"
                rest += f"\t{values[number]}\tG1 lncRNA"
                expected.append((int(start), int(end), rest))
        assert sorted(entries[contig]) == sorted(expected)


def test_tiles_are_a_signal(tmp_path):
    rows = [f"chr2\t{i * 200}\t{i * 200 + 200}\tt\t.\t.\t.\t0\t1\t0.{i:02d}\t1" for i in range(40)]
    rows += ["chr10\t4900\t5000\tt\t.\t.\t.\t0\t1\t0.5\t0"]
    found = split_columns(table(tmp_path / "scores.tsv.gz", rows), LENGTHS, tmp_path)
    assert found.covered == 40 * 200 + 100
    write_signal(found, 0, LENGTHS, tmp_path / "a.bw")
    with pyBigWig.open(str(tmp_path / "a.bw")) as reader:
        assert reader.isBigWig()
        assert reader.chroms() == {name: LENGTHS[name] for name in ("chr2", "chr10")}
        found = reader.intervals("chr2")
        assert [interval[:2] for interval in found] == [(i * 200, i * 200 + 200) for i in range(40)]
        assert [interval[2] for interval in found] == pytest.approx([i / 100 for i in range(40)])
        assert reader.intervals("chr10") == ((4900, 5000, 0.5),)


def test_a_class_has_the_mean_of_its_marks(tmp_path):
    rows = [f"chr2\t{i}\t{i + 9}\tt\t.\t.\t.\t0\t1\t0.{i}\t0.5\t1" for i in range(1, 10)]
    found = split_columns(table(tmp_path / "s.gz", rows, "A\tB\tC"), LENGTHS, tmp_path)
    for marks in (("A", "B"), ("C",), ("A", "B", "C")):
        mean = with_mean(found, marks)
        ((places, values),) = read_columns(mean, 3)
        every = {"A": [i / 10 for i in range(1, 10)], "B": [0.5] * 9, "C": [1] * 9}
        expected = [sum(some) / len(marks) for some in zip(*map(every.get, marks), strict=True)]
        assert values.tolist() == pytest.approx(expected)
        assert len(places) == 9


ROW = "chr2\t{}\t{}\tg\t+\tG\tb\t0\t1\t0.5\t0.5"
WRONG = {
    "contig missing": ["chr3\t1\t2\tg\t+\tG\tb\t0\t1\t0.5\t0.5", "the FASTA has no contig 'chr3'"],
    "past the end": [ROW.format(9_000, 10_001), "chr2:9000-10001 is not on the contig of 10000 bp"],
    "empty": [ROW.format(7, 7), "chr2:7-7 is not on the contig"],
    "not a number": ["chr2\tx\t9\tg\t+\tG\tb\t0\t1\t0.5\t0.5", "invalid literal"],
    "NaN": ["chr2\t5\t9\tg\t+\tG\tb\t0\t1\tnan\t0.5", "a probability is not from 0 to 1"],
    "above 1": ["chr2\t5\t9\tg\t+\tG\tb\t0\t1\t0.5\t1.5", "a probability is not from 0 to 1"],
    "too few": ["chr2\t5\t9\tg\t+\tG\tb\t0\t1\t0.5", "10 columns where the header has 11"],
    "cut": ["chr2\t1", "2 columns where the header has 11"],
    "back to a contig": [
        f"chr10\t1\t2\tg\t+\tG\tb\t0\t1\t0.5\t0.5\n{ROW.format(5, 9)}",
        "contig 'chr2' is in several places",
    ],
    "unsorted": [f"{ROW.format(50, 90)}\n{ROW.format(49, 90)}", "chr2:49-90 is not sorted"],
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_row_is_an_error_with_its_line(what, tmp_path):
    rows, said = WRONG[what]
    scores = table(tmp_path / "scores.tsv.gz", [ROW.format(3, 4), *rows.split("\n")])
    line = 2 + len(rows.split("\n"))
    with pytest.raises(InputError) as caught:
        split_columns(scores, LENGTHS, tmp_path)
    assert f"scores.tsv.gz:{line}: " in str(caught.value)
    assert said in str(caught.value)


NO_ROOM = """
import resource, signal, sys
from pathlib import Path
from histpred.core.errors import TemporaryError
from histpred.tracks.binary import write_windows
from histpred.tracks.columns import split_columns
folder = Path(sys.argv[1])
found = split_columns(folder / "scores.tsv.gz", {"chr2": 10**9}, folder)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
try:
    write_windows(found, 0, (1, 2, 3), {"chr2": 10**9}, folder / "a.bb")
except TemporaryError as error:
    print(error)
"""


def test_a_full_disk_is_one_error(tmp_path):
    """Nothing is printed, and the error names the track."""
    rng = random.Random(1)
    rows = [
        f"chr2\t{i * 10}\t{i * 10 + 5}\t{rng.random()}\t+\tG\tb\t0\t1\t{rng.random():.6g}\t0.5"
        for i in range(20_000)
    ]
    table(tmp_path / "scores.tsv.gz", rows)
    done = subprocess.run(
        [sys.executable, "-c", NO_ROOM, tmp_path], capture_output=True, text=True, check=False
    )
    assert "a.bb cannot be written" in done.stdout
    assert "the disk is full" in done.stdout
    assert done.stderr == ""
