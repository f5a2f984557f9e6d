"""One step of gpu.sh, in a process of its own, so that each starts with an empty GPU.

    python benchmarks/gpu_steps.py STEP --report FILE --scratch FOLDER [--device cuda:0] [--tiny]

A step writes what it measures into the report as it goes, so that a step that fails or is stopped
leaves what it had. The weights are random numbers in the true architecture, since speed does not
depend on their values. DNA is that of test-data.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from gpu_report import FULL, SMALL, Plan, Report

STEPS = {  # module and function; only the module of the step is imported
    "machine": "gpu_checks:machine",
    "doctor": "gpu_checks:doctor",
    "tests": "gpu_checks:tests",
    "dnabert2": "gpu_encoders:dnabert2_throughput",
    "rnafm": "gpu_encoders:rnafm_throughput",
    "parity": "gpu_encoders:parity",
    "training": "gpu_commands:epoch",
    "predict": "gpu_commands:predict",
}


def main() -> int:
    """Run one step; the exit code is 1 if it found something wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--report", required=True, type=Path)
    parser.add_argument("--scratch", required=True, type=Path)
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    report = Report(options.report)
    sizes = SMALL if options.tiny else FULL
    module, function = STEPS[options.step].split(":")
    step = getattr(importlib.import_module(module), function)
    step(Plan(options.device, sizes, options.scratch, options.tokenizer, report))
    report.save()
    return 1 if report.error else 0


if __name__ == "__main__":
    sys.exit(main())
