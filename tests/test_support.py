"""The generators of test data have the properties that tests rely on."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pysam
import pytest

from support import (
    random_bed_rows,
    random_genome,
    random_transcripts,
    reverse_complement,
    write_bed,
    write_fasta,
    write_gtf,
)
from support.once import made_once

LENGTHS = {"chr1": 1000, "chr2": 61, "chrM": 20}


@pytest.mark.parametrize("seed", range(20))
def test_every_edge_is_touched_on_both_strands(seed: int) -> None:
    rng = random.Random(seed)
    genome = random_genome(rng, LENGTHS)
    rows = random_bed_rows(rng, genome, 10)
    transcripts = random_transcripts(rng, genome, 10)

    for chrom, length in LENGTHS.items():
        for strand in "+-":
            assert any((c, s, x) == (chrom, 0, strand) for c, s, _, _, _, x in rows)
            assert any((c, e, x) == (chrom, length, strand) for c, _, e, _, _, x in rows)
            here = [t for t in transcripts if (t.chrom, t.strand) == (chrom, strand)]
            assert any(t.start == 0 for t in here)
            assert any(t.end == length for t in here)
    for transcript in transcripts:
        assert 0 <= transcript.start < transcript.end <= LENGTHS[transcript.chrom]
        assert all(start < end for start, end in transcript.exons)
        assert all(left[1] < right[0] for left, right in pairwise(transcript.exons))
    assert any(len(transcript.exons) > 1 for transcript in transcripts)


def test_a_seed_is_a_genome() -> None:
    first, second = (random_genome(random.Random(1), LENGTHS, n_fraction=0.1) for _ in range(2))
    assert first == second
    assert {name: len(sequence) for name, sequence in first.items()} == LENGTHS
    assert first["chr1"].count("N") == 100


def test_reverse_complement() -> None:
    assert reverse_complement("AACGNt") == "aNCGTT"


@pytest.mark.parametrize("how", [{}, {"bgzip": True}, {"gzip": True}, {"width": 7}])
def test_written_fasta_reads_back(tmp_path: Path, how: dict[str, bool | int]) -> None:
    genome = random_genome(random.Random(2), LENGTHS, lower=True)
    path = write_fasta(tmp_path / "genome.fa", genome, **how)
    with pysam.FastxFile(str(path)) as records:
        assert {record.name: record.sequence for record in records} == genome


def test_written_annotations(tmp_path: Path) -> None:
    rng = random.Random(3)
    genome = random_genome(rng, {"chr1": 200})
    bed = write_bed(tmp_path / "a.bed", random_bed_rows(rng, genome, 0, columns=4))
    assert bed.read_text().splitlines()[4] == "chr1\t0\t200\trow4"

    (transcript, *_) = random_transcripts(rng, genome, 0)
    rows = write_gtf(tmp_path / "a.gtf", [transcript]).read_text().splitlines()
    kinds = [row.split("\t")[2] for row in rows]
    assert kinds == ["gene", "transcript", *["exon"] * len(transcript.exons)]
    assert rows[0].split("\t")[3:5] == [str(transcript.start + 1), str(transcript.end)]
    assert len(transcript.spliced(genome)) == sum(end - start for start, end in transcript.exons)


def test_a_folder_is_made_once_for_all_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Factory:
        """The folders that pytest gives to a worker; xdist's workers have theirs side by side."""

        def __init__(self, worker: str) -> None:
            self.base = tmp_path / worker
            self.base.mkdir()

        def getbasetemp(self) -> Path:
            return self.base

    def fill(folder: Path) -> None:
        fills.append(folder)
        (folder / "half").touch()
        if len(fills) == 1:
            raise RuntimeError("the first one fails")
        (folder / "whole").touch(exist_ok=False)

    fills: list[Path] = []
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    first, second, third = map(Factory, ("gw0", "gw1", "gw2"))
    with pytest.raises(RuntimeError):
        made_once(first, "data", fill)
    made = {made_once(factory, "data", fill) for factory in (second, third, first)}
    assert made == {tmp_path / "data"}
    assert len(fills) == 2
    assert {path.name for path in fills[1].iterdir()} == {"half", "whole"}
    monkeypatch.delenv("PYTEST_XDIST_WORKER")
    assert made_once(second, "data", fill) == tmp_path / "gw1" / "data"
