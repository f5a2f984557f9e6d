"""Outputs of `histpred.genome.extract.extract`, read without histpred, beside bedtools."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from histpred.genome.extract import extract
from histpred.genome.request import Request
from histpred.genome.windows import WindowSpec

needs_bedtools = pytest.mark.skipif(
    shutil.which("bedtools") is None, reason="needs the program bedtools"
)


class Row(NamedTuple):
    """A window as `extract` wrote it, with its sequence."""

    chrom: str
    start: int
    end: int
    strand: str
    name: str
    sequence: str


def bedtools(*arguments: str | Path) -> str:
    done = subprocess.run(
        ["bedtools", *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return done.stdout


def read_fasta(text: str) -> list[tuple[str, str]]:
    """Return headers (whole lines) and sequences."""
    records = (record.partition("\n") for record in text.split(">")[1:])
    return [(header, sequence.replace("\n", "")) for header, _, sequence in records]


def read_ledger(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def window_rows(annotation: Path | str, fasta: Path, spec: WindowSpec, **options) -> list[Row]:
    """Return the windows that `extract` writes as BED and as FASTA, joined row by row."""
    folder = fasta.parent
    bed, sequences = folder / "windows.bed", folder / "windows.fa"
    for out in (bed, sequences):
        extract(Request(str(annotation), str(fasta), **options), spec, out, overwrite=True)
    rows = []
    for line, (header, sequence) in zip(
        bed.read_text().splitlines(), read_fasta(sequences.read_text()), strict=True
    ):
        chrom, start, end, name, _, strand, *_ = line.split("\t")
        assert header == f"{name}::{chrom}:{start}-{end}({strand})"
        rows.append(Row(chrom, int(start), int(end), strand, name, sequence))
    return rows
