"""What a simulated run comes to, and tables of it, for `benchmarks/cluster.py`."""

from __future__ import annotations

import numpy as np
import pandas as pd
from cluster_plan import Plan
from cluster_simulation import Run

LOSSES = {  # of GPU time, in the order in which they are shown
    "start-up": "start-up of tasks",
    "scatter": "no shard yet (SCATTER)",
    "queueing": "shards pending",
    "variation": "slow GPUs, spread, failures",
    "tail": "tail: no shard left",
}


def shares(run: Run, plan: Plan, gpus: int, ideal: float) -> dict[str, float]:
    """Return efficiency and LOSSES, which add up to 1, with makespan (s) and counts of tasks.

    `start-up` is the time of a GPU that has a task but does not embed. `variation` is embedding
    beyond the ideal. A GPU without a task is `queueing` while a shard is pending with Nextflow or
    Slurm. With no shard pending, its time is `scatter` until Nextflow sees the last SCATTER end,
    and `tail` afterwards.
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
        "tasks": len(plan.seconds),
        "makespan": run.makespan,
        "efficiency": ideal / total,
        **{name: float(value) / total for name, value in lost.items()},
        "retries": run.attempts - len(plan.seconds),
        "given up": run.given_up,
    }


def formatted(table: pd.DataFrame) -> str:
    """Return `table` as Markdown, with shares in per cent."""
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
