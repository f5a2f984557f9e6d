"""The cases that `benchmarks/cluster.py` simulates: clusters, genomes, and the tasks of a run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from cluster_trace import BUNDLE, GATHER, PREDICT, SCATTER, SUMMARY, Measurements

GPUS = (10, 30, 100, 300, 1000)
SHARD_BASES = (10e6, 30e6, 100e6, 200e6, 400e6, 1e9, 4e9)  # the last: one shard for each genome
GOAL, GOAL_GPUS = 0.9, 100


class Cluster(NamedTuple):
    """Nodes and settings, in seconds and shares. All but Nextflow's settings are assumed.

    Here each GPU is a node. Tasks without a GPU have CPUs of their own, so neither kind of task
    waits for the other (as with two partitions, or backfill).
    """

    gpus: int = GOAL_GPUS
    tasks_per_gpu: int = 1  # with Slurm's gres/shard: one task loads while another embeds
    cpus: int = 500
    queue_size: int = 1000  # as in nextflow/conf/slurm.config
    submissions: float = 0.0  # submitRateLimit, per second; 0: no limit
    scatter_array: int = 100  # SCATTER tasks that one call of sbatch submits: its `array`
    poll: float = 5.0
    exit_timeout: float = 270.0
    retries: int = 2
    walltime: float = 12 * 3600.0  # of the first attempt; the second has twice that, and so on
    sbatch: float = 0.05  # for a call of sbatch, one at a time
    scheduling: float = 3.0  # Slurm looks at new jobs together: its batch_sched_delay
    release: float = 1.0  # from a job's end until Slurm can give its node away: its epilog
    slow: float = 0.02  # share of slow GPUs
    slowness: float = 1.5
    killed: float = 0.01  # share of all attempts, at any moment of their time; mostly memory
    lost: float = 0.001  # nodes that vanish in an hour of a task


class Case(NamedTuple):
    """One simulation.

    genomes: bases of the windows of each genome, in the order of the samplesheet. shard_bases:
    largest number of bases in a shard. rate: bp/s of a GPU. load: seconds to load its model.
    """

    genomes: np.ndarray
    shard_bases: float
    cluster: Cluster
    rate: float
    load: float


class Plan(NamedTuple):
    """The tasks of a run by number: BUNDLE, each SCATTER, each GATHER, SUMMARY, then the shards.

    genome: genome of each shard. seconds: time of each task on a node without a fault, launch
    included. fixed: seconds of a shard that are not embedding. sigma: see Measurements.
    """

    genome: np.ndarray
    seconds: np.ndarray
    fixed: float
    sigma: float


def genome_bases(seed: int, count: int = 1000) -> np.ndarray:
    """Return the bases of all windows of each genome, from a log-normal distribution.

    95 % lie between yeast (12 Mbp: a grid embeds each base once) and human or a large plant (4
    Gbp: 60,000 genes whose context windows, the gene and 30 kb before it, have 68 kb on average,
    as on chr22). Values beyond these bounds are set to them.
    """
    low, high = np.log(12e6), np.log(4e9)
    sizes = np.random.default_rng(seed).normal((low + high) / 2, (high - low) / 2 / 1.96, count)
    return np.exp(sizes.clip(low, high))


def plan(case: Case, measured: Measurements) -> Plan:
    """Return the tasks of a run. Shards of a genome have equal sizes, as SCATTER makes them."""
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
