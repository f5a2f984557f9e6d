"""Slurm and Nextflow, event by event, for `benchmarks/cluster.py`. Times are in seconds."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from math import floor, inf
from typing import NamedTuple

import numpy as np
from cluster_plan import Cluster, Plan

FINISH, FREE, GONE, POLL, SUBMIT, PASS = range(6)  # events, in their order at the same time
DONE, KILLED, LOST = range(3)


class Run(NamedTuple):
    """The course of a run.

    ready, started: when Nextflow had each attempt at a shard, and when the attempt began.
    occupied, left: when an idle GPU got a task, and when a GPU had none again.
    computing: seconds of embedding on all GPUs. scattered: when Nextflow saw the last SCATTER end.
    given_up: tasks that failed too often.
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


class Chances(NamedTuple):
    """Random numbers of a run: for each task and attempt, or for each GPU."""

    noise: list[list[float]]  # factors of mean 1: a rate is that of an average attempt
    killed: list[list[float]]  # share of its time after which an attempt is killed
    lost: list[list[float]]  # seconds after which its node vanishes
    paces: list[float]  # factor of each GPU's times


def simulate(plan: Plan, cluster: Cluster, seed: int) -> Run:
    """Simulate a run. The same seed gives the same run."""
    return Simulation(plan, cluster, seed).run()


def draw_chances(plan: Plan, cluster: Cluster, seed: int) -> Chances:
    """Draw the random numbers of a run."""
    rng = np.random.default_rng(seed)
    table = (len(plan.seconds), cluster.retries + 1)
    noise = np.exp(rng.normal(-(plan.sigma**2) / 2, plan.sigma, table))
    killed = np.where(rng.random(table) < cluster.killed, rng.random(table), inf)
    hours = rng.exponential(1 / cluster.lost, table) if cluster.lost else np.full(table, inf)
    slow = rng.permutation(cluster.gpus) < round(cluster.slow * cluster.gpus)
    paces = np.where(slow, cluster.slowness, 1.0)
    return Chances(noise.tolist(), killed.tolist(), (3600 * hours).tolist(), paces.tolist())


class Simulation:
    """State of a run. Tasks are numbered as in Plan; a list with an entry per task is by number."""

    def __init__(self, plan: Plan, cluster: Cluster, seed: int) -> None:
        self.cluster, self.chances = cluster, draw_chances(plan, cluster, seed)
        self.fixed, self.nominal = plan.fixed, plan.seconds.tolist()
        tasks = len(self.nominal)
        self.attempt, self.outcome, self.node = [0] * tasks, [DONE] * tasks, [0] * tasks

        self.genomes = int(plan.genome.max()) + 1
        self.summary = 2 * self.genomes + 1
        shards = np.bincount(plan.genome, minlength=self.genomes)
        first = self.summary + 1 + np.concatenate([[0], np.cumsum(shards)])
        self.first_shards, self.genome_of = first.tolist(), plan.genome.tolist()
        self.shards_left, self.genomes_left = shards.tolist(), self.genomes

        # Slurm: places and waiting tasks, first for those on a CPU, then for those on a GPU.
        places = cluster.gpus * cluster.tasks_per_gpu
        self.free = (deque(range(cluster.cpus)), deque(range(places)))
        self.waiting: tuple[deque[int], deque[int]] = (deque(), deque())
        self.embedded, self.present = [0.0] * cluster.gpus, [0] * cluster.gpus

        # Nextflow: pending tasks before and behind its finger; tasks whose end it has not seen.
        self.ahead, self.behind = deque([0]), deque()
        self.ended: list[int] = []
        self.slots = cluster.queue_size
        self.gap = max(cluster.sbatch, 1 / cluster.submissions if cluster.submissions else 0.0)
        self.blocked: float | None = None
        self.ready_to_submit = 0.0

        self.now = 0.0
        self.events: list[tuple[float, int, int]] = [(0.0, SUBMIT, 0)]
        self.due = {POLL: False, SUBMIT: True, PASS: False}
        self.times: dict[str, list[float]] = {
            "ready": [],
            "started": [],
            "occupied": [],
            "left": [],
        }
        self.makespan = self.scattered = self.computing = 0.0
        self.attempts = self.given_up = 0

    def run(self) -> Run:
        """Handle all events in their order."""
        handlers = (
            self.finish, self.set_free, self.notice_lost, self.look, self.submit, self.schedule
        )  # fmt: skip
        while self.events:
            self.now, kind, task = heapq.heappop(self.events)
            handlers[kind](task)
        times = {name: np.array(values) for name, values in self.times.items()}
        return Run(
            makespan=self.makespan,
            **times,
            computing=self.computing,
            scattered=self.scattered,
            attempts=self.attempts,
            given_up=self.given_up,
        )

    def call(self, kind: int, at: float) -> None:
        """Schedule an event of this kind, unless one is due."""
        if not self.due[kind]:
            self.due[kind] = True
            heapq.heappush(self.events, (at, kind, 0))

    def successors(self, task: int) -> Iterator[int]:
        """Yield the tasks that can start once `task` is over."""
        if task == 0:
            yield from range(1, self.genomes + 1)
        elif task <= self.genomes and self.outcome[task] == DONE:
            yield from range(self.first_shards[task - 1], self.first_shards[task])
        elif task < self.summary:  # a GATHER, or a SCATTER that was given up
            self.genomes_left -= 1
            if not self.genomes_left:
                yield self.summary
        elif task > self.summary:
            genome = self.genome_of[task - self.summary - 1]
            self.shards_left[genome] -= 1
            if not self.shards_left[genome]:
                yield self.genomes + 1 + genome

    def start(self, gpu: bool) -> None:
        """Let Slurm start waiting tasks while places are free, first come, first served."""
        while self.waiting[gpu] and self.free[gpu]:
            task = self.waiting[gpu].popleft()
            self.node[task] = self.free[gpu].popleft()
            turn = self.attempt[task]
            factor = self.chances.noise[task][turn]
            if not gpu:
                end = self.now + self.cut(task, self.nominal[task] * factor)
            else:
                which = self.node[task] % self.cluster.gpus
                factor *= self.chances.paces[which]
                embedding = (self.nominal[task] - self.fixed) * factor
                # The tasks of one GPU embed one after another, in the order in which they came.
                begin = max(self.now + self.fixed * factor, self.embedded[which])
                end = self.now + self.cut(task, begin + embedding - self.now)
                self.computing += max(end - begin, 0.0)
                self.embedded[which] = max(self.embedded[which], end)
                self.times["started"].append(self.now)
                self.present[which] += 1
                if self.present[which] == 1:
                    self.times["occupied"].append(self.now)
            heapq.heappush(self.events, (end, FINISH, task))
            self.attempts += 1

    def cut(self, task: int, time: float) -> float:
        """Set the outcome of an attempt that would take `time`; return the time it gets."""
        turn = self.attempt[task]
        self.outcome[task] = DONE
        limit = self.cluster.walltime * (turn + 1)
        if (cut := min(self.chances.killed[task][turn] * time, limit)) < time:
            time, self.outcome[task] = cut, KILLED
        if self.chances.lost[task][turn] < time:
            time, self.outcome[task] = self.chances.lost[task][turn], LOST
        return time

    def finish(self, task: int) -> None:
        """FINISH: a task ends on its node."""
        gpu = task > self.summary
        place = self.node[task]
        if gpu:
            which = place % self.cluster.gpus
            self.present[which] -= 1
            if not self.present[which]:
                self.times["left"].append(self.now)
        free_at = self.now + self.cluster.release
        heapq.heappush(self.events, (free_at, FREE, place if gpu else ~place))
        if self.outcome[task] == LOST:
            heapq.heappush(self.events, (self.now + self.cluster.exit_timeout, GONE, task))
        else:
            self.notice_lost(task)

    def set_free(self, place: int) -> None:
        """FREE: Slurm can give a place away again. Those of CPUs are inverted (~place)."""
        gpu = place >= 0
        self.free[gpu].append(place if gpu else ~place)
        self.start(gpu)

    def notice_lost(self, task: int) -> None:
        """GONE, or a normal end: Nextflow sees it at its next poll."""
        self.ended.append(task)
        self.call(POLL, _next(self.now, self.cluster.poll))

    def look(self, _: int) -> None:
        """POLL: Nextflow looks at all its tasks."""
        self.due[POLL] = False
        if self.blocked is not None and self.cluster.submissions:
            _turn(self.ahead, self.behind, int((self.now - self.blocked) / self.gap))
        self.blocked = None
        self.slots += len(self.ended)
        for task in self.ended:
            if task <= self.genomes:
                self.scattered = self.now
            if self.outcome[task] != DONE and self.attempt[task] < self.cluster.retries:
                self.attempt[task] += 1
                new = [task]
            else:
                self.given_up += self.outcome[task] != DONE
                new = list(self.successors(task))
            self.ahead.extend(new)
            self.times["ready"].extend(self.now for other in new if other > self.summary)
            if task == self.summary:
                self.makespan = self.now
        self.ended.clear()
        if self.ahead or self.behind:
            self.call(SUBMIT, max(self.now, self.ready_to_submit))

    def submit(self, _: int) -> None:
        """SUBMIT: Nextflow gives the next pending task to Slurm."""
        self.due[SUBMIT] = False
        if not self.ahead:
            self.ahead, self.behind = self.behind, self.ahead
        if not self.ahead:
            return
        if not self.slots:
            self.blocked = self.now
            return
        self.slots -= 1
        task = self.ahead.popleft()
        self.waiting[task > self.summary].append(task)
        self.call(PASS, _next(self.now, self.cluster.scheduling))
        first_scatter = 0 < task <= self.genomes and not self.attempt[task]
        array = self.cluster.scatter_array if first_scatter else 1
        self.ready_to_submit = self.now + self.gap / array
        self.call(SUBMIT, self.ready_to_submit)

    def schedule(self, _: int) -> None:
        """PASS: Slurm looks at new jobs."""
        self.due[PASS] = False
        self.start(False)
        self.start(True)


def _next(now: float, interval: float) -> float:
    """Return the next multiple of `interval` after `now`, or `now` if the interval is 0."""
    return (floor(now / interval) + 1) * interval if interval else now


def _turn(ahead: deque[int], behind: deque[int], steps: int) -> None:
    """Move Nextflow's finger over `steps` pending tasks, back to the first after the last."""
    pending = len(ahead) + len(behind)
    for _ in range(steps % pending if pending else 0):
        if not ahead:
            ahead.extend(behind)
            behind.clear()
        behind.append(ahead.popleft())
