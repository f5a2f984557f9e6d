"""Measure how fast, and how small, a table is compressed with bgzip: pysam (zlib) and libdeflate.

    .venv/bin/python benchmarks/compression.py results/scores.tsv.gz

Seconds are those of the processor, the least of several rounds, in which the ways take turns.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
import time
from pathlib import Path

import pysam

from histpred.core import hts

ROUNDS = 5
LEVELS = range(1, 10)


def main(table: str) -> None:
    """Print a Markdown table: seconds and bytes of each way."""
    with gzip.open(table) as source:
        text = source.read()
    found: dict[str, tuple[float, int]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "table.gz"
        for _ in range(ROUNDS):
            for way in ("pysam", *map(str, LEVELS)):
                started = time.process_time()
                write(way, path, text)
                seconds = time.process_time() - started
                found[way] = min(seconds, found.get(way, (seconds, 0))[0]), path.stat().st_size
    zlib_seconds, zlib_bytes = found["pysam"]
    print("| way | CPU seconds | of pysam's | bytes | of pysam's |\n|---|---|---|---|---|")
    for way, (seconds, size) in found.items():
        name = way if way == "pysam" else f"libdeflate, level {way}"
        shares = f"{seconds / zlib_seconds:.2f}", f"{size / zlib_bytes:.3f}"
        print(f"| {name} | {seconds:.3f} | {shares[0]} | {size:,} | {shares[1]} |")


def write(way: str, path: Path, text: bytes) -> None:
    """Write `text` as bgzip: with pysam, or with libdeflate at this level."""
    if way == "pysam":
        with pysam.BGZFile(str(path), "wb", None) as file:
            file.write(text)
        return
    hts.LEVEL = int(way)
    with hts.BgzipWriter(path) as target:
        target.write(text)


if __name__ == "__main__":
    main(sys.argv[1])
