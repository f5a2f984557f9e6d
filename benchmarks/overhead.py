"""Measure what the pipeline costs beside the plain command, by the number of shards.

    HISTPRED_EXTRAS=train bin/histpred --version   # makes the environment
    .venv/bin/python benchmarks/overhead.py [--count 60000] [--tile 200] [--shards 1,4,20]
        [--rounds 3] [--nextflow PATH]

The plain command is one `histpred predict`. The pipeline runs on the same rows with the local
executor, so Nextflow and Java are needed. Both take turns, and each figure is
the median of the rounds. All outputs must have the same bytes. Inputs are made from a seed: random
promoters, or with --tile one row of so many tiles, on a contig of 50 Mb.

CPU seconds are user + system of all processes, Nextflow's own included. They do not depend on the
number of cores, if the machine is quiet. Wall seconds do: with few cores, shards wait for each
other. The longest path is what remains with a machine for each shard.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cluster_trace import NAME, PREDICT, seconds
from first_release import HISTPRED, ROOT, genome, intervals, table

from histpred.bundle.folder import load_bundle
from histpred.bundle.outputs import window_for
from histpred.scoring.tables import CALLS, SCORES

TABLES = (SCORES, CALLS, "ledger.tsv")
REST = "Nextflow and publishing"


class Task(NamedTuple):
    """Time of a task: seconds of its own, and CPU seconds (NaN if the trace has none)."""

    process: str
    wall: float
    cpu: float


class Timed(NamedTuple):
    """A run: wall and CPU seconds, and the tasks of a pipeline."""

    wall: float
    cpu: float
    tasks: Sequence[Task] = ()

    @property
    def path(self) -> float:
        """Wall seconds if all shards had run side by side, without what Nextflow takes."""
        longest: dict[str, float] = defaultdict(float)
        for task in self.tasks:
            longest[task.process] = max(longest[task.process], task.wall)
        return sum(longest.values())

    def by_process(self) -> dict[str, float]:
        """CPU seconds of the tasks of each process, and of what is no task."""
        found: dict[str, float] = defaultdict(float)
        for task in self.tasks:
            found[task.process] += task.cpu
        return {**found, REST: self.cpu - sum(found.values())}


def main() -> None:
    """Print the tables."""
    options = parsed()
    with tempfile.TemporaryDirectory() as scratch:
        runs = measure(options, Path(scratch))
    report(runs)


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=60_000, help="number of windows")
    parser.add_argument("--tile", type=int, help="tiles of so many bp in place of promoters")
    parser.add_argument("--shards", type=_numbers, default=[1, 4, 20], help="numbers of shards")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nextflow", default=shutil.which("nextflow"), help="path of nextflow")
    options = parser.parse_args(words)
    if not options.nextflow or not shutil.which(os.environ.get("JAVA_CMD", "java")):
        parser.error("needs nextflow on PATH, or --nextflow PATH, and Java")
    return options


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def measure(options: argparse.Namespace, scratch: Path) -> dict[int, list[Timed]]:
    """The runs by the number of shards; 0: of the plain command."""
    fasta, rows = genome(scratch), scratch / "rows.bed"
    kind, window = [], window_for(load_bundle())
    bases = options.count * (window.upstream + window.downstream)
    if options.tile:
        kind, bases = ["--tile", str(options.tile)], options.count * options.tile
        rows.write_text(f"chr1\t0\t{bases}\trow\t0\t.\n")
    else:
        intervals(rows, options.count, shuffled=True)
    runs: dict[int, list[Timed]] = defaultdict(list)
    for number in range(options.rounds):
        plain = scratch / f"plain-{number}"
        command = [*HISTPRED, "predict", rows, fasta, "-o", plain, "-q", "--no-report", *kind]
        runs[0].append(Timed(*timed(command, scratch)))
        for shards in options.shards:
            folder = scratch / f"shards-{shards}-{number}"
            folder.mkdir()
            command = [options.nextflow, "run", ROOT / "main.nf", "--annotation", rows]
            command += ["--fasta", fasta, "--sample", "rows", *kind]
            command += ["--shard_bases", -(-bases // shards)]
            wall, cpu = timed(command, folder)
            found = folder / "results" / "predictions" / "rows"
            if any((found / one).read_bytes() != (plain / one).read_bytes() for one in TABLES):
                raise SystemExit(f"{shards} shards gave other bytes than the plain command")
            (trace,) = (folder / "results" / "pipeline_info").glob("trace_*.txt")
            tasks = tasks_of(trace)
            made = sum(task.process == PREDICT for task in tasks)
            if made != shards:
                raise SystemExit(f"{made} shards where {shards} were wanted")
            runs[shards].append(Timed(wall, cpu, tasks))
            shutil.rmtree(folder)
    return runs


def timed(command: Sequence[object], folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of a command and all its children; SystemExit if it fails."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    more = {"PATH": path, "NXF_OFFLINE": "true", "NXF_ANSI_LOG": "false", "PYTHONPATH": str(ROOT)}
    before, started = _cpu(), time.perf_counter()
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**os.environ, **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    wall = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"failed: {command}\n{done.stdout}{done.stderr}")
    return wall, _cpu() - before


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def tasks_of(trace: Path) -> list[Task]:
    """The tasks of Nextflow's trace."""
    with open(trace, encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    found = []
    for row in rows:
        name, wall = re.match(NAME, row["name"]), seconds(row["realtime"])
        share = row["%cpu"].rstrip("%")
        cpu = float("nan") if share == "-" else wall * float(share) / 100
        found.append(Task(name["process"] if name else row["name"], wall, cpu))
    return found


def report(runs: Mapping[int, Sequence[Timed]]) -> None:
    """Print what each number of shards took, and where the CPU seconds went."""
    cpu = {shards: statistics.median(run.cpu for run in found) for shards, found in runs.items()}
    wall = {shards: statistics.median(run.wall for run in found) for shards, found in runs.items()}
    rows = []
    for shards, found in runs.items():
        over = f"{cpu[shards] / cpu[0] - 1:+.1%}" if shards else ""
        path = statistics.median(run.path for run in found) if shards else ""
        name = f"{shards} shards" if shards else "histpred predict"
        rows.append([name, cpu[shards], over, wall[shards], path])
    table(["run", "CPU s", "over the plain command", "wall s", "longest path s"], rows)
    print()
    processes = dict.fromkeys(
        process
        for found in runs.values()
        for run in found
        if run.tasks
        for process in run.by_process()
    )
    rows = []
    for process in processes:
        cells = [
            statistics.median(run.by_process().get(process, 0.0) for run in found)
            for shards, found in runs.items()
            if shards
        ]
        rows.append([process, *cells])
    table(["CPU s of", *(f"{shards} shards" for shards in runs if shards)], rows)


if __name__ == "__main__":
    main()
