"""The steps of gpu.sh that look around: the machine, histpred doctor, the tests marked gpu."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from gpu_report import Plan

ROOT = Path(__file__).resolve().parent.parent


def machine(plan: Plan) -> None:
    """Name the machine; `no_cuda` says why CUDA cannot be used."""
    import torch

    from histpred.core.cores import usable_cores
    from histpred.encoders.devices import why_no_cuda

    facts = plan.report.facts
    facts |= {"torch": torch.__version__, "cuda": torch.version.cuda, "cores": usable_cores()}
    facts["python"] = sys.version.split()[0]
    facts["no_cuda"] = why_no_cuda()
    if not facts["no_cuda"]:
        properties = torch.cuda.get_device_properties(0)
        facts["gpu"] = properties.name
        facts["gpu_memory"] = properties.total_memory
        facts["capability"] = f"{properties.major}.{properties.minor}"


def doctor(plan: Plan) -> None:
    """Run histpred doctor; its last line says what `auto` means."""
    command = [sys.executable, "-m", "histpred", "doctor"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    print(done.stdout, done.stderr, flush=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("--device auto means")]
    found = lines[0] if lines else "no result"
    plan.report.add("histpred doctor", found, exit_code=done.returncode)
    if done.returncode:
        plan.report.error = done.stderr.strip() or f"exit code {done.returncode}"
    elif plan.kind == "cuda" and "cuda" not in found:
        plan.report.error = "doctor does not use the GPU that torch finds"


def tests(plan: Plan) -> None:
    """Run the tests that are marked gpu. Where there is a GPU, none may be skipped."""
    modules = sorted((ROOT / "tests").rglob("test_*.py"))
    chosen = [str(path) for path in modules if "mark.gpu" in path.read_text(encoding="utf-8")]
    results = plan.scratch / "tests.xml"
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:cacheprovider", "-q"]
    done = subprocess.run([*command, f"--junitxml={results}", *chosen], cwd=ROOT)
    counted = ElementTree.parse(results).getroot().find("testsuite")
    assert counted is not None
    names = ("tests", "failures", "errors", "skipped")
    total, failures, errors, skipped = (int(counted.attrib[name]) for name in names)
    passed = total - failures - errors - skipped
    found = f"{passed} passed, {failures + errors} failed, {skipped} skipped"
    numbers = {"passed": passed, "failed": failures + errors, "skipped": skipped}
    plan.report.add("tests marked gpu", found, "all pass", plan.met(passed == total), **numbers)
    if done.returncode or (plan.kind == "cuda" and skipped):
        plan.report.error = found
