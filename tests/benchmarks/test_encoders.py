"""benchmarks/encoders.py on a tiny genome and network: each section prints its table."""

from __future__ import annotations

import argparse
import random

import pytest

for package in ("torch", "tokenizers", "safetensors"):
    pytest.importorskip(package, reason="needs the extra encoders")

from support.dnabert2 import TINY, random_dna, write_dnabert2  # noqa: E402
from support.scripts import load_script  # noqa: E402
from support.synthetic import write_bed, write_fasta  # noqa: E402


@pytest.fixture(scope="module")
def benchmark():
    return load_script("benchmarks/encoders.py")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Options for a genome of 60 kb with two genes that overlap, and the folder of a network."""
    folder = tmp_path_factory.mktemp("benchmark")
    fasta = write_fasta(
        folder / "genome.fa", {"chr1": random_dna(random.Random(0), 60_000).decode()}
    )
    rows = [("chr1", 40_000, 41_000, "a", 0, "+"), ("chr1", 40_500, 41_500, "b", 0, "+")]
    annotation = write_bed(folder / "genes.bed", rows)
    write_dnabert2(folder / "network", TINY)
    options = argparse.Namespace(fasta=fasta, annotation=annotation, device="cpu", count=4)
    return options, folder / "network"


def test_the_grid_embeds_fewer_bases_than_window_chunks(benchmark, inputs, capsys):
    benchmark.grid(*inputs)
    header, _, *rows = capsys.readouterr().out.splitlines()
    names = [name.strip() for name in header.strip("|").split("|")]
    found = {}
    for row in rows:
        cells = dict(zip(names, (cell.strip() for cell in row.strip("|").split("|")), strict=True))
        assert cells["windows"] == "2"
        assert (cells["sum, Mbp"], cells["union, Mbp"]) == ("0.1", "0.0")
        found[cells["chunks"]] = int(cells["embedded chunks"])
    assert found["grid"] < found["window"]


@pytest.mark.parametrize(
    "section",
    [
        "profile",
        pytest.param("straightforward", marks=pytest.mark.slow),
        pytest.param("ladder", marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
    ],
)
def test_a_section_prints_a_table(section, benchmark, inputs, capsys, monkeypatch):
    import torch

    monkeypatch.setattr(benchmark, "ROUNDS", 1)
    monkeypatch.setattr(benchmark, "peak", lambda device, precision: 1e9)
    threads = torch.get_num_threads()
    try:
        getattr(benchmark, section)(*inputs)
    finally:
        torch.set_num_threads(threads)
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("|") for line in lines) > 3
