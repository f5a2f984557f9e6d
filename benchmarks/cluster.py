"""Simulate the pipeline on Slurm, 1,000 genomes on 10 to 1,000 GPUs, to choose a shard size.

    python benchmarks/cluster.py TRACE [TRACE ...] [--rate 5.8e6] [--load 10 | --measured]
        [--queue-size 1000] [--poll 5] [--seed 0] [--out cluster.svg]

TRACE is a file of `nextflow run . -with-trace` (the pipeline writes one by itself). Traces of
genomes and shards of different sizes tell fixed seconds from seconds that grow with size.

Measured: read from the traces (cluster_trace.py)
    Fixed seconds of each process. For SCATTER and GATHER also the seconds for each base. The spread
    of PREDICT's times around their linear fit; all tasks get this spread. The seconds that starting
    a task costs beside its own time: the lowest tenth of duration - realtime. The rest of that
    difference is Nextflow's polling and Slurm's queue, which are simulated here.
Assumed (cluster_plan.py)
    The rate of a GPU, which sets all time that grows with bases, and the seconds to load its model
    (--rate, --load): no GPU has run the pipeline yet. With --measured, both are PREDICT's own in
    the traces, and a "GPU" is a node like the one that ran them: for encoders that need no GPU,
    such as that of the shipped bundles. Two tasks on a GPU embed in turns without
    loss. The sizes of the genomes (`genome_bases`); nodes, failures and Slurm's pace (`Cluster`).
    A seeded generator draws all of it, and each row is the mean of REPEATS runs.
Nextflow, as version 25.04.0 works (TaskPollingMonitor, GridTaskHandler, SlurmExecutor)
    At most queueSize tasks, of all processes together, are waiting or running in Slurm. One thread
    submits them, first come, first served. With a submitRateLimit, each look at a pending task
    costs a permit, even if the queue is full. Nextflow sees the end of a task at its next poll
    (defaults: queueSize 100, pollInterval 5 s, no submitRateLimit). A task whose node vanishes
    leaves no exit code: it is retried after 270 s (exitReadTimeout).

Efficiency = sum over genomes of bases / rate, divided by GPUs x makespan.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from itertools import product
from math import inf
from pathlib import Path

import numpy as np
import pandas as pd
from cluster_figure import draw
from cluster_plan import GOAL, GOAL_GPUS, GPUS, SHARD_BASES, Case, Cluster, genome_bases, plan
from cluster_simulation import simulate
from cluster_tables import formatted, shares
from cluster_trace import PREDICT, Measurements, measure

from histpred.core.errors import HistpredError

REPEATS = 3

# The lower end of what an H200 may reach with DNABERT-2 in fp16, 5.8 to 9.4 Mbp/s: 35 % of its
# arithmetic at 512 tokens. An estimate from published figures; we have not measured it.
RATE = 5.8e6
RATES = (3.8e6, RATE, 9.4e6)  # an A100 by the same estimate; the upper end of an H200
# Import of torch, CUDA context, 468 MB of weights from a shared disk, first batch: a guess. Only
# the import has been timed: 2 to 5 s on two cores.
LOAD = 10.0
LOADS = (2.0, 5.0, 10.0, 20.0)

Row = dict[str, float]


def main() -> None:
    """Print the tables and draw the figure."""
    options = parsed()
    try:
        measured = measure(options.traces)
    except HistpredError as error:
        sys.exit(f"error: {error}")
    rate, load = options.rate, options.load
    if options.measured:
        per_base, load = measured.lines[PREDICT].a_base, 0.0
        if not per_base:
            sys.exit("error: --measured needs traces of shards of different sizes")
        rate = 1 / per_base
    print("\n".join(_basis(measured, rate, load)), end="\n\n")

    genomes = genome_bases(options.seed)
    cluster = Cluster(queue_size=options.queue_size, poll=options.poll)
    base = Case(genomes, 0.0, cluster, rate, load)
    print(
        f"{len(genomes):,} genomes, {genomes.sum() / 1e9:,.0f} Gbp of windows, "
        f"{genomes.sum() / base.rate / 3600:.1f} GPU hours of embedding. queueSize "
        f"{cluster.queue_size:,}, pollInterval {cluster.poll:g} s, no submitRateLimit, SCATTER "
        f"submitted in arrays of {cluster.scatter_array}.\n"
    )

    def row(case: Case, repeats: int = REPEATS) -> Row:
        tasks, ideal = plan(case, measured), case.genomes.sum() / case.rate
        runs = (simulate(tasks, case.cluster, options.seed + i) for i in range(repeats))
        found = pd.DataFrame(shares(run, tasks, case.cluster.gpus, ideal) for run in runs)
        return found.mean().to_dict()

    table = compare_shards(base, row)
    if options.out:
        draw(table, rate, load, options.out)


def parsed() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", nargs="+", metavar="TRACE")
    parser.add_argument("--rate", type=_positive, default=RATE, help="bp/s that a GPU embeds")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--load", type=float, default=LOAD, help="seconds to load the model")
    start.add_argument("--measured", action="store_true", help="PREDICT as in the traces")
    parser.add_argument("--queue-size", type=_count, default=Cluster().queue_size)
    parser.add_argument("--poll", type=float, default=Cluster().poll, help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="figure, .svg or .png")
    options = parser.parse_args()
    if options.out and options.out.suffix not in (".svg", ".png"):
        parser.error(f"--out {options.out}: neither .svg nor .png")
    return options


def _positive(text: str) -> float:
    if not 0 < (value := float(text)) < inf:
        raise ValueError
    return value


def _count(text: str) -> int:
    return int(_positive(str(int(text))))


def compare_shards(base: Case, row: Callable[..., Row]) -> pd.DataFrame:
    """Print and return efficiency by shard size and GPUs. Print what changes it at GOAL_GPUS."""
    cases = [
        base._replace(
            shard_bases=shard, cluster=base.cluster._replace(gpus=gpus, tasks_per_gpu=tasks)
        )
        for tasks, gpus, shard in product((1, 2), GPUS, SHARD_BASES)
    ]
    table = pd.DataFrame(
        {
            "tasks a GPU": case.cluster.tasks_per_gpu,
            "GPUs": case.cluster.gpus,
            "shard Mbp": case.shard_bases / 1e6,
        }
        | row(case)
        for case in cases
    )
    print(formatted(table), end="\n\n")
    print("The best shard size of each:\n")
    best = table.loc[table.groupby(["tasks a GPU", "GPUs"])["efficiency"].idxmax()]
    print(formatted(best), end="\n\n")

    at_goal = best[best["GPUs"] == GOAL_GPUS]
    chosen = cases[at_goal["efficiency"].idxmax()]
    print(
        f"Best at {GOAL_GPUS} GPUs: tasks a GPU {chosen.cluster.tasks_per_gpu}, shards of "
        f"{chosen.shard_bases / 1e6:g} Mbp, efficiency {at_goal['efficiency'].max():.1%} (goal "
        f"{GOAL:.0%}). One thing changed at a time:\n"
    )
    changes = ({"change": name} | row(case) for name, case in variants(chosen))
    print(formatted(pd.DataFrame(changes)), end="\n\n")
    if base.load:
        print(
            f"Best efficiency at {GOAL_GPUS} GPUs and its shard size in Mbp, by loading and rate:\n"
        )
        print(formatted(pd.DataFrame(reach(chosen, row))))
    return table


def variants(base: Case) -> Iterator[tuple[str, Case]]:
    """Yield cases that differ from `base` in one setting or assumption."""

    def other(**changes: float) -> Case:
        return base._replace(cluster=base.cluster._replace(**changes))

    yield "none", base
    yield "1 task a GPU", other(tasks_per_gpu=1)
    yield "3 tasks a GPU", other(tasks_per_gpu=3)
    yield "Nextflow's queueSize, 100", other(queue_size=100)
    for size in (200, 300, 500, 1000, 5000):
        yield f"queueSize {size:,}", other(queue_size=size)
    for poll in (1.0, 10.0, 30.0):
        yield f"pollInterval {poll:g} s", other(poll=poll)
    yield "no arrays", other(scatter_array=1)
    yield (
        "no arrays, queueSize 200, 20 submissions/s, pollInterval 10 s",
        other(scatter_array=1, queue_size=200, submissions=20.0, poll=10.0),
    )
    yield "largest genomes first", base._replace(genomes=np.sort(base.genomes)[::-1])
    yield "no failures", other(killed=0.0, lost=0.0)
    killed, lost = base.cluster.killed, base.cluster.lost
    yield "10 times the failures", other(killed=10 * killed, lost=10 * lost)
    yield "no slow GPU", other(slow=0.0)
    yield "10 % slow GPUs", other(slow=0.1)
    yield "10 times the genomes", base._replace(genomes=np.tile(base.genomes, 10))


def reach(base: Case, row: Callable[..., Row]) -> Iterator[dict[str, str]]:
    """Yield the best of the larger shards by tasks a GPU and loading time, a column per rate."""
    for tasks, load in product((1, 2), LOADS):
        cells = {"tasks a GPU": str(tasks), "loading s": f"{load:g}"}
        for rate in RATES:
            cluster = base.cluster._replace(tasks_per_gpu=tasks)
            found = {
                shard: row(Case(base.genomes, shard, cluster, rate, load), 1)["efficiency"]
                for shard in SHARD_BASES[2:]
            }
            shard = max(found, key=found.__getitem__)
            cells[f"{rate / 1e6:g} Mbp/s"] = f"{found[shard]:.1%} ({shard / 1e6:,.0f})"
        yield cells


def _basis(measured: Measurements, rate: float, load: float) -> Iterator[str]:
    """Yield the lines that say what was measured and what is assumed."""
    yield f"Measured, from {measured.tasks} tasks (without {measured.failed} failed ones):"
    for process, line in measured.lines.items():
        if process == PREDICT:
            spread = f"spread (sigma of the logarithm) {measured.sigma:.3f}"
            own = f"; {1 / line.a_base:,.0f} bp/s" if line.a_base else ""
            own += " (not used)" if own and load else ""
            yield f"  {process}: {line.fixed:.2f} s before it embeds, {spread}{own}"
        else:
            growing = f" + {line.a_base * 1e9:.1f} s/Gbp" if line.a_base else ""
            yield f"  {process}: {line.fixed:.2f} s{growing}"
    yield f"  starting a task: {measured.launch:.2f} s"
    yield from (f"  note: {note}" for note in measured.notes)
    if load:
        yield "Assumed, since no GPU has run the pipeline yet:"
        yield f"  a GPU embeds {rate / 1e6:g} Mbp/s and loads its model in {load:g} s"
    else:
        yield "Assumed, of nodes like the one that was measured (below, GPU means such a node):"
    assumed = set(Cluster._fields[2:]) - {"queue_size", "submissions", "scatter_array", "poll"}
    for name in sorted(assumed, key=Cluster._fields.index):
        yield f"  {name.replace('_', ' ')}: {Cluster._field_defaults[name]:g}"


if __name__ == "__main__":
    main()
