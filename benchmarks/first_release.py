"""Measure what benchmarks/README.md says about speed and memory, in one run on one machine.

    bin/histpred --version   # makes the environment
    .venv/bin/python benchmarks/first_release.py [extraction|memory|tracks|start|encoder|demo ...]

All inputs are made from a seed. You need bedtools and git on the PATH, and pyfaidx in the
environment (bin/test installs it). Each time is the median of several runs. Competitors take turns,
so a machine that slows down affects both. Peak memory is what the kernel reports for the finished
process.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from clocks import Usage, clock, process

ROOT = Path(__file__).resolve().parent.parent
HISTPRED = [sys.executable, "-m", "histpred"]
BLOCK = 6_000  # bases that are drawn together
CONTIG_BASES = 50_000_000 // BLOCK * BLOCK
WINDOW = 2_000
FEW, MANY = 6_000, 60_000  # windows
TRACKED = ((FEW, "windows"), (MANY, "windows"), (MANY, "tiles"))
SEQUENCES = 512  # that the encoder embeds at once
ROUNDS = 5


def main(sections: list[str]) -> None:
    """Run the named sections, or all, and print a Markdown table of each."""
    known: dict[str, Callable[[Path], None]] = {
        "start": start,
        "encoder": encoder,
        "extraction": extraction,
        "memory": memory,
        "tracks": tracks,
        "demo": demo,
    }
    with tempfile.TemporaryDirectory() as scratch:
        for name in sections or list(known):
            print(f"\n### {name}\n", flush=True)
            known[name](Path(scratch))


def start(scratch: Path) -> None:
    """`histpred --help` as a whole process, through the entry point of a checkout."""
    runs = [timed([ROOT / "bin" / "histpred", "--help"]).wall for _ in range(11)]
    table(["command", "median s", "slowest s"], [["bin/histpred --help", median(runs), max(runs)]])


def encoder(scratch: Path) -> None:
    """Encoder and scorer of the shipped bundle, on all cores, in this process."""
    from histpred.bundle.folder import load_bundle
    from histpred.encoders import build
    from histpred.scoring.scorer import Scorer

    bundle = load_bundle()
    opened = build(bundle.manifest.encoder, bundle.directory)
    length = bundle.manifest.window.upstream + bundle.manifest.window.downstream
    generator = random.Random(1)
    sequences = ["".join(generator.choices("ACGT", k=length)).encode() for _ in range(SEQUENCES)]

    def embed(sequences: list[bytes]) -> np.ndarray:
        return opened.embed(sequences).vectors

    embeddings = np.tile(embed(sequences), (8, 1))
    with Scorer(bundle, "cpu") as scorer:
        scorer.probabilities(embeddings)
        encoding = [clock(embed, sequences) for _ in range(ROUNDS)]
        scoring = [clock(scorer.probabilities, embeddings) for _ in range(ROUNDS)]
    bases = len(sequences) * length
    table(
        ["step", "rate"],
        [
            ["encoder, all cores", f"{bases / median(encoding) / 1e6:.1f} Mbp/s"],
            ["scorer, all cores", f"{len(embeddings) / median(scoring):,.0f} windows/s"],
        ],
    )


def extraction(scratch: Path) -> None:
    """MANY windows of 2 kb on both strands to FASTA, sorted and shuffled.

    Whole commands are measured in seconds of the processor.
    """
    import pyfaidx

    from histpred.genome.reference import Reference

    fasta = genome(scratch)
    rows = []
    for order in ("sorted", "shuffled"):
        bed = intervals(scratch / f"{order}.bed", MANY, shuffled=order == "shuffled")
        ours = scratch / "ours.fa"
        histpred = [*HISTPRED, "windows", bed, fasta, "-o", ours, "--window", "body", "-q"]
        bedtools = ["bedtools", "getfasta", "-s", "-name", "-fi", fasta, "-bed", bed, "-fo"]
        commands: dict[str, list[float]] = {"histpred windows": [], "bedtools getfasta -s": []}
        for _ in range(ROUNDS):
            commands["histpred windows"].append(timed([*histpred, "--overwrite"]).cpu)
            commands["bedtools getfasta -s"].append(timed([*bedtools, scratch / "theirs.fa"]).cpu)
        rows += [[order, "whole command", name, median(runs)] for name, runs in commands.items()]

        places = [line.split("\t") for line in bed.read_text().splitlines()]
        windows = [(row[0], int(row[1]), int(row[2]), row[5]) for row in places]
        loops: dict[str, list[float]] = {"Reference.fetch": [], "pyfaidx": []}
        for _ in range(3):
            with Reference(fasta, scratch) as reference, pyfaidx.Fasta(str(fasta)) as faidx:
                ordered = sorted(windows)
                loops["Reference.fetch"].append(clock(fetch_all, reference, ordered))
                loops["pyfaidx"].append(clock(pyfaidx_all, faidx, windows))
        rows += [[order, "fetching alone", name, median(runs)] for name, runs in loops.items()]
    table(["windows", "what", "by", "median s"], rows)


def memory(scratch: Path) -> None:
    """`histpred predict` on FEW and on MANY windows of one genome."""
    fasta = genome(scratch)
    rows = []
    for count in (FEW, MANY):
        bed = intervals(scratch / f"{count}.bed", count, shuffled=True)
        out = scratch / f"out-{count}"
        used = timed([*HISTPRED, "predict", bed, fasta, "-o", out, "-q", "--no-report"])
        rows.append([f"{count:,}", megabytes(used), f"{used.wall:.1f}", f"{used.cpu:.1f}"])
    table(["windows", "peak memory", "seconds", "CPU seconds"], rows)


def tracks(scratch: Path) -> None:
    """Tracks and report of FEW and MANY windows, and of MANY tiles, with 30 marks.

    For tiles, a loop that a user may write with pandas and pyBigWig is timed beside them.
    """
    fasta = genome(scratch)
    rows = []
    for count, what in TRACKED:
        out, bed = scratch / f"{what}-{count}", scratch / f"{what}-{count}.bed"
        kind = ["--window", "interval"]
        if what == "tiles":
            bed.write_text(f"chr1\t0\t{count * 200}\trow\t0\t.\n")
            kind = ["--tile", "200"]
        else:
            intervals(bed, count, shuffled=False)
        timed([*HISTPRED, "predict", bed, fasta, "-o", out, "-q", "--no-report", *kind])
        commands = {
            "histpred tracks": [*HISTPRED, "tracks", out, fasta, "-o", out / "hub", "-q"],
            "histpred report": [*HISTPRED, "report", out, "-q"],
        }
        if what == "tiles":
            (scratch / "bigwigs").mkdir()
            commands["pandas and pyBigWig"] = [
                *(sys.executable, "-c", PYBIGWIG, out / "scores.tsv.gz", scratch / "bigwigs"),
                CONTIG_BASES,
            ]
        for name, command in commands.items():
            used = timed(command)
            rows.append([f"{count:,} {what}", name, used.wall, megabytes(used)])
    table(["input", "by", "seconds", "peak memory"], rows)


PYBIGWIG = """
import sys
import pandas, pyBigWig
table = pandas.read_csv(sys.argv[1], sep="\\t")
for mark in table.columns[9:]:
    with pyBigWig.open(f"{sys.argv[2]}/{mark}.bw", "w") as track:
        track.addHeader([("chr1", int(sys.argv[3]))])
        track.addEntries(
            table["#chrom"].tolist(), table["start"].tolist(), table["end"].tolist(),
            table[mark].tolist(),
        )
"""


def demo(scratch: Path) -> None:
    """First command of a fresh clone, with an empty environment, installation included."""
    clone = scratch / "clone"
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    bare = {"PATH": os.environ["PATH"], "HOME": str(scratch)}
    first = process([clone / "bin" / "histpred", "demo"], cwd=clone, env=bare)
    again = process([clone / "bin" / "histpred", "demo", "-o", "again"], cwd=clone, env=bare)
    size = sum(path.lstat().st_size for path in (clone / ".venv").rglob("*")) / 1e6
    table(
        ["command", "seconds"],
        [
            ["bin/histpred demo, fresh clone, empty environment", f"{first.wall:.1f}"],
            ["the same, environment made", f"{again.wall:.1f}"],
            ["(environment on disk)", f"{size:.0f} MB"],
        ],
    )


def fetch_all(reference: object, windows: list[tuple[str, int, int, str]]) -> None:
    """Fetch windows in genome order, as histpred does."""
    for window in windows:
        reference.fetch(*window)


def pyfaidx_all(faidx: object, windows: list[tuple[str, int, int, str]]) -> None:
    """Fetch windows as a user of pyfaidx does: upper case, reverse complement on '-'."""
    for chrom, first, last, strand in windows:
        sequence = faidx[chrom][first:last]
        str(sequence.reverse.complement if strand == "-" else sequence).upper()


def genome(scratch: Path) -> Path:
    """Write one random contig as indexed plain FASTA, with 60 bases per line."""
    path = scratch / "genome.fa"
    if not path.exists():
        import pysam

        generator = random.Random(0)
        with open(path, "w") as target:
            target.write(">chr1\n")
            for _ in range(CONTIG_BASES // BLOCK):
                block = "".join(generator.choices("ACGT", k=BLOCK))
                target.writelines(block[i : i + 60] + "\n" for i in range(0, BLOCK, 60))
        pysam.faidx(str(path))
    return path


def intervals(path: Path, count: int, shuffled: bool) -> Path:
    """Write a BED6 of `count` windows of 2 kb at random places."""
    generator = random.Random(count)
    last = CONTIG_BASES - WINDOW
    starts = [generator.randrange(last) for _ in range(count)]
    if not shuffled:
        starts.sort()
    with open(path, "w") as target:
        for number, first in enumerate(starts):
            strand = generator.choice("+-")
            target.write(f"chr1\t{first}\t{first + WINDOW}\tw{number}\t0\t{strand}\n")
    return path


def timed(command: list[object]) -> Usage:
    """Run a command in the checkout."""
    return process(command, cwd=ROOT)


def megabytes(used: Usage) -> str:
    """The peak memory of a process."""
    return f"{used.peak / 1e6:.0f} MB"


def median(runs: list[float]) -> float:
    """Return the median."""
    return statistics.median(runs)


def table(header: list[str], rows: list[list[object]]) -> None:
    """Print a Markdown table."""
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        cells = [f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
