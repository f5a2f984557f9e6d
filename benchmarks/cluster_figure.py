"""The figure of `benchmarks/cluster.py`."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from cluster_plan import GOAL, GOAL_GPUS, GPUS, SHARD_BASES
from cluster_tables import LOSSES

matplotlib.use("Agg")
from matplotlib import pyplot as plt


def draw(table: pd.DataFrame, rate: float, load: float, out: Path) -> None:
    """Draw efficiency against GPUs for each shard size, and where the time of GOAL_GPUS goes."""
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
        f"1,000 genomes on a simulated Slurm cluster ({rate / 1e6:g} Mbp/s and "
        f"{load:g} s of loading assumed for a GPU)",
        fontsize=14,
    )
    figure.savefig(out, dpi=150)


def _draw_losses(axis: plt.Axes, rows: pd.DataFrame, names: dict[float, str]) -> None:
    """Draw a bar for each shard size and number of tasks on a GPU: where the GPUs' time goes."""
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
