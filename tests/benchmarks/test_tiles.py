"""The sections of benchmarks/tiles.py run, on few tiles and promoters."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from types import ModuleType

import pytest

from support.scripts import load_script
from support.synthetic import write_fasta

pytestmark = pytest.mark.slow


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    script = load_script("benchmarks/tiles.py")
    monkeypatch.setattr(sys.modules["first_release"], "CONTIG_BASES", 60_000)
    return script


def rows(
    script: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *words: object,
) -> list[list[str]]:
    """The cells of the table that a run with these words prints, without its header."""
    monkeypatch.setattr(sys, "argv", ["tiles.py", *map(str, words), "--rounds", "1"])
    script.main()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines[1:]]


def test_shared_vectors_are_those_of_tiles_one_by_one(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shared, alone = rows(script, monkeypatch, capsys, "encoder", "--tiles", 200)
    assert [shared[0], alone[0]] == ["shared", "one by one"]
    assert float(shared[-1]) < 1e-4
    assert float(alone[-1]) == 0


def test_both_ways_are_timed_with_the_table_and_without(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = rows(script, monkeypatch, capsys, "command", "--lengths", 20_000)
    assert [row[:3] for row in found] == [
        ["100", output, way]
        for output in ("table", "tracks only")
        for way in ("shared", "one by one")
    ]


def test_a_genome_is_made_of_copies(
    script: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    bases = "N" * 1_000 + "".join(random.Random(0).choices("ACGT", k=19_000))
    fasta = write_fasta(tmp_path / "genome.fa", {"chr1": bases})
    given = ["chromosome", "--fasta", fasta, "--copies", 50]
    ((genome, tiles, *_),) = rows(script, monkeypatch, capsys, *given)
    assert (genome, tiles) == ("1 Mb", "4,750")


def test_promoters_are_timed(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ((promoters, bundle, *_),) = rows(script, monkeypatch, capsys, "genes", "--windows", 5)
    assert (promoters, bundle) == ("5", "two graphs")


def test_dna_begins_where_it_is_known(script: ModuleType, tmp_path: Path) -> None:
    fasta = write_fasta(tmp_path / "genome.fa", {"chr1": "N" * 450 + "acgt" * 100})
    plan = script.Plan(tmp_path, fasta, None, [], 0, 0, 1, 1)
    assert script.dna(plan, 8) == b"GTACGTAC"
