"""The hub of an explanation: what it draws where windows overlap, and that its files are whole."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pybigtools
import pytest

pytest.importorskip("onnx")

from histpred.scoring.derived import hub_files
from histpred.tracks import contributions
from histpred.tracks.contributions import Spread, spread_of, strongest
from support import random_genome, write_bed, write_fasta
from support.command_line import contents, histpred, said_well
from support.counting_bundle import counting_bundle

HEAD = "## scale\n#chrom\tstart\tend\twindow\tmark\tcontribution\n"


def random_rows(seed: int) -> list[tuple[str, int, int, float, float]]:
    """Overlapping stretches of two contigs, sorted, with the values of two marks."""
    rng = random.Random(seed)
    rows = []
    for contig in ("chr1", "chr2"):
        places = sorted((rng.randint(0, 400), rng.randint(1, 60)) for _ in range(120))
        rows += [
            (contig, start, start + length, rng.choice([-1, 1]) * rng.randint(0, 4), rng.random())
            for start, length in places
        ]
    return rows


def write_table(path: Path, rows: list[tuple[str, int, int, float, float]]) -> None:
    with gzip.open(path, "wt") as lines:
        lines.write(HEAD)
        for contig, start, end, *values in rows:
            for mark, value in zip(("A", "B"), values, strict=True):
                lines.write(f"{contig}\t{start}\t{end}\tw\t{mark}\t{value}\n")


@pytest.mark.parametrize("at_once", [3, 50, 10_000])
def test_each_base_has_the_strongest_contribution(at_once, tmp_path, monkeypatch):
    """The oracle looks at every base alone."""
    monkeypatch.setattr(contributions, "AT_ONCE", at_once)
    monkeypatch.setattr(contributions, "READ_AT_ONCE", at_once)
    rows = random_rows(at_once)
    write_table(tmp_path / "c.tsv.gz", rows)
    spread = spread_of(tmp_path / "c.tsv.gz", ("A", "B"), tmp_path)
    assert spread.contigs == ("chr1", "chr2")
    assert spread.most == pytest.approx(4)
    for number in (0, 1):
        wanted: dict[tuple[str, int], float] = {}
        for contig, start, end, *values in rows:
            for place in range(start, end):
                known = wanted.get((contig, place), values[number])
                pair = (known, values[number])
                wanted[contig, place] = max(pair, key=lambda one: (abs(one), one))
        found: dict[tuple[str, int], float] = {}
        before = (0, 0)
        for contig, starts, ends, values in strongest(spread, number):
            for start, end, value in zip(starts, ends, values, strict=True):
                assert (contig, start) >= before
                before = (contig, end)
                for place in range(start, end):
                    found[spread.contigs[contig], place] = float(value)
        assert found.keys() == wanted.keys()
        for key, value in wanted.items():
            assert found[key] == pytest.approx(value, abs=1e-6), key


def test_no_stretch_gives_no_values(tmp_path):
    write_table(tmp_path / "c.tsv.gz", [])
    spread = spread_of(tmp_path / "c.tsv.gz", ("A",), tmp_path)
    assert spread == Spread(tmp_path, ("A",), (), 0.0, ("", 0))
    assert list(strongest(spread, 0)) == []


@pytest.fixture(scope="module")
def explained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("explained")
    genome = random_genome(random.Random(9), {"chr1": 5_000, "chr2": 2_000})
    write_fasta(folder / "genome.fa", genome)
    rows = [("chr1", 1_000 + 130 * i, 1_100 + 130 * i, f"g{i}", 0, "+-"[i % 2]) for i in range(9)]
    write_bed(folder / "rows.bed", [*rows, ("chr2", 900, 1_000, "other", 0, "+")])
    counting_bundle(folder / "counting")
    return folder


def run(folder: Path, *options: str | Path):
    words = ("explain", folder / "rows.bed", folder / "genome.fa", "--bundle", folder / "counting")
    return histpred(*words, "--no-report", "--tracks", *options)


def test_a_hub_has_a_signal_for_each_mark_that_another_library_reads(explained, tmp_path):
    result = run(explained, "-o", tmp_path / "out")
    assert result.code == 0, result.err
    hub = tmp_path / "out" / "hub"
    wanted: dict[int, float] = {}
    with gzip.open(tmp_path / "out" / "contributions.tsv.gz", "rt") as lines:
        for line in lines:
            if line.startswith("#"):
                continue
            contig, start, end, _, mark, value = line.rstrip("\n").split("\t")
            if contig == "chr1" and mark == "H3K27me3":
                for place in range(int(start), int(end)):
                    pair = (wanted.get(place, float(value)), float(value))
                    wanted[place] = max(pair, key=lambda one: (abs(one), one))
    assert any(wanted.values())
    values = {}
    with pybigtools.open(str(hub / "genome" / "H3K27me3.contribution.bw")) as track:
        for start, end, value in track.records("chr1", 0, 5_000):
            values |= dict.fromkeys(range(start, end), value)
    assert values == pytest.approx(wanted, abs=1e-5)
    names = {name.rpartition("/")[2] for name in hub_files(hub)}
    assert {path.name for path in hub.rglob("*") if path.is_file()} == names
    tracks = (hub / "genome" / "trackDb.txt").read_text()
    assert "H3K9me3.contribution.bw" in tracks
    assert "H3K27ac" not in tracks  # it is not predicted
    again = run(explained, "-o", tmp_path / "out")
    assert "nothing to do" in again.err


def test_a_hub_is_written_to_a_finished_folder_that_lacks_one(explained, tmp_path):
    assert run(explained, "-o", tmp_path / "whole").code == 0
    words = ("explain", explained / "rows.bed", explained / "genome.fa", "--no-report")
    words = (*words, "--bundle", explained / "counting", "-o", tmp_path / "out")
    assert histpred(*words).code == 0
    assert not (tmp_path / "out" / "hub").exists()
    assert run(explained, "-o", tmp_path / "out").code == 0
    assert contents(tmp_path / "out" / "hub") == contents(tmp_path / "whole" / "hub")


def test_a_hub_needs_the_genome_of_the_explanation(explained, tmp_path):
    from histpred.core.errors import InputError

    assert run(explained, "-o", tmp_path / "out").code == 0
    other = tmp_path / "other.fa"
    write_fasta(other, random_genome(random.Random(1), {"chr1": 5_000, "chr2": 2_000}))
    with pytest.raises(InputError, match="is not the genome of"):
        contributions.write_contributions(tmp_path / "out", str(other), tmp_path / "hub")


def test_a_folder_with_something_else_in_the_place_of_the_hub_is_refused(explained, tmp_path):
    (tmp_path / "out" / "hub").mkdir(parents=True)
    (tmp_path / "out" / "hub" / "mine.txt").write_text("mine")
    result = run(explained, "-o", tmp_path / "out")
    assert result.code == 1
    assert said_well(result.err)
