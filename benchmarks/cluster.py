"""The pipeline on a simulated Slurm cluster of 10 to 1,000 GPUs, 1,000 genomes: which shard size?

    python benchmarks/cluster.py TRACE [TRACE ...] [--rate 5.8e6] [--load 10] [--queue-size 1000]
        [--poll 5] [--seed 0] [--out cluster.svg]

TRACE is what `nextflow run . -with-trace` wrote (the pipeline does so by itself); traces of
genomes and shards of different sizes tell fixed seconds from those that grow.

Measured, that is, read from the traces
    The fixed seconds of each process; for SCATTER and GATHER also those for each base; the spread
    of PREDICT's times around their linear fit, which all tasks get; the seconds that starting a
    task costs beside its own (the lowest tenth of duration - realtime: Nextflow's polling and
    Slurm's queue, which the rest contains, are simulated here).
Assumed
    The GPU's rate, for all that grows with bases, and the seconds until its model is loaded
    (--rate, --load), since no GPU has run the pipeline yet; that two tasks on a GPU embed in turns
    without loss; the genomes' sizes (`genome_bases`); nodes, failures and Slurm's pace (`Cluster`).
    All of it is drawn by a seeded generator, and a row is the mean of REPEATS runs.
Nextflow, as its 25.04.0 does it (TaskPollingMonitor, GridTaskHandler, SlurmExecutor)
    At most queueSize tasks are with Slurm, waiting or running, of all processes together. One
    thread submits them, first come, first served. With a submitRateLimit each look at a pending
    task costs a permit, also where the queue is full. That a task has ended shows at the next poll
    (defaults: queueSize 100, pollInterval 5 s, no submitRateLimit). A task whose node vanished
    leaves no exit code: 270 s pass (exitReadTimeout) before it is retried.

Efficiency = sum over genomes of bases / rate, divided by GPUs x makespan.
"""

from __future__ import annotations

import argparse
import heapq
import re
import sys
from collections import deque
from collections.abc import Callable, Iterator
from itertools import product
from math import floor, inf
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from scipy.optimize import nnls

from histpred.core.errors import HistpredError, InputError

matplotlib.use("Agg")
from matplotlib import pyplot as plt

GPUS = (10, 30, 100, 300, 1000)
SHARD_BASES = (10e6, 30e6, 100e6, 200e6, 400e6, 1e9, 4e9)  # the last: one shard a genome
GOAL, GOAL_GPUS = 0.9, 100
REPEATS = 3

# The lower end of what an H200 may realistically do with DNABERT-2 in fp16, 5.8 to 9.4 Mbp/s: 35 %
# of its arithmetic at 512 tokens. An estimate from published figures, not a measurement of ours.
RATE = 5.8e6
RATES = (3.8e6, RATE, 9.4e6)  # an A100 by the same reckoning; the upper end of an H200
# Import of torch, CUDA context, 468 MB of weights from a shared disk, first batch: a guess. Only
# the import has been timed, 2 to 5 s on two cores.
LOAD = 10.0
LOADS = (2.0, 5.0, 10.0, 20.0)

BUNDLE, SCATTER, PREDICT, GATHER, SUMMARY = "BUNDLE", "SCATTER", "PREDICT", "GATHER", "SUMMARY"
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
NAME = r"^(?:[^(]*:)?(?P<process>[^:( ]+)(?: \((?P<tag>.*)\))?$"
SHARD_TAG = r"^(?P<sample>.+) \d+/(?P<shards>\d+) (?P<bases>\d+) bp$"
LOSSES = {  # of GPU time, in the order in which they are shown
    "start-up": "start-up of tasks",
    "scatter": "no shard yet (SCATTER)",
    "queueing": "queueing (Nextflow, Slurm)",
    "variation": "stragglers and retries",
    "tail": "tail: no shard left",
}


class Line(NamedTuple):
    """Seconds = fixed + a_base x bases."""

    fixed: float
    a_base: float


class Measured(NamedTuple):
    """What traces say. launch: seconds to start a task, beside its own; sigma: standard deviation
    of the logarithm of PREDICT's times around its line; notes: what they cannot say.
    """

    tasks: int
    failed: int
    launch: float
    lines: dict[str, Line]
    sigma: float
    notes: list[str]


class Cluster(NamedTuple):
    """Nodes and settings; seconds, and shares of 1. All but Nextflow's settings are assumed.

    A GPU is a node of its own here. Tasks without one have CPUs of their own, so that neither kind
    waits for the other (a partition each, or backfill).
    """

    gpus: int = GOAL_GPUS
    tasks_per_gpu: int = 1  # with Slurm's gres/shard: one loads while another embeds
    cpus: int = 500
    queue_size: int = 1000  # as in nextflow/conf/slurm.config
    submissions: float = 0.0  # submitRateLimit, a second; 0: none
    scatter_array: int = 100  # SCATTER tasks that one call of sbatch submits: its `array`
    poll: float = 5.0
    exit_timeout: float = 270.0
    retries: int = 2
    walltime: float = 12 * 3600.0  # of the first attempt; the second has twice that, and so on
    sbatch: float = 0.05  # for a call of sbatch, one at a time
    scheduling: float = 3.0  # Slurm looks at new jobs together: its batch_sched_delay
    release: float = 1.0  # until Slurm can give away the node of a job that ended: its epilog
    slow: float = 0.02  # of the GPUs
    slowness: float = 1.5
    killed: float = 0.01  # of all attempts, at any point of their time; memory, mostly
    lost: float = 0.001  # nodes that vanish in an hour of a task


class Case(NamedTuple):
    """One simulation: genomes, bases of their windows in the order of the sample sheet; bases of a
    shard at most; bp/s of a GPU and seconds until it has its model.
    """

    genomes: np.ndarray
    shard_bases: float
    cluster: Cluster
    rate: float
    load: float


class Plan(NamedTuple):
    """The tasks of a run by number: BUNDLE, SCATTER of each genome, GATHER of each, SUMMARY, then
    the shards. genome: of each shard; seconds: of each task on a node without a fault, launch
    included; fixed: those of a shard that are not embedding; sigma: see Measured.
    """

    genome: np.ndarray
    seconds: np.ndarray
    fixed: float
    sigma: float


class Run(NamedTuple):
    """What happened. ready, started: when Nextflow had each attempt at a shard, and when it began;
    occupied, left: when a GPU got a task, having none, and when it had none again; computing: the
    seconds of all GPUs that went into embedding; scattered: when the last SCATTER was seen to have
    ended; given_up: tasks that failed too often.
    """

    makespan: float
    ready: np.ndarray
    started: np.ndarray
    occupied: np.ndarray
    left: np.ndarray
    computing: float
    scattered: float
    attempts: int
    given_up: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", nargs="+", metavar="TRACE")
    parser.add_argument("--rate", type=_positive, default=RATE, help="bp/s that a GPU embeds")
    parser.add_argument("--load", type=float, default=LOAD, help="seconds to load its model")
    parser.add_argument("--queue-size", type=_count, default=Cluster().queue_size)
    parser.add_argument("--poll", type=float, default=Cluster().poll, help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="plot, .svg or .png")
    options = parser.parse_args()
    if options.out and options.out.suffix not in (".svg", ".png"):
        parser.error(f"--out {options.out}: neither .svg nor .png")
    try:
        measured = measure(options.traces)
    except HistpredError as error:
        sys.exit(f"error: {error}")
    print("\n".join(_basis(measured, options.rate, options.load)), end="\n\n")

    genomes = genome_bases(options.seed)
    cluster = Cluster(queue_size=options.queue_size, poll=options.poll)
    base = Case(genomes, 0.0, cluster, options.rate, options.load)
    print(
        f"{len(genomes):,} genomes, {genomes.sum() / 1e9:,.0f} Gbp of windows, "
        f"{genomes.sum() / base.rate / 3600:.1f} GPU hours of embedding. queueSize "
        f"{cluster.queue_size:,}, pollInterval {cluster.poll:g} s, no submitRateLimit, SCATTER "
        f"submitted in arrays of {cluster.scatter_array}.\n"
    )

    def row(case: Case, repeats: int = REPEATS) -> dict[str, float]:
        made, ideal = plan(case, measured), case.genomes.sum() / case.rate
        runs = (simulate(made, case.cluster, options.seed + i) for i in range(repeats))
        found = pd.DataFrame(shares(run, made, case.cluster.gpus, ideal) for run in runs)
        return found.mean().to_dict()

    cases = [
        base._replace(shard_bases=shard, cluster=cluster._replace(gpus=gpus, tasks_per_gpu=tasks))
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
    print("The best shard of each:\n")
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
    print(f"Best efficiency at {GOAL_GPUS} GPUs, and its shards in Mbp, by loading and rate:\n")
    print(formatted(pd.DataFrame(reach(chosen, row))))
    if options.out:
        draw(table, options)


def _positive(text: str) -> float:
    if not 0 < (value := float(text)) < inf:
        raise ValueError
    return value


def _count(text: str) -> int:
    return int(_positive(str(int(text))))


def variants(base: Case) -> Iterator[tuple[str, Case]]:
    """What may be set otherwise, or turn out otherwise, one thing at a time."""

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


def reach(base: Case, row: Callable[[Case, int], dict[str, float]]) -> Iterator[dict[str, str]]:
    """The best of the larger shards, by tasks a GPU and loading time (rows) and rate (columns)."""
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


def measure(paths: list[str]) -> Measured:
    """Task times of the pipeline from Nextflow's traces; InputError where they are none."""
    tasks = pd.concat([read_trace(path) for path in paths], ignore_index=True)
    if "hash" in tasks:  # a task that another trace shows as cached is the same one
        tasks = tasks[~tasks.duplicated("hash") | tasks["hash"].isna()]
    done = tasks[tasks["status"].isin(["COMPLETED", "CACHED"])].dropna(subset=["seconds"])
    shards = done[(done["process"] == PREDICT) & done["bases"].notna()]
    notes = []
    # Shards of a sample are about equal, and one trace need not show all of them.
    of_sample = shards.groupby(["trace", "sample"])
    totals = of_sample["bases"].mean() * of_sample["shards"].first()
    lines = {}
    for process in (BUNDLE, SCATTER, PREDICT, GATHER, SUMMARY):
        rows = shards if process == PREDICT else done[done["process"] == process]
        if process in (SCATTER, GATHER):
            keys = pd.MultiIndex.from_frame(rows[["trace", "tag"]])
            rows = rows.assign(bases=totals.reindex(keys).to_numpy())
        if process in (SCATTER, PREDICT, GATHER):
            if rows.empty:
                raise InputError(
                    paths[0],
                    f"no completed {process} with its time among {len(tasks)} tasks",
                    "give the trace of a run of the pipeline in mode predict",
                )
            if not tells_apart(rows["bases"]):
                notes.append(f"{process}: sizes too alike to tell what grows; all taken as fixed")
        lines[process] = fit(rows["seconds"], rows["bases"])
    expected = lines[PREDICT].fixed + lines[PREDICT].a_base * shards["bases"]
    # Two degrees of freedom went into the line.
    ratio = np.log(shards["seconds"] / expected)
    sigma = float(np.sqrt((ratio**2).sum() / (len(ratio) - 2))) if len(ratio) > 2 else 0.0
    if len(ratio) <= 2:
        notes.append("PREDICT: too few shards for a spread; none taken")
    elif shards["seconds"].median() < 10:
        notes.append(
            "PREDICT: tasks of seconds spread more than long ones do: sigma is pessimistic"
        )
    beside = (done["duration"] - done["seconds"]).clip(lower=0).dropna()
    launch = float(beside.quantile(0.1)) if len(beside) else 0.0
    failed = int((tasks["status"] == "FAILED").sum())
    return Measured(len(done), failed, launch, lines, sigma, notes)


def read_trace(path: str) -> pd.DataFrame:
    """A trace's tasks: process (last name, up to '_'), tag, status, hash if there is one; sample,
    bases and number of shards where the tag is a shard's; duration and realtime in seconds.
    """
    try:
        rows = pd.read_csv(path, sep="\t", dtype=str, na_values=["-"])
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(path, f"cannot be read: {error}", "give a file of -with-trace") from None
    if missing := {"name", "status", "duration", "realtime"} - set(rows):
        raise InputError(
            path,
            f"no column {', '.join(sorted(missing))} among {', '.join(rows)}",
            "give a file of -with-trace with its default fields",
        )
    names = rows["name"].fillna("").str.extract(NAME)
    shard = names["tag"].str.extract(SHARD_TAG)
    return pd.DataFrame(
        {
            "trace": path,
            "process": names["process"].str.split("_").str[0],
            "tag": names["tag"],
            "sample": shard["sample"],
            "bases": pd.to_numeric(shard["bases"]),
            "shards": pd.to_numeric(shard["shards"]),
            "status": rows["status"],
            "duration": rows["duration"].map(seconds),
            "seconds": rows["realtime"].map(seconds),
        }
        | ({"hash": rows["hash"]} if "hash" in rows else {})
    )


def seconds(text: object) -> float:
    """Nextflow's durations in seconds; NaN for what is none. Bare numbers are milliseconds, as with
    `trace.raw`.

    >>> seconds("1m 2s"), seconds("350ms"), seconds("1500")
    (62.0, 0.35, 1.5)
    """
    parts = str(text).split()
    found = [re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?", part) for part in parts]
    if not parts or None in found or (len(parts) > 1 and not all(part[2] for part in found)):
        return float("nan")
    return sum(float(part[1]) * UNITS[part[2] or "ms"] for part in found)


def tells_apart(bases: pd.Series) -> bool:
    """Whether tasks of such sizes show what grows with size."""
    known = bases.dropna()
    return len(known) > 1 and known.max() >= 1.5 * known.min()


def fit(times: pd.Series, bases: pd.Series) -> Line:
    """The line of least relative error, neither part negative; all fixed where sizes are alike."""
    if times.empty:
        return Line(0.0, 0.0)
    if not tells_apart(bases):
        return Line(float(times.median()), 0.0)
    known = bases.notna()
    times, bases = times[known].clip(lower=0.001), bases[known]
    scale = bases.max()
    columns = np.column_stack([1 / times, bases / scale / times])
    (fixed, growing), _ = nnls(columns, np.ones(len(times)))
    return Line(float(fixed), float(growing / scale))


def genome_bases(seed: int, count: int = 1000) -> np.ndarray:
    """Bases of all windows of each genome, log-normal.

    95 % lie between yeast (12 Mbp: a grid embeds each base once) and human or a large plant (4
    Gbp: 60,000 genes whose context windows, the gene and 30 kb before it, have 68 kb on average,
    as on chr22). Those beyond are set to the bounds.
    """
    low, high = np.log(12e6), np.log(4e9)
    sizes = np.random.default_rng(seed).normal((low + high) / 2, (high - low) / 2 / 1.96, count)
    return np.exp(sizes.clip(low, high))


def plan(case: Case, measured: Measured) -> Plan:
    """The tasks of a run; shards of a genome are equal, as SCATTER balances them."""
    genomes = case.genomes
    shards = np.ceil(genomes / case.shard_bases).astype(int)
    lines, launch = measured.lines, measured.launch
    fixed = launch + lines[PREDICT].fixed + case.load
    times = [
        [launch + lines[BUNDLE].fixed],
        launch + lines[SCATTER].fixed + lines[SCATTER].a_base * genomes,
        launch + lines[GATHER].fixed + lines[GATHER].a_base * genomes,
        [launch + lines[SUMMARY].fixed],
        fixed + np.repeat(genomes / shards, shards) / case.rate,
    ]
    genome = np.repeat(np.arange(len(genomes)), shards)
    return Plan(genome, np.concatenate(times), fixed, measured.sigma)


FINISH, FREE, GONE, POLL, SUBMIT, PASS = range(6)  # events, in their order at the same time
DONE, KILLED, LOST = range(3)


def simulate(made: Plan, cluster: Cluster, seed: int) -> Run:
    """The run, event by event; the same seed gives the same run. All times are in seconds."""
    genomes = int(made.genome.max()) + 1
    summary = 2 * genomes + 1
    first_shard = summary + 1
    left = np.bincount(made.genome, minlength=genomes)
    offsets = (first_shard + np.concatenate([[0], np.cumsum(left)])).tolist()
    left, genome_of = left.tolist(), made.genome.tolist()
    unfinished = genomes

    rng = np.random.default_rng(seed)
    table = (len(made.seconds), cluster.retries + 1)
    # Of mean 1: a rate is one on average.
    noise = np.exp(rng.normal(-(made.sigma**2) / 2, made.sigma, table)).tolist()
    nominal = made.seconds.tolist()
    killed = np.where(rng.random(table) < cluster.killed, rng.random(table), inf).tolist()
    hours = rng.exponential(1 / cluster.lost, table) if cluster.lost else np.full(table, inf)
    lost = (3600 * hours).tolist()
    slow = rng.permutation(cluster.gpus) < round(cluster.slow * cluster.gpus)
    paces = np.where(slow, cluster.slowness, 1.0).tolist()
    places = cluster.gpus * cluster.tasks_per_gpu
    free = (deque(range(cluster.cpus)), deque(range(places)))
    embedded, present = [0.0] * cluster.gpus, [0] * cluster.gpus
    waiting: tuple[deque[int], deque[int]] = (deque(), deque())  # with Slurm, for a CPU, for a GPU

    attempt = [0] * table[0]
    outcome, node = [DONE] * table[0], [0] * table[0]
    ahead, behind = deque([0]), deque()  # with Nextflow: before and behind its finger
    slots = cluster.queue_size
    gap = max(cluster.sbatch, 1 / cluster.submissions if cluster.submissions else 0.0)
    blocked: float | None = None
    due = {POLL: False, SUBMIT: True, PASS: False}
    events: list[tuple[float, int, int]] = [(0.0, SUBMIT, 0)]
    ended: list[int] = []  # not yet seen by Nextflow
    ready_at, started_at, occupied_at, left_at = [], [], [], []
    makespan = scattered = ready_to_submit = 0.0
    attempts = given_up = 0
    computing = 0.0

    def call(kind: int, at: float) -> None:
        if not due[kind]:
            due[kind] = True
            heapq.heappush(events, (at, kind, 0))

    def after(task: int) -> Iterator[int]:
        """The tasks that can go once `task` is over."""
        nonlocal unfinished
        if task == 0:
            yield from range(1, genomes + 1)
        elif task <= genomes and outcome[task] == DONE:
            yield from range(offsets[task - 1], offsets[task])
        elif task < summary:  # a GATHER, or a SCATTER that was given up
            unfinished -= 1
            if not unfinished:
                yield summary
        elif task > summary:
            genome = genome_of[task - first_shard]
            left[genome] -= 1
            if not left[genome]:
                yield genomes + 1 + genome

    def start(gpu: bool) -> None:
        """Slurm: who waits longest goes first."""
        nonlocal attempts, computing
        while waiting[gpu] and free[gpu]:
            task = waiting[gpu].popleft()
            node[task] = free[gpu].popleft()
            turn = attempt[task]
            factor = noise[task][turn]
            if gpu:
                which = node[task] % cluster.gpus
                factor *= paces[which]
                embedding = (nominal[task] - made.fixed) * factor
                # Tasks of one GPU embed one after another, in the order in which they came.
                begin = max(now + made.fixed * factor, embedded[which])
                time = begin + embedding - now
            else:
                time = nominal[task] * factor
            outcome[task] = DONE
            limit = cluster.walltime * (turn + 1)
            if (cut := min(killed[task][turn] * time, limit)) < time:
                time, outcome[task] = cut, KILLED
            if lost[task][turn] < time:
                time, outcome[task] = lost[task][turn], LOST
            if gpu:
                computing += max(now + time - begin, 0.0)
                embedded[which] = max(embedded[which], now + time)
                started_at.append(now)
                present[which] += 1
                if present[which] == 1:
                    occupied_at.append(now)
            heapq.heappush(events, (now + time, FINISH, task))
            attempts += 1

    while events:
        now, kind, task = heapq.heappop(events)
        if kind == FINISH:
            gpu = task > summary
            if gpu:
                which = node[task] % cluster.gpus
                present[which] -= 1
                if not present[which]:
                    left_at.append(now)
            heapq.heappush(
                events, (now + cluster.release, FREE, node[task] if gpu else ~node[task])
            )
            if outcome[task] == LOST:
                heapq.heappush(events, (now + cluster.exit_timeout, GONE, task))
            else:
                ended.append(task)
                call(POLL, _next(now, cluster.poll))
        elif kind == FREE:
            gpu = task >= 0
            free[gpu].append(task if gpu else ~task)
            start(gpu)
        elif kind == GONE:
            ended.append(task)
            call(POLL, _next(now, cluster.poll))
        elif kind == POLL:
            due[POLL] = False
            if blocked is not None and cluster.submissions:
                _turn(ahead, behind, int((now - blocked) / gap))
            blocked = None
            slots += len(ended)
            for task in ended:
                if task <= genomes:
                    scattered = now
                if outcome[task] != DONE and attempt[task] < cluster.retries:
                    attempt[task] += 1
                    new = [task]
                else:
                    given_up += outcome[task] != DONE
                    new = list(after(task))
                ahead.extend(new)
                ready_at.extend(now for other in new if other > summary)
                if task == summary:
                    makespan = now
            ended.clear()
            if ahead or behind:
                call(SUBMIT, max(now, ready_to_submit))
        elif kind == SUBMIT:
            due[SUBMIT] = False
            if not ahead:
                ahead, behind = behind, ahead
            if not ahead:
                continue
            if not slots:
                blocked = now
                continue
            slots -= 1
            task = ahead.popleft()
            waiting[task > summary].append(task)
            call(PASS, _next(now, cluster.scheduling))
            array = cluster.scatter_array if 0 < task <= genomes and not attempt[task] else 1
            ready_to_submit = now + gap / array
            call(SUBMIT, ready_to_submit)
        else:
            due[PASS] = False
            start(False)
            start(True)

    times = (np.array(part) for part in (ready_at, started_at, occupied_at, left_at))
    return Run(makespan, *times, computing, scattered, attempts, given_up)


def _next(now: float, interval: float) -> float:
    """The next multiple of `interval` after `now`; `now` itself if there is no interval."""
    return (floor(now / interval) + 1) * interval if interval else now


def _turn(ahead: deque[int], behind: deque[int], steps: int) -> None:
    """Nextflow's finger passes over `steps` pending tasks, again from the first after the last."""
    pending = len(ahead) + len(behind)
    for _ in range(steps % pending if pending else 0):
        if not ahead:
            ahead.extend(behind)
            behind.clear()
        behind.append(ahead.popleft())


def shares(run: Run, made: Plan, gpus: int, ideal: float) -> dict[str, float]:
    """Efficiency and LOSSES, together 1, with makespan (s), tasks, retries and what was given up.

    A GPU that has a task but does not embed is in `start-up`; embedding beyond the ideal is
    `variation`. One without a task is `queueing` while a shard is pending with Nextflow or Slurm;
    if there is none, `scatter` until the last SCATTER was seen to end, and `tail` after.
    """
    total = gpus * run.makespan
    times = np.concatenate(
        [[0.0], run.ready, run.started, run.occupied, run.left, [run.scattered, run.makespan]]
    )
    counts = [1, len(run.ready), len(run.started), len(run.occupied), len(run.left), 2]
    order = np.argsort(times, kind="stable")
    pending = np.cumsum(np.repeat([0, 1, -1, 0, 0, 0], counts)[order])[:-1]
    idle = np.cumsum(np.repeat([gpus, 0, 0, -1, 1, 0], counts)[order])[:-1]
    spans, begins = np.diff(times[order]), times[order][:-1]
    for_none = np.maximum(idle - pending, 0) * spans
    before = begins < run.scattered

    lost = {
        "start-up": total - (idle * spans).sum() - run.computing,
        "scatter": for_none[before].sum(),
        "queueing": (np.minimum(idle, pending) * spans).sum(),
        "variation": run.computing - ideal,
        "tail": for_none[~before].sum(),
    }
    return {
        "tasks": len(made.seconds),
        "makespan": run.makespan,
        "efficiency": ideal / total,
        **{name: float(value) / total for name, value in lost.items()},
        "retries": run.attempts - len(made.seconds),
        "given up": run.given_up,
    }


def formatted(table: pd.DataFrame) -> str:
    """`table` as Markdown, shares in per cent."""
    shown = {name: [_cell(name, value) for value in column] for name, column in table.items()}
    rows = [list(shown), ["---"] * len(shown), *zip(*shown.values(), strict=True)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(name: str, value: float | str) -> str:
    if isinstance(value, str):
        return value
    if name in ("efficiency", *LOSSES):
        return f"{round(value, 3) + 0.0:.1%}"  # no -0.0
    if name == "makespan":
        minutes, rest = divmod(round(value), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
    return f"{value:,.0f}"


def _basis(measured: Measured, rate: float, load: float) -> Iterator[str]:
    """What the figures rest on."""
    yield f"Measured, from {measured.tasks} tasks ({measured.failed} failed ones not counted in):"
    for process, line in measured.lines.items():
        if process == PREDICT:
            spread = f"spread (sigma of the logarithm) {measured.sigma:.3f}"
            own = f"; its own {1 / line.a_base:,.0f} bp/s are not used" if line.a_base else ""
            yield f"  {process}: {line.fixed:.2f} s before it embeds, {spread}{own}"
        else:
            growing = f" + {line.a_base * 1e9:.1f} s/Gbp" if line.a_base else ""
            yield f"  {process}: {line.fixed:.2f} s{growing}"
    yield f"  starting a task: {measured.launch:.2f} s"
    yield from (f"  note: {note}" for note in measured.notes)
    yield "Assumed, as no GPU has run the pipeline yet:"
    yield f"  a GPU embeds {rate / 1e6:g} Mbp/s and has its model after {load:g} s"
    assumed = set(Cluster._fields[2:]) - {"queue_size", "submissions", "scatter_array", "poll"}
    for name in sorted(assumed, key=Cluster._fields.index):
        yield f"  {name.replace('_', ' ')}: {Cluster._field_defaults[name]:g}"


def draw(table: pd.DataFrame, options: argparse.Namespace) -> None:
    """Efficiency against GPUs, a line a shard size; and where the time goes at the goal's GPUs."""
    shades = plt.get_cmap("plasma_r")(np.linspace(0.12, 1, len(SHARD_BASES)))
    names = {shard / 1e6: _shard_name(shard) for shard in SHARD_BASES}
    figure, axes = plt.subplots(
        1, 3, figsize=(15, 5.6), width_ratios=[1, 1, 1.3], layout="constrained"
    )
    for axis, (tasks, rows) in zip(axes, table.groupby("tasks a GPU"), strict=False):
        axis.axhline(100 * GOAL, color="black", linewidth=1, linestyle=(0, (5, 3)), zorder=1)
        axis.axvline(GOAL_GPUS, color="0.85", linewidth=1, zorder=0)
        lines = rows.groupby("shard Mbp")
        for (shard, line), shade, marker in zip(lines, shades, "ovs^D*p", strict=True):
            share = 100 * line["efficiency"]
            axis.plot(
                line["GPUs"], share, marker=marker, color=shade, label=names[shard], linewidth=2
            )
        best = rows.loc[rows["efficiency"].where(rows["GPUs"] == GOAL_GPUS).idxmax()]
        axis.annotate(
            f"{best['efficiency']:.0%}, {names[best['shard Mbp']]}",
            (GOAL_GPUS, 100 * best["efficiency"]),
            xytext=(7, 5),
            textcoords="offset points",
            weight="bold",
        )
        axis.set(
            title=f"{tasks} task{'s' * (tasks > 1)} on a GPU at a time",
            xscale="log",
            xticks=GPUS,
            ylim=(0, 102),
            xlabel="GPUs",
        )
        axis.set_xticklabels([f"{gpus:,}" for gpus in GPUS])
        axis.minorticks_off()
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("Efficiency, %")
    axes[0].text(1000, 100 * GOAL + 1, f"goal {GOAL:.0%}", ha="right", va="bottom")
    legend = axes[0].legend(
        title="Bases of a shard",
        ncols=len(SHARD_BASES),
        frameon=False,
        loc="upper center",
        bbox_to_anchor=(1.1, -0.13),
        columnspacing=1.2,
    )
    legend.set_in_layout(False)  # it reaches below the second panel
    _draw_losses(axes[2], table[table["GPUs"] == GOAL_GPUS], names)
    figure.suptitle(
        f"1,000 genomes on a simulated Slurm cluster ({options.rate / 1e6:g} Mbp/s and "
        f"{options.load:g} s of loading assumed for a GPU)",
        fontsize=14,
    )
    figure.savefig(options.out, dpi=150)


def _draw_losses(axis: plt.Axes, rows: pd.DataFrame, names: dict[float, str]) -> None:
    """A bar for each shard size and number of tasks a GPU: where the GPUs' time goes."""
    parts = {"efficiency": "embedding", **LOSSES}
    shades = ("#0072b2", "#e69f00", "#56b4e9", "#cc79a7", "#d55e00", "#c8c8c8")
    rows = rows.sort_values(["shard Mbp", "tasks a GPU"])
    order = np.arange(len(rows))
    places = order + 0.35 * (order // 2)
    start = np.zeros(len(rows))
    for (name, label), shade in zip(parts.items(), shades, strict=True):
        width = 100 * rows[name].clip(lower=0).to_numpy()
        axis.barh(places, width, left=start, color=shade, label=label, height=0.86)
        start += width
    for place, share in zip(places, rows["efficiency"], strict=True):
        axis.text(1, place, f"{share:.0%}", color="white", va="center", fontsize=9)
    axis.axvline(100 * GOAL, color="black", linewidth=1, linestyle=(0, (5, 3)))
    labels = [
        f"{names[shard]}, {tasks} task{'s' * (tasks > 1)}"
        for shard, tasks in zip(rows["shard Mbp"], rows["tasks a GPU"], strict=True)
    ]
    axis.set_yticks(places, labels)
    axis.invert_yaxis()
    axis.set(title=f"Where the time of {GOAL_GPUS} GPUs goes", xlim=(0, 100), xlabel="GPU time, %")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(ncols=2, frameon=False, loc="upper center", bbox_to_anchor=(0.4, -0.13))


def _shard_name(bases: float) -> str:
    if bases == SHARD_BASES[-1]:
        return "whole genome"
    return f"{bases / 1e9:g} Gbp" if bases >= 1e9 else f"{bases / 1e6:g} Mbp"


if __name__ == "__main__":
    main()
