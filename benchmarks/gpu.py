"""Run the steps of gpu.sh one after the other, each within its time, and write gpu.json and gpu.md.

It needs only the standard library and holds no GPU memory. A step is a process group of its own,
which is killed when its time is over.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SECONDS = {  # the most that each step may take
    "doctor": 30,
    "tests": 60,
    "dnabert2": 90,
    "rnafm": 90,
    "parity": 60,
    "training": 45,
    "predict": 60,
}
MACHINE_SECONDS = 60
SLOWER_DRY = 3  # a dry run tries the script, perhaps on a busy machine
LEAST = 5  # seconds that a step needs to start
OK, FAILED, OUT_OF_TIME = "ok", "failed", "out of time"
EXIT_FAILED, EXIT_NO_CUDA = 1, 2

Report = dict[str, object]


class Outcome(NamedTuple):
    """How a step ended. report: what it measured; `error` is '' if all is well."""

    name: str
    status: str
    error: str
    seconds: float
    allowed: float
    report: Report

    def as_json(self) -> Report:
        return {**self._asdict(), "seconds": round(self.seconds, 1)}


class Conductor(NamedTuple):
    """Starts steps. deadline: seconds of time.monotonic() at which all must have ended."""

    options: Sequence[str]
    scratch: Path
    logs: Path
    deadline: float

    def run(self, name: str, most: float) -> Outcome:
        """Run a step to its end, or to the end of its time."""
        allowed = min(most, self.deadline - time.monotonic())
        if allowed < LEAST:
            return Outcome(name, OUT_OF_TIME, "no time was left for it", 0.0, 0.0, {})
        path, log = self.scratch / f"{name}.json", self.logs / f"{name}.log"
        script = str(ROOT / "benchmarks" / "gpu_steps.py")
        command = [sys.executable, script, name, "--report", str(path), *self.options]
        environment = os.environ | {"PYTHONPATH": with_root(), "PYTHONUNBUFFERED": "1"}
        if "--tiny" in self.options:
            environment["OMP_NUM_THREADS"] = "1"  # as in tests: tiny products gain nothing from two
        started = time.monotonic()
        with log.open("wb") as out:
            child = subprocess.Popen(
                [*command, "--scratch", str(self.scratch)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = child.wait(allowed)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                kill_group(child)
        seconds = time.monotonic() - started
        report = read(path)
        if code == 0:
            return Outcome(name, OK, "", seconds, allowed, report)
        if code is None:
            error = f"stopped after {allowed:.0f} s"
            return Outcome(name, OUT_OF_TIME, error, seconds, allowed, report)
        error = str(report.get("error") or "") or last_line(log) or f"exit code {code}"
        if code < 0:
            error = f"killed by {signal.Signals(-code).name}: {error}"
        return Outcome(name, FAILED, error, seconds, allowed, report)


def with_root() -> str:
    """PYTHONPATH with this checkout first, so that no other histpred is measured."""
    return os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """End a step and all that it started, and wait for it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def read(path: Path) -> Report:
    """A step's report, empty if it wrote none."""
    try:
        report: Report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return report


def last_line(log: Path) -> str:
    """The last line of a log that is not empty: of a Python error, its message."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def main() -> int:
    """Run all steps; returns the exit code."""
    parser = argparse.ArgumentParser(prog="gpu.sh", description="Check and measure a GPU.")
    parser.add_argument("--out", type=Path, default=Path("results/gpu"), metavar="FOLDER")
    parser.add_argument("--tokenizer", type=Path, metavar="FILE", help="DNABERT-2's tokenizer.json")
    parser.add_argument("--minutes", type=float, default=8, help="for everything (default: 8)")
    parser.add_argument("--dry-run", action="store_true", help="tiny sizes on the CPU")
    parser.add_argument("--started", type=float, default=time.time(), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.tokenizer and not options.tokenizer.is_file():
        parser.error(f"--tokenizer {options.tokenizer}: no such file")

    waited = max(time.time() - options.started, 0)
    deadline = time.monotonic() + 60 * options.minutes - waited
    logs = options.out / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    given = ["--device", "cpu", "--tiny"] if options.dry_run else ["--device", "cuda:0"]
    if options.tokenizer:
        given += ["--tokenizer", str(options.tokenizer.resolve())]
    with tempfile.TemporaryDirectory() as scratch:
        conductor = Conductor(given, Path(scratch), logs, deadline)
        machine = conductor.run("machine", MACHINE_SECONDS)
        no_cuda = machine.error or machine.report.get("no_cuda")
        if no_cuda and not options.dry_run:
            told = f"gpu.sh: no CUDA device can be used: {no_cuda}"
            print(f"{told} (--dry-run tries the script on the CPU)", file=sys.stderr)
            return EXIT_NO_CUDA
        outcomes = [] if machine.status == OK else [machine]
        head = header(options, machine.report, waited)
        for name, seconds in SECONDS.items():
            allowed = seconds * (SLOWER_DRY if options.dry_run else 1)
            print(f"gpu.sh: {name}, at most {allowed} s", file=sys.stderr, flush=True)
            outcomes.append(conductor.run(name, allowed))
            told = outcomes[-1].error or f"{outcomes[-1].seconds:.0f} s"
            print(f"gpu.sh: {name}: {outcomes[-1].status}, {told}", file=sys.stderr, flush=True)
            head["seconds"] = round(time.time() - options.started, 1)
            write(options.out, head, outcomes)
    print((options.out / "gpu.md").read_text(encoding="utf-8"), end="")
    return 0 if all(outcome.status == OK for outcome in outcomes) else EXIT_FAILED


def header(options: argparse.Namespace, machine: Report, waited: float) -> Report:
    """What holds for all steps."""
    return {
        "schema_version": "1.0",
        "started": datetime.fromtimestamp(options.started, UTC).isoformat(timespec="seconds"),
        "dry_run": options.dry_run,
        "machine": {**machine, "system": platform.platform()},
        "weights": "random numbers in the true architecture"
        + (", of tiny size" if options.dry_run else ", of full size"),
        "tokenizer": str(options.tokenizer or "made from random DNA, not the published one"),
        "seconds_of_the_environment": round(waited, 1),
    }


def write(folder: Path, head: Report, outcomes: Sequence[Outcome]) -> None:
    """Write gpu.json and gpu.md, with the steps that have ended."""
    content = {**head, "steps": [outcome.as_json() for outcome in outcomes]}
    for name, text in (("gpu.json", json.dumps(content, indent=1)), ("gpu.md", table(content))):
        partial = folder / f"{name}.partial"
        partial.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
        partial.replace(folder / name)


def table(content: Mapping[str, object]) -> str:
    """The results in Markdown: a few lines, then one table."""
    machine = content["machine"]
    where = machine.get("gpu") or "the CPU"
    dry = "A dry run with tiny sizes: no figure below means anything."
    lines = [
        f"# histpred on {where}",
        "",
        f"{content['started']}; torch {machine.get('torch')}, CUDA {machine.get('cuda')}, "
        f"{machine.get('cores')} cores; {content['seconds']} s in all."
        + (f" {dry}" if content["dry_run"] else ""),
        "",
        f"Weights: {content['weights']}. Tokenizer: {content['tokenizer']}.",
        "",
        "| step | measured | found | goal | met |",
        "|---|---|---|---|---|",
    ]
    for step in content["steps"]:
        lines.append(row(step["name"], "**the step**", summary(step), "", ""))
        for found in step["report"].get("measured", []):
            met = {True: "yes", False: "no", None: ""}[found["met"]]
            lines.append(row(step["name"], found["what"], found["found"], found["goal"], met))
    return "\n".join(lines)


def summary(step: Mapping[str, object]) -> str:
    """How a step ended: its time, its memory, its error."""
    told = f"{step['status']}, {step['seconds']:.0f} of {step['allowed']:.0f} s"
    memory = step["report"].get("gpu_bytes", {})
    if memory:
        told += f", at most {memory['peak_reserved'] / 2**30:.1f} GiB of GPU memory"
    return f"{told}: {step['error']}" if step["error"] else told


def row(*cells: str) -> str:
    """A row of the table; no cell breaks it."""
    clean = (" ".join(cell.replace("|", "\\|").split()) for cell in cells)
    return f"| {' | '.join(clean)} |"


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # ends the step too
    sys.exit(main())
