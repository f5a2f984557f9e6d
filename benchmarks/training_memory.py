"""Peak memory of `histpred train --model spectra` by the number of rows, on a random genome.

    python benchmarks/training_memory.py [--rows 1000,4000,20000]

The command runs for one epoch, on windows of 20 kb around random loci. Needs the `train` extra.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

LENGTH = 20_000_000  # of the genome, bp
MARGIN = 12_000  # from a locus to the ends, bp
MARKS = 8
LINE = 80


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="1000,4000,20000")
    options = parser.parse_args()
    print("| rows | peak memory, MB | CPU s |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rng = np.random.default_rng(0)
        bases = rng.choice(np.frombuffer(b"ACGT", np.uint8), (LENGTH // LINE, LINE))
        lines = b"\n".join(row.tobytes() for row in bases)
        (folder / "genome.fa").write_bytes(b">chr1\n" + lines + b"\n")
        for rows in map(int, options.rows.split(",")):
            files = write_rows(folder, rows, rng)
            memory, seconds = train(folder, files)
            print(f"| {rows:,} | {memory:,.0f} | {seconds:,.0f} |", flush=True)


def write_rows(folder: Path, rows: int, rng: np.random.Generator) -> list[Path]:
    """Write random loci and random labels; return annotation, genome and labels."""
    annotation, labels = folder / f"{rows}.bed", folder / f"{rows}.tsv"
    starts = np.sort(rng.choice(LENGTH - 2 * MARGIN, rows, replace=False)) + MARGIN
    strands = rng.choice(["+", "-"], rows)
    annotation.write_text(
        "".join(
            f"chr1\t{start}\t{start + 1_000}\tg{i}\t0\t{strand}\n"
            for i, (start, strand) in enumerate(zip(starts, strands, strict=True))
        )
    )
    known = rng.integers(0, 2, (rows, MARKS))
    table = ["\t".join(["gene_id", *(f"H3K{i + 1}me1" for i in range(MARKS))])]
    table += ["\t".join([f"g{i}", *map(str, row)]) for i, row in enumerate(known)]
    labels.write_text("\n".join(table) + "\n")
    return [annotation, folder / "genome.fa", labels]


def train(folder: Path, files: list[Path]) -> tuple[float, float]:
    """Train a bundle; return the peak memory in MB and the CPU seconds."""
    out = folder / f"{files[0].stem}-bundle"
    options = ["-o", out, "--model", "spectra", "--epochs", "1", "-q", "--device", "cpu"]
    process = subprocess.Popen([sys.executable, "-m", "histpred", "train", *files, *options])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"histpred train failed: {status}")
    return usage.ru_maxrss * 1024 / 1e6, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
