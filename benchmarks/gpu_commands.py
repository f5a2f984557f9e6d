"""The steps of gpu.sh that train and predict."""

from __future__ import annotations

import json
import time

from gpu_encoders import DATA, DNABERT2, GENES, GENOME
from gpu_report import Plan

import training
from support.command_line import histpred

LABELS = str(DATA / "labels.tsv")


def epoch(plan: Plan) -> None:
    """Train the paper's network for an epoch, beside the loop over shuffled pairs."""
    sizes = plan.sizes
    epochs = training.measure(sizes.rows, sizes.marks, sizes.dimension, plan.device)
    size = f"{sizes.rows:,} rows, {sizes.marks} marks, {epochs.parameters / 1e6:.1f} M parameters"
    for name, seconds in epochs.seconds.items():
        plan.report.add(
            f"an epoch, {name}",
            f"{seconds:.3g} s, {epochs.pairs / seconds:,.0f} pairs/s ({size})",
            seconds=seconds,
            pairs_per_second=epochs.pairs / seconds,
            parameters=epochs.parameters,
        )


def predict(plan: Plan) -> None:
    """Score test-data with the shipped bundle and with a DNABERT-2 bundle that is trained here."""
    scored(plan, "the shipped bundle", "shipped", "--device", "auto")
    weights = str(DNABERT2.weights(plan))
    bundle = str(plan.scratch / "bundle")
    given = ["--encoder", "dnabert2", "--weights", weights, *plan.sizes.train]
    started = time.perf_counter()
    run("train", GENES, GENOME, LABELS, "-o", bundle, "--device", plan.device, *given)
    taken = time.perf_counter() - started
    plan.report.add("histpred train, DNABERT-2", f"{taken:.1f} s", seconds=taken)
    used = ("--bundle", bundle, "--weights", weights, "--device", plan.device)
    device = scored(plan, "DNABERT-2", "embedded", *used)
    if not device.startswith(plan.kind):
        plan.report.error = f"predict ran on {device}, not on {plan.kind}"


def scored(plan: Plan, name: str, folder: str, *options: str) -> str:
    """Run histpred predict and report it; returns the device in its record."""
    out = plan.scratch / folder
    started = time.perf_counter()
    run("predict", GENES, GENOME, "-o", str(out), *options)
    seconds = time.perf_counter() - started
    result = json.loads((out / "run.json").read_text(encoding="utf-8"))["result"]
    plan.report.add(
        f"histpred predict, {name}",
        f"{seconds:.1f} s, {result['scored']} windows, on {result['device']}",
        seconds=seconds,
        windows=result["scored"],
    )
    return str(result["device"])


def run(*arguments: str) -> None:
    """Run histpred in this process, where its GPU memory can be read."""
    done = histpred(*arguments)
    print(done.out, done.err, flush=True)
    if done.code:
        reason = " ".join(done.err.split("\n")[-3:]).strip()
        raise RuntimeError(f"histpred {arguments[0]} ended with exit code {done.code}: {reason}")
