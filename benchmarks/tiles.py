"""What a continuous track costs: tiles that share their bins, beside tiles computed one by one.

    bin/histpred --version   # makes the environment
    .venv/bin/python benchmarks/tiles.py [command|chromosome|genes|encoder ...] --fasta chr20.fa.gz

Ways take turns, so a machine that slows down affects all. Times are CPU seconds, user and system
together, of the whole process; peak memory is what the kernel reports for it. Of several rounds,
the table has the medians. Without --fasta, the DNA is random. --old BUNDLE adds a bundle of an
earlier release, whose encoder is one graph that onnxruntime runs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam
from clocks import Usage, cpu_clock, process
from first_release import HISTPRED, ROOT, genome, intervals, median, megabytes, table

TILE = 200
LINE = 60  # bases of a line of FASTA
MARKS = "H2AFZ,H3K27ac,H3K27me3,H3K36me3,H3K4me1,H3K4me3,H3K9ac,H3K9me3"
ONE_BY_ONE = """
import sys
from histpred.__main__ import main
from histpred.encoders.embedder import Embedder
Embedder.sharing = lambda *_: None
sys.exit(main())
"""
WAYS = {"shared": HISTPRED, "one by one": [sys.executable, "-c", ONE_BY_ONE]}
NO_TABLE = ["--tracks", "--no-table"]


class Plan(NamedTuple):
    """The options, and a folder for what is written."""

    scratch: Path
    fasta: Path | None
    old: Path | None
    lengths: list[int]
    tiles: int
    windows: int
    rounds: int
    copies: int


def main() -> None:
    """Run the named sections, or all, and print a Markdown table of each."""
    known: dict[str, Callable[[Plan], None]] = {
        "command": command,
        "chromosome": chromosome,
        "genes": genes,
        "encoder": encoder,
    }
    given = vars(options(list(known)).parse_args())
    sections = given.pop("sections") or list(known)
    with tempfile.TemporaryDirectory(dir=given.pop("scratch")) as scratch:
        for name in sections:
            print(f"\n### {name}\n", flush=True)
            known[name](Plan(Path(scratch), **given))


def options(sections: list[str]) -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("sections", nargs="*", help="command, chromosome, genes, encoder [default: all]")
    add("--fasta", type=Path, help="a chromosome or genome; the default bundle is of human")
    add("--old", type=Path, help="folder of a bundle with encoder.onnx")
    add("--lengths", type=int, nargs="+", default=[1_000_000, 4_000_000], help="bp of `command`")
    add("--tiles", type=int, default=2_560, help="of `encoder`")
    add("--windows", type=int, default=60_000, help="of `genes`")
    add("--rounds", type=int, default=3, help="of all sections but `chromosome`")
    add("--copies", type=int, default=1, help="of FASTA in the genome of `chromosome`")
    add("--scratch", type=Path, help="folder with room for such a genome [default: the system's]")
    return parser


def encoder(plan: Plan) -> None:
    """The encoders alone, in this process, over the same windows."""
    from histpred.bundle.folder import load_bundle
    from histpred.bundle.outputs import encoder_for
    from histpred.encoders import build
    from histpred.genome.tiles import AT_ONCE

    bundles = {"one by one": load_bundle()}
    if plan.old:
        bundles["one by one, one graph"] = load_bundle(str(plan.old))
    encoders = {
        way: build(encoder_for(bundle.manifest, bundle.manifest.interval), bundle.directory)
        for way, bundle in bundles.items()
    }
    sharing = encoders["one by one"]
    read = 2 * sharing.reach
    sequence = dna(plan, plan.tiles * TILE + read)
    found: dict[str, np.ndarray] = {}

    def shared() -> None:
        edges = [*range(0, plan.tiles, AT_ONCE), plan.tiles]
        blocks = [
            sharing.embed_along(
                [(sequence[a * TILE : (b - 1) * TILE + read], np.arange(b - a))], TILE
            )
            for a, b in pairwise(edges)
        ]
        found["shared"] = np.concatenate(blocks)

    def alone(way: str) -> None:
        windows = [sequence[i * TILE :][:read] for i in range(plan.tiles)]
        calls = [windows[i : i + AT_ONCE] for i in range(0, plan.tiles, AT_ONCE)]
        found[way] = np.concatenate([encoders[way].embed(call).vectors for call in calls])

    seconds: dict[str, list[float]] = {way: [] for way in ("shared", *encoders)}
    for _ in range(plan.rounds):
        seconds["shared"].append(cpu_clock(shared))
        for way in encoders:
            seconds[way].append(cpu_clock(alone, way))
    rows = []
    for way, runs in seconds.items():
        each = f"{median(runs) / plan.tiles * 1e6:,.0f}"
        difference = f"{np.abs(found[way] - found['one by one']).max():.0e}"
        rows.append([way, each, times(seconds, way), difference])
    table(["tiles", "CPU us each", "shared is faster", "largest difference of a vector"], rows)
    print(f"\n{plan.tiles:,} tiles; numbers of a vector reach {np.abs(found['shared']).max():.1f}")


def command(plan: Plan) -> None:
    """`histpred predict --tile`, with the table and without, on contigs of several lengths."""
    rows = []
    for length in plan.lengths:
        fasta = contigs(plan.scratch / f"{length}.fa", [("chr1", dna(plan, length))])
        for output, given in (("table", []), ("tracks only", NO_TABLE)):
            ways = {way: [*WAYS[way], "predict", fasta, "--no-report", *given] for way in WAYS}
            if plan.old and output == "table":
                ways["one graph"] = [
                    *HISTPRED,
                    "predict",
                    fasta,
                    "--no-report",
                    "--bundle",
                    plan.old,
                ]
            used = in_turns(plan, ways, "--tile", TILE)
            seconds = {way: [one.cpu for one in runs] for way, runs in used.items()}
            for way, runs in seconds.items():
                peak = megabytes(max(used[way], key=lambda one: one.peak))
                named = [f"{length // TILE:,}", output, way]
                rows.append([*named, f"{median(runs):.1f}", times(seconds, way), peak])
    table(["tiles", "output", "way", "CPU s", "shared is faster", "peak memory"], rows)


def genes(plan: Plan) -> None:
    """`histpred predict` of promoters, which do not share bins."""
    fasta = genome(plan.scratch)
    bed = intervals(plan.scratch / "promoters.bed", plan.windows, shuffled=True)
    ways = {"two graphs": [*HISTPRED, "predict", bed, fasta, "--no-report"]}
    if plan.old:
        ways["one graph"] = [*ways["two graphs"], "--bundle", plan.old]
    used = in_turns(plan, ways)
    seconds = {way: [one.cpu for one in runs] for way, runs in used.items()}
    rows = []
    for way, runs in used.items():
        cpu, wall = f"{median(seconds[way]):.1f}", f"{median([one.wall for one in runs]):.1f}"
        peak = megabytes(max(runs, key=lambda one: one.peak))
        rows.append([f"{plan.windows:,}", way, cpu, times(seconds, way), wall, peak])
    table(["promoters", "bundle", "CPU s", "two graphs are faster", "s", "peak memory"], rows)


def chromosome(plan: Plan) -> None:
    """All of FASTA, or a genome of several copies of it, as tracks of eight marks."""
    fasta = plan.fasta or contigs(
        plan.scratch / "random.fa", [("chr1", dna(plan, plan.lengths[0]))]
    )
    if plan.copies > 1:
        fasta = contigs(plan.scratch / "copies.fa", copied(fasta, plan.copies))
    out = plan.scratch / "chromosome"
    given = ["--tile", TILE, *NO_TABLE, "--marks", MARKS]
    used = process([*HISTPRED, "predict", fasta, "-o", out, *given], cwd=ROOT)
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    result, bases = record["result"], record["fasta"]["bases"]
    written = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    row = [f"{bases / 1e6:,.0f} Mb", f"{result['scored']:,}", f"{used.cpu:.0f}", f"{used.wall:.0f}"]
    row += [megabytes(used), f"{written / 1e6:.0f} MB"]
    table(["genome", "tiles scored", "CPU s", "s", "peak memory", "on disk"], [row])


def in_turns(
    plan: Plan, ways: Mapping[str, list[object]], *given: object
) -> dict[str, list[Usage]]:
    """What each way takes in each round."""
    used: dict[str, list[Usage]] = {way: [] for way in ways}
    out = plan.scratch / "out"
    for _ in range(plan.rounds):
        for way, words in ways.items():
            used[way].append(process([*words, "-o", out, "--overwrite", *given], cwd=ROOT))
    return used


def times(seconds: Mapping[str, Sequence[float]], way: str) -> str:
    """How many times as fast as this way the first one is: the median of the rounds."""
    first = next(iter(seconds))
    ratios = [slow / fast for slow, fast in zip(seconds[way], seconds[first], strict=True)]
    return "" if way == first else f"{median(ratios):.1f} times"


def dna(plan: Plan, length: int) -> bytes:
    """Bases of FASTA from its first known one on; without FASTA, random ones."""
    if plan.fasta is None:
        return np.random.default_rng(0).choice(np.frombuffer(b"ACGT", np.uint8), length).tobytes()
    with pysam.FastaFile(str(plan.fasta)) as fasta:
        first = fasta.references[0]
        known = (at for at in range(0, fasta.lengths[0], TILE) if is_known(fasta, first, at))
        start = next(known)
        return str(fasta.fetch(first, start, start + length)).upper().encode()


def is_known(fasta: pysam.FastaFile, contig: str, start: int) -> bool:
    """True if a tile has no N."""
    return "N" not in fasta.fetch(contig, start, start + TILE).upper()


def copied(fasta: Path, copies: int) -> Iterator[tuple[str, bytes]]:
    """The contigs of FASTA, several times and under different names."""
    with pysam.FastaFile(str(fasta)) as source:
        for name in source.references:
            sequence = source.fetch(name).encode()
            for number in range(1, copies + 1):
                yield f"{name}_{number}", sequence


def contigs(path: Path, sequences: Iterable[tuple[str, bytes]]) -> Path:
    """Write a plain FASTA and its index."""
    with open(path, "wb") as target:
        for name, sequence in sequences:
            target.write(f">{name}\n".encode())
            for start in range(0, len(sequence), LINE):
                target.write(sequence[start : start + LINE] + b"\n")
    pysam.faidx(str(path))
    return path


if __name__ == "__main__":
    main()
